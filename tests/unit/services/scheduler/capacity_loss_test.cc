// Clusters that lose the room for what runs there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class CapacityLossTest : public ServiceTest {
 protected:
  // A heartbeat: pods that fit, pods on nodes, pods that wait for a node.
  void Beat(const std::string& name, int64_t allocatable, int64_t allocated,
            int64_t allocating = 0) {
    v1::ClusterStatus cluster = MakeRoomy(name, allocatable);
    auto& summary = *cluster.mutable_resource_summary();
    (*summary.mutable_allocated())["pods"] = std::to_string(allocated);
    (*summary.mutable_allocating())["pods"] = std::to_string(allocating);
    PutCluster(cluster);
    Settle();
  }
  void Wait(absl::Duration time) {
    sim_.RunFor(time);
    Settle();
  }
};

TEST_F(CapacityLossTest, WhatIsMissingMovesAfterTheHoldTimeAndNoMore) {
  StartService();
  Beat("a", 10, 0);
  Beat("b", 10, 0);
  const std::string key = PutBinding(MakeBinding(6, kDynamic));
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Beat("b", 10, 3);
  Beat("a", 1, 1, 2);  // nodes went: two pods find no place
  Wait(absl::Minutes(4));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Wait(absl::Minutes(2));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 1), Pair("b", 5)));
  EXPECT_EQ(Placed(key)->cause(), "capacity lost in a");
  EXPECT_THAT(Reasons(), ElementsAre("Placed", "Moved"));
  Beat("b", 10, 5);
  Beat("a", 1, 1);
  const int changes = placement_changes_;
  Wait(absl::Minutes(30));
  EXPECT_EQ(placement_changes_, changes);
}

TEST_F(CapacityLossTest, WhatHasLeftCountsBeforeHeartbeatsShowIt) {
  StartService();
  Beat("a", 6, 0);
  const std::string one = PutBinding(MakeBinding(3, kDynamic, "one"));
  const std::string two = PutBinding(MakeBinding(3, kDynamic, "two"));
  Settle();
  Beat("b", 10, 0);
  Beat("a", 4, 4, 2);
  Wait(absl::Minutes(5));
  EXPECT_THAT(Targets(one), UnorderedElementsAre(Pair("a", 1), Pair("b", 2)));
  EXPECT_THAT(Targets(two), UnorderedElementsAre(Pair("a", 3)));
  for (int i = 0; i < 5; ++i) Beat("a", 4, 4, i % 2 == 0 ? 2 : 1);
  EXPECT_THAT(Targets(one), UnorderedElementsAre(Pair("a", 1), Pair("b", 2)));
  EXPECT_THAT(Targets(two), UnorderedElementsAre(Pair("a", 3)));
}

TEST_F(CapacityLossTest, AShortLackMovesNothing) {
  StartService();
  Beat("a", 6, 0);
  const std::string key = PutBinding(MakeBinding(3, kDynamic));
  Settle();
  Beat("b", 10, 0);
  const int changes = placement_changes_;
  for (int i = 0; i < 5; ++i) {
    Beat("a", 1, 1, 2);  // a rolling update: more pods than fit for a while
    Wait(absl::Minutes(3));
    Beat("a", 6, 3);
    Wait(absl::Minutes(3));
  }
  EXPECT_EQ(placement_changes_, changes);
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3)));
}

TEST_F(CapacityLossTest, NothingDisappearsWhenNothingElseFits) {
  StartService();
  Beat("a", 6, 0);
  const std::string key = PutBinding(MakeBinding(4, kAggregatedPlacement));
  Settle();
  Beat("a", 1, 1, 3);
  Wait(absl::Minutes(6));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 4)));
  EXPECT_EQ(Placed(key)->state(), "Unschedulable");
  EXPECT_THAT(Placed(key)->message(), HasSubstr("capacity lost in a"));
  const int changes = placement_changes_;
  Wait(absl::Minutes(30));
  EXPECT_EQ(placement_changes_, changes) << "it does not flap";
  // Room elsewhere is taken as soon as it is there.
  Beat("b", 10, 0);
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 1), Pair("b", 3)));
  EXPECT_EQ(Placed(key)->state(), "Scheduled");
  EXPECT_THAT(Reasons(), ElementsAre("Placed", "Unschedulable", "Moved"));
}

