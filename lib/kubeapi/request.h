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
  // What the audit will be told; nullptr where there is none.
  std::shared_ptr<AuditRecord> record = nullptr;
  // The request itself where the answer may take longer than the call, and how often it was tried.
  std::shared_ptr<const http::HttpRequest> kept = nullptr;
  int attempt = 0;

  [[nodiscard]] std::string Query(std::string_view name) const {
    return std::string(target.Query(name));
  }
  [[nodiscard]] bool Flag(std::string_view name) const { return FlagIsSet(target, name); }
};

// metadata.labels of an object, or null.
[[nodiscard]] const Json& LabelsOf(const Json& object);

// Which objects of a list are meant.
struct Selection {
  LabelQuery labels;
  FieldQuery fields;
  [[nodiscard]] bool Matches(const Json& object) const {
    return labels.Matches(LabelsOf(object)) && fields.Matches(object);
  }
};
// Errors: a 400 that says what is wrong with a selector.
[[nodiscard]] absl::StatusOr<Selection> ParseSelection(const Resource& resource,
                                                       const std::string& labels,
                                                       const std::string& fields);

// Whether a store found another version of the object than the one that a write was decided for.
[[nodiscard]] bool IsLostRace(const absl::Status& status);
// The error of a store in the words of the API.
[[nodiscard]] absl::Status Translate(const absl::Status& status, const Resource& resource,
                                     std::string_view name);

// The body of a request: JSON, YAML or Kubernetes' protobuf. What is to be said of fields that it
// has twice is added to `doubled`, if it is there.
[[nodiscard]] absl::StatusOr<Json> ParseRequestBody(const http::HttpRequest& request,
                                                    std::vector<std::string>* doubled = nullptr);

// The text of an object with kind and apiVersion of `resource` in front.
[[nodiscard]] std::string ObjectText(const Resource& resource, const StoredObject& object);
// Its text as an item of a list; those of a built-in list leave out what they are.
[[nodiscard]] std::string ListedText(const Resource& resource, const StoredObject& object);

}  // namespace sealane::kubeapi
