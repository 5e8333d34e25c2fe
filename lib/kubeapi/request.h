#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/http/handler.h"
#include "lib/http/message.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/selector.h"

namespace sealane::kubeapi {

// The form in which the client wants objects.
enum class Output { kObject, kTable, kMetadata };

// What an Accept header asks for; 406 when none of it can be served.
[[nodiscard]] absl::StatusOr<Output> ParseAccept(std::string_view accept);
// Whether it asks for aggregated discovery.
[[nodiscard]] bool WantsAggregatedDiscovery(std::string_view accept);

// The path of a resource request, taken apart.
struct ResourcePath {
  std::string group;
  std::string version;
  std::string ns;
  std::string plural;
  std::string name;
  std::string subresource;
  bool namespaced = false;  // the path names a namespace
};
// nullopt when the path is not below /api/<v>/ or /apis/<g>/<v>/.
[[nodiscard]] std::optional<ResourcePath> ParseResourcePath(std::string_view path);

// Whether a query parameter is there and does not say no.
[[nodiscard]] inline bool FlagIsSet(const http::Target& target, std::string_view name) {
  const std::string_view value = target.Query(name);
  return target.HasQuery(name) && value != "false" && value != "0";
}

struct ApiServer::Request {
  const http::HttpRequest& http;
  std::shared_ptr<http::ResponseWriter> writer;
  http::Target target;
  ResourcePath path;
  const Resource* resource = nullptr;
  Output output = Output::kObject;
  std::vector<std::string> warnings = {};
  std::optional<UserInfo> user = {};  // who asks; only on servers that authenticate
  // A patch, to be tried again when somebody else writes at the same time, and how often it was.
  std::shared_ptr<const http::HttpRequest> kept = nullptr;
  int attempt = 0;

  [[nodiscard]] std::string Query(std::string_view name) const {
    return std::string(target.Query(name));
  }
  [[nodiscard]] bool Flag(std::string_view name) const { return FlagIsSet(target, name); }
};

// metadata.labels of an object, or null.
[[nodiscard]] const Json& LabelsOf(const Json& object);

// The body of a request: JSON, YAML or Kubernetes' protobuf. What is to be said of fields that it
// has twice is added to `doubled`, if it is there.
[[nodiscard]] absl::StatusOr<Json> ParseRequestBody(const http::HttpRequest& request,
                                                    std::vector<std::string>* doubled = nullptr);

// The text of an object with kind and apiVersion of `resource` in front.
[[nodiscard]] std::string ObjectText(const Resource& resource, const StoredObject& object);

}  // namespace sealane::kubeapi
