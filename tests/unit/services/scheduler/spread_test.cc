// Several spread constraints at once, and what stays where it is: compared with a look at every set
// of clusters.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <utility>

#include "lib/core/strings.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/select_combined.h"
#include "tests/unit/services/scheduler/spread_worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

v1::ClusterStatus At(const std::string& name, const std::string& region,
                     const std::string& provider, int64_t pods,
                     const std::vector<std::string>& zones = {"z"}) {
  v1::ClusterStatus cluster = MakeRoomy(name, pods, region);
  cluster.set_provider(provider);
  for (const std::string& zone : zones) cluster.add_zones(zone);
  return cluster;
}

void AddSpread(v1::Binding& binding, const std::string& field, int min_groups, int max_groups) {
  v1::SpreadConstraint* spread = binding.mutable_placement()->add_spread_constraints();
  spread->set_spread_by_field(field);
  spread->set_min_groups(min_groups);
  spread->set_max_groups(max_groups);
}

TEST(CombinedTest, FindsAChoiceWheneverThereIsOne) {
  std::mt19937_64 random(11);
  const auto below = [&](int bound) {
    return static_cast<int>(random() % static_cast<uint64_t>(bound));
  };
  int fits = 0;
  int lacks_room = 0;
  int lacks_choice = 0;
  for (int round = 0; round < 1500; ++round) {
    SCOPED_TRACE(round);
    Snapshot snapshot;
    for (int i = 1 + below(8); i > 0; --i) {
      const std::string name = StrCat("c", i);
      const int room = below(3) == 0 ? below(4) : below(100);
      std::vector<std::string> zones = {StrCat("z", below(4))};
      if (below(2) == 0) zones.push_back(StrCat("z", below(4)));
      snapshot.Set(At(name, StrCat("r", below(4)), StrCat("p", below(3)), room, zones));
    }
    const int replicas = 1 + below(250);
    v1::Binding binding = MakeBinding(replicas, below(2) == 0 ? kDynamic : kDuplicatedPlacement);
    const int fewest = 1 + below(3);
    AddSpread(binding, "region", fewest, fewest + below(2));
    if (below(2) == 0) AddSpread(binding, "provider", 1 + below(3), 3);
    const int zones = 1 + below(3);
    AddSpread(binding, "zone", zones, zones + below(2));
    const int clusters = 1 + below(3);
    AddSpread(binding, "cluster", clusters, clusters + below(3));
    const Request request(binding);
    const ScheduleResult result = Decide(binding, snapshot);
    const int64_t most = MostRoom(request, result.verdicts);
    const bool exists = most >= (request.CountsCapacity() ? replicas : 0);
    ASSERT_EQ(result.outcome == Outcome::kScheduled, exists) << result.message;
    if (exists) {
      ++fits;
      EXPECT_TRUE(Meets(request, Selected(result)));
      continue;
    }
    ++(most < 0 ? lacks_choice : lacks_room);
    EXPECT_THAT(result.message, HasSubstr("no choice of clusters meets all spread constraints"));
    const bool tells_room = result.message.find(StrCat("room for ", replicas)) != std::string::npos;
    EXPECT_EQ(tells_room, most >= 0) << result.message;
  }
  EXPECT_GT(fits, 300);
  EXPECT_GT(lacks_room, 100);
  EXPECT_GT(lacks_choice, 100);
}

TEST(CombinedTest, LooksForRoomAmongTheChoicesThatMeetTheConstraints) {
  // The roomiest that reach the minima first, a and b, leave a single place for d or e.
  const Snapshot snapshot =
      MakeSnapshot({At("a", "r1", "p1", 100), At("d", "r2", "p1", 100), At("e", "r1", "p2", 100),
                    At("f", "r3", "p3", 1), At("b", "r2", "p2", 1)});
  v1::Binding binding = MakeBinding(250, kDynamic);
  AddSpread(binding, "region", 3, 9);
  AddSpread(binding, "provider", 3, 9);
  AddSpread(binding, "cluster", 1, 4);
  const ScheduleResult result = Decide(binding, snapshot);
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  std::set<std::string> names;
  for (const ClusterInfo* cluster : Selected(result)) names.insert(cluster->name);
  EXPECT_THAT(names, UnorderedElementsAre("a", "d", "e", "f"));
}

