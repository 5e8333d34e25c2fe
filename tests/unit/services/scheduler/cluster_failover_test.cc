// Cluster failover, the pure part: taints, drains, returns, and how far things go.

#include "lib/core/strings.h"
#include "lib/model/failback.h"
#include "tests/unit/services/scheduler/failover_fixture.h"

namespace sealane::scheduler {
namespace {

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

TEST_F(ClusterFailoverTest, TheLastCopyThatMayRunStaysWhenTheGracePeriodIsOver) {
  TaintAndMoveToB();
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  After(599);
  EXPECT_FALSE(Act().plan.write);
  After(1);
  EXPECT_FALSE(Act().plan.write);
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_)});
  EXPECT_FALSE(Act().plan.write) << "lost, but nobody says that it does not run";
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_, 1)});
  EXPECT_TRUE(Act().plan.moved);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(ClusterFailoverTest, ItIsGracefulWithoutBeingAskedFor) {
  binding_.clear_failover();
  TaintAndMoveToB();
  EXPECT_EQ(placed_.evictions(0).grace_until_micros(), now_ + 600 * kSecond);
}

TEST_F(ClusterFailoverTest, ADrainWaitsForTheReplacementAndForNothingElse) {
  binding_.mutable_failover()->mutable_cluster()->set_purge_mode("Directly");
  snapshot_.Set(MakeCluster("a", R"({"spec": {"taints": [
      {"key": "sealane.io/drain", "effect": "NoExecute"}]}})"));
  const FailoverPlan result = Act();
  ASSERT_EQ(result.failovers.size(), 1u);
  EXPECT_THAT(result.failovers[0].message(), HasSubstr("goes when the new one is healthy"));
  Say({Part("a", "Unhealthy", now_, 2), Part("b", "Unhealthy", now_, 1)});
  After(100000);
  EXPECT_FALSE(Act().plan.write);
  EXPECT_EQ(Act().plan.again_at_micros, 0);
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(ClusterFailoverTest, ACopyThatIsBackInTimeIsUsedAgain) {
  TaintAndMoveToB();
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_)});
  After(300);
  Act();
  snapshot_.Set(MakeCluster("a"));
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)))
      << "it has not spoken of its copy yet";
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  const FailoverPlan back = Act();
  EXPECT_EQ(back.plan.cause, "cluster failover: a is back before its replacement was healthy");
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_EQ(placed_.state(), "Scheduled");
  EXPECT_FALSE(Act().plan.write);
}

TEST_F(ClusterFailoverTest, ACopyThatIsBackWhereThePolicyDoesNotWantItAnyMoreStaysACopy) {
  TaintAndMoveToB();
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_)});
  *binding_.mutable_placement() =
      PlacementFromJson(Json::parse(R"({"clusterAffinity": {"clusterNames": ["b", "c"]}})"))
          .value();
  Act();
  snapshot_.Set(MakeCluster("a"));
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)))
      << "nothing else runs yet";
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(ClusterFailoverTest, ReturnsLaterOnlyWhenThePolicyAsksForIt) {
  (*binding_.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  spread_ = absl::Minutes(8);
  TaintAndMoveToB();
  Say({Part("a", "Unknown"), Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  snapshot_.Set(MakeCluster("a"));
  const int64_t wait = 600 + absl::ToInt64Seconds(FailbackDelay(binding_.uid(), spread_));
  ASSERT_GT(wait, 600) << "the example is of no use";
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  // A taint that comes and goes begins anew.
  After(wait - 1);
  Taint();
  Act();
  snapshot_.Set(MakeCluster("a"));
  EXPECT_NEAR(static_cast<double>(Act().plan.again_at_micros),
              static_cast<double>(now_ + wait * kSecond), 1e6);
  After(wait + 1);
  const FailoverPlan back = Act();
  EXPECT_EQ(back.plan.cause, "failback: a is back for long enough");
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)))
      << "b goes when a is healthy";
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
}

