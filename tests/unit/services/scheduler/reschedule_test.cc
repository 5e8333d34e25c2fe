// What wakes the service, what it leaves alone, and what it counts as taken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using RescheduleTest = ServiceTest;

// Two pod templates, five pods, that run in one cluster together.
v1::Binding MakeSet(const std::string& name) {
  v1::Binding binding = MakeBinding(
      0, R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})",
      name);
  for (const int replicas : {1, 4}) {
    v1::Component* component = binding.add_components();
    component->set_replicas(replicas);
    component->mutable_replica_requirements();
  }
  return binding;
}

TEST_F(RescheduleTest, WorkloadsOfSeveralTemplatesDoNotTakeTheSameRoom) {
  StartService();
  PutCluster(MakeRoomy("a", 8));
  PutCluster(MakeRoomy("b", 7));
  const std::string first = PutBinding(MakeSet("first"));
  const std::string second = PutBinding(MakeSet("second"));
  const std::string third = PutBinding(MakeSet("third"));
  Settle();
  EXPECT_THAT(Targets(first), UnorderedElementsAre(Pair("a", 0)));
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("b", 0)));
  EXPECT_EQ(Placed(third)->state(), "Unschedulable") << Placed(third)->message();
}

v1::Binding MakeApart(const std::string& name, const std::string& group = "db") {
  v1::Binding binding =
      MakeBinding(1, R"({"workloadAffinity": {"antiAffinity": {"groupByLabelKey": "app"}},
          "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})",
                  name);
  (*binding.mutable_labels())["app"] = group;
  return binding;
}

TEST_F(RescheduleTest, WhoWasKeptAwayComesWhenTheOtherIsDeleted) {
  StartService();
  PutCluster(MakeCluster("a"));
  const std::string first = PutBinding(MakeApart("first"));
  Settle();
  const std::string second = PutBinding(MakeApart("second"));
  Settle();
  EXPECT_EQ(Placed(second)->state(), "NoClusterFit");
  bindings_.Remove(first);
  Settle();
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("a", 1)));
}

TEST_F(RescheduleTest, WhoWasKeptAwayComesWhenTheOtherLeavesTheGroup) {
  StartService();
  PutCluster(MakeCluster("a"));
  PutBinding(MakeApart("first"));
  Settle();
  const std::string second = PutBinding(MakeApart("second"));
  Settle();
  EXPECT_EQ(Placed(second)->state(), "NoClusterFit");
  v1::Binding other = MakeApart("first", "web");
  other.set_revision(2);
  PutBinding(other);
  Settle();
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("a", 1)));
}

TEST_F(RescheduleTest, RoomThatIsGivenBackBeforeAHeartbeatShowsItIsUsedAtOnce) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  const std::string first = PutBinding(MakeBinding(8, kDynamic, "first"));
  Settle();
  const std::string second = PutBinding(MakeBinding(6, kDynamic, "second"));
  Settle();
  EXPECT_EQ(Placed(second)->state(), "Unschedulable");
  bindings_.Remove(first);
  sim_.RunFor(absl::Seconds(5));
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("a", 6)));
}

TEST_F(RescheduleTest, RoomThatShrinkingGivesBackIsUsedAtOnce) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  v1::Binding shrinking = MakeBinding(8, kDynamic, "first");
  PutBinding(shrinking);
  Settle();
  const std::string second = PutBinding(MakeBinding(6, kDynamic, "second"));
  Settle();
  EXPECT_EQ(Placed(second)->state(), "Unschedulable");
  shrinking.set_replicas(3);
  shrinking.set_revision(2);
  PutBinding(shrinking);
  sim_.RunFor(absl::Seconds(5));
  EXPECT_THAT(Targets(second), UnorderedElementsAre(Pair("a", 6)));
}

TEST_F(RescheduleTest, AClusterEventTouchesOnlyWhatItConcerns) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  PutCluster(MakeRoomy("b", 1000));
  const auto bound = [](const char* cluster, const std::string& name) {
    v1::Binding binding = MakeBinding(2, kDynamic, name);
    binding.mutable_placement()->mutable_cluster_affinity()->add_cluster_names(cluster);
    return binding;
  };
  const std::string there = PutBinding(bound("a", "there"));
  for (int i = 0; i < 50; ++i) PutBinding(bound("b", StrCat("other", i)));
  Settle();
  const double before = Metric("sealane_scheduler_cluster_event_bindings_total");
  const double unchanged = Metric("sealane_scheduler_unchanged_total");
  v1::ClusterStatus tainted = MakeRoomy("a", 100);
  tainted.add_taints()->set_key("busy");
  tainted.mutable_taints(0)->set_effect("NoSchedule");
  PutCluster(tainted);
  Settle();
  EXPECT_EQ(Metric("sealane_scheduler_cluster_event_bindings_total"), before + 1);
  EXPECT_EQ(Metric("sealane_scheduler_unchanged_total"), unchanged + 1);
  EXPECT_THAT(Targets(there), UnorderedElementsAre(Pair("a", 2)));
}

}  // namespace
}  // namespace sealane::scheduler
