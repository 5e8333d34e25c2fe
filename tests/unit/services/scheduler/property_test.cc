// What must hold in every world: checked over random clusters, bindings and changes.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lib/core/strings.h"
#include "services/scheduler/assumed.h"
#include "services/scheduler/plan.h"
#include "tests/unit/services/scheduler/spread_worlds.h"

namespace sealane::scheduler {
namespace {

constexpr int kWorlds = 800;

class Randomly {
 public:
  explicit Randomly(uint64_t seed) : engine_(seed) {}
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(engine_() % static_cast<uint64_t>(bound));
  }
  bool OneIn(int64_t n) { return Below(n) == 0; }

  v1::ClusterStatus Cluster(int i) {
    v1::ClusterStatus cluster = MakeRoomy(StrCat("c", i), Below(30), StrCat("r", Below(3)));
    if (OneIn(4)) cluster.clear_region();
    if (OneIn(2)) cluster.set_provider(StrCat("p", Below(2)));
    for (int64_t z = Below(3); z > 0; --z) cluster.add_zones(StrCat("z", Below(4)));
    (*cluster.mutable_labels())["tier"] = OneIn(2) ? "gold" : "silver";
    if (OneIn(6)) {
      v1::Taint* taint = cluster.add_taints();
      taint->set_key("t");
      taint->set_effect(OneIn(2) ? "NoSchedule" : "NoExecute");
    }
    if (OneIn(12)) cluster.set_deleting(true);
    if (OneIn(12)) cluster.clear_api_enablements();
    return cluster;
  }

  v1::Binding Binding() {
    const char* placements[] = {kDynamic, kAggregatedPlacement, kEven, kDuplicatedPlacement};
    v1::Binding binding = MakeBinding(static_cast<int>(1 + Below(40)), placements[Below(4)],
                                      StrCat("web", Below(100)));
    v1::Placement& placement = *binding.mutable_placement();
    if (OneIn(3)) {
      (*placement.mutable_cluster_affinity()
            ->mutable_label_selector()
            ->mutable_match_labels())["tier"] = "gold";
    }
    if (OneIn(3)) placement.add_cluster_tolerations()->set_operator_("Exists");
    if (OneIn(2)) AddSpread(placement, "cluster");
    if (OneIn(3)) AddSpread(placement, "region");
    if (OneIn(5)) AddSpread(placement, "zone");
    if (OneIn(5)) AddSpread(placement, "provider");
    if (OneIn(3)) (*binding.mutable_options())["sealane.io/honour-spread"] = "true";
    if (OneIn(3)) (*binding.mutable_options())["sealane.io/respect-capacity"] = "true";
    return binding;
  }

  // Groups of affinities, overflow tiers, spread by label, clusters that are being left.
  void Widen(v1::Binding& binding, std::vector<v1::ClusterStatus>& clusters) {
    for (v1::ClusterStatus& cluster : clusters) {
      if (!OneIn(4)) (*cluster.mutable_labels())["rack"] = StrCat("k", Below(3));
    }
    v1::Placement& placement = *binding.mutable_placement();
    if (!OneIn(3)) {
      placement.clear_cluster_affinity();
      for (int64_t count = 1 + Below(2); count > 0; --count) AddTerm(placement, clusters);
    }
    if (OneIn(3)) {
      AddSpread(placement, "");
      const int last = placement.spread_constraints_size() - 1;
      placement.mutable_spread_constraints(last)->set_spread_by_label("rack");
    }
    Evict(binding, clusters);
  }

  void Evict(v1::Binding& binding, const std::vector<v1::ClusterStatus>& clusters) {
    if (OneIn(2)) return;
    const auto place = static_cast<size_t>(Below(static_cast<int64_t>(clusters.size())));
    binding.add_graceful_eviction_tasks()->set_from_cluster(clusters[place].name());
  }

 private:
  void AddTerm(v1::Placement& placement, const std::vector<v1::ClusterStatus>& clusters) {
    v1::ClusterAffinityTerm* term = placement.add_cluster_affinities();
    term->set_affinity_name(StrCat("g", placement.cluster_affinities_size()));
    term->add_cluster_names(clusters.front().name());
    for (const v1::ClusterStatus& cluster : clusters) {
      if (OneIn(2)) term->add_cluster_names(cluster.name());
    }
    for (int64_t tiers = Below(3); tiers > 0; --tiers) {
      (*term->add_overflow_affinities()->mutable_label_selector()->mutable_match_labels())["tier"] =
          OneIn(2) ? "gold" : "silver";
    }
  }

