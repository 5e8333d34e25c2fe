#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/direct_transport.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubeapi {

struct ApiAnswer {
  int status = 0;
  http::Headers headers;
  std::string text;
  Json body;  // the text as JSON; a string when it is not JSON
};

// An API server on virtual time, driven as a client would over HTTP.
class ApiHarness {
 public:
  explicit ApiHarness(ApiServerOptions options = {}, size_t history = 4096);

  // Sends a request and waits (in virtual time) for the whole answer. A string body is sent as it
  // is, any other as JSON, null as none.
  ApiAnswer Call(const std::string& method, const std::string& path, const Json& body = Json(),
                 const std::string& content_type = "application/json",
                 const std::string& accept = "application/json", const std::string& token = "");
  ApiAnswer Get(const std::string& path) { return Call("GET", path); }
  ApiAnswer Post(const std::string& path, const Json& body) { return Call("POST", path, body); }
  ApiAnswer Put(const std::string& path, const Json& body) { return Call("PUT", path, body); }
  ApiAnswer Delete(const std::string& path, const Json& options = Json()) {
    return Call("DELETE", path, options);
  }
  ApiAnswer MergePatch(const std::string& path, const Json& body) {
    return Call("PATCH", path, body, "application/merge-patch+json");
  }
  ApiAnswer Apply(const std::string& path, const std::string& manager, const Json& body,
                  bool force = false);

  // Opens a watch and gathers its events until it is closed.
  struct Stream {
    std::unique_ptr<http::Call> call;
    int status = 0;
    std::string text;
    bool done = false;
    absl::Status end;
    [[nodiscard]] std::vector<Json> Events() const;
    // "ADDED a", "DELETED b", ...
    [[nodiscard]] std::vector<std::string> Summary() const;
  };
  std::shared_ptr<Stream> Watch(const std::string& path,
                                const std::string& accept = "application/json");

  void MakeNamespace(const std::string& name);

  SimExecutor sim;
  MemoryStore store;
  ApiServer server;
  DirectTransport transport;
};

// What a refusal says: "FIELD: MESSAGE" of each cause, or "CODE MESSAGE" if it names none; nothing
// when the request was granted.
[[nodiscard]] std::vector<std::string> FaultsOf(const ApiAnswer& answer);

// A small valid object of a kind.
// Where they are, in the namespace of most tests.
inline constexpr char kMaps[] = "/api/v1/namespaces/ns/configmaps";
[[nodiscard]] Json ConfigMap(const std::string& name, const Json& data = Json::object());
[[nodiscard]] Json Deployment(const std::string& name, int replicas = 2,
                              const std::string& image = "nginx:1.25");

}  // namespace sealane::kubeapi
