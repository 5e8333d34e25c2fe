// When something moves, and when not.

#include "services/scheduler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/binding_index.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kNow = 1'750'000'000'000'000;
constexpr int64_t kMinute = 60'000'000;

// A binding and its row, planned again and again as the service does.
class Planned {
 public:
  Planned(v1::Binding binding, Snapshot snapshot)
      : binding(std::move(binding)), snapshot(std::move(snapshot)) {}

  Plan Step(int64_t rebalance = 0) {
    PlanInput input{binding, has_row ? &row : nullptr, snapshot};
    input.now_micros = now;
    input.rebalance_micros = rebalance;
    input.failback = &failback;
    Plan plan = PlanPlacement(input);
    if (plan.write) {
      row = plan.row;
      has_row = true;
    }
    failback = plan.failback;
    return plan;
  }

  v1::Binding binding;
  Snapshot snapshot;
  v1::Placed row;
  bool has_row = false;
  int64_t now = kNow;
  FailbackClocks failback;
};

TEST(PlanTest, PlacesOnceAndThenRests) {
  Planned world(MakeBinding(4, kEven), MakeSnapshot({MakeCluster("a"), MakeCluster("b")}));
  const Plan first = world.Step();
  EXPECT_TRUE(first.write);
  EXPECT_TRUE(first.moved);
  EXPECT_EQ(first.cause, "first placement");
  EXPECT_EQ(first.row.revision(), 1);
  EXPECT_EQ(first.row.binding_revision(), 1);
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
  EXPECT_FALSE(world.Step().write);
}

TEST(PlanTest, AnswersANewRevisionWithoutMoving) {
  Planned world(MakeBinding(4, kEven), MakeSnapshot({MakeCluster("a"), MakeCluster("b")}));
  world.Step();
  world.binding.set_revision(2);
  const Plan plan = world.Step();
  EXPECT_TRUE(plan.write);
  EXPECT_FALSE(plan.moved);
  EXPECT_EQ(plan.row.binding_revision(), 2);
  EXPECT_EQ(plan.row.revision(), 1);
}

TEST(PlanTest, DynamicStaysWhenCapacityChanges) {
  Planned world(MakeBinding(4, kDynamic), MakeSnapshot({MakeRoomy("a", 6), MakeRoomy("b", 6)}));
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
  world.snapshot.Set(MakeRoomy("a", 1000));
  world.snapshot.Set(MakeRoomy("c", 1000));
  EXPECT_FALSE(world.Step().write);
}

TEST(PlanTest, AddingOneReplicaMovesNothing) {
  Planned world(MakeBinding(4, kDynamic), MakeSnapshot({MakeRoomy("a", 6), MakeRoomy("b", 6)}));
  world.Step();
  world.binding.set_replicas(5);
  const Plan plan = world.Step();
  EXPECT_THAT(plan.cause, HasSubstr("replicas 4 -> 5"));
  const TargetMap after = ToMap(world.row);
  EXPECT_GE(after.at("a"), 2);
  EXPECT_GE(after.at("b"), 2);
}

TEST(PlanTest, ChangedRulesDivideStaticWeightsWithinCapacityAnew) {
  v1::Binding binding = MakeBinding(12, kEven);
  (*binding.mutable_options())[std::string(kRespectCapacityOption)] = "true";
  Planned world(binding, MakeSnapshot({MakeRoomy("a", 3), MakeRoomy("b", 20)}));
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 3), Pair("b", 9)));
  world.snapshot.Set(MakeRoomy("a", 20));
  EXPECT_FALSE(world.Step().moved);
  world.binding.mutable_placement()->add_cluster_tolerations()->set_key("new");
  EXPECT_EQ(world.Step().cause, "the tolerations changed");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 6), Pair("b", 6)));
  world.row.mutable_clusters(0)->set_replicas(2);
  world.row.mutable_clusters(1)->set_replicas(10);
  EXPECT_FALSE(world.Step().moved);
  EXPECT_EQ(world.Step(kNow + 1).cause, "manual rebalance");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 6), Pair("b", 6)));
}