  void AddSpread(v1::Placement& placement, const char* field) {
    v1::SpreadConstraint* spread = placement.add_spread_constraints();
    spread->set_spread_by_field(field);
    spread->set_min_groups(static_cast<int32_t>(1 + Below(2)));
    spread->set_max_groups(static_cast<int32_t>(spread->min_groups() + Below(3)));
  }

  std::mt19937_64 engine_;
};

struct World {
  v1::Binding binding;
  std::vector<v1::ClusterStatus> clusters;
  Snapshot snapshot;
  v1::Placed row;
  bool has_row = false;

  explicit World(uint64_t seed, bool wide = false) {
    Randomly random(seed);
    binding = random.Binding();
    const int count = static_cast<int>(1 + random.Below(10));
    for (int i = 0; i < count; ++i) clusters.push_back(random.Cluster(i));
    if (wide) random.Widen(binding, clusters);
    snapshot = MakeSnapshot(clusters);
  }

  Plan Step() {
    PlanInput input{binding, has_row ? &row : nullptr, snapshot};
    input.now_micros = 1'000'000;
    Plan plan = PlanPlacement(input);
    if (plan.write) {
      row = plan.row;
      has_row = true;
    }
    return plan;
  }
  [[nodiscard]] bool scheduled() const { return row.state() == "Scheduled"; }
};

int64_t Sum(const TargetMap& targets) {
  int64_t sum = 0;
  for (const auto& entry : targets) sum += entry.second;
  return sum;
}

// Replicas that stand elsewhere than before.
int64_t Moved(const TargetMap& before, const TargetMap& after) {
  int64_t moved = 0;
  for (const auto& entry : before) {
    const auto now = after.find(entry.first);
    moved += std::max<int64_t>(0, entry.second - (now == after.end() ? 0 : now->second));
  }
  return moved;
}

// What was placed is taken from the free room, as the next heartbeat will say.
void Heartbeat(World& world) {
  const TargetMap placed = ToMap(world.row);
  for (v1::ClusterStatus cluster : world.clusters) {
    const auto used = placed.find(cluster.name());
    if (used == placed.end()) continue;
    (*cluster.mutable_resource_summary()->mutable_allocated())["pods"] =
        std::to_string(used->second);
    world.snapshot.Set(cluster);
  }
}

// Counts what is right whatever the clusters and rules are.
void CheckReplicas(const Request& request, const ScheduleResult& result) {
  const TargetMap targets = ToMap(result.targets);
  const bool tiers = !request.terms[result.term].overflow.empty();
  if (request.strategy != Strategy::kDuplicated) {
    EXPECT_EQ(Sum(targets), request.replicas);
  } else if (!tiers) {
    for (const auto& entry : targets) EXPECT_EQ(entry.second, request.replicas);
  }
  for (const std::string& cluster : request.evicting) EXPECT_EQ(targets.count(cluster), 0u);
  for (const ClusterVerdict& verdict : result.verdicts) {
    if (verdict.refused_by != 0) {
      EXPECT_EQ(targets.count(verdict.cluster->name), 0u);
    }
    if (request.CountsCapacity() && request.strategy != Strategy::kDuplicated) {
      EXPECT_LE(verdict.replicas, verdict.allocatable + verdict.assigned);
    }
  }
}

TEST(PropertyTest, SumsAreExactAndFilteredClustersGetNothing) {
  for (const bool wide : {false, true}) {
    int scheduled = 0;
    int tiers_used = 0;
    int left = 0;
    for (uint64_t seed = 0; seed < kWorlds; ++seed) {
      SCOPED_TRACE(StrCat("seed ", seed, wide ? ", wide" : ""));
      World world(seed, wide);
      const Request request(world.binding);
      const ScheduleResult result = Decide(world.binding, world.snapshot);
      if (result.outcome != Outcome::kScheduled) continue;
      ++scheduled;
      CheckReplicas(request, result);
      for (const ClusterVerdict& verdict : result.verdicts) {
        if (verdict.replicas > 0 && verdict.tier > 0) ++tiers_used;
      }
      left += static_cast<int>(request.evicting.size());
    }
    EXPECT_GT(scheduled, kWorlds / 4);
    EXPECT_EQ(tiers_used > 20, wide);
    EXPECT_EQ(left > 50, wide);
  }
}

// The same after the number of replicas changed, or clusters are being left.
TEST(PropertyTest, SumsAreExactWhenPlacedAgain) {
  int scheduled = 0;
  int grown = 0;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, true);
    world.Step();
    if (!world.scheduled()) continue;
    Randomly random(seed + 2'000'000);
    const TargetMap before = ToMap(world.row);
    Heartbeat(world);
    const int64_t replicas = world.binding.replicas();
    world.binding.set_replicas(static_cast<int32_t>(1 + random.Below(2 * replicas)));
    random.Evict(world.binding, world.clusters);
    const Request request(world.binding);
    for (const bool steady : {false, true}) {
      const ScheduleResult result = Decide(world.binding, world.snapshot, before, false, steady);
      if (result.outcome != Outcome::kScheduled) continue;
      ++scheduled;
      grown += request.replicas > replicas ? 1 : 0;
      CheckReplicas(request, result);
    }
    world.Step();
    if (world.scheduled() && request.strategy != Strategy::kDuplicated) {
      EXPECT_EQ(Sum(ToMap(world.row)), request.replicas);
    }
  }
  EXPECT_GT(scheduled, kWorlds / 4);
  EXPECT_GT(grown, 50);
}

