#include "tests/simulation/witness.h"

#include <algorithm>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::simulation {
namespace {

// How old what the control plane knows may be: a lease of 40 s, and messages under way. What was
// true within this time may have been the reason of a decision.
constexpr absl::Duration kKnown = absl::Seconds(75);
// How much later than others the witness may see a placement: it, too, connects again to a bus that
// restarts.
constexpr absl::Duration kBehind = absl::Seconds(5);

std::string Describe(const v1::Placed& row) {
  std::string text;
  for (const v1::TargetCluster& target : row.clusters()) {
    text += StrCat(" ", target.name(), ":", target.replicas());
  }
  for (const v1::Eviction& eviction : row.evictions()) {
    text += StrCat(" (leaves ", eviction.cluster(), eviction.moved() ? ", moved" : "", ": ",
                   eviction.reason(), " -> ", StrJoin(eviction.replaced_by(), "+"), ")");
  }
  return StrCat(row.ref().name(), " ", row.state(), text, " [", row.cause(), "] ", row.message());
}

// Whether replicas are divided by the room that there is.
bool MindsRoom(const v1::Placed& row) {
  const v1::ReplicaSchedulingStrategy& rules = row.observed_placement().replica_scheduling();
  if (rules.replica_scheduling_type() != "Divided") return false;
  if (rules.replica_division_preference() == "Aggregated") return true;
  if (!rules.weight_preference().dynamic_weight().empty()) return true;
  const auto option = row.observed_options().find("sealane.io/respect-capacity");
  return option != row.observed_options().end() && option->second == "true";
}

}  // namespace

Witness::Witness(World& world, const Fleet& fleet, std::function<void(const std::string&)> say)
    : world_(world), fleet_(fleet), say_(std::move(say)) {
  for (const std::string& cluster : world_.clusters()) {
    subscriptions_.emplace_back(cluster, world_.cluster(cluster).api().store().Subscribe(
                                             [this, cluster](const kubeapi::Change& change) {
                                               OnMember(cluster, change);
                                             }));
  }
  bus_ = world_.server().Connect(BusIdentity::Hub(), "witness");
  table_ = std::make_unique<Table<v1::Placed>>(*bus_, world_.sim().env(), kPlacementsTable);
  table_->Start([this](const std::string& key) { OnPlacement(key); }, [] {});
}

Witness::~Witness() {
  for (const auto& [cluster, id] : subscriptions_) {
    world_.cluster(cluster).api().store().Unsubscribe(id);
  }
}

void Witness::Break(const std::string& promise) {
  say_(StrCat("BROKEN: ", promise));
  if (broken_.empty()) {
    broken_ = StrCat(promise, " (at ", absl::FormatDuration(world_.sim().Monotonic()), ")");
  }
}

const Witness::Copy* Witness::Find(const std::string& cluster, const std::string& app) const {
  const auto copies = copies_.find(cluster);
  if (copies == copies_.end()) return nullptr;
  const auto copy = copies->second.find(app);
  return copy == copies->second.end() ? nullptr : &copy->second;
}

bool Witness::RanLately(const Copy& copy) const {
  return copy.ready > 0 || copy.last_ran >= world_.sim().Monotonic() - kKnown;
}

// --- What the clusters do

