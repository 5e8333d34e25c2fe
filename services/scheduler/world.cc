#include "services/scheduler/world.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/bus/subjects.h"

namespace sealane::scheduler {
namespace {

// Of all objects, the scheduler only reads those that ask for a rebalance.
constexpr char kRebalancerFilter[] = "apps=2Ekarmada=2Eio.WorkloadRebalancer.>";

// What application failover reads; most of a row is for people and platforms.
void TrimApp(v1::AppStatus& row) {
  v1::AppStatus kept;
  kept.set_uid(row.uid());
  for (const v1::ClusterAppStatus& part : row.clusters()) {
    v1::ClusterAppStatus& out = *kept.add_clusters();
    out.set_cluster(part.cluster());
    out.set_health(part.health());
    out.set_unhealthy_since_micros(part.unhealthy_since_micros());
    out.set_applied_generation(part.applied_generation());
    if (part.replicas().ready() != 0) out.mutable_replicas()->set_ready(part.replicas().ready());
    *out.mutable_preserved_labels() = part.preserved_labels();
    if (part.unhealthy_since_micros() == 0) continue;
    out.set_reason(part.reason());
    if (part.reason().empty()) out.set_message(part.message());
  }
  row = std::move(kept);
}

}  // namespace

World::World(Bus& bus, Env env, absl::Duration assume_for)
    : bindings(bus, env, kBindingsTable),
      cluster_rows(bus, env, kClusterStatusTable),
      placements(bus, env, kPlacementsTable),
      rebalancer_rows(bus, env, kObjectsTable, kRebalancerFilter),
      app_rows(bus, env, kAppStatusTable),
      assumed(assume_for),
      assume_for_(assume_for) {
  app_rows.TrimRows(&TrimApp);
}

bool World::FailsOver(const std::string& key) const {
  const Row<v1::Binding>* binding = bindings.Find(key);
  if (binding == nullptr) return false;
  if (binding->value.failover().has_application()) return true;
  const Row<v1::Placed>* placed = placements.Find(key);
  return placed != nullptr && placed->value.evictions_size() > 0;
}

bool World::HealthMatters(const std::string& key) const {
  if (!FailsOver(key)) return false;
  const Row<v1::Placed>* placed = placements.Find(key);
  if (placed != nullptr && placed->value.evictions_size() > 0) return true;
  const v1::AppStatus* app = FindApp(key);
  return app != nullptr && std::any_of(app->clusters().begin(), app->clusters().end(),
                                       [](const v1::ClusterAppStatus& part) {
                                         return part.unhealthy_since_micros() != 0;
                                       });
}

void World::FollowApps(std::function<void(const std::string& key)> look) {
  if (std::exchange(follows_apps_, true)) return;
  app_rows.Start(
      [this, look](const std::string& key) {
        if (HealthMatters(key)) look(key);
      },
      [this, look] {
        apps_known_ = true;
        for (const auto& [key, row] : bindings.rows()) {
          if (HealthMatters(key)) look(key);
        }
      });
}

const v1::AppStatus* World::FindApp(const std::string& key) const {
  const Row<v1::AppStatus>* row = app_rows.Find(key);
  return row == nullptr ? nullptr : &row->value;
}

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
        if (!workload.Selects(KeyOf(row.value.ref()), LabelsView(row.value.labels()))) continue;
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