TEST(PlanTest, DuplicatedFollowsClustersThatJoin) {
  Planned world(MakeBinding(2, kDuplicatedPlacement), MakeSnapshot({MakeCluster("a")}));
  world.Step();
  world.snapshot.Set(MakeCluster("b"));
  const Plan plan = world.Step();
  EXPECT_EQ(plan.cause, "clusters joined");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
}

TEST(PlanTest, LeavesAClusterThatIsGoneOrNoLongerMatches) {
  Planned world(MakeBinding(4, R"({"clusterAffinity": {"labelSelector":
      {"matchLabels": {"use": "yes"}}}, "replicaScheduling": {"replicaSchedulingType": "Divided",
      "replicaDivisionPreference": "Weighted",
      "weightPreference": {"dynamicWeight": "AvailableReplicas"}}})"),
                {});
  v1::ClusterStatus a = MakeRoomy("a", 9);
  v1::ClusterStatus b = MakeRoomy("b", 9);
  (*a.mutable_labels())["use"] = "yes";
  (*b.mutable_labels())["use"] = "yes";
  world.snapshot.Set(a);
  world.snapshot.Set(b);
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
  (*b.mutable_labels())["use"] = "no";
  world.snapshot.Set(b);
  const Plan plan = world.Step();
  EXPECT_THAT(plan.cause, HasSubstr("cluster b: ClusterAffinity"));
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4)));
  world.snapshot.Remove("a");
  const Plan nothing = world.Step();
  EXPECT_FALSE(nothing.moved);
  EXPECT_EQ(nothing.row.state(), "NoClusterFit");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4))) << "the last good one stays";
}

TEST(PlanTest, NoReplicasAreWantedAlsoWhereItStaysBecauseNothingFits) {
  for (const char* placement : {kDuplicatedPlacement, kDynamic}) {
    Planned world(MakeBinding(4, placement), MakeSnapshot({MakeRoomy("a", 6)}));
    world.Step();
    world.snapshot.Remove("a");
    world.Step();
    EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4)));
    world.binding.set_replicas(0);
    world.binding.set_revision(2);
    const Plan plan = world.Step();
    EXPECT_EQ(plan.row.state(), "NoClusterFit");
    EXPECT_TRUE(plan.moved);
    EXPECT_THAT(plan.cause, HasSubstr("0"));
    EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 0)));
    EXPECT_FALSE(world.Step().write);
  }
}

v1::ClusterStatus Tainted(v1::ClusterStatus cluster, const std::string& effect, int64_t added) {
  v1::Taint* taint = cluster.add_taints();
  taint->set_key("t");
  taint->set_effect(effect);
  taint->set_time_added_micros(added);
  return cluster;
}

TEST(PlanTest, NoScheduleKeepsWhatIsThereNoExecuteMovesIt) {
  Planned world(MakeBinding(4, kDynamic), MakeSnapshot({MakeRoomy("a", 9), MakeRoomy("b", 9)}));
  world.Step();
  world.snapshot.Set(Tainted(MakeRoomy("a", 9), "NoSchedule", kNow));
  EXPECT_FALSE(world.Step().write);
  world.snapshot.Set(Tainted(MakeRoomy("a", 9), "NoExecute", kNow));
  const Plan plan = world.Step();
  EXPECT_EQ(plan.evicted, 1);
  EXPECT_THAT(plan.cause, HasSubstr("cluster a: taint {t:NoExecute}"));
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("b", 4)));
}

TEST(PlanTest, TolerationSecondsRunOut) {
  v1::Binding binding = MakeBinding(4, kDynamic);
  v1::Toleration* toleration = binding.mutable_placement()->add_cluster_tolerations();
  toleration->set_operator_("Exists");
  toleration->set_toleration_seconds(300);
  Planned world(binding, MakeSnapshot({MakeRoomy("a", 9), MakeRoomy("b", 9)}));
  world.Step();
  world.snapshot.Set(Tainted(MakeRoomy("a", 9), "NoExecute", kNow));
  const Plan waits = world.Step();
  EXPECT_FALSE(waits.moved);
  EXPECT_EQ(waits.again_at_micros, kNow + 5 * kMinute);
  world.now = kNow + 5 * kMinute;
  EXPECT_TRUE(world.Step().moved);
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("b", 4)));
}

