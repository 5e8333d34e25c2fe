// Application failover, the pure part: what is due, what stays, what the plan makes of it.

#include "services/scheduler/failover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/failover_plan.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kStart = 1'000'000 * kSecond;
constexpr char kOne[] = R"({"spreadConstraints":
    [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})";

v1::ClusterAppStatus Part(const std::string& cluster, const std::string& health,
                          int64_t unhealthy_since = 0, int ready = 0) {
  v1::ClusterAppStatus part;
  part.set_cluster(cluster);
  part.set_health(health);
  part.set_unhealthy_since_micros(unhealthy_since);
  part.set_applied_generation(1);
  part.mutable_replicas()->set_ready(ready);
  if (unhealthy_since != 0) part.set_reason("CrashLoopBackOff");
  return part;
}

// One binding, its row and its status, on a clock that is moved by hand.
class FailoverTest : public ::testing::Test {
 protected:
  FailoverTest() : binding_(MakeBinding(3, kOne)) {
    binding_.set_object_generation(1);
    rules().set_purge_mode("Gracefully");
    for (const char* name : {"a", "b"}) snapshot_.Set(MakeCluster(name));
    status_.set_uid(binding_.uid());
  }
  v1::ApplicationFailover& rules() { return *binding_.mutable_failover()->mutable_application(); }

  // Placed by the planner itself.
  void Place() {
    placed_ = v1::Placed();
    PlanInput input{binding_, nullptr, snapshot_};
    input.now_micros = now_;
    Plan plan = PlanWithFailover(input, nullptr, true).plan;
    placed_ = std::move(plan.row);
  }
  void Say(std::vector<v1::ClusterAppStatus> parts) {
    status_.clear_clusters();
    for (auto& part : parts) *status_.add_clusters() = std::move(part);
  }
  void After(int64_t seconds) { now_ += seconds * kSecond; }
  Failover Judge(bool known = true) {
    FailoverInput input{binding_, placed_, snapshot_, known ? &status_ : nullptr, known};
    input.now_micros = now_;
    return JudgeFailover(input);
  }
  // Plans and takes the row over.
  FailoverPlan Act(bool known = true, int64_t rebalance = 0) {
    PlanInput input{binding_, &placed_, snapshot_};
    input.now_micros = now_;
    input.rebalance_micros = rebalance;
    FailoverPlan result = PlanWithFailover(input, known ? &status_ : nullptr, known);
    if (result.plan.write) placed_ = result.plan.row;
    return result;
  }
  std::vector<std::string> Evicted() const { return EvictedFrom(placed_); }
  // Failed in a, moved to b, a copy in a.
  void MoveToB() {
    Place();
    ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
    Say({Part("a", "Unhealthy", now_)});
    After(300);
    ASSERT_EQ(Act().failovers.size(), 1u);
    ASSERT_THAT(Evicted(), ElementsAre("a"));
    ASSERT_EQ(ToMap(placed_).at("b"), 3);
  }

  int64_t now_ = kStart;
  v1::Binding binding_;
  v1::Placed placed_;
  v1::AppStatus status_;
  Snapshot snapshot_;
};

TEST_F(FailoverTest, IsDueAfterTheToleratedTime) {
  Place();
  Say({Part("a", "Unhealthy", now_ + 10 * kSecond)});
  After(309);
  Failover failover = Judge();
  EXPECT_THAT(failover.due, IsEmpty());
  EXPECT_EQ(failover.again_at_micros, kStart + 310 * kSecond);
  After(1);
  failover = Judge();
  ASSERT_EQ(failover.due.size(), 1u);
  EXPECT_EQ(failover.due[0].cluster(), "a");
  EXPECT_EQ(failover.due[0].reason(), "CrashLoopBackOff");
  EXPECT_EQ(failover.due[0].replicas(), 3);
  rules().mutable_decision_conditions()->set_toleration_seconds(600);
  EXPECT_THAT(Judge().due, IsEmpty());
}

TEST_F(FailoverTest, OnlyForPoliciesThatAskForIt) {
  Place();
  Say({Part("a", "Unhealthy", now_)});
  After(301);
  binding_.clear_failover();
  EXPECT_THAT(Judge().due, IsEmpty());
  EXPECT_EQ(Judge().again_at_micros, 0);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
}

