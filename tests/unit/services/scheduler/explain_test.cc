// What a decision says about each cluster: every reason, the scores by plugin, the room and who
// limits it, and why these replicas.

#include "services/scheduler/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "services/scheduler/candidate.h"
#include "services/scheduler/score.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using Explained = std::map<std::string, v1::ClusterDecision>;

// What `input`, explained, says of each cluster.
Explained ExplainAll(ScheduleInput input) {
  input.explain = true;
  Explained explained;
  for (v1::ClusterDecision& decision : Decisions(input, Schedule(input))) {
    explained[decision.cluster()] = std::move(decision);
  }
  return explained;
}

Explained ExplainAll(const v1::Binding& binding, const Snapshot& snapshot,
                     const TargetMap& before = {}) {
  const Request request(binding);
  const Previous previous(PlacedIn(before).clusters());
  return ExplainAll({request, snapshot, previous});
}

void AddTaint(v1::ClusterStatus& cluster, const char* key, const char* effect) {
  v1::Taint* taint = cluster.add_taints();
  taint->set_key(key);
  taint->set_effect(effect);
}

TEST(ReasonsTest, EachFilterNamesEverythingItHoldsAgainstACluster) {
  v1::ClusterStatus bad = MakeRoomy("bad", 10);
  AddTaint(bad, "disk", "NoSchedule");
  AddTaint(bad, "fine", "NoSchedule");
  AddTaint(bad, "night", "NoExecute");
  (*bad.mutable_labels())["env"] = "test";
  const v1::Binding binding = MakeBinding(2, R"({
      "clusterTolerations": [{"key": "fine", "operator": "Exists"}],
      "clusterAffinity": {"clusterNames": ["good"],
        "labelSelector": {"matchLabels": {"env": "prod", "tier": "gold"}},
        "fieldSelector": {"matchExpressions": [
          {"key": "provider", "operator": "In", "values": ["aws"]},
          {"key": "region", "operator": "In", "values": ["us"]}]}},
      "spreadConstraints": [{"spreadByField": "region", "minGroups": 1},
                            {"spreadByField": "zone", "minGroups": 1}],
      "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})");
  const Explained explained = ExplainAll(binding, MakeSnapshot({bad}));
  EXPECT_THAT(
      explained.at("bad").reasons(),
      ElementsAre("TaintToleration: untolerated taints {disk:NoSchedule}, {night:NoExecute}",
                  "ClusterAffinity: labels do not meet env=prod,tier=gold; the cluster does not "
                  "meet provider=aws,region=us; not among clusterNames",
                  "SpreadConstraint: the cluster has no region, no zone"));
}

TEST(ReasonsTest, OverflowTiersSayWhyNotToo) {
  const v1::Binding binding = MakeBinding(2, R"({"clusterAffinities": [{"affinityName": "g",
      "clusterNames": ["x"], "overflowAffinities": [{"exclude": ["a"]}]}],
      "replicaScheduling": {"replicaSchedulingType": "Divided",
                            "replicaDivisionPreference": "Aggregated"}})");
  EXPECT_THAT(ExplainAll(binding, MakeSnapshot({MakeRoomy("a", 9)})).at("a").reasons(),
              ElementsAre("ClusterAffinity: group g: not among clusterNames; overflow tier 1: the "
                          "cluster is excluded by name"));
}

TEST(ScoresTest, ComeFromThePluginsOfTheScheduler) {
  std::set<std::string> plugins;
  for (const ScorePlugin& plugin : ScorePlugins()) plugins.emplace(plugin.name);
  v1::ClusterStatus refused = MakeRoomy("c", 9);
  AddTaint(refused, "t", "NoSchedule");
  const Explained explained =
      ExplainAll(MakeBinding(4, kDynamic),
                 MakeSnapshot({MakeRoomy("a", 9), MakeRoomy("b", 9), refused}), {{"a", 2}});
  for (const char* name : {"a", "b"}) {
    std::set<std::string> told;
    for (const auto& score : explained.at(name).scores()) told.insert(score.first);
    EXPECT_EQ(told, plugins) << name;
  }
  EXPECT_THAT(explained.at("a").scores(), UnorderedElementsAre(Pair("ClusterLocality", 100)));
  EXPECT_THAT(explained.at("b").scores(), UnorderedElementsAre(Pair("ClusterLocality", 0)));
  EXPECT_TRUE(explained.at("c").scores().empty()) << "what is refused is not scored";
}

