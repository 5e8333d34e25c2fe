// Application failover of the service: what wakes it, its timers, restarts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class FailoverServiceTest : public ServiceTest {
 protected:
  FailoverServiceTest() { all_is_well_ = false; }

  // A Deployment of three in one cluster of these.
  void PlaceInA(const std::string& purge_mode, std::initializer_list<const char*> clusters) {
    for (const char* name : clusters) PutCluster(MakeCluster(name));
    binding_ = MakeBinding(3, R"({"spreadConstraints":
        [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})");
    binding_.set_object_generation(1);
    auto& rules = *binding_.mutable_failover()->mutable_application();
    rules.set_purge_mode(purge_mode);
    rules.mutable_decision_conditions()->set_toleration_seconds(120);
    key_ = PutBinding(binding_);
    Settle();
    ASSERT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
  }

  int64_t Now() { return ToMicros(sim_.env().clock.Now()); }

  // As the status service says it: cluster -> since when it is unhealthy, 0: healthy.
  void Say(const std::map<std::string, int64_t>& parts, const char* bad = "Unhealthy") {
    v1::AppStatus row;
    *row.mutable_ref() = binding_.ref();
    row.set_uid(binding_.uid());
    for (const auto& [cluster, since] : parts) {
      v1::ClusterAppStatus& part = *row.add_clusters();
      part.set_cluster(cluster);
      part.set_health(since == 0 ? "Healthy" : bad);
      part.set_unhealthy_since_micros(since);
      part.set_applied_generation(1);
      if (since == 0) part.mutable_replicas()->set_ready(3);
      if (since != 0) part.set_reason("CrashLoopBackOff");
    }
    apps_.Put(key_, row);
    sim_.RunFor(absl::Seconds(1));
  }

  v1::Binding binding_;
  std::string key_;
};

TEST_F(FailoverServiceTest, MovesAfterTheToleratedTimeAndNotBefore) {
  StartService();
  PlaceInA("Gracefully", {"a", "b"});
  const int64_t since = Now();
  Say({{"a", since}});
  sim_.RunFor(absl::Seconds(118));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_THAT(Reasons(), Not(Contains("ApplicationFailover")));
  EXPECT_EQ(Metric("sealane_scheduler_application_failovers_total"), 0);
  sim_.RunFor(absl::Seconds(3));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  EXPECT_EQ(Metric("sealane_scheduler_application_failovers_total"), 1);
  ASSERT_THAT(Reasons(), Contains("ApplicationFailover"));
  for (const v1::Event& event : events_) {
    if (event.reason() != "ApplicationFailover") continue;
    EXPECT_EQ(event.cluster(), "a");
    EXPECT_EQ(event.ref().name(), "web");
    EXPECT_THAT(event.message(), HasSubstr("failed in a: CrashLoopBackOff; it runs in b=3 now"));
  }
  Say({{"a", since}, {"b", Now()}});
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  Say({{"a", since}, {"b", 0}});
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverServiceTest, TheGracePeriodEndsWithoutAnyEvent) {
  StartService();
  PlaceInA("Gracefully", {"a", "b"});
  Say({{"a", Now()}});
  sim_.RunFor(absl::Seconds(125));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  sim_.RunFor(absl::Seconds(590));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  sim_.RunFor(absl::Seconds(15));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverServiceTest, DirectlyTheOldCopyGoesAtOnce) {
  StartService();
  PlaceInA("Directly", {"a", "b"});
  Say({{"a", Now()}});
  sim_.RunFor(absl::Seconds(125));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("b", 3)));
}

TEST_F(FailoverServiceTest, NeverTheOldCopyGoes) {
  StartService();
  PlaceInA("Never", {"a", "b"});
  const int64_t since = Now();
  Say({{"a", since}});
  sim_.RunFor(absl::Seconds(125));
  Say({{"a", since}, {"b", 0}});
  sim_.RunFor(absl::Hours(1));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
}

TEST_F(FailoverServiceTest, WhereNothingFitsItStaysAndMovesWhenAClusterJoins) {
  StartService();
  PlaceInA("Directly", {"a"});
  Say({{"a", Now()}});
  sim_.RunFor(absl::Seconds(125));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
  EXPECT_EQ(Placed(key_)->state(), "NoClusterFit");
  EXPECT_THAT(Placed(key_)->message(), HasSubstr("failed in a: CrashLoopBackOff; it stays in a"));
  EXPECT_THAT(Reasons(), Contains("Unschedulable"));
  PutCluster(MakeCluster("b"));
  Settle();
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("b", 3)));
  EXPECT_EQ(Placed(key_)->state(), "Scheduled");
}

TEST_F(FailoverServiceTest, ARestartKeepsTheTimes) {
  StartService();
  PlaceInA("Gracefully", {"a", "b"});
  Say({{"a", Now()}});
  sim_.RunFor(absl::Seconds(100));
  StopService();
  sim_.RunFor(absl::Seconds(5));
  StartService();
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
  sim_.RunFor(absl::Seconds(20));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  // 500 seconds of the grace period pass before the next restart.
  sim_.RunFor(absl::Seconds(500));
  StopService();
  StartService();
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  sim_.RunFor(absl::Seconds(110));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("b", 3)));
  StopService();
  StartService();
  EXPECT_EQ(Placed(key_)->evictions_size(), 1) << "what failed in a is not forgotten";
}

TEST_F(FailoverServiceTest, ARestartTellsNothingTwice) {
  StartService();
  PlaceInA("Directly", {"a"});
  Say({{"a", Now()}});
  sim_.RunFor(absl::Seconds(125));
  ASSERT_EQ(Placed(key_)->state(), "NoClusterFit");
  const int changes = placement_changes_;
  StopService();
  StartService();
  sim_.RunFor(absl::Minutes(20));
  EXPECT_EQ(placement_changes_, changes);
}

