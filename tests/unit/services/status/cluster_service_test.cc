// Clusters in the status service: heartbeats, leases, taints, failover.

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(StatusServiceTest, ClusterLifeFromRegistrationToLossAndReturn) {
  Register("a");
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  Beat("a");
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("a"), IsEmpty());
  EXPECT_EQ(Cluster("a")->provider(), "aliyun");
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "v1.30.0");
  EXPECT_THAT(events_, ElementsAre("ClusterReady"));

  sim_.RunFor(absl::Seconds(41));
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "v1.30.0");

  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(Ready("a"), "Unknown");
  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("a"), IsEmpty());
  EXPECT_THAT(events_, ElementsAre("ClusterReady", "ClusterLost", "FailoverPaused", "ClusterReady",
                                   "FailoverResumed"));
}

TEST_F(StatusServiceTest, UnhealthyApiServerIsNotReady) {
  Register("a");
  Beat("a");
  for (int i = 0; i < 5; ++i) {
    v1::Heartbeat heartbeat = MakeHeartbeat("a");
    heartbeat.set_api_healthy(false);
    heartbeat.set_api_message("etcd is gone");
    Send(heartbeat, "a");
    sim_.RunFor(absl::Seconds(10));
  }
  EXPECT_EQ(Ready("a"), "False");
  EXPECT_THAT(FindCondition(*Cluster("a"), kReadyCondition)->message(), HasSubstr("etcd is gone"));
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/not-ready:NoSchedule"));
}

TEST_F(StatusServiceTest, HeartbeatsAloneWriteNothing) {
  Register("a");
  Beat("a");
  const int before = cluster_changes_;
  BeatFor({"a"}, absl::Minutes(5));
  EXPECT_EQ(cluster_changes_, before);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"accepted\"}"), 31);
}

TEST_F(StatusServiceTest, CapacityIsCoalescedLabelsAreNot) {
  Register("a");
  Beat("a");
  sim_.RunFor(absl::Seconds(6));
  const int before = cluster_changes_;
  for (int i = 0; i < 20; ++i) {
    v1::Heartbeat heartbeat = MakeHeartbeat("a");
    (*heartbeat.mutable_resource_summary()->mutable_allocated())["cpu"] = StrCat(i, "m");
    Send(heartbeat, "a");
  }
  sim_.RunFor(absl::Seconds(6));
  // The first adds the summary, the rest of it waits together.
  EXPECT_EQ(cluster_changes_, before + 2);
  EXPECT_EQ(Cluster("a")->resource_summary().allocated().at("cpu"), "19m");
}

// Three nodes: 3 CPU 16Gi, 700m 64Gi, 300 CPU 2Ti.
v1::Heartbeat WithNodes(v1::Heartbeat heartbeat) {
  (*heartbeat.mutable_resource_summary()->mutable_allocatable())["cpu"] = "304";
  const auto add = [&](const char* cpu, const char* memory, int count) {
    v1::NodeShape& shape = *heartbeat.add_node_shapes();
    (*shape.mutable_free())["cpu"] = cpu;
    (*shape.mutable_free())["memory"] = memory;
    shape.set_count(count);
  };
  add("3", "16Gi", 2);
  add("700m", "64Gi", 1);
  add("300", "2Ti", 1);
  return heartbeat;
}

std::string Grades(const v1::ClusterStatus& row) {
  std::string text;
  for (const auto& modeling : row.resource_summary().allocatable_modelings()) {
    text += StrCat(modeling.grade(), ":", modeling.count(), " ");
  }
  return text;
}

TEST_F(StatusServiceTest, NodesAreCountedByTheClustersResourceModels) {
  Json spec = Json::parse(R"({"resourceModels": [
      {"grade": 1, "ranges": [{"name": "cpu", "min": "0", "max": "2"}]},
      {"grade": 5, "ranges": [{"name": "cpu", "min": "2", "max": "4"}]},
      {"grade": 9, "ranges": [{"name": "cpu", "min": "4", "max": "9223372036854775807"}]}]})");
  Register("a", "cluster-uid", spec);
  Send(WithNodes(MakeHeartbeat("a")), "a");
  EXPECT_EQ(Grades(*Cluster("a")), "1:1 5:2 9:1 ");
  // Other grades are counted at once, from what the agent said before.
  spec["resourceModels"].erase(1);
  spec["resourceModels"][1]["ranges"][0]["min"] = "2";
  Register("a", "cluster-uid", spec);
  EXPECT_EQ(Grades(*Cluster("a")), "1:1 9:3 ");
  // An agent that does not tell its nodes leaves them unknown.
  v1::Heartbeat silent = WithNodes(MakeHeartbeat("a"));
  silent.clear_node_shapes();
  Send(silent, "a");
  sim_.RunFor(absl::Seconds(6));
  EXPECT_EQ(Grades(*Cluster("a")), "");
}