constexpr char kThreeToOne[] = R"({"replicaScheduling": {"replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted", "weightPreference": {"staticWeightList": [
      {"targetCluster": {"clusterNames": ["a"]}, "weight": 3},
      {"targetCluster": {"clusterNames": ["b", "full"]}, "weight": 1}]}}})";

TEST(WhyTheseReplicasTest, WeightsWithinCapacitySayWhoIsFull) {
  v1::Binding binding = MakeBinding(12, kThreeToOne);
  (*binding.mutable_options())["sealane.io/respect-capacity"] = "true";
  const Snapshot snapshot = MakeSnapshot(
      {MakeRoomy("a", 3), MakeRoomy("b", 20), MakeRoomy("full", 0), MakeRoomy("other", 20)});
  const Explained explained = ExplainAll(binding, snapshot);
  EXPECT_EQ(explained.at("a").note(), "weight 3; full: room for 3 more (heartbeat: pods)");
  EXPECT_EQ(explained.at("b").note(), "weight 1; room for 20 more (heartbeat: pods)");
  EXPECT_EQ(explained.at("full").note(), "weight 1; full: room for 0 more (heartbeat: pods)");
  EXPECT_EQ(explained.at("other").note(),
            "weight 0: no rule gives it replicas; room for 20 more (heartbeat: pods)");
  // Without it, capacity is no reason.
  EXPECT_EQ(ExplainAll(MakeBinding(1, kThreeToOne), snapshot).at("full").note(),
            "weight 1: too small for a replica");
}

TEST(WhyTheseReplicasTest, AggregatedAndDynamicSayWhyAClusterGetsNone) {
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 10), MakeRoomy("b", 6)});
  EXPECT_EQ(ExplainAll(MakeBinding(8, kAggregatedPlacement), snapshot).at("b").note(),
            "room for 6 more (heartbeat: pods); not needed: the clusters before it have room for "
            "all");
  EXPECT_EQ(ExplainAll(MakeBinding(1, kDynamic), snapshot).at("b").note(),
            "room for 6 more (heartbeat: pods); too small a share for a replica");
}

// One CPU each, in a cluster with 8 CPUs free, on 4 nodes of 2 to 4 CPUs.
v1::ClusterStatus Graded() {
  return MakeCluster("a", R"({
      "spec": {"resourceModels": [
        {"grade": 1, "ranges": [{"name": "cpu", "min": "0", "max": "1"}]},
        {"grade": 2, "ranges": [{"name": "cpu", "min": "1", "max": "9223372036854775807"}]}]},
      "status": {"resourceSummary": {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "40"},
        "allocatableModelings": [{"grade": 1, "count": 3}, {"grade": 2, "count": 4}]}}})");
}

v1::Binding OneCpu(int replicas, const char* resource = "cpu", const char* amount = "1") {
  v1::Binding binding = MakeBinding(replicas, kDynamic);
  (*binding.mutable_replica_requirements()->mutable_resource_request())[resource] = amount;
  return binding;
}

TEST(RoomTest, NodesByGradeBoundTheSumsAndTheSumsBoundThem) {
  v1::ClusterStatus cluster = Graded();
  EXPECT_EQ(ExplainAll(OneCpu(2), MakeSnapshot({cluster})).at("a").note(),
            "room for 4 more (resource models)");
  // Pods that have no node yet: the models do not see them, the sums do.
  (*cluster.mutable_resource_summary()->mutable_allocating())["cpu"] = "5";
  EXPECT_EQ(ExplainAll(OneCpu(2), MakeSnapshot({cluster})).at("a").note(),
            "room for 3 more (heartbeat: cpu)");
  // A resource that the models do not name is counted by the sums alone.
  EXPECT_EQ(ExplainAll(OneCpu(2, "memory", "1Gi"), MakeSnapshot({cluster})).at("a").note(),
            "room for 8 more (heartbeat: memory)");
}

TEST(RoomTest, GradesWithoutNodesHaveNoRoom) {
  v1::ClusterStatus cluster = Graded();
  for (auto& modeling : *cluster.mutable_resource_summary()->mutable_allocatable_modelings()) {
    modeling.set_count(modeling.grade() == 1 ? 5 : 0);
  }
  const v1::Binding binding = OneCpu(2);
  const Explained explained = ExplainAll(binding, MakeSnapshot({cluster}));
  EXPECT_EQ(explained.at("a").available_replicas(), 0);
  EXPECT_THAT(explained.at("a").note(), HasSubstr("room for 0 more (resource models)"));
}