Candidates CandidatesOf(const Snapshot& snapshot) {
  Candidates candidates;
  for (const auto& cluster : snapshot.clusters()) {
    Candidate& candidate = candidates.emplace_back();
    candidate.cluster = cluster.get();
    candidate.index = static_cast<uint32_t>(candidates.size() - 1);
    candidate.allocatable = 10;
  }
  return candidates;
}

TEST(CombinedTest, SaysWhetherThereIsNoChoiceOrNoneWasFoundInTime) {
  const Snapshot snapshot =
      MakeSnapshot({At("a", "r1", "p1", 10), At("b", "r2", "p1", 10), At("c", "r3", "p2", 10)});
  v1::Binding binding = MakeBinding(1, kDuplicatedPlacement);
  AddSpread(binding, "region", 2, 2);
  AddSpread(binding, "provider", 2, 2);
  const auto choose = [&](const CombinedGoal& goal) {
    const auto chosen = ChooseCombined(Request(binding), CandidatesOf(snapshot), goal);
    return chosen.ok() ? std::string("found") : std::string(ToStd(chosen.status().message()));
  };
  EXPECT_EQ(choose({}), "found");
  EXPECT_EQ(choose({20, 20}), "found");
  EXPECT_THAT(choose({-1, 1}), HasSubstr("was found within the bounded search"));
  EXPECT_THAT(choose({21}),
              AllOf(HasSubstr("has room for 21 replicas"), Not(HasSubstr("bounded search"))));
  binding.mutable_placement()->mutable_spread_constraints(1)->set_min_groups(3);
  binding.mutable_placement()->mutable_spread_constraints(1)->set_max_groups(3);
  EXPECT_EQ(choose({}), "no choice of clusters meets all spread constraints");
}

TEST(CombinedTest, EndsAlsoWhereItCannotKnowInTime) {
  // 20 zones at most, so the room of the 25 largest clusters is never reached; to see that for
  // certain takes every set of 20 of them.
  Snapshot snapshot;
  for (int i = 0; i < 400; ++i) snapshot.Set(At(StrCat("c", i), "r", "p", 10, {StrCat("z", i)}));
  v1::Binding binding = MakeBinding(1, kDynamic);
  AddSpread(binding, "zone", 1, 20);
  AddSpread(binding, "region", 1, 1);
  AddSpread(binding, "cluster", 1, 25);
  const CombinedGoal goal{210, std::numeric_limits<int64_t>::max()};
  const auto chosen = ChooseCombined(Request(binding), CandidatesOf(snapshot), goal);
  ASSERT_FALSE(chosen.ok());
  EXPECT_THAT(std::string(ToStd(chosen.status().message())),
              HasSubstr("was found within the bounded search"));
}

TEST(ShortfallTest, TheRowSaysWhenTheDivisionLeavesFewerGroupsThanWereChosen) {
  v1::Binding binding = MakeBinding(4, kDynamic);
  AddSpread(binding, "region", 2, 2);
  const auto message = [&](int64_t room) {
    const Snapshot snapshot = MakeSnapshot({At("a", "r1", "p", 9), At("b", "r2", "p", room)});
    return PlanPlacement({binding, nullptr, snapshot}).row.message();
  };
  EXPECT_EQ(message(0),
            "2/2 clusters fit; the spread constraint by region wants at least 2: so many were "
            "chosen, but the division gave replicas to 1 only");
  EXPECT_EQ(message(9), "2/2 clusters fit");
}

