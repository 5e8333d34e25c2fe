#include "services/scheduler/assumed.h"

#include <algorithm>

#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {
namespace {

// Units that run in the cluster: replicas, or the whole once.
int64_t UnitsIn(const Request& request, const Previous& placement, const std::string& cluster) {
  const int64_t replicas = placement.Replicas(cluster);
  if (request.workload) return std::max<int64_t>(0, replicas);
  return replicas < 0 ? 0 : 1;
}

}  // namespace

void AddUnits(AssumedLoad& load, const AssumedLoad& unit, int64_t count) {
  const int64_t pods = load.pods;
  AddLoad(load, unit.amounts, count);
  load.pods = pods + unit.pods * count;
}

AssumedLoad UnitOf(const Request& request) {
  AssumedLoad unit;
  if (request.workload) {
    AddLoad(unit, request.request, 1);
  } else {
    for (const ComponentRequest& component : request.component_requests) {
      AddLoad(unit, component.request, component.replicas);
    }
  }
  return unit;
}

void AssumedCapacity::Promise(const std::string& binding, const std::string& cluster,
                              const AssumedLoad& unit, int64_t count, absl::Duration now) {
  if (count == 0 || unit.pods <= 0) return;
  if (count < 0) {
    const auto own = promises_.find(binding);
    if (own == promises_.end()) return;
    const auto entry = own->second.find(cluster);
    if (entry == own->second.end()) return;
    if (entry->second.count + count <= 0) return Withdraw(binding, cluster);
    AddUnits(loads_[cluster], entry->second.unit, count);
    entry->second.count += count;
    Freed(cluster);
    return;
  }
  auto [it, added] = promises_[binding].try_emplace(cluster);
  Entry& entry = it->second;
  if (added) {
    ++count_;
  } else {
    Take(cluster, entry);
  }
  entry.unit = unit;
  entry.count += count;
  entry.ends = now + lifetime_;
  AddUnits(loads_[cluster], entry.unit, entry.count);
}

AssumedCapacity::Given AssumedCapacity::Follow(const std::string& binding, const Request& request,
                                               const v1::Placed* before, const v1::Placed& after,
                                               absl::Duration now) {
  Given given;
  given.unit = UnitOf(request);
  if (given.unit.pods <= 0) return given;
  const Previous old =
      before != nullptr && before->uid() == after.uid() ? Previous(before->clusters()) : Previous();
  const Previous current(after.clusters());
  for (const Previous::Entry& entry : old.entries()) {
    if (!current.Contains(entry.cluster)) Withdraw(binding, entry.cluster);
  }
  for (const Previous::Entry& entry : current.entries()) {
    const int64_t more =
        UnitsIn(request, current, entry.cluster) - UnitsIn(request, old, entry.cluster);
    Promise(binding, entry.cluster, given.unit, more, now);
    if (more > 0) given.clusters.emplace_back(entry.cluster, more);
  }
  return given;
}

void AssumedCapacity::TakeBack(const std::string& binding, const Given& given, absl::Duration now) {
  for (const auto& entry : given.clusters) {
    Promise(binding, entry.first, given.unit, -entry.second, now);
  }
}

void AssumedCapacity::Take(const std::string& cluster, const Entry& entry) {
  const auto load = loads_.find(cluster);
  if (load == loads_.end()) return;
  AddUnits(load->second, entry.unit, -entry.count);
  if (load->second.pods <= 0) loads_.erase(load);
}

void AssumedCapacity::Withdraw(const std::string& binding, const std::string& cluster) {
  const auto own = promises_.find(binding);
  if (own == promises_.end()) return;
  const auto it = own->second.find(cluster);
  if (it == own->second.end()) return;
  Take(cluster, it->second);
  own->second.erase(it);
  --count_;
  if (own->second.empty()) promises_.erase(own);
  Freed(cluster);
}

void AssumedCapacity::WithdrawAll(const std::string& binding) {
  const auto own = promises_.find(binding);
  if (own == promises_.end()) return;
  const std::map<std::string, Entry> gone = std::move(own->second);
  promises_.erase(own);
  count_ -= gone.size();
  for (const auto& entry : gone) {
    Take(entry.first, entry.second);
    Freed(entry.first);
  }
}

bool AssumedCapacity::Expire(absl::Duration now,
                             const std::function<bool(const std::string& cluster)>& in_touch) {
  bool any = false;
  for (auto own = promises_.begin(); own != promises_.end();) {
    for (auto it = own->second.begin(); it != own->second.end();) {
      if (it->second.ends > now) {
        ++it;
        continue;
      }
      if (!in_touch(it->first)) {
        it->second.ends = now + lifetime_;
        ++it;
        continue;
      }
      Take(it->first, it->second);
      it = own->second.erase(it);
      --count_;
      any = true;
    }
    own = own->second.empty() ? promises_.erase(own) : std::next(own);
  }
  return any;
}

}  // namespace sealane::scheduler
