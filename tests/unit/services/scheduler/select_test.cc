// Spread constraints: groups, combinations, zones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "lib/core/strings.h"
#include "services/scheduler/select_groups.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Names(const std::vector<Group>& groups, const GroupChoice& choice) {
  std::vector<std::string> names;
  for (size_t index : choice.groups) names.push_back(groups[index].name);
  return names;
}

TEST(ChooseGroupsTest, PrefersWeightThenTheShorterBeginning) {
  const std::vector<Group> groups = {{"a", 2, 100}, {"b", 3, 90}, {"c", 6, 80}, {"d", 7, 70}};
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {2, 2, 7})), ElementsAre("a", "c"));
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {1, 1, 7})), ElementsAre("d"));
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {4, 4, 1})), ElementsAre("a", "b", "c", "d"));
  EXPECT_TRUE(ChooseGroups(groups, {1, 2, 14}).groups.empty());
  EXPECT_TRUE(ChooseGroups(groups, {5, 9, 1}).groups.empty());
}

std::vector<Group> RandomGroups(std::mt19937_64& random) {
  std::vector<Group> groups(1 + random() % 9);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] = {std::string(1, static_cast<char>('a' + i)), static_cast<int64_t>(1 + random() % 5),
                 static_cast<int64_t>(random() % 50)};
  }
  return groups;
}

struct Sums {
  int64_t value = 0;
  int64_t weight = 0;
};

Sums SumsOf(const std::vector<Group>& groups, const std::vector<size_t>& chosen) {
  Sums sums;
  for (size_t index : chosen) {
    sums.value += groups[index].value;
    sums.weight += groups[index].weight;
  }
  return sums;
}

// The smallest number of groups that meets the rule, by looking at every set; 0: there is none.
size_t FewestGroups(const std::vector<Group>& groups, const GroupRule& rule) {
  size_t fewest = 0;
  for (uint32_t set = 1; set < uint32_t{1} << groups.size(); ++set) {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < groups.size(); ++i) {
      if ((set >> i & 1) != 0) chosen.push_back(i);
    }
    const auto count = static_cast<int64_t>(chosen.size());
    if (count < rule.min_groups || count > rule.max_groups) continue;
    if (SumsOf(groups, chosen).value < rule.target) continue;
    if (fewest == 0 || chosen.size() < fewest) fewest = chosen.size();
  }
  return fewest;
}

// The weight of the groups with the most clusters.
int64_t WeightOfTheLargest(std::vector<Group> groups, size_t count) {
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.value != b.value ? a.value > b.value : a.weight > b.weight;
  });
  int64_t weight = 0;
  for (size_t i = 0; i < count; ++i) weight += groups[i].weight;
  return weight;
}

TEST(ChooseGroupsTest, TheBoundedMethodKeepsItsBound) {
  std::mt19937_64 random(3);
  int checked = 0;
  int without = 0;
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE(round);
    const std::vector<Group> groups = RandomGroups(random);
    GroupRule rule;
    rule.min_groups = static_cast<int64_t>(random() % 4);
    rule.max_groups = std::max<int64_t>(1, rule.min_groups + static_cast<int64_t>(random() % 4));
    rule.target = static_cast<int64_t>(random() % 20);
    if (rule.min_groups == 0 && rule.target == 0) continue;
    const GroupChoice bounded = ChooseGroups(groups, rule, 0, 0);
    ASSERT_FALSE(bounded.exact);
    ASSERT_FALSE(bounded.best_score);
    const GroupChoice exact = ChooseGroups(groups, rule, 1'000'000);
    ASSERT_TRUE(exact.exact);
    const size_t fewest = FewestGroups(groups, rule);
    ASSERT_EQ(bounded.groups.size(), fewest);
    ASSERT_EQ(exact.groups.empty(), fewest == 0);
    if (fewest == 0) {
      ++without;
      continue;
    }
    ++checked;
    const std::set<size_t> different(bounded.groups.begin(), bounded.groups.end());
    EXPECT_EQ(different.size(), fewest);
    const Sums sums = SumsOf(groups, bounded.groups);
    EXPECT_GE(sums.value, rule.target);
    EXPECT_GE(static_cast<int64_t>(fewest), rule.min_groups);
    EXPECT_LE(static_cast<int64_t>(fewest), rule.max_groups);
    EXPECT_GE(sums.weight, WeightOfTheLargest(groups, fewest));
  }
  EXPECT_GT(checked, 900);
  EXPECT_GT(without, 200);
}