TEST_F(FailoverServiceTest, HealthThatComesAndGoesStartsTheClockAnew) {
  StartService();
  PlaceInA("Directly", {"a", "b"});
  for (int i = 0; i < 5; ++i) {
    Say({{"a", Now()}});
    sim_.RunFor(absl::Seconds(100));
    Say({{"a", 0}});
    sim_.RunFor(absl::Seconds(10));
  }
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
}

TEST_F(FailoverServiceTest, ALostClusterIsNoMatterOfIt) {
  StartService();
  PlaceInA("Directly", {"a", "b"});
  const int64_t since = Now();
  Say({{"a", since}});
  sim_.RunFor(absl::Seconds(60));
  Say({{"a", since}}, "Unknown");
  sim_.RunFor(absl::Hours(1));
  EXPECT_THAT(Targets(key_), UnorderedElementsAre(Pair("a", 3)));
}

// --- A cluster is lost ---------------------------------------------------------------------------

class LostClusterTest : public ServiceTest {
 protected:
  // As the status service marks it.
  void Lose(const char* name, int64_t room = 100) {
    v1::ClusterStatus cluster = MakeRoomy(name, room);
    v1::Taint& taint = *cluster.add_taints();
    taint.set_key("cluster.karmada.io/unreachable");
    taint.set_effect("NoExecute");
    PutCluster(cluster);
  }
  std::string PutApp(const std::string& name, int replicas, int priority) {
    v1::Binding binding = MakeBinding(replicas, kDynamic, name);
    binding.set_schedule_priority(priority);
    return PutBinding(binding);
  }
};

TEST_F(LostClusterTest, HighPrioritiesTakeTheRoomAndTheRestWaitsVisibly) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  const std::string low = PutApp("a-low", 4, 1);
  const std::string high = PutApp("z-high", 4, 9);
  Settle();
  PutCluster(MakeRoomy("b", 5));
  Settle();
  Lose("a");
  Settle();
  EXPECT_THAT(Targets(high), UnorderedElementsAre(Pair("b", 4)));
  EXPECT_THAT(Targets(low), UnorderedElementsAre(Pair("a", 4))) << "it stays where it may run";
  EXPECT_EQ(Placed(low)->state(), "Unschedulable");
  EXPECT_THAT(Placed(low)->message(), HasSubstr("it stays in a"));
  EXPECT_THAT(Reasons(), Contains("Unschedulable"));
  PutCluster(MakeRoomy("b", 20));
  sim_.RunFor(absl::Seconds(3));
  Settle();
  EXPECT_THAT(Targets(low), UnorderedElementsAre(Pair("b", 4)));
  EXPECT_EQ(Placed(low)->state(), "Scheduled");
}

TEST_F(LostClusterTest, EverythingLeavesAtThePaceOfTheOptions) {
  options_.pace.leave_per_second = 10;
  StartService();
  PutCluster(MakeRoomy("a", 1000));
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(PutApp(StrCat("app-", i), 1, i == 39 ? 5 : 0));
  Settle();
  PutCluster(MakeRoomy("b", 100'000));
  Settle();
  const auto left = [&] {
    return std::count_if(keys.begin(), keys.end(),
                         [&](const auto& key) { return Targets(key).count("b") > 0; });
  };
  Lose("a", 1000);
  sim_.RunFor(absl::Milliseconds(50));
  EXPECT_EQ(left(), 10);
  EXPECT_EQ(Targets(keys[39]).count("b"), 1u) << "the highest priority";
  sim_.RunFor(absl::Seconds(1));
  EXPECT_NEAR(static_cast<double>(left()), 20, 2);
  sim_.RunFor(absl::Seconds(3));
  EXPECT_EQ(left(), 40);
}

TEST_F(LostClusterTest, AnExplanationDoesNotCountCopies) {
  all_is_well_ = false;
  StartService();
  PutCluster(MakeRoomy("a", 100));
  v1::Binding binding = MakeBinding(6, kDynamic);
  (*binding.mutable_options())["sealane.io/rebalance"] = "WhenClustersJoin";
  const std::string key = PutBinding(binding);
  Settle();
  sim_.RunFor(absl::Seconds(10));
  v1::ClusterStatus joined = MakeRoomy("b", 100);
  v1::Condition& settled = *joined.add_conditions();
  settled.set_type("Settled");
  settled.set_last_transition_micros(ToMicros(sim_.env().clock.Now()));
  PutCluster(joined);
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 6), Pair("b", 1)));
  v1::QueryRequest request;
  request.set_what("explain");
  request.set_name("web");
  const v1::QueryReply reply = Ask(request);
  EXPECT_THAT(reply.body(), HasSubstr(R"("would":{"a":5,"b":1})"));
}

TEST_F(LostClusterTest, ACopyGoesOnlyWhenItsReplacementIsHealthyWhateverIsKnownFirst) {
  all_is_well_ = false;
  StartService();
  PutCluster(MakeRoomy("a", 100));
  const std::string key = PutApp("app", 3, 0);
  Settle();
  // Until now nobody looked at the status of applications.
  v1::Binding binding = bindings_.Find(key)->value;
  binding.set_revision(2);
  *binding.mutable_placement()->mutable_cluster_affinity()->add_exclude() = "a";
  PutCluster(MakeRoomy("b", 100));
  PutBinding(binding);
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  sim_.RunFor(absl::Hours(3));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  // A restart forgets nothing.
  StopService();
  StartService();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
  SayHealthy(key);
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("b", 3)));
}

}  // namespace
}  // namespace sealane::scheduler