TEST_F(FailoverTest, ALostClusterIsNotJudged) {
  Place();
  Say({Part("a", "Unknown", now_)});
  After(10000);
  EXPECT_THAT(Judge().due, IsEmpty());
  EXPECT_EQ(Judge().again_at_micros, 0);
}

TEST_F(FailoverTest, WhatIsSaidOfAnotherObjectOrClusterDoesNotCount) {
  Place();
  Say({Part("a", "Healthy"), Part("c", "Unhealthy", now_)});
  After(301);
  EXPECT_THAT(Judge().due, IsEmpty());
  Say({Part("a", "Unhealthy", kStart)});
  EXPECT_EQ(Judge().due.size(), 1u);
  status_.set_uid("another");
  EXPECT_THAT(Judge().due, IsEmpty());
}

TEST_F(FailoverTest, ANewGenerationHasItsOwnTime) {
  Place();
  Say({Part("a", "Unhealthy", now_)});
  After(299);
  binding_.set_object_generation(2);
  binding_.set_revision(2);
  Act();
  After(299);
  EXPECT_THAT(Judge().due, IsEmpty());
  After(1);
  EXPECT_EQ(Judge().due.size(), 1u);
}

TEST_F(FailoverTest, GracefullyTheCopyStaysUntilTheNewOneIsHealthy) {
  MoveToB();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(placed_.revision(), 2);
  EXPECT_THAT(placed_.cause(), HasSubstr("application failover: failed in a: CrashLoopBackOff"));
  EXPECT_EQ(placed_.evictions(0).grace_until_micros(), now_ + 600 * kSecond);
  EXPECT_FALSE(Act().plan.write) << "nothing new";
  Say({Part("a", "Unhealthy", kStart), Part("b", "Unhealthy", now_)});
  EXPECT_FALSE(Act().plan.write);
  Say({Part("a", "Unhealthy", kStart), Part("b", "Healthy", 0, 2)});
  EXPECT_FALSE(Act().plan.write) << "fewer replicas than it should have";
  Say({Part("a", "Unhealthy", kStart), Part("b", "Healthy", 0, 3)});
  const FailoverPlan gone = Act();
  EXPECT_TRUE(gone.plan.moved);
  EXPECT_THAT(gone.plan.cause, HasSubstr("the copy in a goes: healthy in b"));
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_EQ(placed_.revision(), 3);
  EXPECT_THAT(Evicted(), ElementsAre("a")) << "it failed there";
}

TEST_F(FailoverTest, GracefullyTheCopyGoesWhenTheGracePeriodIsOver) {
  rules().set_grace_period_seconds(60);
  MoveToB();
  EXPECT_EQ(Act().plan.again_at_micros, now_ + 60 * kSecond);
  After(59);
  EXPECT_FALSE(Act().plan.write);
  After(1);
  EXPECT_FALSE(Act(false).plan.write) << "nothing is known yet";
  EXPECT_THAT(Act().plan.cause, HasSubstr("the grace period is over"));
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverTest, TheOnlyHealthyCopyIsNotTakenAway) {
  MoveToB();
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  After(601);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
}

TEST_F(FailoverTest, DirectlyTheCopyGoesAtOnce) {
  rules().set_purge_mode("Directly");
  MoveToB();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverTest, NeverTheCopyStaysUntilTheUserActs) {
  rules().set_purge_mode("Never");
  MoveToB();
  Say({Part("a", "Unhealthy", kStart), Part("b", "Healthy", 0, 3)});
  After(100000);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  binding_.set_object_generation(2);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)))
      << "b does not run the new generation yet";
  v1::ClusterAppStatus newest = Part("b", "Healthy", 0, 3);
  newest.set_applied_generation(2);
  Say({Part("a", "Unhealthy", kStart), newest});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(FailoverTest, ADifferentPurgeModeHoldsAtOnce) {
  rules().set_purge_mode("Never");
  MoveToB();
  rules().set_purge_mode("Directly");
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverTest, DoesNotGoBackToWhereItFailed) {
  MoveToB();
  Say({Part("b", "Unhealthy", now_)});
  After(601);
  const FailoverPlan plan = Act();
  EXPECT_THAT(plan.failovers, IsEmpty());
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_EQ(placed_.state(), "NoClusterFit");
  EXPECT_THAT(placed_.message(), HasSubstr("failed in a, b for the same reason: CrashLoopBackOff; "
                                           "it stays in b: 0/2 clusters fit"));
  After(10);
  EXPECT_FALSE(Act().plan.write) << "said once";
  EXPECT_FALSE(Act(false).plan.write) << "a restart changes nothing";
  snapshot_.Set(MakeCluster("c"));
  EXPECT_EQ(Act().failovers.size(), 1u);
  EXPECT_EQ(ToMap(placed_).at("c"), 3);
  EXPECT_EQ(placed_.state(), "Scheduled");
}