TEST(PropertyTest, SpreadConstraintsHold) {
  int checked = 0;
  for (uint64_t seed = 0; seed < 2 * kWorlds; ++seed) {
    World world(seed, seed >= kWorlds);
    const Request request(world.binding);
    const ScheduleResult result = Decide(world.binding, world.snapshot);
    if (result.outcome != Outcome::kScheduled || request.IgnoresSpread()) continue;
    int64_t most_groups = 0;
    for (const SpreadRule& rule : request.spread) {
      most_groups = std::max(most_groups, rule.min_groups);
    }
    for (const SpreadRule& rule : request.spread) {
      const int64_t groups = CountGroups(rule, Selected(result));
      EXPECT_GE(groups, rule.min_groups) << "seed " << seed << " by " << rule.Describe();
      // Fewer clusters than groups are asked for: then the groups win, as in Karmada.
      const int64_t most = rule.by == SpreadRule::By::kCluster
                               ? std::max(rule.max_groups, most_groups)
                               : rule.max_groups;
      EXPECT_LE(groups, most) << "seed " << seed << " by " << rule.Describe();
      ++checked;
    }
  }
  EXPECT_GT(checked, 100);
}

// The constraints hold for what is chosen; where the division leaves them, the note says so.
TEST(PropertyTest, TheNoteTellsWhichMinimumTheReplicasMiss) {
  int missed = 0;
  int even = 0;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    const Request request(world.binding);
    const ScheduleResult result = Decide(world.binding, world.snapshot);
    if (result.outcome != Outcome::kScheduled || request.IgnoresSpread()) continue;
    std::vector<const ClusterInfo*> with_replicas;
    for (const ClusterVerdict& verdict : result.verdicts) {
      if (verdict.replicas > 0) with_replicas.push_back(verdict.cluster);
    }
    const bool meets =
        std::all_of(request.spread.begin(), request.spread.end(), [&](const SpreadRule& rule) {
          return CountGroups(rule, with_replicas) >= rule.min_groups;
        });
    const bool told = result.note.find("the division gave") != std::string::npos;
    EXPECT_EQ(told, !meets) << result.note;
    if (told) ++missed;
    // Even shares, enough for everyone, leave nobody out.
    if (request.strategy != Strategy::kStaticWeight || request.respect_capacity) continue;
    if (request.replicas < static_cast<int64_t>(Selected(result).size())) continue;
    ++even;
    EXPECT_TRUE(meets);
  }
  EXPECT_GT(missed, 20);
  EXPECT_GT(even, 20);
}

