// Copies that stay, whatever makes a placement move.

#include "lib/core/json.h"
#include "tests/unit/services/scheduler/failover_fixture.h"

namespace sealane::scheduler {
namespace {

// --- Copies stay, whatever makes the placement move --------------------------------------------

class CopiesTest : public FailoverTest {
 protected:
  CopiesTest() {
    binding_.clear_failover();
    Place();
  }
  static constexpr char kNotA[] = R"({"clusterAffinity": {"exclude": ["a"]},
      "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})";
  void Want(const char* placement) {
    *binding_.mutable_placement() = PlacementFromJson(Json::parse(placement)).value();
    binding_.set_revision(binding_.revision() + 1);
  }
};

TEST_F(CopiesTest, AChangedPolicyMovesWithoutAGap) {
  Say({Part("a", "Healthy", 0, 3)});
  Want(kNotA);
  const FailoverPlan result = Act();
  EXPECT_THAT(result.failovers, IsEmpty());
  EXPECT_THAT(result.plan.cause, HasSubstr("cluster a: ClusterAffinity"));
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(result.plan.again_at_micros, now_ + 600 * kSecond);
  ASSERT_EQ(placed_.evictions(0).before_size(), 1);
  EXPECT_EQ(placed_.evictions(0).before(0).name(), "a");
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  EXPECT_FALSE(Act().plan.write);
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  EXPECT_EQ(Act().plan.cause, "moved: the copy in a goes: healthy in b");
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(CopiesTest, TheClusterIsNotRefusedMeanwhile) {
  Say({Part("a", "Healthy", 0, 3)});
  Want(kNotA);
  Act();
  Want(kOne);
  snapshot_.Remove("b");
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_THAT(Evicted(), IsEmpty()) << "it is wanted there again";
}

TEST_F(CopiesTest, NothingStaysWhereNothingRuns) {
  Say({Part("a", "Unhealthy", now_)});
  Want(kNotA);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(CopiesTest, AClusterThatLeavesKeepsItsCopyUntilItIsReplaced) {
  Say({Part("a", "Healthy", 0, 3)});
  v1::ClusterStatus leaving = MakeCluster("a");
  leaving.set_deleting(true);
  snapshot_.Set(leaving);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  const v1::Placed moving = placed_;
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
  // Given up: nothing is waited for.
  placed_ = moving;
  (*leaving.mutable_annotations())["sealane.io/abandon"] = "true";
  snapshot_.Set(leaving);
  Say({Part("a", "Unknown"), Part("b", "Unhealthy", now_)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(CopiesTest, FewerClustersLeaveARunningOne) {
  binding_ = MakeBinding(3, "{}");
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Want(R"({"clusterAffinity": {"clusterNames": ["b"]}})");
  Say({Part("a", "Healthy", 0, 3), Part("b", "Unhealthy", now_)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(CopiesTest, ReplicasThatMoveStayUntilTheirReplacementsAreReady) {
  binding_ = MakeBinding(6, kDynamic);
  snapshot_ = MakeSnapshot({MakeRoomy("a", 100)});
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 6)));
  snapshot_.Set(MakeRoomy("b", 100));
  Say({Part("a", "Healthy", 0, 6)});
  After(1);
  Act(true, now_);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 6), Pair("b", 3)));
  EXPECT_FALSE(Act(true, now_).plan.write);
  Say({Part("a", "Healthy", 0, 6), Part("b", "Healthy", 0, 3)});
  Act(true, now_);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_FALSE(Act(true, now_).plan.write);
}

TEST_F(CopiesTest, FewerReplicasAndNoneAreTheUsersWord) {
  binding_ = MakeBinding(6, kDynamic);
  snapshot_ = MakeSnapshot({MakeRoomy("a", 100), MakeRoomy("b", 100)});
  Place();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Say({Part("a", "Healthy", 0, 3), Part("b", "Healthy", 0, 3)});
  binding_.set_replicas(2);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 1), Pair("b", 1)));
  binding_.set_replicas(0);
  Act();
  EXPECT_THAT(ToMap(placed_), IsEmpty());
}

TEST_F(CopiesTest, NoReplicasAtAllEndACopy) {
  binding_.mutable_replica_requirements();
  Say({Part("a", "Healthy", 0, 3)});
  Want(kNotA);
  Act();
  ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  binding_.set_replicas(0);
  Act();
  EXPECT_THAT(ToMap(placed_), IsEmpty());
  EXPECT_THAT(Evicted(), IsEmpty());
}

TEST_F(CopiesTest, ASettledPlanSaysWhereItEnds) {
  Say({Part("a", "Healthy", 0, 3)});
  Want(kNotA);
  PlanInput input{binding_, &placed_, snapshot_};
  input.settled = true;
  EXPECT_THAT(ToMap(PlanWithFailover(input, &status_, true).plan.row),
              UnorderedElementsAre(Pair("b", 3)));
}

// --- Onto clusters that join ---------------------------------------------------------------------

class JoinTest : public CopiesTest {
 protected:
  JoinTest() {
    binding_ = MakeBinding(20, kDynamic);
    snapshot_ = MakeSnapshot({MakeRoomy("a", 100)});
    Place();
    Say({Part("a", "Healthy", 0, 20)});
    (*binding_.mutable_options())["sealane.io/rebalance"] = "WhenClustersJoin";
    After(60);
  }
  void Join(const char* name, int64_t room = 100) {
    v1::ClusterStatus cluster = MakeRoomy(name, room);
    v1::Condition& settled = *cluster.add_conditions();
    settled.set_type("Settled");
    settled.set_last_transition_micros(now_);
    snapshot_.Set(cluster);
    After(1);
  }
  // Everything becomes ready as placed; returns how many were before, of those that are wanted.
  int64_t Settle() {
    std::vector<v1::ClusterAppStatus> parts;
    for (const auto& [name, replicas] : ToMap(placed_)) {
      parts.push_back(Part(name, "Healthy", 0, static_cast<int>(replicas)));
    }
    int64_t ready = 0;
    for (const auto& [name, replicas] : ToMap(placed_)) {
      for (const auto& part : status_.clusters()) {
        if (part.cluster() == name) ready += std::min<int64_t>(replicas, part.replicas().ready());
      }
    }
    Say(std::move(parts));
    return ready;
  }
};

TEST_F(JoinTest, OnlyWhenThePolicyAsksForIt) {
  binding_.clear_options();
  Join("b");
  EXPECT_FALSE(Act().plan.moved);
}

TEST_F(JoinTest, WhatFailedIsNotKeptWhereItFailed) {
  rules().set_purge_mode("Gracefully");
  (*binding_.mutable_options())[std::string(kFailoverScopeOption)] = "SameProvider";
  binding_.set_object_generation(1);
  Act();
  Say({Part("a", "Unhealthy", now_, 1)});
  After(301);
  Act();
  ASSERT_THAT(placed_.message(), HasSubstr("it stays in a"));
  Join("b");
  ASSERT_TRUE(Act().plan.moved);
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 18), Pair("b", 2)));
  int moves = 0;
  while (moves < 50 && Act().plan.write) ++moves;
  EXPECT_LT(moves, 50) << "copies must not count as wanted";
}

