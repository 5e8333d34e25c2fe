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

TEST_F(StatusServiceTest, StormStopsFailoverAndResumesByItself) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a"}, absl::Minutes(10));
  EXPECT_EQ(Taints("b").size(), 1u);
  EXPECT_EQ(Taints("c").size(), 1u);
  EXPECT_THAT(events_, Contains("FailoverPaused"));
  BeatFor({"a", "b"}, absl::Seconds(60));
  EXPECT_THAT(Taints("b"), IsEmpty());
  EXPECT_EQ(Taints("c").size(), 2u);
  EXPECT_THAT(events_, Contains("FailoverResumed"));
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