TEST_F(CapacityLossTest, RoomThatComesBackEndsIt) {
  StartService();
  Beat("a", 6, 0);
  const std::string key = PutBinding(MakeBinding(4, kAggregatedPlacement));
  Settle();
  Beat("a", 1, 1, 3);
  Wait(absl::Minutes(6));
  EXPECT_EQ(Placed(key)->state(), "Unschedulable");
  Beat("a", 6, 4);
  EXPECT_EQ(Placed(key)->state(), "Scheduled");
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 4)));
}

TEST_F(CapacityLossTest, LowPrioritiesGiveWayFirstAndOthersNever) {
  StartService();
  Beat("a", 20, 0);
  std::map<int, std::string> by_priority;
  for (const int priority : {5, 1, 3}) {
    v1::Binding binding = MakeBinding(3, kDynamic, StrCat("p", priority));
    binding.set_schedule_priority(priority);
    by_priority[priority] = PutBinding(binding);
  }
  const std::string fixed = PutBinding(MakeBinding(3, kEven, "fixed"));
  v1::Binding copies = MakeBinding(3, kDuplicatedPlacement, "copies");
  (*copies.mutable_options())["sealane.io/respect-capacity"] = "true";
  const std::string copied = PutBinding(copies);
  Settle();
  // Those without room of their own follow the clusters, so c comes before they are looked at.
  PutCluster(MakeRoomy("c", 0));
  Settle();
  const TargetMap fixed_before = Targets(fixed);
  const TargetMap copied_before = Targets(copied);
  PutCluster(MakeRoomy("c", 20));
  Settle();
  Beat("a", 11, 11, 4);
  Wait(absl::Minutes(6));
  EXPECT_THAT(Targets(by_priority[1]), UnorderedElementsAre(Pair("c", 3)));
  EXPECT_THAT(Targets(by_priority[3]), UnorderedElementsAre(Pair("a", 2), Pair("c", 1)));
  EXPECT_THAT(Targets(by_priority[5]), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_EQ(Targets(fixed), fixed_before);
  EXPECT_EQ(Targets(copied), copied_before);
}

TEST_F(CapacityLossTest, WhoCannotGiveWayLetsTheNextOne) {
  StartService();
  Beat("a", 20, 0);
  v1::Binding bound = MakeBinding(3, kDynamic, "a-bound");
  bound.mutable_placement()->mutable_cluster_affinity()->add_cluster_names("a");
  const std::string stuck = PutBinding(bound);
  const std::string free = PutBinding(MakeBinding(3, kDynamic, "b-free"));
  Settle();
  Beat("b", 20, 0);
  Beat("a", 4, 4, 2);
  Wait(absl::Minutes(6));
  EXPECT_THAT(Targets(stuck), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_THAT(Targets(free), UnorderedElementsAre(Pair("a", 1), Pair("b", 2)));
  Beat("a", 4, 4);
  EXPECT_EQ(Placed(stuck)->state(), "Scheduled");
}

TEST_F(CapacityLossTest, WholeReplicasCoverWhatIsMissing) {
  StartService();
  const auto beat = [&](const char* name, const char* cpu, const char* used) {
    v1::ClusterStatus cluster = MakeRoomy(name, 100);
    auto& summary = *cluster.mutable_resource_summary();
    (*summary.mutable_allocatable())["cpu"] = cpu;
    (*summary.mutable_allocated())["cpu"] = used;
    PutCluster(cluster);
    Settle();
  };
  beat("a", "8", "0");
  v1::Binding binding = MakeBinding(8, kDynamic);
  (*binding.mutable_replica_requirements()->mutable_resource_request())["cpu"] = "1";
  const std::string key = PutBinding(binding);
  Settle();
  beat("b", "8", "0");
  beat("a", "5500m", "8");  // 2.5 CPUs are missing
  Wait(absl::Minutes(6));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 5), Pair("b", 3)));
}

TEST_F(CapacityLossTest, ZeroMeansNever) {
  options_.capacity_lost_after = absl::ZeroDuration();
  StartService();
  Beat("a", 6, 0);
  const std::string key = PutBinding(MakeBinding(3, kDynamic));
  Settle();
  Beat("b", 10, 0);
  Beat("a", 1, 1, 2);
  Wait(absl::Hours(1));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3)));
}

}  // namespace
}  // namespace sealane::scheduler