TEST(PlanTest, ARebalanceHappensOnce) {
  Planned world(MakeBinding(6, kDynamic), MakeSnapshot({MakeRoomy("a", 100)}));
  world.Step();
  world.snapshot.Set(MakeRoomy("a", 94));
  world.snapshot.Set(MakeRoomy("b", 100));
  EXPECT_FALSE(world.Step().write);
  const Plan plan = world.Step(kNow + 1);
  EXPECT_EQ(plan.cause, "manual rebalance");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  world.snapshot.Set(MakeRoomy("c", 1000));
  EXPECT_FALSE(world.Step(kNow + 1).write);
}

TEST(PlanTest, SuspendedSchedulingKeepsThePlacement) {
  Planned world(MakeBinding(4, kEven), MakeSnapshot({MakeCluster("a")}));
  world.binding.mutable_suspension()->set_scheduling(true);
  const Plan plan = world.Step();
  EXPECT_EQ(plan.row.state(), "Suspended");
  EXPECT_THAT(ToMap(world.row), IsEmpty());
  world.binding.mutable_suspension()->set_scheduling(false);
  world.binding.set_revision(2);
  world.Step();
  EXPECT_EQ(world.row.state(), "Scheduled");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4)));
  world.binding.mutable_suspension()->set_scheduling(true);
  world.binding.set_replicas(9);
  EXPECT_FALSE(world.Step().moved);
}

TEST(PlanTest, UnclaimedObjectsKeepTheirLastPlacement) {
  Planned world(MakeBinding(4, kEven), MakeSnapshot({MakeCluster("a")}));
  world.Step();
  world.binding.clear_policy();
  world.binding.clear_placement();
  world.binding.set_revision(2);
  const Plan plan = world.Step();
  EXPECT_FALSE(plan.moved);
  EXPECT_EQ(plan.row.binding_revision(), 2);
}

TEST(PlanTest, AnotherObjectOfTheSameNameStartsAnew) {
  Planned world(MakeBinding(4, kDynamic), MakeSnapshot({MakeRoomy("a", 9)}));
  world.Step();
  world.binding.set_uid("other");
  const Plan plan = world.Step();
  EXPECT_EQ(plan.cause, "first placement");
  EXPECT_EQ(plan.row.uid(), "other");
  EXPECT_EQ(plan.row.revision(), 2) << "revisions grow over removal and return";
}

constexpr char kTwoGroups[] = R"({"clusterAffinities": [
    {"affinityName": "near", "clusterNames": ["a"]},
    {"affinityName": "far", "clusterNames": ["b"]}],
    "replicaScheduling": {"replicaSchedulingType": "Divided",
      "replicaDivisionPreference": "Weighted",
      "weightPreference": {"dynamicWeight": "AvailableReplicas"}}})";

TEST(PlanTest, GroupsInOrderAndNoWayBackByDefault) {
  Planned world(MakeBinding(4, kTwoGroups), MakeSnapshot({MakeRoomy("a", 1), MakeRoomy("b", 9)}));
  const Plan plan = world.Step();
  EXPECT_EQ(plan.row.affinity_name(), "far");
  world.snapshot.Set(MakeRoomy("a", 9));
  EXPECT_FALSE(world.Step().write);
}

