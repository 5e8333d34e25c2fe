// Several spread constraints at once: compared with a look at every set of clusters.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "lib/core/strings.h"
#include "services/scheduler/select_combined.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
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

std::set<std::string> GroupsOf(const SpreadRule& rule, const ClusterInfo& cluster) {
  switch (rule.by) {
    case SpreadRule::By::kCluster:
      return {cluster.name};
    case SpreadRule::By::kRegion:
      return {cluster.region};
    case SpreadRule::By::kProvider:
      return {cluster.provider};
    case SpreadRule::By::kZone:
      return {cluster.zones.begin(), cluster.zones.end()};
    case SpreadRule::By::kLabel:
      break;
  }
  return {};
}

bool Meets(const Request& request, const std::vector<const ClusterInfo*>& clusters) {
  return std::all_of(request.spread.begin(), request.spread.end(), [&](const SpreadRule& rule) {
    std::set<std::string> groups;
    for (const ClusterInfo* cluster : clusters) groups.merge(GroupsOf(rule, *cluster));
    const auto count = static_cast<int64_t>(groups.size());
    return count >= rule.min_groups && count <= rule.max_groups;
  });
}

// The most room that a set of clusters has that meets all constraints; -1: there is none.
int64_t MostRoom(const Request& request, const Snapshot& snapshot,
                 const std::map<std::string, int64_t>& rooms) {
  int64_t most = -1;
  const auto& clusters = snapshot.clusters();
  for (uint32_t set = 1; set < uint32_t{1} << clusters.size(); ++set) {
    std::vector<const ClusterInfo*> chosen;
    int64_t room = 0;
    for (size_t i = 0; i < clusters.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      chosen.push_back(clusters[i].get());
      room += rooms.at(clusters[i]->name);
    }
    if (room > most && Meets(request, chosen)) most = room;
  }
  return most;
}

std::vector<const ClusterInfo*> Selected(const ScheduleResult& result) {
  std::vector<const ClusterInfo*> clusters;
  for (const ClusterVerdict& verdict : result.verdicts) {
    if (verdict.selected) clusters.push_back(verdict.cluster);
  }
  return clusters;
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
    std::map<std::string, int64_t> rooms;
    for (int i = 1 + below(8); i > 0; --i) {
      const std::string name = StrCat("c", i);
      rooms[name] = below(3) == 0 ? below(4) : below(100);
      std::vector<std::string> zones = {StrCat("z", below(4))};
      if (below(2) == 0) zones.push_back(StrCat("z", below(4)));
      snapshot.Set(At(name, StrCat("r", below(4)), StrCat("p", below(3)), rooms[name], zones));
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
    const int64_t most = MostRoom(request, snapshot, rooms);
    const bool counts = request.CountsCapacity();
    const bool exists = counts ? most >= replicas : most >= 0;
    const ScheduleResult result = Decide(binding, snapshot);
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

}  // namespace
}  // namespace sealane::scheduler
