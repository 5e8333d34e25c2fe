#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// One kind that an API server serves, and where.
struct ResourceType {
  std::string group;  // empty: core
  std::string version;
  std::string kind;
  std::string plural;
  bool namespaced = false;
  bool can_list = false;  // and watch
  bool can_patch = false;
  bool can_delete = false;

  friend bool operator==(const ResourceType&, const ResourceType&) = default;
};

// "apps/v1", or "v1" for the core group.
[[nodiscard]] std::string ApiVersionOf(const ResourceType& type);

// "/apis/apps/v1/namespaces/a/deployments"; an empty `ns` names the collection of all namespaces.
[[nodiscard]] std::string CollectionPath(const ResourceType& type, std::string_view ns);
[[nodiscard]] std::string ObjectPath(const ResourceType& type, std::string_view ns,
                                     std::string_view name);

// Everything one API server serves, subresources left out: maps kinds to paths.
class ApiCatalog {
 public:
  // Replaces an entry of the same group, version and kind.
  void Add(ResourceType type);
  // nullptr when the server does not serve it. `api_version` as in a manifest.
  [[nodiscard]] const ResourceType* Find(std::string_view api_version, std::string_view kind) const;
  // By (api version, kind).
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, ResourceType>& types() const {
    return types_;
  }
  // False when part of the server's discovery failed (an aggregated API is down).
  bool complete = true;

  friend bool operator==(const ApiCatalog&, const ApiCatalog&) = default;

 private:
  std::map<std::pair<std::string, std::string>, ResourceType> types_;
};

// --- Reading discovery documents (pure)
// -----------------------------------------------------------

// The group versions of APIVersions or APIGroupList: "v1", "apps/v1". INVALID_ARGUMENT for others.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ParseGroupVersions(const Json& document);
// Adds the kinds of an APIResourceList.
[[nodiscard]] absl::Status AddResourceList(const Json& document, ApiCatalog& catalog);
// Adds the kinds of an APIGroupDiscoveryList (aggregated discovery, Kubernetes 1.27 and newer).
[[nodiscard]] absl::Status AddAggregated(const Json& document, ApiCatalog& catalog);

}  // namespace sealane::kube
