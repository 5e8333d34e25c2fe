#include "services/scheduler/copy_keeper.h"

#include <algorithm>

#include "services/scheduler/copies.h"

namespace sealane::scheduler {

void Forget(std::string_view cluster, std::vector<v1::Eviction>& evictions) {
  std::erase_if(evictions, [&](const v1::Eviction& e) { return e.cluster() == cluster; });
}

void CopyKeeper::Keep(const Plan& plan, Targets& targets) {
  ForgetReturned(targets);
  Hold(plan, targets);
  Add(targets);
}

// What is placed again in a cluster that it had left need not return there. (Its record would
// make it a copy.)
void CopyKeeper::ForgetReturned(const Targets& targets) {
  std::erase_if(failover_.standing, [&](const v1::Eviction& eviction) {
    const std::string& name = eviction.cluster();
    return targets.count(name) > 0 && std::find(failover_.staying.begin(), failover_.staying.end(),
                                                name) == failover_.staying.end();
  });
}

const v1::Eviction* CopyKeeper::Standing(const std::string& cluster) const {
  for (const v1::Eviction& eviction : failover_.standing) {
    if (eviction.cluster() == cluster) return &eviction;
  }
  return nullptr;
}

bool CopyKeeper::IsDue(const std::string& cluster) const {
  return std::any_of(failover_.due.begin(), failover_.due.end(),
                     [&](const v1::Eviction& due) { return due.cluster() == cluster; });
}

// Whatever made the placement move: what was taken from a cluster stays there until what takes
// its place is healthy.
void CopyKeeper::Hold(const Plan& plan, const Targets& targets) {
  // Nothing is wanted anywhere.
  if (plan.outcome != Outcome::kScheduled || targets.empty()) return;
  std::vector<std::string> gained;
  for (const auto& [name, replicas] : targets) {
    const auto had = facts_.base.find(name);
    if (had == facts_.base.end() || (facts_.divided && replicas > had->second))
      gained.push_back(name);
  }
  for (const auto& [name, had] : facts_.base) {
    const auto now = targets.find(name);
    const bool leaves = now == targets.end();
    if (!leaves && (!facts_.divided || now->second >= had || gained.empty())) continue;
    if (Standing(name) != nullptr && leaves) continue;
    // What failed there is not kept for its own sake.
    if (!leaves && IsDue(name)) continue;
    const ClusterInfo* cluster = facts_.in.snapshot.Find(name);
    if (cluster == nullptr || cluster->abandoned) continue;
    // What waits there for room runs nowhere.
    const bool lost_room =
        facts_.in.capacity_lost != nullptr && facts_.in.capacity_lost->count(name) > 0;
    if (lost_room && (!leaves || RunsIn(targets))) continue;
    const v1::Eviction* taint = nullptr;
    for (const v1::Eviction& left : facts_.left) {
      if (left.cluster() == name) taint = &left;
    }
    if (taint != nullptr && !LeavesCopy(*taint)) continue;
    if (IsReplaced(name, gained, targets)) continue;
    v1::Eviction copy;
    copy.set_cluster(name);
    copy.set_reason(plan.cause.empty() ? failover_.restore_cause : plan.cause);
    copy.set_purge_mode("Gracefully");
    copy.set_since_micros(facts_.in.now_micros);
    copy.set_moved(true);
    copy.set_replicas(had);
    *copy.mutable_before() = BaseClusters();
    if (!plan.step && (taint == nullptr || taint->grace_until_micros() > 0)) {
      copy.set_grace_until_micros(facts_.in.now_micros + kDefaultGraceMicros);
      LookAgainAt(copy.grace_until_micros(), failover_);
    }
    const auto add = [&](const std::string& other) { copy.add_replaced_by(other); };
    if (gained.empty()) {
      for (const auto& entry : targets) add(entry.first);
    } else {
      std::for_each(gained.begin(), gained.end(), add);
    }
    Forget(name, failover_.standing);
    failover_.standing.push_back(std::move(copy));
    failover_.staying.push_back(name);
  }
}

// The placement that is left, without copies.
google::protobuf::RepeatedPtrField<v1::TargetCluster> CopyKeeper::BaseClusters() const {
  v1::Placed base;
  SetTargets(facts_.base, base);
  return base.clusters();
}

bool CopyKeeper::RunsIn(const Targets& targets) const {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const auto& entry) { return facts_.copies.Runs(entry.first); });
}

// Whether nothing would be missed if the copy went now.
bool CopyKeeper::IsReplaced(const std::string& cluster, const std::vector<std::string>& gained,
                            const Targets& targets) const {
  if (!facts_.copies.known()) return false;
  if (!facts_.copies.MayRun(cluster)) return true;
  return std::all_of(targets.begin(), targets.end(), [&](const auto& entry) {
    const bool asked =
        gained.empty() || std::find(gained.begin(), gained.end(), entry.first) != gained.end();
    return !asked || facts_.copies.Healthy(entry.first, entry.second);
  });
}

// Adds the copies that stay to what is planned.
void CopyKeeper::Add(Targets& targets) {
  std::sort(failover_.staying.begin(), failover_.staying.end());
  for (const std::string& name : failover_.staying) {
    const auto copy = facts_.before.find(name);
    if (copy == facts_.before.end()) continue;
    const auto planned = targets.find(name);
    if (planned != targets.end() && planned->second >= copy->second) {
      Forget(name, failover_.standing);  // it is wanted again
      continue;
    }
    for (v1::Eviction& eviction : failover_.standing) {
      if (eviction.cluster() == name) {
        eviction.set_planned(planned == targets.end() ? 0 : static_cast<int32_t>(planned->second));
      }
    }
    targets[name] = copy->second;
  }
}

}  // namespace sealane::scheduler