TEST_F(StatusServiceTest, AfterARestartGradesOfOtherModelsDoNotCount) {
  const Json one = Json::parse(R"({"resourceModels": [
      {"grade": 1, "ranges": [{"name": "cpu", "min": "0", "max": "9223372036854775807"}]}]})");
  Register("a", "cluster-uid", one);
  Send(WithNodes(MakeHeartbeat("a")), "a");
  EXPECT_EQ(Grades(*Cluster("a")), "1:4 ");
  StartService();
  EXPECT_EQ(Grades(*Cluster("a")), "1:4 ");
  Json two = one;
  two["resourceModels"][0]["ranges"][0]["name"] = "memory";
  Register("a", "cluster-uid", two);
  EXPECT_EQ(Grades(*Cluster("a")), "");
  EXPECT_EQ(Cluster("a")->resource_summary().allocatable().at("cpu"), "304");
}

TEST_F(StatusServiceTest, WithoutModelsNodesAreNotCountedUnlessTheFlagSaysSo) {
  Register("a");
  Send(WithNodes(MakeHeartbeat("a")), "a");
  EXPECT_EQ(Grades(*Cluster("a")), "");
  options_.default_resource_models = true;
  StartService();
  Send(WithNodes(MakeHeartbeat("a")), "a");
  sim_.RunFor(absl::Seconds(6));
  ASSERT_EQ(Cluster("a")->resource_models_size(), 9);
  EXPECT_EQ(Cluster("a")->resource_models(8).ranges(1).min(), "1024Gi");
  // 3 CPU with 16Gi: 2-4 CPU, 16-32Gi. 700m: 0-1 CPU, however much memory.
  EXPECT_EQ(Grades(*Cluster("a")), "0:1 1:0 2:2 3:0 4:0 5:0 6:0 7:0 8:1 ");
}

TEST_F(StatusServiceTest, ForeignStaleAndUnknownHeartbeatsAreCountedAndIgnored) {
  Register("a");
  Register("b");
  Beat("a");
  v1::Heartbeat forged = MakeHeartbeat("a");
  Send(forged, "b");
  EXPECT_EQ(Ready("b"), "Unknown");
  v1::Heartbeat old = MakeHeartbeat("a");
  old.set_counter(0);
  Send(old, "a");
  Beat("nobody");
  EXPECT_OK(Agent("a").Publish(agent::kHeartbeat, "\xff\xff"));
  Settle();
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"wrong_cluster\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"stale\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"unknown_cluster\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"malformed\"}"), 1);
  EXPECT_EQ(Cluster("nobody"), nullptr);
}

TEST_F(StatusServiceTest, FailoverAfterTheToleratedTimeAndItsEnd) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a", "b"}, absl::Seconds(320));
  EXPECT_EQ(Taints("c").size(), 1u);
  BeatFor({"a", "b"}, absl::Seconds(30));
  EXPECT_THAT(Taints("c"), Contains("cluster.karmada.io/unreachable:NoExecute"));
  EXPECT_THAT(events_, Contains("FailoverStarted"));
  BeatFor({"a", "b", "c"}, absl::Seconds(50));
  EXPECT_THAT(Taints("c"), IsEmpty());
  EXPECT_THAT(events_, Contains("FailoverEnded"));
}

TEST_F(StatusServiceTest, ALinkThatFlapsMovesNothing) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  for (int minute = 0; minute < 20; ++minute) {
    BeatFor({"a", "b"}, absl::Seconds(60));
    // A word that holds for less than a return must last.
    v1::Heartbeat heartbeat = MakeHeartbeat("c");
    heartbeat.set_lease_seconds(20);
    Send(heartbeat, "c");
    EXPECT_EQ(Ready("c"), "Unknown") << minute;
  }
  EXPECT_THAT(Taints("c"), ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  BeatFor({"a", "b"}, absl::Seconds(290));
  EXPECT_EQ(Taints("c").size(), 1u);
  BeatFor({"a", "b"}, absl::Seconds(20));
  EXPECT_EQ(Taints("c").size(), 2u);
}