TEST(PlanTest, FailbackAfterTheEarlierGroupWasHealthyLongEnough) {
  v1::Binding binding = MakeBinding(4, kTwoGroups);
  (*binding.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  Planned world(binding, MakeSnapshot({MakeRoomy("a", 1), MakeRoomy("b", 9)}));
  world.Step();
  EXPECT_EQ(world.row.affinity_name(), "far");
  world.snapshot.Set(MakeRoomy("a", 9));
  const Plan waits = world.Step();
  EXPECT_FALSE(waits.write);
  EXPECT_EQ(waits.again_at_micros, kNow + 10 * kMinute);
  world.now += 5 * kMinute;
  world.snapshot.Set(MakeRoomy("a", 1));  // interrupted: the time starts again
  world.Step();
  world.snapshot.Set(MakeRoomy("a", 9));
  world.now += 6 * kMinute;
  EXPECT_FALSE(world.Step().write);
  world.now += 10 * kMinute;
  EXPECT_EQ(world.Step().cause, "group near is available again");
  EXPECT_EQ(world.row.affinity_name(), "near");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4)));
}

TEST(PlanTest, OtherReasonsDoNotStopTheClockOfAnEarlierGroup) {
  v1::Binding binding = MakeBinding(4, kTwoGroups);
  (*binding.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  Planned world(binding, MakeSnapshot({MakeRoomy("a", 1), MakeRoomy("b", 9)}));
  world.Step();
  world.snapshot.Set(MakeRoomy("a", 9));
  world.Step();
  // As an autoscaler does.
  for (int minute = 1; minute < 10; ++minute) {
    world.now += kMinute;
    world.binding.set_replicas(4 + minute % 3);
    world.Step();
    EXPECT_EQ(world.row.affinity_name(), "far");
  }
  world.now += kMinute;
  world.binding.set_replicas(8);
  EXPECT_EQ(world.Step().cause, "group near is available again");
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 8)));
}

TEST(PlanTest, EveryEarlierGroupHasItsOwnClock) {
  v1::Binding binding = MakeBinding(4, R"({"clusterAffinities": [
      {"affinityName": "first", "clusterNames": ["a"]},
      {"affinityName": "second", "clusterNames": ["b"]},
      {"affinityName": "third", "clusterNames": ["c"]}],
      "replicaScheduling": {"replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Aggregated"}})");
  (*binding.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  Planned world(binding, MakeSnapshot({MakeRoomy("a", 0), MakeRoomy("b", 0), MakeRoomy("c", 9)}));
  world.Step();
  EXPECT_EQ(world.row.affinity_name(), "third");
  world.snapshot.Set(MakeRoomy("b", 9));
  EXPECT_EQ(world.Step().again_at_micros, kNow + 10 * kMinute);
  world.now += 6 * kMinute;
  world.snapshot.Set(MakeRoomy("a", 9));
  EXPECT_EQ(world.Step().again_at_micros, kNow + 10 * kMinute);
  world.now = kNow + 10 * kMinute;
  world.Step();
  EXPECT_EQ(world.row.affinity_name(), "second") << "the first was there for 4 minutes only";
  EXPECT_EQ(world.Step().again_at_micros, kNow + 16 * kMinute);
  world.now = kNow + 16 * kMinute;
  world.Step();
  EXPECT_EQ(world.row.affinity_name(), "first");
  EXPECT_FALSE(world.Step().write);
}

TEST(PlanTest, FailbackText) {
  EXPECT_EQ(*ParseFailback(""), absl::InfiniteDuration());
  EXPECT_EQ(*ParseFailback("Never"), absl::InfiniteDuration());
  EXPECT_EQ(*ParseFailback("WhenHealthyFor=90s"), absl::Seconds(90));
  EXPECT_FALSE(ParseFailback("Always").ok());
  EXPECT_FALSE(ParseFailback("WhenHealthyFor=").ok());
}

TEST(PlanTest, OverflowTiersTakeWhatDoesNotFit) {
  const char* placement = R"({"clusterAffinities": [{"affinityName": "g", "clusterNames": ["a"],
      "overflowAffinities": [{"clusterNames": ["b"]}, {"clusterNames": ["c"]}]}],
      "replicaScheduling": {"replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Aggregated"}})";
  Planned world(MakeBinding(10, placement),
                MakeSnapshot({MakeRoomy("a", 4), MakeRoomy("b", 3), MakeRoomy("c", 9)}));
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4), Pair("b", 3), Pair("c", 3)));
  world.snapshot = MakeSnapshot({MakeRoomy("a", 0), MakeRoomy("b", 0), MakeRoomy("c", 6)});
  world.binding.set_replicas(6);
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 4), Pair("b", 2)))
      << "the last tiers shrink first";
}