TEST_F(FailoverTest, WhoRecoversIsWellPlacedAgain) {
  MoveToB();
  Say({Part("b", "Unhealthy", now_)});
  After(601);
  Act();
  ASSERT_EQ(placed_.state(), "NoClusterFit");
  Say({Part("b", "Healthy", 0, 3)});
  EXPECT_FALSE(Act().plan.moved);
  EXPECT_EQ(placed_.state(), "Scheduled");
  EXPECT_THAT(Evicted(), ElementsAre("a"));
}

TEST_F(FailoverTest, ANewGenerationARebalanceOrAnotherPolicyEndEvictions) {
  MoveToB();
  Say({Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(Evicted(), ElementsAre("a"));
  const v1::Placed moved = placed_;
  binding_.set_object_generation(2);
  Act();
  EXPECT_THAT(Evicted(), IsEmpty());
  binding_.set_object_generation(1);
  placed_ = moved;
  After(1);
  Act(true, now_);
  EXPECT_THAT(Evicted(), IsEmpty());
  placed_ = moved;
  binding_.clear_failover();
  Act();
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_EQ(placed_.failover_since_micros(), 0);
}

TEST_F(FailoverTest, BetterWhereItFailedOnceThanNowhere) {
  MoveToB();
  Say({Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  snapshot_.Remove("b");
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(FailoverTest, WhatRunsEverywhereIsNotTakenFromAnywhere) {
  binding_ = MakeBinding(3, kDuplicatedPlacement);
  rules();
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Say({Part("a", "Unhealthy", now_), Part("b", "Healthy", 0, 3)});
  After(301);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(placed_.state(), "Unschedulable");
  EXPECT_THAT(placed_.message(), HasSubstr("no other cluster can take over"));
}

TEST_F(FailoverTest, DividedReplicasGoToOthersAndNotToWhoFailedToo) {
  binding_ = MakeBinding(6, kEven);
  rules().set_purge_mode("Directly");
  snapshot_.Set(MakeCluster("c"));
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 2), Pair("b", 2), Pair("c", 2)));
  Say({Part("a", "Unhealthy", now_), Part("b", "Unhealthy", now_), Part("c", "Healthy", 0, 2)});
  After(301);
  EXPECT_EQ(Act().failovers.size(), 2u);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("c", 6)));
  Say({Part("c", "Unhealthy", now_)});
  After(301);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("c", 6)));
  EXPECT_THAT(placed_.message(), HasSubstr("failed in a, b, c for the same reason"));
}

TEST_F(FailoverTest, OtherChangesAreMadeWhileItWaitsForAReplacement) {
  snapshot_.Remove("b");
  Place();
  Say({Part("a", "Unhealthy", now_)});
  After(301);
  Act();
  ASSERT_EQ(placed_.state(), "NoClusterFit");
  binding_.set_replicas(5);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 5)));
  EXPECT_EQ(placed_.state(), "NoClusterFit");
}

// A cluster with a NoExecute taint is left gracefully.
class ClusterFailoverTest : public FailoverTest {
 protected:
  ClusterFailoverTest() {
    binding_.clear_failover();
    binding_.mutable_failover()->mutable_cluster();
    Place();
  }
  void Taint() {
    snapshot_.Set(MakeCluster("a", R"({"spec": {"taints": [
        {"key": "sick", "effect": "NoExecute", "timeAdded": "1970-01-12T13:46:40Z"}]}})"));
  }
  void TaintAndMoveToB() {
    Taint();
    const FailoverPlan result = Act();
    ASSERT_EQ(result.failovers.size(), 1u);
    EXPECT_EQ(result.failovers[0].reason(), "ClusterFailover");
    ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
    EXPECT_THAT(placed_.cause(), HasSubstr("cluster failover: has to leave a: taint {sick"));
  }
};

