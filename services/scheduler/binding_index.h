#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sealane/v1/tables.pb.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// Which bindings a change concerns, without looking at all of them: bindings with the same affinity
// share one entry that is matched once per change; others are found by the clusters they run in, or
// because they wait for something better. Everything is told in the order of keys.
// Thread rule: executor thread.
class BindingIndex final : public WorkloadGroups {
 public:
  using Add = std::function<void(const std::string& key)>;

  BindingIndex();
  ~BindingIndex() override;

  void SetBinding(const std::string& key, const v1::Binding& binding);
  void RemoveBinding(const std::string& key);
  // nullptr: there is no placement. Also told before its binding is known, or after it went.
  void SetPlaced(const std::string& key, const v1::Placed* placed);

  // A cluster came (before is null), went (after is null) or changed in what filters look at.
  void ConcernedBy(const ClusterInfo* before, const ClusterInfo* after, const Add& add) const;
  // The bindings that are placed in the cluster.
  void PlacedIn(std::string_view cluster, const Add& add) const;
  // The bindings that are not scheduled and might use the cluster, now that it has room.
  void WaitingFor(const ClusterInfo& cluster, const Add& add) const;
  // The bindings that may return to an earlier group (sealane.io/failback) which has the cluster.
  void AwayFrom(const ClusterInfo& cluster, const Add& add) const;
  // All that are not scheduled.
  void Waiting(const Add& add) const;
  // Those of the binding's workload affinity groups that are not scheduled.
  void WaitingPeers(const std::string& key, const Add& add) const;

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] size_t away() const { return away_.size(); }
  [[nodiscard]] size_t shapes() const { return shapes_.size(); }

  bool AllRunIn(const std::string& group, const v1::Binding& self,
                std::string_view cluster) const override;
  bool AnyRunsIn(const std::string& group, const v1::Binding& self,
                 std::string_view cluster) const override;

 private:
  struct Shape;
  struct Entry;
  using Keys = std::set<std::string_view>;  // views of the keys of entries_

  Entry& EntryOf(const std::string& key);
  void Unlink(const std::string& key, Entry& entry);
  void UpdateAway(std::string_view own_key, const Entry& entry);
  void DropIfEmpty(const std::string& key);
  static void Erase(std::map<std::string, Keys, std::less<>>& sets, const std::string& name,
                    std::string_view key);

  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::unique_ptr<Shape>, std::less<>> shapes_;
  std::map<std::string, Keys, std::less<>> by_cluster_;  // placed there
  std::map<std::string, Keys, std::less<>> affinity_groups_;
  std::map<std::string, Keys, std::less<>> anti_affinity_groups_;
  Keys waiting_;
  Keys away_;  // not in their first group, and they may return
};

}  // namespace sealane::scheduler