TEST(ChooseGroupsTest, TheBoundedMethodTakesHeavierGroupsWhereTheTargetAllows) {
  const std::vector<Group> groups = {{"a", 9, 1}, {"b", 5, 2}, {"c", 4, 90}, {"d", 1, 99}};
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {2, 2, 10}, 0, 0)), ElementsAre("d", "a"));
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {2, 2, 12}, 0, 0)), ElementsAre("c", "a"));
  EXPECT_THAT(Names(groups, ChooseGroups(groups, {1, 4, 15}, 0, 0)), ElementsAre("d", "b", "a"));
}

TEST(ChooseGroupsTest, TheTableFindsTheScoreOfTheSearch) {
  std::mt19937_64 engine(17);
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<Group> groups;
    const size_t count = 1 + engine() % 10;
    for (size_t i = 0; i < count; ++i) {
      groups.push_back({StrCat("g", i), static_cast<int64_t>(1 + engine() % 6),
                        static_cast<int64_t>(engine() % 1'000'000)});
    }
    GroupRule rule;
    rule.min_groups = static_cast<int64_t>(1 + engine() % 4);
    rule.max_groups = rule.min_groups + static_cast<int64_t>(engine() % 3);
    rule.target = static_cast<int64_t>(engine() % 18);
    const GroupChoice walked = ChooseGroups(groups, rule, 1'000'000);
    const GroupChoice table = ChooseGroups(groups, rule, 0);
    ASSERT_TRUE(walked.exact);
    ASSERT_TRUE(table.best_score);
    ASSERT_EQ(walked.groups, table.groups) << "round " << round;
    compared += walked.groups.empty() ? 0 : 1;
  }
  EXPECT_GT(compared, 200);
}