TEST_F(JoinTest, OneStepAtATimeAndNeverBelowWhatIsWanted) {
  Join("b");
  const FailoverPlan first = Act();
  EXPECT_EQ(first.plan.cause, "clusters joined: 2 of 20 replicas move from a to b");
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 20), Pair("b", 2)));
  EXPECT_FALSE(Act().plan.write) << "b is not ready yet";
  After(10000);
  EXPECT_FALSE(Act().plan.write) << "no time makes up for that";
  int steps = 0;
  while (steps < 50) {
    ASSERT_GE(Settle(), 20) << steps;
    if (!Act().plan.write) break;
    ++steps;
  }
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 11), Pair("b", 9)))
      << "as a division anew gives it";
  EXPECT_TRUE(placed_.rebalancing_to().empty());
  EXPECT_THAT(Evicted(), IsEmpty());
  EXPECT_EQ(steps, 5) << "a tenth each, and the end of the last copy";
  // It was spread for this cluster: other room is no reason to move again.
  Join("a", 10);
  binding_.set_revision(9);
  v1::ClusterStatus small = MakeRoomy("b", 1000);
  snapshot_.Set(small);
  snapshot_.Set(MakeRoomy("a", 1));
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 11), Pair("b", 9)));
}

TEST_F(JoinTest, NothingMovesOntoAClusterThatTakesNothingAnyMore) {
  Join("b");
  Act();
  Settle();
  v1::ClusterStatus cordoned = MakeRoomy("b", 100);
  cordoned.add_taints()->set_effect("NoSchedule");
  snapshot_.Set(cordoned);
  Act();
  EXPECT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 18), Pair("b", 2)));
  snapshot_.Set(MakeRoomy("b", 100));
  Act();
  EXPECT_EQ(ToMap(placed_).at("b"), 4) << "the goal has waited";
}

TEST_F(JoinTest, AnotherNumberOfReplicasOnTheWayDoesNotEndIt) {
  Join("b");
  Act();
  Settle();
  Act();
  binding_.set_replicas(22);
  for (int i = 0; i < 50; ++i) {
    Act();
    Settle();
  }
  const TargetMap targets = ToMap(placed_);
  EXPECT_EQ(targets.at("a") + targets.at("b"), 22);
  EXPECT_NEAR(static_cast<double>(targets.at("b")), 11, 2);
}

}  // namespace
}  // namespace sealane::scheduler
