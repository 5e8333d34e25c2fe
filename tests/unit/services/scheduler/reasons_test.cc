// What counts as changed rules and changed replicas.

#include "services/scheduler/reasons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/plan.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

constexpr char kGroups[] = R"({"clusterAffinities": [
    {"affinityName": "near", "clusterNames": ["a"]},
    {"affinityName": "far", "clusterNames": ["b"]}],
    "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})";

v1::Placed PlacedBy(const v1::Binding& binding, const std::string& group = "") {
  v1::Placed placed;
  *placed.mutable_observed_placement() = binding.placement();
  *placed.mutable_observed_options() = binding.options();
  placed.set_affinity_name(group);
  return placed;
}

// What the change of the placement (JSON, before and after) is called.
std::string Change(const char* before, const char* after) {
  return RulesChanged(MakeBinding(2, after), PlacedBy(MakeBinding(2, before)));
}

TEST(RulesChangedTest, TheSameRulesAreNoReason) {
  for (const char* placement : {"{}", kDynamic, kEven, kDuplicatedPlacement, kGroups}) {
    const v1::Binding binding = MakeBinding(2, placement);
    EXPECT_EQ(RulesChanged(binding, PlacedBy(binding, "near")), "") << placement;
  }
}

TEST(RulesChangedTest, EveryPartOfThePlacementIsCompared) {
  EXPECT_EQ(Change("{}", R"({"clusterAffinity": {"clusterNames": ["a"]}})"),
            "the cluster affinity changed");
  EXPECT_EQ(Change("{}", R"({"clusterAffinity": {}})"), "the cluster affinity changed");
  EXPECT_EQ(Change(R"({"clusterAffinity": {"clusterNames": ["a"]}})",
                   R"({"clusterAffinity": {"clusterNames": ["a"], "exclude": ["b"]}})"),
            "the cluster affinity changed");
  EXPECT_EQ(Change(R"({"clusterAffinity": {"clusterNames": ["a"]}})", kGroups),
            "the cluster affinity changed");
  EXPECT_EQ(Change("{}", R"({"clusterTolerations": [{"operator": "Exists"}]})"),
            "the tolerations changed");
  EXPECT_EQ(Change(R"({"clusterTolerations": [{"key": "x", "operator": "Exists"}]})",
                   R"({"clusterTolerations": [{"key": "y", "operator": "Exists"}]})"),
            "the tolerations changed");
  EXPECT_EQ(Change(R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1}]})",
                   R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 2}]})"),
            "the spread constraints changed");
  EXPECT_EQ(Change(kDynamic, kAggregatedPlacement), "the replica scheduling changed");
  EXPECT_EQ(Change(kDuplicatedPlacement, kEven), "the replica scheduling changed");
  EXPECT_EQ(Change("{}", R"({"workloadAffinity": {"affinity": {"groupByLabelKey": "app"}}})"),
            "the workload affinity changed");
  EXPECT_EQ(Change(R"({"workloadAffinity": {"affinity": {"groupByLabelKey": "app"}}})",
                   R"({"workloadAffinity": {"antiAffinity": {"groupByLabelKey": "app"}}})"),
            "the workload affinity changed");
}

TEST(RulesChangedTest, OfTheGroupsOnlyTheOneInForceCounts) {
  v1::Binding binding = MakeBinding(2, kGroups);
  const v1::Placed near = PlacedBy(binding, "near");
  const v1::Placed far = PlacedBy(binding, "far");
  auto& groups = *binding.mutable_placement()->mutable_cluster_affinities();
  groups[1].add_cluster_names("c");
  EXPECT_EQ(RulesChanged(binding, near), "");
  EXPECT_EQ(RulesChanged(binding, far), "the cluster affinity changed");
  groups[1].set_affinity_name("renamed");
  EXPECT_EQ(RulesChanged(binding, near), "");
  EXPECT_EQ(RulesChanged(binding, far), "the cluster affinity changed");
}

TEST(RulesChangedTest, OptionsThatChangeDecisionsCount) {
  for (std::string_view option : {kHonourSpreadOption, kRespectCapacityOption}) {
    v1::Binding binding = MakeBinding(2, kEven);
    const v1::Placed without = PlacedBy(binding);
    (*binding.mutable_options())[std::string(option)] = "true";
    EXPECT_EQ(RulesChanged(binding, without), "the options of the policy changed") << option;
    EXPECT_EQ(RulesChanged(binding, PlacedBy(binding)), "") << option;
    EXPECT_EQ(RulesChanged(MakeBinding(2, kEven), PlacedBy(binding)),
              "the options of the policy changed");
  }
  v1::Binding binding = MakeBinding(2, kEven);
  const v1::Placed without = PlacedBy(binding);
  (*binding.mutable_options())[std::string(kFailbackOption)] = "WhenHealthyFor=1m";
  EXPECT_EQ(RulesChanged(binding, without), "") << "it changes when, not where";
}

// Every change of the rules leads to a decision, and the decision is remembered: once.
TEST(RulesChangedTest, ThePlanIsMadeAgainOnce) {
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 20), MakeRoomy("b", 20)});
  v1::Binding binding = MakeBinding(4, kDynamic);
  PlanInput first{binding, nullptr, snapshot};
  first.now_micros = 1;
  v1::Placed row = PlanPlacement(first).row;
  // Clusters stay allowed: losing one would be the first reason.
  const char* placements[] = {
      R"({"clusterAffinity": {"clusterNames": ["a", "b"]}})",
      R"({"clusterAffinity": {"clusterNames": ["a", "b"]}, "clusterTolerations": [{"key": "k"}]})",
      R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})",
      kEven,
      R"({"clusterAffinities": [{"affinityName": "all", "clusterNames": ["a", "b"]}]})",
      R"({"workloadAffinity": {"affinity": {"groupByLabelKey": "app"}}})"};
  for (const char* placement : placements) {
    binding = MakeBinding(4, placement);
    PlanInput input{binding, &row, snapshot};
    input.now_micros = 2;
    const Plan plan = PlanPlacement(input);
    EXPECT_THAT(plan.cause, ::testing::EndsWith(" changed")) << placement;
    EXPECT_TRUE(plan.write);
    row = plan.row;
    PlanInput again{binding, &row, snapshot};
    EXPECT_EQ(PlanPlacement(again).cause, "") << placement;
  }
}

TEST(ReplicasChangedTest, SumsOrEachOfThem) {
  const v1::Binding divided = MakeBinding(4, kDynamic);
  EXPECT_EQ(ReplicasChanged(Request(divided), PlacedIn({{"a", 1}, {"b", 3}})), "");
  EXPECT_EQ(ReplicasChanged(Request(divided), PlacedIn({{"a", 4}, {"b", 4}})), "replicas 8 -> 4");
  const v1::Binding copies = MakeBinding(4, kDuplicatedPlacement);
  EXPECT_EQ(ReplicasChanged(Request(copies), PlacedIn({{"a", 4}, {"b", 4}})), "");
  EXPECT_EQ(ReplicasChanged(Request(copies), PlacedIn({{"a", 1}, {"b", 3}})),
            "replicas changed to 4");
  const v1::Binding object = MakeBinding(0, "{}");
  EXPECT_EQ(ReplicasChanged(Request(object), PlacedIn({{"a", 0}})), "");
}

}  // namespace
}  // namespace sealane::scheduler