// A few clusters with little room, spread by one constraint or several.
class TightWorld {
 public:
  explicit TightWorld(uint64_t seed, const std::vector<const char*>& placements) : random_(seed) {
    for (int i = 3 + Below(6); i > 0; --i) {
      std::vector<std::string> zones = {StrCat("z", Below(4))};
      if (Below(3) == 0) zones.push_back(StrCat("z", Below(4)));
      clusters_.push_back(At(StrCat("c", i), StrCat("r", Below(4)), StrCat("p", Below(3)),
                             Below(4) == 0 ? 40 : Below(12), zones));
      (*clusters_.back().mutable_labels())["rack"] = StrCat("k", Below(3));
    }
    snapshot = MakeSnapshot(clusters_);
    const auto kind = static_cast<size_t>(Below(static_cast<int>(placements.size())));
    binding = MakeBinding(1 + Below(20), placements[kind], StrCat("web", Below(100)));
    const char* fields[] = {"region", "region", "provider", "zone", "rack"};
    const int groupings = Below(5) == 0 ? 0 : 1 + (Below(3) == 0 ? 1 : 0);
    for (int i = 0; i < groupings; ++i) Spread(fields[Below(5)], 1 + Below(2));
    if (groupings == 0 || Below(2) == 0) Spread("cluster", 1 + Below(3));
  }

  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  // Placed by the planner; false when that is not possible.
  bool Place() {
    PlanInput input{binding, has_row_ ? &row_ : nullptr, snapshot};
    input.now_micros = 1'000'000;
    row_ = PlanPlacement(input).row;
    has_row_ = true;
    return row_.state() == "Scheduled";
  }
  [[nodiscard]] const std::string& message() const { return row_.message(); }
  [[nodiscard]] TargetMap placed() const { return ToMap(row_); }

  // The next heartbeats: what was placed runs, and there is other room beside it.
  void ChangeRoom() {
    const TargetMap used = placed();
    for (v1::ClusterStatus cluster : clusters_) {
      const auto it = used.find(cluster.name());
      const int64_t runs = it == used.end() ? 0 : it->second;
      auto& summary = *cluster.mutable_resource_summary();
      (*summary.mutable_allocated())["pods"] = std::to_string(runs);
      (*summary.mutable_allocatable())["pods"] =
          std::to_string(runs + (Below(3) == 0 ? 0 : Below(12)));
      snapshot.Set(cluster);
    }
  }

  // Whether some choice of clusters meets the constraints, has the room, and has all in `used`.
  bool MayKeep(const TargetMap& used) {
    const Request request(binding);
    const ScheduleResult anew = Decide(binding, snapshot, used);
    return MostRoom(request, anew.verdicts) >= (request.CountsCapacity() ? request.replicas : 0);
  }

  v1::Binding binding;
  Snapshot snapshot;

 private:
  void Spread(const std::string& by, int min_groups) {
    AddSpread(binding, by == "rack" ? "" : by, min_groups, min_groups + Below(2));
    if (by != "rack") return;
    v1::Placement& placement = *binding.mutable_placement();
    placement.mutable_spread_constraints(placement.spread_constraints_size() - 1)
        ->set_spread_by_label("rack");
  }

  std::mt19937_64 random_;
  std::vector<v1::ClusterStatus> clusters_;
  v1::Placed row_;
  bool has_row_ = false;
};

// Replicas that a cluster has lost.
int64_t Left(const TargetMap& before, const TargetMap& after) {
  int64_t left = 0;
  for (const auto& entry : before) {
    const auto now = after.find(entry.first);
    left += std::max<int64_t>(0, entry.second - (now == after.end() ? 0 : now->second));
  }
  return left;
}

constexpr uint64_t kTightWorlds = 3000;

TEST(SteadyTest, MoreOrFewerReplicasMoveNothingThatMayStay) {
  int grown = 0;
  int shrunk = 0;
  int moves_anew = 0;
  for (uint64_t seed = 0; seed < kTightWorlds; ++seed) {
    SCOPED_TRACE(seed);
    TightWorld world(seed, {kDynamic, kAggregatedPlacement});
    if (!world.Place()) continue;
    const TargetMap before = world.placed();
    world.ChangeRoom();
    const int changes[] = {1, 1, 5, -1, -3};
    const int change = changes[world.Below(5)];
    if (world.binding.replicas() + change <= 0) continue;
    world.binding.set_replicas(world.binding.replicas() + change);
    if (!world.MayKeep(before)) continue;
    ASSERT_TRUE(world.Place()) << world.message();
    const TargetMap after = world.placed();
    if (change > 0) {
      ++grown;
      EXPECT_EQ(Left(before, after), 0);
      EXPECT_EQ(Left(after, before), change);
    } else {
      ++shrunk;
      EXPECT_EQ(Left(before, after), -change);
      EXPECT_EQ(Left(after, before), 0);
    }
    const ScheduleResult anew = Decide(world.binding, world.snapshot, before);
    const int64_t leaves = change > 0 ? 0 : -change;
    if (Left(before, ToMap(anew.targets)) > leaves) ++moves_anew;
  }
  EXPECT_GT(grown, 300);
  EXPECT_GT(shrunk, 300);
  EXPECT_GT(moves_anew, 30) << "these worlds tell steady from not steady";
}

