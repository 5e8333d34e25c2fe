#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kubeapi/api_server.h"

namespace sealane::kubeapi {

struct LifecycleOptions {
  // How long after its deletion a namespace or definition is emptied: clients see it terminating
  // for a while.
  absl::Duration namespace_delay = absl::Milliseconds(500);
  // Resources (by storage name) that are somebody else's to keep and to remove; may be empty.
  std::function<bool(std::string_view resource)> leaves = nullptr;
};

// What follows a deletion: dependents of a removed owner go (or are orphaned), owners deleted in
// the foreground wait for them, terminating namespaces are emptied, custom objects go before
// their CRD, by the ordinary deletion. The real system does this in controllers beside the server;
// so does this class.
//
// Thread rule: the server's executor. Must not outlive the server.
class Lifecycle {
 public:
  Lifecycle(ApiServer& server, LifecycleOptions options);
  ~Lifecycle();
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

 private:
  struct KeyLess {
    bool operator()(const ObjectKey& a, const ObjectKey& b) const;
  };
  using KeySet = std::set<ObjectKey, KeyLess>;

  void OnChange(const Change& change);
  [[nodiscard]] bool Leaves(std::string_view resource) const {
    return options_.leaves && options_.leaves(resource);
  }
  void Index(const StoredObject& object, bool present);
  void Enqueue(const ObjectKey& key);
  // What to do some time after a write that fails.
  [[nodiscard]] Store::Done OrElse(std::function<void()> again);
  void Run();
  void Check(const ObjectKey& key);
  void FinishForeground(const ObjectPtr& owner);
  void Orphan(const ObjectPtr& owner);
  void DropFinalizer(const ObjectPtr& object, const char* finalizer);
  void BeginEmptying(const StoredObject& object);
  void EmptyNamespace(const std::string& name);
  // Deletes the objects of a CRD that is being deleted, and lets it go when there are none left.
  void EmptyDefinition(const std::string& name, absl::Duration wait);
  // Removes what is left of a CRD that went without waiting: through another door than this server.
  // Nobody can reach it any more, also not to take away finalizers.
  void RemoveLeftovers(const Json& crd);

  ApiServer& server_;
  LifecycleOptions options_;
  ScopedExecutor executor_;
  uint64_t subscription_ = 0;
  std::map<std::string, ObjectKey> by_uid_;
  std::map<std::string, KeySet> dependents_;        // of an owner's uid
  std::map<std::string, std::string> terminating_;  // storage name -> CRD that is being deleted
  KeySet queue_;
  KeySet orphaning_;  // owners whose dependents are being written
  bool scheduled_ = false;
};

}  // namespace sealane::kubeapi