TEST_F(StatusServiceTest, StormStopsFailoverAndResumesByItself) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a"}, absl::Minutes(10));
  EXPECT_EQ(Taints("b").size(), 1u);
  EXPECT_EQ(Taints("c").size(), 1u);
  EXPECT_THAT(events_, Contains("FailoverPaused"));
  EXPECT_EQ(Metric("sealane_status_failover_storm"), 1);
  const auto paused = [&](const char* name) {
    const v1::Condition* condition = FindCondition(*Cluster(name), kFailoverPausedCondition);
    return condition == nullptr ? std::string() : condition->status();
  };
  EXPECT_EQ(paused("a"), "");
  EXPECT_EQ(paused("b"), "True");
  EXPECT_EQ(paused("c"), "True");
  BeatFor({"a", "b"}, absl::Seconds(60));
  EXPECT_THAT(Taints("b"), IsEmpty());
  EXPECT_EQ(Taints("c").size(), 2u);
  EXPECT_THAT(events_, Contains("FailoverResumed"));
  EXPECT_EQ(Metric("sealane_status_failover_storm"), 0);
  EXPECT_EQ(paused("b"), "False");
  EXPECT_EQ(paused("c"), "False");
}

TEST_F(StatusServiceTest, FailoverTimerSurvivesARestart) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a", "b"}, absl::Seconds(200));
  StartService();
  BeatFor({"a", "b"}, absl::Seconds(150));
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("c"), Contains("cluster.karmada.io/unreachable:NoExecute"));
}

TEST_F(StatusServiceTest, JoiningEndsWhenEverythingPlacedIsHealthy) {
  Register("a");
  Beat("a");
  const auto settled = [&] { return FindCondition(*Cluster("a"), kSettledCondition)->status(); };
  EXPECT_EQ(settled(), "False");
  Deploy("one", {"a"});
  Deploy("two", {"a"});
  Say(MakeWord("a", "one", 2), "a");
  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(settled(), "False");
  Say(MakeWord("a", "two", 2), "a");
  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(settled(), "True");
  EXPECT_THAT(FindCondition(*Cluster("a"), kSettledCondition)->message(),
              HasSubstr("2 of 2 placed objects are healthy"));
  // Once in a cluster's life, whatever happens later.
  Say(MakeWord("a", "two", 1), "a");
  StartService();
  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(settled(), "True");
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "ClusterJoined"), 1);
}

TEST_F(StatusServiceTest, HeartbeatBeforeRegistrationCountsForOneLease) {
  Beat("early");
  Beat("stale");
  sim_.RunFor(absl::Seconds(20));
  Register("early");
  EXPECT_EQ(Ready("early"), "True");
  sim_.RunFor(absl::Seconds(30));
  Register("stale");
  EXPECT_EQ(Ready("stale"), "Unknown");
}

TEST_F(StatusServiceTest, TaintPoliciesAreApplied) {
  Register("a");
  Register("b");
  Beat("a");
  Beat("b");
  v1::StoredObject object;
  Identify(*object.mutable_ref(), "policy.karmada.io/v1alpha1", "ClusterTaintPolicy", "", "trial");
  object.set_created_micros(1);
  object.set_manifest(R"({"metadata":{"name":"trial"},"spec":{
      "targetClusters":{"clusterNames":["a"]},
      "addOnConditions":[{"conditionType":"Ready","operator":"In","statusValues":["True"]}],
      "taints":[{"key":"trial","effect":"NoSchedule"}]}})");
  Put(kObjectsTable, RowKey(object.ref()), object.SerializeAsString());
  EXPECT_THAT(Taints("a"), ElementsAre("trial:NoSchedule"));
  EXPECT_THAT(Taints("b"), IsEmpty());
}

TEST_F(StatusServiceTest, UnregisteredClusterLosesItsRow) {
  Register("a");
  Beat("a");
  Put(kObjectsTable, RowKey(ObjectKey{"cluster.karmada.io", "Cluster", "", "a"}), "");
  EXPECT_EQ(Cluster("a"), nullptr);
  Register("a", "another-uid");
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "");
  Beat("a");
  EXPECT_EQ(Ready("a"), "True");
}

}  // namespace
}  // namespace sealane::status
