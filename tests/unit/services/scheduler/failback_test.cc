// The way back to an earlier group: what wakes the service, and the clock.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/binding_index.h"
#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

v1::Binding MakeReturning(int replicas, const std::string& name = "web") {
  v1::Binding binding = MakeBinding(replicas, R"({"clusterAffinities": [
      {"affinityName": "near", "clusterNames": ["a"]},
      {"affinityName": "far", "clusterNames": ["b"]}],
      "replicaScheduling": {"replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Aggregated"}})",
                                    name);
  (*binding.mutable_options())["sealane.io/failback"] = "WhenHealthyFor=10m";
  return binding;
}

TEST(FailbackIndexTest, FindsWhoIsAwayFromAGroupThatHasTheCluster) {
  BindingIndex index;
  const Snapshot snapshot = MakeSnapshot({MakeCluster("a"), MakeCluster("b")});
  const auto away_from = [&](const char* cluster) {
    std::vector<std::string> keys;
    index.AwayFrom(*snapshot.Find(cluster), [&](const std::string& key) { keys.push_back(key); });
    return keys;
  };
  v1::Binding binding = MakeReturning(1);
  v1::Placed placed = PlacedIn({{"b", 1}});
  placed.set_state("Scheduled");
  placed.set_affinity_name("far");
  index.SetPlaced("k", &placed);
  EXPECT_THAT(away_from("a"), IsEmpty()) << "its binding is not known yet";
  index.SetBinding("k", binding);
  EXPECT_THAT(away_from("a"), ElementsAre("k"));
  EXPECT_THAT(away_from("b"), IsEmpty()) << "not of an earlier group";
  binding.clear_options();
  index.SetBinding("k", binding);
  EXPECT_THAT(away_from("a"), IsEmpty()) << "it does not return by itself";
  index.SetBinding("k", MakeReturning(1));
  EXPECT_EQ(index.away(), 1u);
  placed.set_affinity_name("near");
  index.SetPlaced("k", &placed);
  EXPECT_EQ(index.away(), 0u);
  placed.set_affinity_name("far");
  index.SetPlaced("k", &placed);
  EXPECT_EQ(index.away(), 1u);
  index.RemoveBinding("k");
  EXPECT_EQ(index.away(), 0u);
  index.SetPlaced("k", nullptr);
  EXPECT_EQ(index.size(), 0u);
}

using FailbackTest = ServiceTest;

TEST_F(FailbackTest, RoomThatComesBackStartsTheClockAndItsEndMovesTheObject) {
  StartService();
  PutCluster(MakeRoomy("a", 1));
  PutCluster(MakeRoomy("b", 9));
  const std::string key = PutBinding(MakeReturning(4));
  Settle();
  EXPECT_EQ(Placed(key)->affinity_name(), "far");
  sim_.RunFor(absl::Minutes(2));
  PutCluster(MakeRoomy("a", 9));  // a heartbeat, no more
  sim_.RunFor(absl::Minutes(10));
  EXPECT_EQ(Placed(key)->affinity_name(), "far");
  sim_.RunFor(absl::Minutes(1));
  EXPECT_EQ(Placed(key)->affinity_name(), "near");
  EXPECT_EQ(Placed(key)->cause(), "group near is available again");
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 4)));
}

TEST_F(FailbackTest, RoomThatGoesStopsTheClock) {
  StartService();
  PutCluster(MakeRoomy("a", 1));
  PutCluster(MakeRoomy("b", 9));
  const std::string key = PutBinding(MakeReturning(4));
  Settle();
  for (int i = 0; i < 4; ++i) {
    PutCluster(MakeRoomy("a", 9));
    sim_.RunFor(absl::Minutes(6));
    PutCluster(MakeRoomy("a", 1));
    sim_.RunFor(absl::Minutes(6));
    EXPECT_EQ(Placed(key)->affinity_name(), "far");
  }
}

TEST_F(FailbackTest, AnAutoscaledObjectReturnsToo) {
  StartService();
  PutCluster(MakeRoomy("b", 90));
  v1::Binding binding = MakeReturning(4);
  const std::string key = PutBinding(binding);
  Settle();
  EXPECT_EQ(Placed(key)->affinity_name(), "far");
  PutCluster(MakeRoomy("a", 90));
  for (int minute = 1; minute < 11; ++minute) {
    EXPECT_EQ(Placed(key)->affinity_name(), "far");
    binding.set_replicas(4 + minute % 3);
    binding.set_revision(1 + minute);
    PutBinding(binding);
    sim_.RunFor(absl::Minutes(1));
  }
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(Placed(key)->affinity_name(), "near");
}

TEST_F(FailbackTest, HeartbeatsElsewhereWakeNobody) {
  StartService();
  PutCluster(MakeRoomy("a", 1));
  PutCluster(MakeRoomy("b", 90));
  PutCluster(MakeRoomy("c", 90));
  for (int i = 0; i < 10; ++i) PutBinding(MakeReturning(4, StrCat("w", i)));
  Settle();
  sim_.RunFor(absl::Minutes(2));
  const double before = Metric("sealane_scheduler_cluster_event_bindings_total");
  for (int i = 0; i < 5; ++i) {
    PutCluster(MakeRoomy("b", 91 + i));
    PutCluster(MakeRoomy("c", 91 + i));
    sim_.RunFor(absl::Minutes(1));
  }
  EXPECT_EQ(Metric("sealane_scheduler_cluster_event_bindings_total"), before);
  PutCluster(MakeRoomy("a", 2));
  sim_.RunFor(absl::Minutes(1));
  EXPECT_EQ(Metric("sealane_scheduler_cluster_event_bindings_total"), before + 10);
}

}  // namespace
}  // namespace sealane::scheduler