void Witness::OnMember(const std::string& cluster, const kubeapi::Change& change) {
  const kubeapi::ObjectKey& key = change.object->key();
  if (key.resource != "apps/deployments" || key.ns != kFleetNamespace) return;
  const absl::Duration now = world_.sim().Monotonic();
  auto& copies = copies_[cluster];
  const auto known = copies.find(key.name);
  if (change.type == kubeapi::ChangeType::kDeleted) {
    if (known == copies.end()) return;
    const Copy copy = known->second;
    copies.erase(known);
    say_(StrCat("  ", cluster, ": ", key.name, " is gone, ", copy.ready, " replicas ran"));
    JudgeRemoval(cluster, key.name, copy);
    return;
  }
  const Json& object = change.object->value();
  const Copy before = known == copies.end() ? Copy{.created = now, .image = ""} : known->second;
  Copy copy = before;
  copy.replicas = object.value("/spec/replicas"_json_pointer, int64_t{1});
  copy.ready = object.value("/status/readyReplicas"_json_pointer, int64_t{0});
  copy.image = object.value("/spec/template/spec/containers/0/image"_json_pointer, std::string());
  if (before.ready == 0 && copy.ready > 0) copy.since = now;
  if (before.ready > 0 && copy.ready == 0) copy.last_ran = now;
  copies[key.name] = copy;
  if (copy.replicas != before.replicas || copy.ready != before.ready) {
    say_(StrCat("  ", cluster, ": ", key.name, " ", copy.ready, " of ", copy.replicas, " ready"));
  }
  if (before.replicas > 0 && copy.replicas == 0) JudgeRemoval(cluster, key.name, before);
}

// Promise 2, at the cluster: nothing is taken away that the placement gives it. The witness may see
// the placement later than the cluster's work, so it looks when that must have come.
void Witness::JudgeRemoval(const std::string& cluster, const std::string& app, const Copy& copy) {
  world_.sim().env().executor.After(
      kBehind, [this, cluster, app, copy] { JudgeRemovalNow(cluster, app, copy); });
}

void Witness::JudgeRemovalNow(const std::string& cluster, const std::string& app,
                              const Copy& copy) {
  const absl::Duration now = world_.sim().Monotonic();
  const Fleet::App* wanted = fleet_.Find(app);
  if (wanted == nullptr || wanted->replicas == 0) return;
  if (fleet_.Deleted(app) >= copy.created || fleet_.AskedForLess(app) >= now - kKnown) return;
  const auto placement = placements_.find(app);
  if (placement == placements_.end()) return;
  const auto since = placement->second.since.find(cluster);
  if (since == placement->second.since.end() || now - since->second < kKnown) return;
  Break(StrCat("2: ", app, " was removed from ", cluster, ", where it is placed"));
}

// --- What the placements say

void Witness::OnPlacement(const std::string& key) {
  const absl::Duration now = world_.sim().Monotonic();
  const Row<v1::Placed>* row = table_->Find(key);
  if (row == nullptr && !apps_.contains(key)) return;
  if (row != nullptr) apps_[key] = row->value.ref().name();
  const std::string app = apps_.at(key);
  const Placement before = placements_[app];
  const bool same = row != nullptr && row->value.uid() == before.row.uid();
  Placement after;
  if (row != nullptr) {
    after.row = row->value;
    for (const v1::TargetCluster& target : row->value.clusters()) {
      after.replicas[target.name()] = target.replicas();
      const auto since = before.since.find(target.name());
      after.since[target.name()] = same && since != before.since.end() ? since->second : now;
    }
    say_(StrCat("  placed: ", Describe(row->value)));
  } else {
    say_(StrCat("  placed: ", app, " no more"));
  }
  placements_[app] = after;
  if (row == nullptr) placements_.erase(app);
  for (const auto& [cluster, replicas] : before.replicas) {
    const auto it = after.replicas.find(cluster);
    if (replicas > 0 && (it == after.replicas.end() || it->second == 0)) {
      JudgeLeft(cluster, app, after.replicas);
    }
  }
  JudgeRoom(before, after);
}

// Promise 2, where it is decided: what runs is left only for what runs.
void Witness::JudgeLeft(const std::string& cluster, const std::string& app,
                        const std::map<std::string, int64_t>& left_to) {
  const absl::Duration now = world_.sim().Monotonic();
  const Fleet::App* wanted = fleet_.Find(app);
  if (wanted == nullptr || wanted->replicas == 0) return;
  if (fleet_.AskedForLess(app) >= now - kKnown) return;
  const Copy* copy = Find(cluster, app);
  // What is left of an application of the same name that was deleted goes, too.
  if (copy != nullptr && fleet_.Deleted(app) >= copy->created) return;
  if (copy == nullptr || copy->ready == 0 || copy->since > now - kKnown) return;
  for (const auto& [other, replicas] : left_to) {
    const Copy* there = Find(other, app);
    if (replicas > 0 && there != nullptr && RanLately(*there)) return;
  }
  Break(StrCat("2: the placement takes the last running copy of ", app, " from ", cluster));
}