TEST_F(ClusterFailoverTest, WhatIsPlacedThereAgainNeedNotReturn) {
  binding_ = MakeBinding(4, kEven);
  (*binding_.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
  Taint();
  Act();
  Say({Part("a", "Unknown"), Part("b", "Healthy", 0, 4)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 4)));
  // Static weights are divided anew at once.
  snapshot_.Set(MakeCluster("a"));
  Act();
  Say({Part("a", "Healthy", 0, 2), Part("b", "Healthy", 0, 4)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_FALSE(Act().plan.write);
}

TEST_F(ClusterFailoverTest, ItDoesNotReturnWhileMoreIsWantedThanThereIsRoomFor) {
  binding_ = MakeBinding(3, kDynamic);
  (*binding_.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=0s";
  snapshot_ = MakeSnapshot({MakeRoomy("a", 3), MakeRoomy("b", 3)});
  placed_ = PlanPlacement({binding_, nullptr, snapshot_}).row;
  v1::ClusterStatus tainted = MakeRoomy("a", 3);
  tainted.add_taints()->set_effect("NoExecute");
  snapshot_.Set(tainted);
  Act();
  Say({Part("a", "Unknown"), Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  binding_.set_replicas(9);
  snapshot_.Set(MakeRoomy("b", 0));
  Act();
  snapshot_.Set(MakeRoomy("a", 3));
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3))) << "runs there";
  EXPECT_EQ(placed_.state(), "Unschedulable");
}

TEST_F(ClusterFailoverTest, WhatReturnsIsNotCountedAsRunningThere) {
  binding_ = MakeBinding(3, kDynamic);
  (*binding_.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=0s";
  snapshot_ = MakeSnapshot({MakeRoomy("a", 3), MakeRoomy("b", 3)});
  placed_ = PlanPlacement({binding_, nullptr, snapshot_}).row;
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 2), Pair("b", 1)));
  v1::ClusterStatus tainted = MakeRoomy("a", 3);
  tainted.add_taints()->set_effect("NoExecute");
  snapshot_.Set(tainted);
  Act();
  Say({Part("a", "Unknown"), Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  // Four more are wanted: with the two that return, there would be room for one more in a.
  binding_.set_replicas(7);
  snapshot_.Set(MakeRoomy("a", 3));
  snapshot_.Set(MakeRoomy("b", 0));
  Act();
  EXPECT_LE(ToMap(placed_)["a"], 3);
}

TEST_F(ClusterFailoverTest, WithoutRoomItDoesNotReturn) {
  binding_ = MakeBinding(3, kDynamic);
  (*binding_.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=0s";
  snapshot_ = MakeSnapshot({MakeRoomy("a", 3), MakeRoomy("b", 3)});
  placed_ = v1::Placed();
  PlanInput first{binding_, nullptr, snapshot_};
  placed_ = PlanPlacement(first).row;
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 2), Pair("b", 1)));
  v1::ClusterStatus tainted = MakeRoomy("a", 3);
  tainted.add_taints()->set_effect("NoExecute");
  snapshot_.Set(tainted);
  Act();
  Say({Part("a", "Unknown"), Part("b", "Healthy", 0, 3)});
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  snapshot_.Set(MakeRoomy("a", 1));
  EXPECT_FALSE(Act().plan.moved);
  After(60);
  snapshot_.Set(MakeRoomy("a", 2));
  EXPECT_TRUE(Act().plan.moved);
  EXPECT_EQ(ToMap(placed_).at("a"), 2);
}

TEST_F(ClusterFailoverTest, DirectlyItGoesAtOnce) {
  binding_.mutable_failover()->mutable_cluster()->set_purge_mode("Directly");
  Taint();
  EXPECT_EQ(Act().failovers.size(), 1u);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), ElementsAre("a"));
  snapshot_.Set(MakeCluster("a"));
  Act();
  EXPECT_THAT(Evicted(), IsEmpty()) << "with the taint";
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
  const v1::Placed everywhere = placed_;
  Taint();
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_EQ(placed_.state(), "Scheduled");
  EXPECT_FALSE(Act().plan.write);
  // But not when what is left is not healthy.
  placed_ = everywhere;
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(placed_.state(), "Scheduled");
  After(601);
  EXPECT_FALSE(Act().plan.moved);
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  EXPECT_EQ(Act().plan.cause, "moved: the copy in a goes: healthy in b");
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
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

// --- Where to ---------------------------------------------------------------------------------