TEST(RoomTest, TheAgentSaysWhatLimitsItsCount) {
  const v1::Binding binding = MakeBinding(3, kDynamic);
  const Request request(binding);
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 9), MakeRoomy("b", 9)});
  const Previous previous;
  AccurateAnswers answers;
  answers["a"] = {2, absl::Seconds(10), "quota ns/small"};
  answers["b"] = {50, absl::Seconds(10), "nodes"};
  ScheduleInput input{request, snapshot, previous};
  input.accurate = &answers;
  const Explained explained = ExplainAll(input);
  EXPECT_EQ(explained.at("a").note(), "room for 2 more (agent: quota ns/small)");
  EXPECT_EQ(explained.at("b").note(), "room for 9 more (heartbeat: pods)");
}

TEST(RoomTest, WhatDoesNotFitSaysWhereAndWhy) {
  const v1::Binding binding = MakeBinding(30, kDynamic);
  EXPECT_EQ(ExplainAll(binding, MakeSnapshot({MakeRoomy("a", 9)})).at("a").note(),
            "the clusters have room for 9 of 30 replicas; room for 9 more (heartbeat: pods)");
}

// The order of preference, whatever way it is found.
TEST(SortCandidatesTest, ManyStandInTheSameOrderAsFew) {
  for (const bool shuffled : {false, true}) {
    Candidates candidates;
    uint32_t state = 7;
    const auto draw = [&state](uint32_t below) {
      state = state * 1664525 + 1013904223;
      return static_cast<int32_t>((state >> 8) % below);
    };
    for (uint32_t i = 0; i < 3000; ++i) {
      Candidate& candidate = candidates.emplace_back();
      candidate.index = shuffled ? i * 1009 % 3000 : i;
      candidate.tier = draw(3);
      candidate.score = draw(2) * 100;
      candidate.allocatable = draw(2) == 0 ? draw(5) : static_cast<int32_t>(kUnlimited);
      candidate.assigned = draw(2) == 0 ? draw(300) : static_cast<int32_t>(kUnlimited);
    }
    Candidates expected = candidates;
    std::sort(expected.begin(), expected.end(), [](const Candidate& a, const Candidate& b) {
      return std::tuple(a.tier, -a.score, -a.available(), a.index) <
             std::tuple(b.tier, -b.score, -b.available(), b.index);
    });
    SortCandidates(candidates);
    for (size_t i = 0; i < candidates.size(); ++i) {
      ASSERT_EQ(candidates[i].index, expected[i].index) << i;
    }
  }
}

TEST(AskTest, ClustersThatTheDecisionUsesAreAskedFirst) {
  const v1::Binding binding = MakeBinding(11, kAggregatedPlacement);
  const Request request(binding);
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 2), MakeRoomy("b", 7), MakeRoomy("c", 8),
                                          MakeRoomy("d", 0), MakeRoomy("e", 9)});
  const Previous previous(PlacedIn({{"a", 1}}).clusters());
  const AccurateAnswers nobody;
  ScheduleInput input{request, snapshot, previous};
  input.accurate = &nobody;
  EXPECT_THAT(Schedule(input).unknown_capacity, ElementsAre("e", "a", "c", "b"));
}

TEST(CountsCapacityTest, RespectCapacityIsForStaticWeightsOnly) {
  v1::Binding binding = MakeBinding(5, R"({
      "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
      "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})");
  (*binding.mutable_options())["sealane.io/respect-capacity"] = "true";
  EXPECT_FALSE(Request(binding).CountsCapacity());
  EXPECT_FALSE(Request::CountsCapacity(binding));
  EXPECT_THAT(ToMap(Decide(binding, MakeSnapshot({MakeRoomy("a", 2)})).targets),
              UnorderedElementsAre(Pair("a", 5)));
  v1::Binding weighted = MakeBinding(5, kEven);
  EXPECT_FALSE(Request::CountsCapacity(weighted));
  (*weighted.mutable_options())["sealane.io/respect-capacity"] = "true";
  EXPECT_TRUE(Request(weighted).CountsCapacity());
  EXPECT_TRUE(Request::CountsCapacity(weighted));
}

}  // namespace
}  // namespace sealane::scheduler