TEST(SteadyTest, PlacesWhereverAChoiceHasTheRoom) {
  int placed = 0;
  int not_by_shares = 0;
  for (uint64_t seed = 0; seed < kTightWorlds; ++seed) {
    SCOPED_TRACE(seed);
    TightWorld world(seed, {kDynamic, kAggregatedPlacement});
    if (!world.MayKeep({})) continue;
    ++placed;
    EXPECT_TRUE(world.Place()) << world.message();
    if (Decide(world.binding, world.snapshot).outcome != Outcome::kScheduled) ++not_by_shares;
  }
  EXPECT_GT(placed, 500);
  EXPECT_GT(not_by_shares, 10) << "these worlds tell it from Karmada's choice";
}

TEST(SteadyTest, DuplicatedObjectsStayWhereTheyHaveRoom) {
  int checked = 0;
  int moves_anew = 0;
  for (uint64_t seed = 0; seed < kTightWorlds; ++seed) {
    SCOPED_TRACE(seed);
    TightWorld world(seed, {kDuplicatedPlacement});
    world.binding.set_replicas(1 + world.Below(4));
    if (!world.Place()) continue;
    const TargetMap before = world.placed();
    world.ChangeRoom();
    world.binding.set_replicas(world.binding.replicas() + 1);
    const ScheduleResult anew = Decide(world.binding, world.snapshot, before);
    const bool room =
        std::none_of(anew.verdicts.begin(), anew.verdicts.end(),
                     [](const ClusterVerdict& v) { return v.in_use && v.allocatable == 0; });
    ASSERT_TRUE(world.Place()) << world.message();
    if (!room) continue;
    ++checked;
    EXPECT_EQ(Left(before, world.placed()), 0);
    if (Left(before, ToMap(anew.targets)) > 0) ++moves_anew;
  }
  EXPECT_GT(checked, 300);
  EXPECT_GT(moves_anew, 5) << "these worlds tell steady from not steady";
}

TEST(SteadyTest, LosingAClusterMovesOnlyItsReplicas) {
  int checked = 0;
  int moves_anew = 0;
  for (uint64_t seed = 0; seed < kTightWorlds; ++seed) {
    SCOPED_TRACE(seed);
    TightWorld world(seed, {kDynamic, kAggregatedPlacement, kDuplicatedPlacement});
    if (!world.Place()) continue;
    TargetMap rest = world.placed();
    world.ChangeRoom();
    const std::string lost = rest.begin()->first;
    world.snapshot.Remove(lost);
    rest.erase(lost);
    if (!world.MayKeep(rest)) continue;
    ++checked;
    ASSERT_TRUE(world.Place()) << world.message();
    EXPECT_EQ(world.placed().count(lost), 0u);
    EXPECT_EQ(Left(rest, world.placed()), 0);
    if (Left(rest, ToMap(Decide(world.binding, world.snapshot, rest).targets)) > 0) ++moves_anew;
  }
  EXPECT_GT(checked, 500);
  EXPECT_GT(moves_anew, 10) << "these worlds tell steady from not steady";
}

TEST(SteadyTest, ALargerShareDoesNotMakeAnotherRegionBetter) {
  // Of 11 replicas a region's share is 6: r3 has room for it, r1 (in use, and full) for 5.
  const Snapshot snapshot =
      MakeSnapshot({At("a", "r1", "p", 0), At("b", "r2", "p", 10), At("c", "r3", "p", 6)});
  v1::Binding binding = MakeBinding(11, kDynamic);
  AddSpread(binding, "region", 2, 2);
  const TargetMap before = {{"a", 5}, {"b", 5}};
  EXPECT_THAT(ToMap(Decide(binding, snapshot, before, false, true).targets),
              UnorderedElementsAre(Pair("a", 5), Pair("b", 6)));
  EXPECT_EQ(ToMap(Decide(binding, snapshot, before).targets).count("a"), 0u) << "as Karmada does";
  EXPECT_EQ(ToMap(Decide(binding, snapshot, before, true, true).targets).count("a"), 0u)
      << "a manual rebalance chooses anew";
}

}  // namespace
}  // namespace sealane::scheduler
