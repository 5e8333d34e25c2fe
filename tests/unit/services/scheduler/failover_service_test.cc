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
  FailoverServiceTest() : apps_(*bus_, sim_.env(), kAppStatusTable) {
    Ensure(kAppStatusTable, true);
    apps_.Start([](const std::string&) {}, [] {});
  }

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

  Table<v1::AppStatus> apps_;
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

}  // namespace
}  // namespace sealane::scheduler