TEST(PlanTest, WorkloadAffinityAndAntiAffinity) {
  BindingIndex index;
  const Snapshot snapshot = MakeSnapshot({MakeCluster("a"), MakeCluster("b"), MakeCluster("c")});
  const auto make = [](const char* name, const char* field) {
    v1::Binding binding =
        MakeBinding(1,
                    std::string(R"({"replicaScheduling": {"replicaSchedulingType": "Duplicated"},
            "workloadAffinity": {")") +
                        field + R"(": {"groupByLabelKey": "app"}}})",
                    name);
    (*binding.mutable_labels())["app"] = "shop";
    return binding;
  };
  const v1::Binding first = make("first", "affinity");
  index.SetBinding("=apps.first", first);
  v1::Placed placed = PlacedIn({{"b", 1}});
  placed.set_state("Scheduled");
  index.SetPlaced("=apps.first", &placed);
  const v1::Binding second = make("second", "affinity");
  index.SetBinding("=apps.second", second);
  PlanInput input{second, nullptr, snapshot};
  input.groups = &index;
  EXPECT_THAT(ToMap(PlanPlacement(input).row), UnorderedElementsAre(Pair("b", 1)));

  const v1::Binding third = make("third", "antiAffinity");
  v1::Binding fourth = make("fourth", "antiAffinity");
  index.SetBinding("=apps.third", third);
  index.SetPlaced("=apps.third", &placed);
  index.SetBinding("=apps.fourth", fourth);
  PlanInput apart{fourth, nullptr, snapshot};
  apart.groups = &index;
  const Plan plan = PlanPlacement(apart);
  EXPECT_THAT(ToMap(plan.row), UnorderedElementsAre(Pair("a", 1), Pair("c", 1)));
  fourth.mutable_ref()->set_namespace_("elsewhere");
  EXPECT_EQ(ToMap(PlanPlacement(apart).row).size(), 3u) << "groups are per namespace";
}

TEST(PlanTest, NamespacesRunEverywhereWhateverTheTaints) {
  v1::Binding binding;
  binding.mutable_ref()->set_api_version("v1");
  binding.mutable_ref()->set_kind("Namespace");
  binding.mutable_ref()->set_name("ns");
  binding.set_uid("u");
  binding.set_explicit_all_clusters(true);
  Planned world(binding,
                MakeSnapshot({MakeCluster("a"), Tainted(MakeCluster("b"), "NoExecute", 1)}));
  world.Step();
  EXPECT_THAT(ToMap(world.row), UnorderedElementsAre(Pair("a", 0), Pair("b", 0)));
}

TEST(PlanTest, TheRowTellsEveryReasonOfEveryCluster) {
  v1::ClusterStatus bad = Tainted(MakeCluster("bad"), "NoSchedule", 0);
  bad.clear_api_enablements();
  Planned world(MakeBinding(2, R"({"clusterAffinity": {"exclude": ["bad"]}})"),
                MakeSnapshot({MakeCluster("good"), bad}));
  world.Step();
  ASSERT_EQ(world.row.decisions_size(), 2);
  const v1::ClusterDecision& refused = world.row.decisions(0);
  EXPECT_EQ(refused.cluster(), "bad");
  EXPECT_THAT(refused.reasons(),
              ElementsAre("APIEnablement: the cluster does not serve apps/v1 Deployment",
                          "TaintToleration: untolerated taint {t:NoSchedule}",
                          "ClusterAffinity: the cluster is excluded by name"));
  EXPECT_TRUE(world.row.decisions(1).selected());
  EXPECT_EQ(world.row.decisions(1).replicas(), 2);
}

}  // namespace
}  // namespace sealane::scheduler
