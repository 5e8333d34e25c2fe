#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane::gateway {

// One kind, as its objects are stored and served.
struct Kind {
  std::string storage_name;  // kubeapi::Resource::StorageName: "apps/deployments"
  std::string api_version;   // of manifests: "apps/v1"
  std::string kind;
};

// A column of kubectl's tables.
struct KindColumn {
  const char* name;
  const char* type;
  const char* path;
};

// The CustomResourceDefinition of one of the fleet's own kinds. What the fleet checks at its front
// door is not checked a second time by a schema: everything below spec and status is kept.
// `short_name` may be "".
[[nodiscard]] Json MakeDefinition(const char* group, const char* version, const char* plural,
                                  const char* kind, bool namespaced, const char* short_name,
                                  const std::vector<KindColumn>& columns);

// The kinds that the gateway serves: Kubernetes' own, the fleet's (Karmada's), and custom ones
// whose definition was applied. Thread rule: one thread.
class Kinds {
 public:
  Kinds();
  // nullptr: not served.
  [[nodiscard]] const Kind* Of(std::string_view group, std::string_view kind) const;
  [[nodiscard]] const Kind* Stored(std::string_view storage_name) const;
  // A CustomResourceDefinition appeared or changed. False: it defines nothing, also because what it
  // names is one of Kubernetes' or the fleet's own kinds.
  bool Define(const Json& crd);

  // CustomResourceDefinitions of the fleet's own kinds: policies, Cluster, WorkloadRebalancer, and
  // the views of work.karmada.io (BindingViews), which are not stored.
  [[nodiscard]] static std::shared_ptr<const Json> FleetDefinitions();

 private:
  void Add(std::string_view group, std::string_view version, std::string_view plural,
           std::string_view kind);

  std::set<std::string> own_;  // storage names of the kinds that are served always
  std::map<std::pair<std::string, std::string>, Kind> by_kind_;
  std::map<std::string, std::pair<std::string, std::string>, std::less<>> by_storage_;
};

}  // namespace sealane::gateway
