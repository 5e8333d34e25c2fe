// Application failover, the pure part: what is due, what stays, what the plan makes of it.

#include "tests/unit/services/scheduler/failover_fixture.h"

namespace sealane::scheduler {
namespace {

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
  Say({Part("a", "Unhealthy", kStart, 1), Part("b", "Unhealthy", now_)});
  EXPECT_FALSE(Act().plan.write) << "one replica serves, and none of the replacement";
  Say({Part("a", "Unhealthy", kStart, 1), Part("b", "Unhealthy", now_, 1)});
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
  Say({Part("a", "Unhealthy", kStart), Part("b", "Unhealthy", now_)});
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
  Say({Part("a", "Unhealthy", kStart), Part("b", "Unhealthy", now_)});
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
  limit_ = 0;
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

TEST_F(FailoverTest, WhatWaitsForAReplacementMayMoveForAnotherReason) {
  binding_ = MakeBinding(3, kDynamic);
  binding_.set_object_generation(1);
  rules().set_purge_mode("Gracefully");
  (*binding_.mutable_options())[std::string(kFailoverScopeOption)] = "SameProvider";
  snapshot_ = MakeSnapshot({MakeRoomy("a", 3)});
  Place();
  Say({Part("a", "Unhealthy", now_, 1)});
  After(301);
  Act();
  ASSERT_THAT(placed_.message(), HasSubstr("it stays in a"));
  v1::ClusterStatus elsewhere = MakeRoomy("b", 10);
  elsewhere.set_provider("other");
  snapshot_.Set(elsewhere);
  capacity_lost_ = {{"a", 3}};
  Act();
  capacity_lost_.clear();
  EXPECT_THAT(placed_.cause(), HasSubstr("capacity lost in a"));
  EXPECT_EQ(ToMap(placed_).at("b"), 3);
  ASSERT_THAT(Evicted(), ElementsAre("a"));
  EXPECT_THAT(placed_.evictions(0).replaced_by(), ElementsAre("b")) << "else both would be wanted";
  EXPECT_FALSE(Act().plan.write);
}

// --- A fault that comes along ------------------------------------------------------------------

TEST_F(FailoverTest, IsHeldAfterFailuresInSeveralClustersForTheSameReason) {
  for (const char* name : {"c", "d"}) snapshot_.Set(MakeCluster(name));
  limit_ = 2;
  MoveToB();
  v1::ClusterAppStatus second = Part("b", "Unhealthy", now_);
  Say({Part("a", "Unhealthy", kStart), second});
  After(301);
  const FailoverPlan plan = Act();
  ASSERT_EQ(plan.failovers.size(), 1u);
  EXPECT_EQ(plan.failovers[0].reason(), "FailoverHeld");
  EXPECT_EQ(ToMap(placed_).count("c"), 0u);
  EXPECT_THAT(placed_.message(), HasSubstr("it failed in 2 clusters for the same reason"));
  EXPECT_THAT(placed_.failover_held(), HasSubstr("CrashLoopBackOff"));
  After(301);
  EXPECT_THAT(Act().failovers, IsEmpty()) << "told once";
  EXPECT_FALSE(Act(false).plan.write) << "a restart changes nothing";
  const v1::Placed held = placed_;
  // By the user.
  After(1);
  EXPECT_EQ(Act(true, now_).failovers.size(), 1u);
  EXPECT_EQ(placed_.failover_held(), "");
  // By another version.
  placed_ = held;
  binding_.set_object_generation(2);
  Act();
  EXPECT_EQ(placed_.failover_held(), "");
  After(301);
  Act();
  EXPECT_NE(placed_.evictions_size(), 0);
  EXPECT_EQ(placed_.failover_held(), "");
}

TEST_F(FailoverTest, OtherReasonsDoNotHold) {
  snapshot_.Set(MakeCluster("c"));
  limit_ = 2;
  MoveToB();
  v1::ClusterAppStatus second = Part("b", "Unhealthy", now_);
  second.set_reason("ImagePullBackOff");
  Say({Part("a", "Unhealthy", kStart), second});
  After(301);
  Act();
  EXPECT_EQ(ToMap(placed_).count("c"), 1u);
}

TEST_F(FailoverTest, StateIsTakenAlong) {
  Place();
  v1::ClusterAppStatus part = Part("a", "Unhealthy", now_);
  (*part.mutable_preserved_labels())["job-id"] = "4711";
  Say({part});
  After(300);
  Act();
  ASSERT_EQ(placed_.evictions_size(), 1);
  EXPECT_EQ(placed_.evictions(0).preserved_labels().at("job-id"), "4711");
}

}  // namespace
}  // namespace sealane::scheduler
