#include "services/scheduler/world.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/bus/subjects.h"

namespace sealane::scheduler {
namespace {

// Of all objects, the scheduler only reads those that ask for a rebalance.
constexpr char kRebalancerFilter[] = "apps=2Ekarmada=2Eio.WorkloadRebalancer.>";

}  // namespace

World::World(Bus& bus, Env env, absl::Duration assume_for)
    : bindings(bus, env, kBindingsTable),
      cluster_rows(bus, env, kClusterStatusTable),
      placements(bus, env, kPlacementsTable),
      rebalancer_rows(bus, env, kObjectsTable, kRebalancerFilter),
      assumed(assume_for),
      assume_for_(assume_for) {}

void World::AssumeRecent(int64_t now_micros, absl::Duration now) {
  for (const auto& [key, row] : placements.rows()) {
    const absl::Duration age = absl::Microseconds(now_micros - row.value.scheduled_micros());
    const Row<v1::Binding>* binding = bindings.Find(key);
    if (binding == nullptr || age >= assume_for_ || age < absl::ZeroDuration()) continue;
    assumed.WithdrawAll(key);
    assumed.Follow(key, Request(binding->value), nullptr, row.value, now - age);
  }
}

World::Rebalanced World::Rebalance(const Rebalancer& rebalancer, bool replay) {
  std::set<std::string> named;
  Rebalanced result;
  for (const Rebalancer::Workload& workload : rebalancer.workloads) {
    bool found = false;
    if (!workload.name.empty()) {
      found = bindings.Find(workload.Key()) != nullptr;
      if (found) named.insert(workload.Key());
    } else {
      for (const auto& [key, row] : bindings.rows()) {
        if (!workload.Selects(row.value)) continue;
        found = true;
        named.insert(key);
      }
    }
    if (!found) result.not_found.push_back(workload.Describe());
  }
  for (const std::string& key : named) {
    const Row<v1::Placed>* placed = placements.Find(key);
    if (replay && placed != nullptr &&
        placed->value.scheduled_micros() > rebalancer.triggered_micros) {
      continue;
    }
    rebalancers.Ask(key, rebalancer.triggered_micros);
    result.keys.push_back(key);
  }
  return result;
}

std::vector<std::string> World::GivingWay(const std::string& cluster) const {
  std::vector<std::pair<int32_t, std::string>> order;  // priority, key
  index.PlacedIn(cluster, [&](const std::string& key) {
    const Row<v1::Binding>* row = bindings.Find(key);
    if (row == nullptr || row->value.deleting() || row->value.suspension().scheduling()) return;
    if (!Request::DividesByRoom(row->value)) return;
    order.emplace_back(row->value.schedule_priority(), key);
  });
  std::sort(order.begin(), order.end());
  std::vector<std::string> keys;
  keys.reserve(order.size());
  for (auto& entry : order) keys.push_back(std::move(entry.second));
  return keys;
}

World::ClusterChange World::UpdateCluster(const std::string& key) {
  ClusterChange change;
  const auto known = cluster_names_.find(key);
  if (known != cluster_names_.end()) change.before = snapshot.Share(known->second);
  const Row<v1::ClusterStatus>* row = cluster_rows.Find(key);
  if (row == nullptr) {
    if (known != cluster_names_.end()) {
      snapshot.Remove(known->second);
      cluster_names_.erase(known);
    }
    return change;
  }
  cluster_names_[key] = row->value.name();
  snapshot.Set(row->value);
  change.after = snapshot.Share(row->value.name());
  return change;
}

}  // namespace sealane::scheduler