TEST(PropertyTest, TheSameInputGivesTheSameRow) {
  for (uint64_t seed = 0; seed < kWorlds / 5; ++seed) {
    World one(seed);
    World other(seed);
    // The order in which clusters became known does not matter.
    other.snapshot = Snapshot();
    for (auto it = other.clusters.rbegin(); it != other.clusters.rend(); ++it) {
      other.snapshot.Set(*it);
    }
    one.Step();
    other.Step();
    EXPECT_EQ(one.row.SerializeAsString().size(), other.row.SerializeAsString().size());
    EXPECT_EQ(ToMap(one.row), ToMap(other.row));
    EXPECT_EQ(one.row.message(), other.row.message());
  }
}

TEST(PropertyTest, RunningAgainChangesNothing) {
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    World world(seed);
    world.Step();
    const Plan again = world.Step();
    EXPECT_FALSE(again.moved) << "seed " << seed << ": " << again.cause;
    EXPECT_FALSE(again.write) << "seed " << seed;
  }
}

TEST(PropertyTest, OtherCapacityMovesNothingThatIsPlaced) {
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    World world(seed);
    world.Step();
    if (!world.scheduled()) continue;
    Randomly random(seed + 1'000'000);
    for (v1::ClusterStatus cluster : world.clusters) {
      (*cluster.mutable_resource_summary()->mutable_allocatable())["pods"] =
          std::to_string(random.Below(60));
      world.snapshot.Set(cluster);
    }
    EXPECT_FALSE(world.Step().moved) << "seed " << seed;
  }
}

TEST(PropertyTest, OneReplicaMoreMovesNoneOfTheOthers) {
  std::map<Strategy, int> checked;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    World world(seed);
    const Request request(world.binding);
    if (request.strategy == Strategy::kDuplicated) continue;
    world.Step();
    if (!world.scheduled()) continue;
    const TargetMap before = ToMap(world.row);
    Heartbeat(world);
    world.binding.set_replicas(world.binding.replicas() + 1);
    world.Step();
    if (!world.scheduled()) continue;
    ++checked[request.strategy];
    EXPECT_EQ(Moved(before, ToMap(world.row)), 0) << "seed " << seed;
    EXPECT_EQ(Sum(ToMap(world.row)), world.binding.replicas()) << "seed " << seed;
  }
  EXPECT_GT(checked[Strategy::kStaticWeight], 50);
  EXPECT_GT(checked[Strategy::kDynamicWeight], 20);
  EXPECT_GT(checked[Strategy::kAggregated], 20);
}

TEST(PropertyTest, StaticWeightsWithinCapacityAreSteadyWhenRoomGrows) {
  int checked = 0;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    Randomly random(seed + 2'000'000);
    World world(seed);
    (*world.binding.mutable_options())[std::string(kRespectCapacityOption)] = "true";
    auto& rules = *world.binding.mutable_placement()->mutable_replica_scheduling();
    rules.set_replica_scheduling_type("Divided");
    rules.set_replica_division_preference("Weighted");
    rules.clear_weight_preference();
    for (const v1::ClusterStatus& cluster : world.clusters) {
      v1::StaticClusterWeight* weight = rules.mutable_weight_preference()->add_static_weight_list();
      weight->mutable_target_cluster()->add_cluster_names(cluster.name());
      weight->set_weight(1 + random.Below(5));
    }
    if (!Request(world.binding).IgnoresSpread()) continue;
    world.Step();
    if (!world.scheduled()) continue;
    // Some that were full have room now: neither that nor a change by one replica moves others.
    for (int step = 0; step < 6; ++step) {
      const TargetMap before = ToMap(world.row);
      for (v1::ClusterStatus cluster : world.clusters) {
        const auto used = before.find(cluster.name());
        const int64_t held = used == before.end() ? 0 : used->second;
        v1::ResourceSummary& summary = *cluster.mutable_resource_summary();
        (*summary.mutable_allocatable())["pods"] = std::to_string(held + random.Below(12));
        (*summary.mutable_allocated())["pods"] = std::to_string(held);
        world.snapshot.Set(cluster);
      }
      EXPECT_FALSE(world.Step().moved) << "seed " << seed;
      const bool more = random.OneIn(2) || world.binding.replicas() == 1;
      world.binding.set_replicas(world.binding.replicas() + (more ? 1 : -1));
      world.Step();
      if (!world.scheduled()) break;
      ++checked;
      EXPECT_EQ(Moved(before, ToMap(world.row)), more ? 0 : 1) << "seed " << seed;
      EXPECT_EQ(Sum(ToMap(world.row)), world.binding.replicas()) << "seed " << seed;
    }
  }
  EXPECT_GT(checked, 500);
}

