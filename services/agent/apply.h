#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/telemetry/log.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/apply_order.h"
#include "services/agent/item.h"
#include "services/agent/ownership.h"
#include "services/agent/plan.h"
#include "services/agent/roll_call.h"
#include "services/agent/state_store.h"

namespace sealane::agent {

// `first`, doubled `times` times, at most `max`.
[[nodiscard]] absl::Duration Doubled(absl::Duration first, int times, absl::Duration max);

// Brings the cluster's objects to what the works say: takes keys, plans (plan.h), acts, and writes
// down what it did (inventory). Nothing waits for readiness.
//
// Thread rule: the executor thread. Everything given must outlive it.
class Applier {
 public:
  struct Hooks {
    // The outcome or the observed state of a work changed: report it.
    std::function<void(const std::string& key)> on_outcome;
    // The row and the object are gone; the item is about to be dropped.
    std::function<void(const std::string& key)> on_forget;
    // A kind is not served (yet): look again what the API server serves.
    std::function<void()> on_unknown_kind;
    // A CustomResourceDefinition was applied.
    std::function<void()> on_definition;
    // The API server did not answer at all.
    std::function<void(const absl::Status&)> on_no_answer;
    // The observed state of a kind's objects is complete.
    std::function<bool(std::string_view api_version, std::string_view kind)> is_known;
  };

  Applier(Env env, kube::KubeClient& client, StateStore& store, Items& items, AgentMetrics& metrics,
          std::string_view cluster, int max_active, Hooks hooks);

  // What the API server serves. Keys of kinds that were unknown are tried again.
  void SetCatalog(std::shared_ptr<const kube::ApiCatalog> catalog);
  // Hand out keys only while the API server answers; the first Resume needs a catalog.
  void Resume();
  void Pause() { queue_.Pause(); }
  // From now on, objects whose rows are gone are deleted.
  void AllowPruning() { may_prune_ = true; }
  void Add(std::string_view key) { queue_.Add(key); }
  // The work changed: earlier failures do not count any more.
  void OnNewWork(const std::string& key);
  // The item was dropped from outside.
  void Forget(const std::string& key);
  // Why writes fail, when several in a row did; "" while they succeed. What the API server refuses
  // for what it says (invalid, in conflict) does not count.
  [[nodiscard]] std::string write_trouble() const;
  // Nothing is being done or about to be. What was refused for good is tried again now and then,
  // and does not count.
  [[nodiscard]] bool idle() const {
    const KeyedQueueStats stats = queue_.stats();
    return stats.waiting == 0 && stats.active == 0 && transient_.empty();
  }
  // A work names a kind that is not served.
  [[nodiscard]] bool misses_kinds() const { return !unknown_kinds_.empty(); }
  [[nodiscard]] KeyedQueueStats stats() const { return queue_.stats(); }
  [[nodiscard]] absl::Duration oldest_wait() const { return queue_.oldest_wait(); }

 private:
  using Done = KeyedQueue::Done;
  struct Target {
    std::string api_version;
    std::string kind;
    std::string ns;
    std::string name;
  };

  // True when others must be tried before the work.
  bool MustWait(const std::string& key);
  // The work was tried, or is none any more: those that waited go on.
  void OnTried(const std::string& key);
  void Attempt(const std::string& key, bool looked_up, const Json* live, const Done& done);
  void LookUp(const std::string& key, const kube::ResourceType& type, const Target& target,
              const Done& done);
  // The same, by a list when many are to be looked up.
  void LookUpOneOfMany(const std::string& key, const kube::ResourceType& type, const Target& target,
                       const Done& done);
  // The names of the works about to be tried whose objects are like `target` and not known.
  [[nodiscard]] std::vector<std::string> InQuestion(const Target& target);
  void Apply(const std::string& key, const kube::ResourceType& type, const Target& target,
             const Decision& decision, const Json* live, const Done& done);
  // Sends the apply. `prepared` is what is sent.
  void Send(const std::string& key, const kube::ResourceType& type, const Target& target,
            const Decision& decision, PreparedManifest prepared, const Done& done);
  // Runs `then` once what was stored so far survives also a power failure. One sync serves all that
  // ask within a turn of the executor, and all works that are about to be tried: their intents are
  // written with it.
  void AfterSync(std::function<void()> then);
  // How long to wait before repairing drift that somebody keeps making.
  absl::Duration FightDelay(Item& item) const;
  void ReportDrift(const std::string& key, const kube::ResourceType& type, const Target& target,
                   const std::string& body, const Done& done);
  // What drifted is as it should be again, by another hand: the fields become ours.
  void TakeBack(const std::string& key, const kube::ResourceType& type, const Target& target,
                const std::string& body, const Done& done);
  void OnApplied(const std::string& key, const std::shared_ptr<const v1::Work>& work,
                 uint64_t manifest_hash, const Decision& decision, const Json& object,
                 bool created);
  // Somebody made the object between our look and our apply, which must not have touched it: our
  // fields go again.
  void StepBack(const std::string& key, const kube::ResourceType& type, const Target& target,
                const Done& done);
  void Remove(const std::string& key, const kube::ResourceType& type, const Target& target,
              const Done& done);
  void Release(const std::string& key, const kube::ResourceType& type, const Target& target,
               const Done& done);
  // The object is in force: say so.
  void Confirm(const std::string& key, Item& item);
  void OnGone(const std::string& key, Item& item);
  void UnknownKind(const std::string& key, Item& item, const Target& target, const Done& done);
  void Failed(const std::string& key, const absl::Status& status, const Done& done);
  void SetOutcome(const std::string& key, Item& item, Outcome outcome, std::string_view reason,
                  std::string_view message);
  // The API server answered a write.
  void NoteWrite(const absl::Status& status);
  // Another work's object is the same one: the kind is served under two API groups.
  bool OwnedByAnother(const std::string& key, const Target& target, const std::string& uid) const;
  void SaveInventory(const std::string& key, const Item& item);
  Item* Find(std::string_view key);
  void Drop(const std::string& key);
  static Target TargetOf(const Item& item);
  static Inventory IntentFor(const Target& target);

  Env env_;
  kube::KubeClient& client_;
  StateStore& store_;
  Items& items_;
  AgentMetrics& metrics_;
  std::string cluster_;
  Hooks hooks_;
  Logger log_{"agent"};
  std::shared_ptr<const kube::ApiCatalog> catalog_;
  bool may_prune_ = false;
  ApplyOrder order_;
  RollCall roll_call_;
  std::vector<std::function<void()>> unsynced_;                    // wait for the next sync
  std::set<std::string> unknown_kinds_;                            // keys whose kind is not served
  absl::Duration definition_applied_ = -absl::InfiniteDuration();  // monotonic, the last one
  int failed_writes_ = 0;                                          // in a row
  std::string write_error_;                                        // of the last of them
  std::set<std::string> transient_;                                // keys that failed in passing
  std::map<std::string, int, std::less<>> failures_;               // in a row, by key
  KeyedQueue queue_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
