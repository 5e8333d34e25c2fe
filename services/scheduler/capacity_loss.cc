#include "services/scheduler/capacity_loss.h"

#include <algorithm>
#include <utility>

#include "sealane/v1/tables.pb.h"
#include "services/scheduler/assumed.h"
#include "services/scheduler/failover.h"
#include "services/scheduler/placed_rows.h"

namespace sealane::scheduler {
namespace {

// What is asked beyond what there is, as positive amounts.
AssumedLoad MissingIn(const ClusterInfo& cluster) {
  AssumedLoad missing;
  if (!cluster.has_summary) return missing;
  missing.pods = std::max<int64_t>(0, -cluster.free_pods);
  for (const ResourceAmount& free : cluster.free) {
    // Pods are counted above.
    if (free.milli < 0 && free.name != "pods") {
      missing.amounts.push_back({free.name, -free.value, -free.milli});
    }
  }
  return missing;
}

bool IsNothing(const AssumedLoad& load) {
  return load.pods <= 0 &&
         std::all_of(load.amounts.begin(), load.amounts.end(),
                     [](const ResourceAmount& amount) { return amount.milli <= 0; });
}

// Replicas of the request that cover what is needed; 0 when they take none of it.
int64_t Covering(const AssumedLoad& need, const AssumedLoad& unit) {
  int64_t count = unit.pods > 0 ? std::max<int64_t>(0, need.pods) : 0;
  for (const ResourceAmount& amount : need.amounts) {
    const ResourceAmount* one = FindAmount(unit.amounts, amount.name);
    if (one == nullptr || one->milli <= 0 || amount.milli <= 0) continue;
    count = std::max(count, (amount.milli - 1) / one->milli + 1);
  }
  return count;
}

}  // namespace

CapacityLoss::CapacityLoss(Env env, CapacityLossOptions options, Candidates candidates, Ask ask)
    : env_(env),
      options_(options),
      candidates_(std::move(candidates)),
      ask_(std::move(ask)),
      executor_(env.executor) {}

void CapacityLoss::Observe(const std::string& name, const ClusterInfo* cluster) {
  if (options_.hold <= absl::ZeroDuration()) return;
  const AssumedLoad missing = cluster == nullptr ? AssumedLoad() : MissingIn(*cluster);
  if (IsNothing(missing)) {
    const auto known = clusters_.find(name);
    if (known == clusters_.end()) return;
    executor_.Cancel(known->second.timer);
    const std::set<std::string> asked = std::move(known->second.asked);
    clusters_.erase(known);
    // Who could not give way is well placed again.
    for (const std::string& key : asked) ask_(key);
    return;
  }
  const auto [it, added] = clusters_.try_emplace(name);
  it->second.missing = missing;
  if (added) it->second.timer = executor_.After(options_.hold, [this, name] { Round(name); });
}

void CapacityLoss::Round(const std::string& name) {
  const auto it = clusters_.find(name);
  if (it == clusters_.end()) return;
  Cluster& cluster = it->second;
  cluster.ripe = true;
  cluster.timer = executor_.After(options_.hold, [this, name] { Round(name); });
  const std::vector<std::string> order = candidates_(name);
  cluster.order.assign(order.begin(), order.end());
  if (cluster.current.empty()) AskNext(cluster);
}

void CapacityLoss::AskNext(Cluster& cluster) {
  cluster.current.clear();
  if (cluster.order.empty() || IsNothing(Need(cluster))) return;
  cluster.current = std::move(cluster.order.front());
  cluster.order.pop_front();
  cluster.asked.insert(cluster.current);
  ask_(cluster.current);
}

AssumedLoad CapacityLoss::Need(const Cluster& cluster) const {
  AssumedLoad need = cluster.missing;
  for (const auto& entry : cluster.relief) {
    const Relief& relief = entry.second;
    if (relief.ends <= env_.clock.Monotonic()) continue;
    need.pods -= relief.load.pods;
    for (ResourceAmount& amount : need.amounts) {
      const ResourceAmount* left = FindAmount(relief.load.amounts, amount.name);
      if (left != nullptr) amount.milli -= left->milli;
    }
  }
  return need;
}

std::map<std::string, int64_t> CapacityLoss::Claims(const std::string& key,
                                                    const v1::Binding& binding,
                                                    const v1::Placed& placed) const {
  std::map<std::string, int64_t> claims;
  for (const auto& [name, cluster] : clusters_) {
    if (!cluster.ripe || cluster.asked.count(key) == 0) continue;
    for (const v1::TargetCluster& target : placed.clusters()) {
      if (target.name() != name) continue;
      const int64_t count =
          std::min<int64_t>(target.replicas(), Covering(Need(cluster), UnitOf(Request(binding))));
      if (count > 0) claims[name] = count;
    }
  }
  return claims;
}

void CapacityLoss::Left(const std::string& key, const v1::Binding& binding,
                        const v1::Placed& before, const v1::Placed& after) {
  if (clusters_.empty()) return;
  // Copies that stay for a while are on their way.
  auto old = TargetsWithoutCopies(before);
  auto now = TargetsWithoutCopies(after);
  for (auto& [name, cluster] : clusters_) {
    const int64_t count = old[name] - now[name];
    if (count <= 0) continue;
    cluster.asked.erase(key);
    Relief& relief = cluster.relief[key];
    if (relief.ends <= env_.clock.Monotonic()) relief.load = {};
    AddUnits(relief.load, UnitOf(Request(binding)), count);
    relief.ends = env_.clock.Monotonic() + options_.relief;
  }
}

void CapacityLoss::TakeBack(const std::string& key) {
  for (auto& entry : clusters_) {
    if (entry.second.relief.erase(key) > 0) entry.second.asked.insert(key);
  }
}

void CapacityLoss::Settled(const std::string& key) {
  for (auto& entry : clusters_) {
    if (entry.second.current == key) AskNext(entry.second);
  }
}

size_t CapacityLoss::short_of_room() const {
  return static_cast<size_t>(std::count_if(clusters_.begin(), clusters_.end(),
                                           [](const auto& entry) { return entry.second.ripe; }));
}

}  // namespace sealane::scheduler