TEST(PropertyTest, LosingAClusterMovesOnlyItsReplicas) {
  std::map<Strategy, int> checked;
  int kept = 0;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    World world(seed);
    const Request request(world.binding);
    if (request.strategy == Strategy::kStaticWeight && !request.spread.empty() &&
        !request.IgnoresSpread()) {
      continue;
    }
    world.Step();
    if (!world.scheduled()) continue;
    const TargetMap before = ToMap(world.row);
    const std::string lost = before.begin()->first;
    world.snapshot.Remove(lost);
    world.Step();
    const TargetMap after = ToMap(world.row);
    if (!world.scheduled()) {
      EXPECT_EQ(after, before) << "the last good placement stays, seed " << seed;
      continue;
    }
    ++checked[request.strategy];
    EXPECT_EQ(after.count(lost), 0u);
    TargetMap rest = before;
    rest.erase(lost);
    const int64_t most = MostRoom(request, Decide(world.binding, world.snapshot, rest).verdicts);
    if (most < (request.CountsCapacity() ? request.replicas : 0)) continue;
    ++kept;
    EXPECT_EQ(Moved(rest, after), 0) << "seed " << seed;
  }
  EXPECT_GT(checked[Strategy::kStaticWeight], 20);
  EXPECT_GT(checked[Strategy::kDynamicWeight] + checked[Strategy::kAggregated], 20);
  EXPECT_GT(kept, 50);
}

TEST(PropertyTest, ManyBindingsTogetherNeverTakeMoreThanThereIs) {
  int placed = 0;
  int refused = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Randomly random(seed);
    std::map<std::string, int64_t> room;
    Snapshot snapshot;
    for (int i = 0; i < 6; ++i) {
      const int64_t pods = random.Below(40);
      room[StrCat("c", i)] = pods;
      snapshot.Set(MakeRoomy(StrCat("c", i), pods));
    }
    // No heartbeat in between: everything that was given away is only assumed.
    AssumedCapacity assumed(absl::Minutes(1));
    TargetMap used;
    for (int i = 0; i < 12; ++i) {
      v1::Binding binding =
          MakeBinding(static_cast<int>(1 + random.Below(25)),
                      random.OneIn(2) ? kDynamic : kAggregatedPlacement, StrCat("app", i));
      if (random.OneIn(3)) {
        binding = MakeBinding(static_cast<int>(1 + random.Below(25)), kEven, StrCat("app", i));
        (*binding.mutable_options())["sealane.io/respect-capacity"] = "true";
      }
      PlanInput input{binding, nullptr, snapshot};
      input.assumed = &assumed.loads();
      input.now_micros = 1'000'000;
      const Plan plan = PlanPlacement(input);
      if (plan.outcome != Outcome::kScheduled) {
        ++refused;
        continue;
      }
      ++placed;
      for (const auto& target : ToMap(plan.row)) {
        used[target.first] += target.second;
        assumed.Promise(StrCat("app", i), target.first, {1, {}}, target.second,
                        absl::ZeroDuration());
      }
    }
    for (const auto& entry : used) {
      EXPECT_LE(entry.second, room[entry.first]) << "seed " << seed << " " << entry.first;
    }
  }
  EXPECT_GT(placed, 100);
  EXPECT_GT(refused, 100);
}

TEST(PropertyTest, EveryClusterHasReasonsOrIsFeasible) {
  for (uint64_t seed = 0; seed < kWorlds / 5; ++seed) {
    World world(seed);
    world.Step();
    EXPECT_EQ(world.row.decisions_size(), static_cast<int>(world.clusters.size()));
    for (const v1::ClusterDecision& decision : world.row.decisions()) {
      if (decision.selected()) {
        EXPECT_TRUE(decision.reasons().empty());
      }
      if (decision.reasons().empty()) {
        EXPECT_FALSE(decision.note().empty()) << "seed " << seed << " " << decision.cluster();
      }
      for (const std::string& reason : decision.reasons()) {
        EXPECT_GT(reason.size(), reason.find(": ") + 2) << reason;
      }
    }
  }
}

}  // namespace
}  // namespace sealane::scheduler