TEST(ChooseGroupsTest, ThousandsOfGroupsKeepTheBestScore) {
  std::vector<Group> groups;
  for (int i = 0; i < 5000; ++i) groups.push_back({StrCat("g", 10'000 + i), 2, i});
  const GroupChoice choice = ChooseGroups(groups, {3, 5, 8});
  EXPECT_TRUE(choice.best_score);
  int64_t weight = 0;
  for (size_t index : choice.groups) weight += groups[index].weight;
  EXPECT_EQ(weight, 4999 + 4998 + 4997 + 4996) << "four groups of two clusters, the heaviest";
}

TEST(ChooseGroupsTest, ManyGroupsStayFast) {
  std::vector<Group> groups;
  std::mt19937_64 random(5);
  for (int i = 0; i < 5000; ++i) {
    groups.push_back({StrCat("g", i), static_cast<int64_t>(1 + random() % 3),
                      static_cast<int64_t>(random() % 1'000'000)});
  }
  const GroupChoice choice = ChooseGroups(groups, {100, 400, 900});
  EXPECT_FALSE(choice.exact);
  EXPECT_GE(choice.groups.size(), 300u);  // 3 clusters at most in each
}

v1::ClusterStatus Placed(const std::string& name, const std::string& region,
                         const std::string& provider, std::vector<std::string> zones,
                         int64_t pods = 100) {
  v1::ClusterStatus cluster = MakeRoomy(name, pods, region);
  cluster.set_provider(provider);
  for (const std::string& zone : zones) cluster.add_zones(zone);
  (*cluster.mutable_labels())["rack"] = provider + "-" + region;
  return cluster;
}

Snapshot SixClusters() {
  return MakeSnapshot({Placed("a", "r1", "p1", {"z1"}), Placed("b", "r1", "p1", {"z1", "z2"}),
                       Placed("c", "r2", "p1", {"z3"}), Placed("d", "r2", "p2", {"z3", "z4"}),
                       Placed("e", "r3", "p2", {"z5"}), Placed("f", "r3", "p3", {"z6"})});
}

std::string Spread(const std::string& constraints) {
  return R"({"replicaScheduling": {"replicaSchedulingType": "Duplicated"}, "spreadConstraints": [)" +
         constraints + "]}";
}

TEST(SelectTest, ByProviderAndByLabel) {
  const auto by_provider = Decide(MakeBinding(1, Spread(R"(
      {"spreadByField": "provider", "minGroups": 3, "maxGroups": 3},
      {"spreadByField": "cluster", "minGroups": 3, "maxGroups": 3})")),
                                  SixClusters());
  EXPECT_THAT(ToMap(by_provider.targets),
              UnorderedElementsAre(Pair("a", 1), Pair("d", 1), Pair("f", 1)));
  const auto by_label = Decide(MakeBinding(1, Spread(R"(
      {"spreadByLabel": "rack", "minGroups": 2, "maxGroups": 2},
      {"spreadByField": "cluster", "minGroups": 2, "maxGroups": 2})")),
                               SixClusters());
  EXPECT_EQ(by_label.outcome, Outcome::kScheduled) << by_label.message;
  EXPECT_EQ(by_label.targets.size(), 2u);
}

TEST(SelectTest, ZonesCountEveryZoneOfACluster) {
  const auto result = Decide(MakeBinding(1, Spread(R"(
      {"spreadByField": "zone", "minGroups": 2, "maxGroups": 2},
      {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 9})")),
                             SixClusters());
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  std::set<std::string> zones;
  const Snapshot snapshot = SixClusters();
  for (const Target& target : result.targets) {
    const ClusterInfo* cluster = snapshot.Find(target.cluster);
    zones.insert(cluster->zones.begin(), cluster->zones.end());
  }
  EXPECT_EQ(zones.size(), 2u);
}

TEST(SelectTest, SeveralGroupingsAtOnce) {
  const auto result = Decide(MakeBinding(1, Spread(R"(
      {"spreadByField": "region", "minGroups": 2, "maxGroups": 2},
      {"spreadByField": "provider", "minGroups": 3, "maxGroups": 3},
      {"spreadByField": "cluster", "minGroups": 3, "maxGroups": 4})")),
                             SixClusters());
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  std::set<std::string> regions;
  std::set<std::string> providers;
  const Snapshot snapshot = SixClusters();
  for (const Target& target : result.targets) {
    regions.insert(snapshot.Find(target.cluster)->region);
    providers.insert(snapshot.Find(target.cluster)->provider);
  }
  EXPECT_EQ(regions.size(), 2u);
  EXPECT_EQ(providers.size(), 3u);
  EXPECT_EQ(result.targets.size(), 4u);
}

TEST(SelectTest, TenThousandClustersUnderSeveralConstraints) {
  Snapshot snapshot;
  for (int i = 0; i < 10'000; ++i) {
    snapshot.Set(Placed(StrCat("c", 10'000 + i), StrCat("r", i % 40), StrCat("p", i % 7),
                        {StrCat("z", i % 80), StrCat("z", i % 80 + 1)}));
  }
  const auto result = Decide(MakeBinding(1, Spread(R"(
      {"spreadByField": "region", "minGroups": 20, "maxGroups": 25},
      {"spreadByField": "provider", "minGroups": 7},
      {"spreadByField": "zone", "minGroups": 30, "maxGroups": 60},
      {"spreadByField": "cluster", "minGroups": 1500, "maxGroups": 2000})")),
                             snapshot);
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  std::set<std::string> regions;
  std::set<std::string> zones;
  for (const Target& target : result.targets) {
    const ClusterInfo* cluster = snapshot.Find(target.cluster);
    regions.insert(cluster->region);
    zones.insert(cluster->zones.begin(), cluster->zones.end());
  }
  EXPECT_GE(regions.size(), 20u);
  EXPECT_LE(regions.size(), 25u);
  EXPECT_GE(zones.size(), 30u);
  EXPECT_LE(zones.size(), 60u);
  EXPECT_GE(result.targets.size(), 1500u);
  EXPECT_LE(result.targets.size(), 2000u);
}

TEST(SelectTest, LargeClustersTakeThePlaceOfSmallOnesAmongThousands) {
  Snapshot snapshot;
  for (int i = 0; i < 6000; ++i) {
    // The first half is in use (and goes first), the second half has the room.
    snapshot.Set(MakeRoomy(StrCat("c", 10'000 + i), i < 3000 ? 1 : 10));
  }
  TargetMap before;
  for (int i = 0; i < 3000; ++i) before[StrCat("c", 10'000 + i)] = 1;
  const auto result = Decide(MakeBinding(20'000, R"({
      "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 3000, "maxGroups": 3000}],
      "replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference":
          "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}}})"),
                             snapshot, before);
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  int64_t sum = 0;
  for (const Target& target : result.targets) sum += target.replicas;
  EXPECT_EQ(sum, 20'000);
}

TEST(SelectTest, StaticWeightsFlowOver) {
  const auto result = Decide(
      MakeBinding(9, R"({"clusterAffinities": [{"affinityName": "g", "clusterNames": ["a", "b"],
          "overflowAffinities": [{"clusterNames": ["c"]}]}],
          "replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference":
              "Weighted", "weightPreference": {"staticWeightList": [
                  {"targetCluster": {"clusterNames": ["a"]}, "weight": 2},
                  {"targetCluster": {"clusterNames": ["b"]}, "weight": 1}]}}})"),
      MakeSnapshot({MakeRoomy("a", 4), MakeRoomy("b", 2), MakeRoomy("c", 50)}));
  ASSERT_EQ(result.outcome, Outcome::kScheduled) << result.message;
  EXPECT_THAT(ToMap(result.targets),
              UnorderedElementsAre(Pair("a", 4), Pair("b", 2), Pair("c", 3)));
}

TEST(SelectTest, WhatIsRememberedOfAnAffinityFollowsTheClusters) {
  Snapshot snapshot = MakeSnapshot({MakeRoomy("b", 5), MakeRoomy("d", 5)});
  const v1::Binding gold = MakeBinding(
      1, R"({"clusterAffinity": {"labelSelector": {"matchLabels": {"tier": "gold"}}}})");
  const auto targets = [&](const Snapshot& of) { return ToMap(Decide(gold, of).targets); };
  EXPECT_TRUE(targets(snapshot).empty());
  const auto relabel = [&](const char* name, const char* tier) {
    v1::ClusterStatus cluster = MakeRoomy(name, 5);
    (*cluster.mutable_labels())["tier"] = tier;
    snapshot.Set(cluster);
  };
  relabel("d", "gold");
  EXPECT_THAT(targets(snapshot), UnorderedElementsAre(Pair("d", 1)));
  relabel("a", "silver");  // every place moves by one
  relabel("c", "gold");
  EXPECT_THAT(targets(snapshot), UnorderedElementsAre(Pair("c", 1), Pair("d", 1)));
  const Snapshot copy = snapshot;
  relabel("c", "silver");
  snapshot.Remove("b");
  EXPECT_THAT(targets(snapshot), UnorderedElementsAre(Pair("d", 1)));
  EXPECT_THAT(targets(copy), UnorderedElementsAre(Pair("c", 1), Pair("d", 1)));
}

TEST(SelectTest, SaysWhatCannotBeMet) {
  const auto result = Decide(MakeBinding(1, Spread(R"(
      {"spreadByField": "region", "minGroups": 4},
      {"spreadByField": "cluster", "minGroups": 4})")),
                             SixClusters());
  EXPECT_EQ(result.outcome, Outcome::kUnschedulable);
  EXPECT_THAT(result.message, HasSubstr("region wants at least 4"));
}

TEST(SelectTest, NoUpperBoundMeansAllClusters) {
  const auto result = Decide(
      MakeBinding(1, Spread(R"({"spreadByField": "cluster", "minGroups": 2})")), SixClusters());
  EXPECT_EQ(result.targets.size(), 6u);
}

TEST(SelectTest, StaticWeightsIgnoreSpreadUnlessTold) {
  const std::string placement = R"({"replicaScheduling": {"replicaSchedulingType": "Divided",
      "replicaDivisionPreference": "Weighted", "weightPreference": {"staticWeightList": [
        {"targetCluster": {}, "weight": 1}]}},
      "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 2}]})";
  v1::Binding binding = MakeBinding(12, placement);
  const auto ignored = Decide(binding, SixClusters());
  EXPECT_EQ(ignored.targets.size(), 6u);
  EXPECT_THAT(ignored.note, HasSubstr("ignored with static weights"));
  (*binding.mutable_options())["sealane.io/honour-spread"] = "true";
  const auto honoured = Decide(binding, SixClusters());
  EXPECT_THAT(ToMap(honoured.targets), UnorderedElementsAre(Pair("a", 6), Pair("b", 6)));
}

TEST(SelectTest, ClustersWithRoomReplaceThoseWithout) {
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 4), MakeRoomy("b", 1), MakeRoomy("c", 9)});
  v1::Binding binding = MakeBinding(12, std::string(kDynamic));
  v1::SpreadConstraint* spread = binding.mutable_placement()->add_spread_constraints();
  spread->set_spread_by_field("cluster");
  spread->set_min_groups(2);
  spread->set_max_groups(2);
  // b is in use and so preferred, but has no room.
  const auto result = Decide(binding, snapshot, {{"b", 1}});
  EXPECT_THAT(ToMap(result.targets), UnorderedElementsAre(Pair("a", 4), Pair("c", 8)));
}

}  // namespace
}  // namespace sealane::scheduler