class ScopeTest : public ClusterFailoverTest {
 protected:
  ScopeTest() { snapshot_ = Snapshot(); }
  void Add(const char* name, const char* provider, const char* region) {
    v1::ClusterStatus cluster = MakeCluster(name);
    cluster.set_provider(provider);
    cluster.set_region(region);
    snapshot_.Set(cluster);
  }
  // Runs in x; everything has to leave it.
  void TaintX(const std::string& scope) {
    if (!scope.empty()) (*binding_.mutable_options())["sealane.io/failover-scope"] = scope;
    placed_ = PlacedIn({{"x", 3}});
    placed_.set_uid(binding_.uid());
    placed_.set_state("Scheduled");
    placed_.set_last_scheduled_micros(1);
    *placed_.mutable_observed_placement() = binding_.placement();
    v1::ClusterStatus cluster = MakeCluster("x", R"({"spec": {"taints": [
        {"key": "sick", "effect": "NoExecute"}]}})");
    cluster.set_provider("aws");
    cluster.set_region("us-east");
    snapshot_.Set(cluster);
  }
  std::vector<std::string> TookOver() {
    Act();
    if (placed_.evictions_size() == 0) return {"nothing was left"};
    const auto& names = placed_.evictions(0).replaced_by();
    return {names.begin(), names.end()};
  }
};

TEST_F(ScopeTest, NearOnesComeFirstAndFarOnesOnlyWhereThePolicyAllowsIt) {
  struct {
    const char* scope;
    const char* want;          // of all
    const char* without_near;  // when c and d are gone; "": it stays
  } const cases[] = {{"", "a", "a"},
                     {"Any", "c", "a"},
                     {"SameProvider", "d", ""},
                     {"SameRegion", "c", ""},
                     {"SameProviderOrRegion", "c", ""}};
  for (const auto& one : cases) {
    SCOPED_TRACE(one.scope);
    snapshot_ = Snapshot();
    binding_.clear_options();
    Add("a", "gcp", "eu-west");
    Add("c", "gcp", "us-east");
    Add("d", "aws", "us-west");
    TaintX(one.scope);
    EXPECT_THAT(TookOver(), ElementsAre(one.want));
    snapshot_.Remove("c");
    snapshot_.Remove("d");
    TaintX(one.scope);
    if (std::string_view(one.without_near).empty()) {
      EXPECT_THAT(TookOver(), IsEmpty());
      EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("x", 3)));
      EXPECT_EQ(placed_.state(), "NoClusterFit");
      EXPECT_THAT(placed_.message(), HasSubstr("FailoverScope 1"));
      EXPECT_THAT(placed_.message(), HasSubstr(StrCat("(failover-scope ", one.scope, ")")));
      bool told = false;
      for (const v1::ClusterDecision& decision : placed_.decisions()) {
        for (const std::string& reason : decision.reasons()) {
          told = told || reason.starts_with("FailoverScope: not of ");
        }
      }
      EXPECT_TRUE(told);
    } else {
      EXPECT_THAT(TookOver(), ElementsAre(one.without_near));
    }
  }
}

TEST_F(ScopeTest, AClusterOfWhichNothingIsKnownHasNothingNear) {
  Add("a", "", "");
  TaintX("SameProvider");
  v1::ClusterStatus nowhere = MakeCluster("x", R"({"spec": {"taints": [
        {"key": "sick", "effect": "NoExecute"}]}})");
  snapshot_.Set(nowhere);
  EXPECT_THAT(TookOver(), IsEmpty());
}

TEST_F(ScopeTest, DividedReplicasDoNotGoToFarClustersInUse) {
  binding_ = MakeBinding(4, kDynamic);
  binding_.mutable_failover()->mutable_cluster();
  const auto roomy = [](const char* name, const char* provider, bool tainted) {
    v1::ClusterStatus cluster = MakeRoomy(name, 100);
    cluster.set_provider(provider);
    if (tainted) cluster.add_taints()->set_effect("NoExecute");
    return cluster;
  };
  (*binding_.mutable_options())["sealane.io/failover-scope"] = "SameProvider";
  snapshot_ = MakeSnapshot({roomy("far", "gcp", false), roomy("x", "aws", false)});
  PlanInput first{binding_, nullptr, snapshot_};
  placed_ = PlanPlacement(first).row;
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("far", 2), Pair("x", 2)));
  snapshot_.Set(roomy("x", "aws", true));
  EXPECT_THAT(TookOver(), IsEmpty());
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("far", 2), Pair("x", 2)));
  snapshot_.Set(roomy("y", "aws", false));
  EXPECT_THAT(TookOver(), ElementsAre("y"));
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("far", 2), Pair("x", 2), Pair("y", 2)));
}

}  // namespace
}  // namespace sealane::scheduler
