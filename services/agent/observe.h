#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/reflector.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/item.h"

namespace sealane::agent {

// What is kept of an object. `template_generation` is the generation of the desired state that was
// applied (for the reflected status); nullopt: unknown.
[[nodiscard]] Observed Observe(const Json& object, std::optional<int64_t> template_generation);
// The generation to reflect for an item: of what is applied, else of what is wanted.
[[nodiscard]] std::optional<int64_t> TemplateGeneration(const Item& item);

// Follows the objects of all kinds that works name, one watch per kind, limited to objects with our
// label, so that memory and traffic are bounded by what is managed.
//
// Thread rule: the executor thread.
class Observer {
 public:
  struct Hooks {
    // The observed state of this item changed, or became known. `to_plan`: in a way that may need
    // something to be done, not only to be reported.
    std::function<void(const std::string& key, bool to_plan)> on_change;
    // A CustomResourceDefinition changed: the served kinds may have too.
    std::function<void()> on_definition_change;
  };

  Observer(kube::KubeClient& client, Items& items, AgentMetrics& metrics, Hooks hooks);

  // Follows the kinds that the items name and `catalog` serves; stops following others. Takes a
  // look at every item.
  void Update(const kube::ApiCatalog& catalog);
  // Whether the item's kind is one that Update would begin to follow.
  [[nodiscard]] bool Lacks(const Item& item, const kube::ApiCatalog& catalog) const;
  // Lists every kind anew: the API server was away, and what it stores may be another state.
  void Relist();
  // The first list of the kind is complete.
  [[nodiscard]] bool IsKnown(std::string_view api_version, std::string_view kind) const;
  // Every kind followed has completed its first list.
  [[nodiscard]] bool AllKnown() const;
  [[nodiscard]] size_t watches() const { return kinds_.size(); }

 private:
  using KindKey = std::pair<std::string, std::string>;  // api version, kind
  struct Kind {
    std::unique_ptr<kube::Reflector> reflector;
    std::set<std::string> seen;  // keys, while listing
    bool listing = false;
  };

  // What the item is of, by its work or else by its inventory.
  static KindKey KindOf(const Item& item);
  // The newest version of objects of the kind that is known.
  [[nodiscard]] uint64_t KnownVersion(const KindKey& key) const;
  void Follow(const KindKey& key, const kube::ResourceType& type);
  void OnPut(const KindKey& key, const Json& object);
  void OnDelete(const KindKey& key, const Json& object);
  void OnSynced(const KindKey& key);

  kube::KubeClient& client_;
  Items& items_;
  AgentMetrics& metrics_;
  Hooks hooks_;
  std::map<KindKey, Kind> kinds_;
};

}  // namespace sealane::agent
