#pragma once

// One binding, its row and its status, on a clock that is moved by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/scheduler/failover.h"
#include "services/scheduler/failover_plan.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kStart = 1'000'000 * kSecond;
inline constexpr char kOne[] = R"({"spreadConstraints":
    [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]})";

inline v1::ClusterAppStatus Part(const std::string& cluster, const std::string& health,
                                 int64_t unhealthy_since = 0, int ready = 0) {
  v1::ClusterAppStatus part;
  part.set_cluster(cluster);
  part.set_health(health);
  part.set_unhealthy_since_micros(unhealthy_since);
  part.set_applied_generation(1);
  part.mutable_replicas()->set_ready(ready);
  if (unhealthy_since != 0) part.set_reason("CrashLoopBackOff");
  return part;
}

class FailoverTest : public ::testing::Test {
 protected:
  FailoverTest() : binding_(MakeBinding(3, kOne)) {
    binding_.set_object_generation(1);
    rules().set_purge_mode("Gracefully");
    for (const char* name : {"a", "b"}) snapshot_.Set(MakeCluster(name));
    status_.set_uid(binding_.uid());
  }
  v1::ApplicationFailover& rules() { return *binding_.mutable_failover()->mutable_application(); }

  // Placed by the planner itself.
  void Place() {
    placed_ = v1::Placed();
    PlanInput input{binding_, nullptr, snapshot_};
    input.now_micros = now_;
    Plan plan = PlanWithFailover(input, nullptr, true).plan;
    placed_ = std::move(plan.row);
  }
  void Say(std::vector<v1::ClusterAppStatus> parts) {
    status_.clear_clusters();
    for (auto& part : parts) *status_.add_clusters() = std::move(part);
  }
  void After(int64_t seconds) { now_ += seconds * kSecond; }
  Failover Judge(bool known = true) {
    FailoverInput input{binding_, placed_, snapshot_, known ? &status_ : nullptr, known};
    input.now_micros = now_;
    input.limit = limit_;
    return JudgeFailover(input);
  }
  // Plans and takes the row over.
  FailoverPlan Act(bool known = true, int64_t rebalance = 0) {
    PlanInput input{binding_, &placed_, snapshot_};
    input.now_micros = now_;
    input.rebalance_micros = rebalance;
    input.failover_limit = limit_;
    input.failback_spread = spread_;
    if (!capacity_lost_.empty()) input.capacity_lost = &capacity_lost_;
    FailoverPlan result = PlanWithFailover(input, known ? &status_ : nullptr, known);
    if (result.plan.write) placed_ = result.plan.row;
    return result;
  }
  std::vector<std::string> Evicted() const {
    std::vector<std::string> names;
    for (const v1::Eviction& eviction : placed_.evictions()) names.push_back(eviction.cluster());
    return names;
  }
  // Failed in a, moved to b, a copy in a.
  void MoveToB() {
    Place();
    ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3)));
    Say({Part("a", "Unhealthy", now_)});
    After(300);
    ASSERT_EQ(Act().failovers.size(), 1u);
    ASSERT_THAT(Evicted(), ElementsAre("a"));
    ASSERT_EQ(ToMap(placed_).at("b"), 3);
  }

  int64_t now_ = kStart;
  int limit_ = 3;
  absl::Duration spread_ = absl::ZeroDuration();
  ReplicaCounts capacity_lost_;
  v1::Binding binding_;
  v1::Placed placed_;
  v1::AppStatus status_;
  Snapshot snapshot_;
};

// A cluster with a NoExecute taint is left gracefully.
class ClusterFailoverTest : public FailoverTest {
 protected:
  ClusterFailoverTest() {
    binding_.clear_failover();
    binding_.mutable_failover()->mutable_cluster();
    Place();
  }
  void Taint() {
    snapshot_.Set(MakeCluster("a", R"({"spec": {"taints": [
        {"key": "sick", "effect": "NoExecute", "timeAdded": "1970-01-12T13:46:40Z"}]}})"));
  }
  void TaintAndMoveToB() {
    Taint();
    const FailoverPlan result = Act();
    ASSERT_EQ(result.failovers.size(), 1u);
    EXPECT_EQ(result.failovers[0].reason(), "ClusterFailover");
    ASSERT_THAT(ToMap(placed_), UnorderedElementsAre(Pair("a", 3), Pair("b", 3)));
    EXPECT_THAT(placed_.cause(), HasSubstr("cluster failover: has to leave a: taint {sick"));
  }
};

}  // namespace sealane::scheduler
