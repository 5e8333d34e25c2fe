// A server with a few objects for the fuzz targets of the API, on virtual time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/direct_transport.h"
#include "lib/kubeapi/store.h"

namespace sealane::fuzz {

// In objects of the namespace `shop`, which the user may not read.
inline constexpr char kSecret[] = "c2VjcmV0";

inline kubeapi::ApiServerOptions ApiAccess() {
  kubeapi::ApiServerOptions options;
  options.access.authenticate = [](const http::HttpRequest&) {
    return kubeapi::UserInfo{"eve", "", {}};
  };
  options.access.authorize = [](const kubeapi::UserInfo&, const kubeapi::Attributes& asked) {
    return !asked.resource_request || asked.ns == "own";
  };
  return options;
}

struct ApiWorld {
  ApiWorld()
      : server(sim.env(), store, ApiAccess()),
        transport(sim, [this](const http::HttpRequest& request,
                              std::shared_ptr<http::ResponseWriter> writer) {
          server.Handle(request, std::move(writer));
        }) {
    Put("namespaces", "", "own", {{"status", {{"phase", "Active"}}}});
    Put("namespaces", "", "shop", {{"status", {{"phase", "Active"}}}});
    Put("configmaps", "own", "mine", {{"data", {{"a", "b"}}}});
    Put("configmaps", "shop", "plan", {{"data", {{"a", kSecret}}}});
    Put("secrets", "shop", "top", {{"data", {{"a", kSecret}}}});
    Put("services", "own", "front",
        {{"spec",
          {{"selector", {{"app", "web"}}},
           {"ports", Json::array({{{"name", "http"}, {"port", 80}, {"protocol", "TCP"}}})}}}});
    Put("apps/deployments", "own", "web",
        {{"spec",
          {{"replicas", 2},
           {"selector", {{"matchLabels", {{"app", "web"}}}}},
           {"template",
            {{"metadata", {{"labels", {{"app", "web"}}}}},
             {"spec", {{"containers", Json::array({{{"name", "a"}, {"image", "b:1"}}})}}}}}}}});
  }
  void Put(const std::string& resource, const std::string& ns, const std::string& name,
           Json object) {
    object["metadata"] = {{"name", name}, {"uid", "u-" + name}, {"labels", {{"app", name}}}};
    if (!ns.empty()) object["metadata"]["namespace"] = ns;
    store.Put({resource, ns, name}, std::move(object), 0, [](auto) {});
  }

  SimExecutor sim{7};
  kubeapi::MemoryStore store;
  kubeapi::ApiServer server;
  kubeapi::DirectTransport transport;
};

// An answer that is no fault of the server's. The real server calls two mistakes of clients its
// own: a resourceVersion that is no number, and an item of a patch without the key of its list.
inline bool Answered(int status, const std::string& body) {
  if (status >= 200 && status < 500) return true;
  return status == 500 && (body.find("strconv.ParseUint") != std::string::npos ||
                           body.find("failed to create typed patch object") != std::string::npos ||
                           body.find("does not contain declared merge key") != std::string::npos);
}

}  // namespace sealane::fuzz