TEST_F(ClusterFailoverTest, TheCopyStaysUntilTheNewOneIsHealthy) {
  TaintAndMoveToB();
  Say({Part("a", "Healthy", 0, 3), Part("b", "Progressing", 0, 1)});
  After(100);
  EXPECT_FALSE(Act().plan.write);
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  const FailoverPlan result = Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_EQ(result.plan.cause, "cluster failover: the copy in a goes: healthy in b");
  EXPECT_THAT(result.failovers, IsEmpty());
  EXPECT_FALSE(Act().plan.write);
  // A new version changes nothing about the taint; without the taint nothing is left to say.
  binding_.set_object_generation(2);
  Act();
  EXPECT_THAT(Evicted(), ElementsAre("a"));
  snapshot_.Set(MakeCluster("a"));
  Act();
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(ClusterFailoverTest, ALostCopyGoesWhenTheGracePeriodIsOverAndAHealthyOneStays) {
  TaintAndMoveToB();
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  After(599);
  EXPECT_FALSE(Act().plan.write);
  After(1);
  EXPECT_FALSE(Act().plan.write);
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(ClusterFailoverTest, DirectlyItGoesAtOnce) {
  binding_.mutable_failover()->mutable_cluster()->set_purge_mode("Directly");
  Taint();
  EXPECT_THAT(Act().failovers, IsEmpty());
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(ClusterFailoverTest, WhatFitsNowhereElseStaysAndSaysSo) {
  snapshot_.Remove("b");
  Taint();
  EXPECT_THAT(Act().failovers, IsEmpty());
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_NE(placed_.state(), "Scheduled");
  EXPECT_THAT(placed_.message(), HasSubstr("cluster failover: has to leave a: taint {sick"));
  EXPECT_THAT(placed_.message(), HasSubstr("it stays in a"));
  EXPECT_FALSE(Act().plan.write);
  snapshot_.Set(MakeCluster("b"));
  EXPECT_EQ(Act().failovers.size(), 1u);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(placed_.state(), "Scheduled");
}

TEST_F(ClusterFailoverTest, AnUnhealthyApplicationIsItsOwnReasonWhenTheTaintHasGone) {
  rules().set_purge_mode("Directly");
  snapshot_.Remove("b");
  Place();
  Taint();
  Act();
  ASSERT_EQ(placed_.evictions_size(), 1);
  EXPECT_TRUE(placed_.evictions(0).tainted());
  snapshot_.Set(MakeCluster("a"));
  EXPECT_THAT(Judge(/*known=*/false).due, IsEmpty());
  Say({Part("a", "Unhealthy", now_)});
  After(300);
  const Failover failover = Judge();
  ASSERT_EQ(failover.due.size(), 1u);
  EXPECT_FALSE(failover.due[0].tainted());
  EXPECT_EQ(failover.due[0].reason(), "CrashLoopBackOff");
  EXPECT_EQ(failover.due[0].purge_mode(), "Directly");
}

TEST_F(ClusterFailoverTest, WhatRunsElsewhereLeavesWithoutAReplacement) {
  binding_ = MakeBinding(3, "{}");
  binding_.mutable_failover()->mutable_cluster();
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Taint();
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_EQ(placed_.state(), "Scheduled");
  EXPECT_FALSE(Act().plan.write);
}

TEST_F(ClusterFailoverTest, ATaintIsToleratedForItsTime) {
  v1::Toleration& toleration = *binding_.mutable_placement()->add_cluster_tolerations();
  toleration.set_key("sick");
  toleration.set_operator_("Exists");
  toleration.set_toleration_seconds(60);
  Place();
  Taint();
  EXPECT_EQ(Act().plan.again_at_micros, kStart + 60 * kSecond);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
  After(60);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
}

}  // namespace
}  // namespace sealane::scheduler