// Promise 5: who minds the room is not given what others have already.
void Witness::JudgeRoom(const Placement& before, const Placement& after) {
  if (!MindsRoom(after.row)) return;
  for (const auto& [cluster, replicas] : after.replicas) {
    const auto had = before.replicas.find(cluster);
    if (replicas <= (had == before.replicas.end() ? 0 : had->second)) continue;
    int64_t promised = 0;
    for (const auto& [app, placement] : placements_) {
      const auto it = placement.replicas.find(cluster);
      // A deleted one only waits for clusters that cannot be reached.
      if (it != placement.replicas.end() && fleet_.Find(app) != nullptr) promised += it->second;
    }
    if (promised > world_.cpus()) {
      Break(StrCat("5: ", cluster, " has ", world_.cpus(), " CPUs, and ", promised,
                   " are promised, the last to ", after.row.ref().name()));
    }
  }
}

// --- At rest

std::string Witness::WrongIn(const std::string& app, const Placement& placement) const {
  const Fleet::App* wanted = fleet_.Find(app);
  const Fleet::Policy& policy = fleet_.PolicyOf(*wanted);
  for (const std::string& cluster : fleet_.joined()) {
    if (!world_.Reachable(cluster)) continue;
    const Copy* copy = Find(cluster, app);
    const auto placed = placement.replicas.find(cluster);
    if (placed == placement.replicas.end()) {
      if (copy != nullptr)
        return StrCat("3: ", app, " is in ", cluster, ", where it is not placed");
      continue;
    }
    if (copy == nullptr) return StrCat("3: ", app, " is not in ", cluster, ", where it is placed");
    if (copy->replicas != placed->second) {
      return StrCat("3: ", app, " has ", copy->replicas, " replicas in ", cluster, ", not ",
                    placed->second);
    }
    if (copy->image != wanted->image) {
      return StrCat("1: ", app, " has image ", copy->image, " in ", cluster, ", not ",
                    wanted->image);
    }
  }
  // What is settled is what the user asked for.
  if (placement.row.state() != "Scheduled" || !placement.row.evictions().empty()) return "";
  int64_t total = 0;
  for (const auto& [cluster, replicas] : placement.replicas) {
    if (!policy.clusters.empty() && !policy.clusters.contains(cluster)) {
      return StrCat("1: ", app, " is in ", cluster, ", which its policy does not name");
    }
    if (policy.mode == Fleet::Policy::Mode::kDuplicated && replicas != wanted->replicas) {
      return StrCat("1: ", app, " has ", replicas, " replicas in ", cluster, ", not ",
                    wanted->replicas);
    }
    total += replicas;
  }
  if (policy.mode != Fleet::Policy::Mode::kDuplicated && total != wanted->replicas) {
    return StrCat("1: ", app, " has ", total, " replicas, not ", wanted->replicas);
  }
  return "";
}

std::string Witness::WrongAtRest() const {
  bool all_reachable = true;
  for (const std::string& cluster : fleet_.joined()) {
    all_reachable = all_reachable && world_.Reachable(cluster);
  }
  for (const std::string& app : Fleet::Names()) {
    const auto placement = placements_.find(app);
    if (fleet_.Find(app) != nullptr) {
      if (placement == placements_.end()) return StrCat("1: ", app, " has no placement");
      std::string wrong = WrongIn(app, placement->second);
      if (!wrong.empty()) return wrong;
      continue;
    }
    for (const std::string& cluster : fleet_.joined()) {
      if (world_.Reachable(cluster) && Find(cluster, app) != nullptr) {
        return StrCat("4: ", app, " was deleted and is still in ", cluster);
      }
    }
    if (all_reachable && placement != placements_.end()) {
      return StrCat("4: ", app, " was deleted and is still placed");
    }
  }
  return "";
}

}  // namespace sealane::simulation
