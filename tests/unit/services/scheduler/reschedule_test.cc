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

class RebalanceTest : public ServiceTest {
 protected:
  // `workloads`: JSON.
  void Ask(const std::string& name, const std::string& workloads) {
    v1::StoredObject object;
    object.mutable_ref()->set_api_version("apps.karmada.io/v1alpha1");
    object.mutable_ref()->set_kind("WorkloadRebalancer");
    object.mutable_ref()->set_name(name);
    object.set_created_micros(ToMicros(sim_.Now()));
    object.set_manifest(
        StrCat(R"({"spec": {"ttlSecondsAfterFinished": 1, "workloads": )", workloads, "}}"));
    objects_.Put(RowKey(object.ref()), object);
    Settle();
  }
  std::string PutLabelled(const std::string& name, const std::string& tier, int revision) {
    v1::Binding binding = MakeBinding(6, kDynamic, name);
    (*binding.mutable_labels())["tier"] = tier;
    binding.set_revision(revision);
    return PutBinding(binding);
  }
  // All runs in a, and b has joined.
  void Grow() {
    Settle();
    sim_.RunFor(absl::Minutes(2));
    PutCluster(MakeRoomy("b", 100));
    Settle();
  }
  const v1::Event* Told(const std::string& reason) const {
    for (const v1::Event& event : events_) {
      if (event.reason() == reason) return &event;
    }
    return nullptr;
  }
};

constexpr char kWebTier[] = R"([{"apiVersion": "apps/v1", "kind": "Deployment",
                                 "labelSelector": {"matchLabels": {"tier": "web"}}}])";

TEST_F(RebalanceTest, HoldsForWhatExistsWhenItIsMadeAndNotForWhatMatchesLater) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  const std::string web = PutLabelled("web", "web", 1);
  const std::string later = PutLabelled("later", "db", 1);
  Grow();
  Ask("again", kWebTier);
  EXPECT_EQ(Targets(web).size(), 2u);
  sim_.RunFor(absl::Minutes(1));
  PutLabelled("later", "web", 2);
  Settle();
  EXPECT_EQ(Targets(later).size(), 1u);
  EXPECT_EQ(Placed(later)->binding_revision(), 2);
  // Nor after a restart, which reads the same rebalancer again.
  StopService();
  sim_.RunFor(absl::Seconds(1));
  StartService();
  EXPECT_EQ(Targets(later).size(), 1u);
  EXPECT_EQ(Targets(web).size(), 2u);
}

TEST_F(RebalanceTest, WhatWasAskedWhileNobodyLedIsDoneLater) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  const std::string web = PutLabelled("web", "web", 1);
  Grow();
  StopService();
  v1::StoredObject object;
  object.mutable_ref()->set_kind("WorkloadRebalancer");
  object.mutable_ref()->set_api_version("apps.karmada.io/v1alpha1");
  object.mutable_ref()->set_name("again");
  object.set_created_micros(ToMicros(sim_.Now()));
  object.set_manifest(StrCat(R"({"spec": {"workloads": )", kWebTier, "}}"));
  objects_.Put(RowKey(object.ref()), object);
  sim_.RunFor(absl::Seconds(1));
  StartService();
  EXPECT_EQ(Targets(web).size(), 2u);
}

TEST_F(RebalanceTest, TellsWhatWasFoundAndWhatWasNot) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  PutLabelled("web", "web", 1);
  Grow();
  Ask("all-there", kWebTier);
  ASSERT_NE(Told("Rebalanced"), nullptr);
  EXPECT_EQ(Told("Rebalanced")->message(), "WorkloadRebalancer all-there: objects divided anew: 1");
  EXPECT_EQ(Told("Rebalanced")->ref().kind(), "WorkloadRebalancer");
  Ask("in-part", R"([{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns",
                      "name": "web"},
                     {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns",
                      "name": "gone"},
                     {"apiVersion": "apps/v1", "kind": "StatefulSet",
                      "labelSelector": {"matchLabels": {"tier": "web"}}}])");
  ASSERT_NE(Told("RebalancedInPart"), nullptr);
  EXPECT_EQ(Told("RebalancedInPart")->type(), "Warning");
  EXPECT_THAT(Told("RebalancedInPart")->message(),
              HasSubstr("divided anew: 1; not found: Deployment ns/gone, StatefulSet by labels"));
  Ask("wrong", R"([{"apiVersion": "apps/v1", "kind": "Deployment"}])");
  ASSERT_NE(Told("RebalancerRefused"), nullptr);
  EXPECT_THAT(Told("RebalancerRefused")->message(), HasSubstr("spec.workloads[0].name"));
}

TEST_F(RebalanceTest, WhatItAskedForStaysAskedWhenItGoes) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  v1::Binding paused = MakeBinding(6, kDynamic);
  const std::string key = PutBinding(paused);
  Grow();
  paused.mutable_suspension()->set_scheduling(true);
  paused.set_revision(2);
  PutBinding(paused);
  Settle();
  Ask("again", R"([{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns",
                    "name": "web"}])");
  EXPECT_EQ(Targets(key).size(), 1u);
  objects_.Remove("apps=2Ekarmada=2Eio.WorkloadRebalancer.=.again");
  paused.mutable_suspension()->set_scheduling(false);
  paused.set_revision(3);
  PutBinding(paused);
  Settle();
  EXPECT_EQ(Targets(key).size(), 2u);
}

}  // namespace
}  // namespace sealane::scheduler
