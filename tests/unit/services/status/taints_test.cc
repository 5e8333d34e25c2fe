#include "services/status/taints.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/model/toleration.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "services/status/conditions.h"
#include "tests/support/status_matchers.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000;

class TaintsTest : public ::testing::Test {
 protected:
  // Computes the taints at that second and keeps them as the row in force.
  std::vector<std::string> TaintsAt(int second, Readiness readiness, bool storm = false) {
    now_ = second * kSecond;
    SetReady(row_, readiness, true, "", now_);
    const std::vector<v1::Taint> taints = ComputeTaints(options_, {.registered = registered_,
                                                                   .previous = &row_,
                                                                   .conditions = row_,
                                                                   .readiness = readiness,
                                                                   .storm = storm,
                                                                   .policies = policies_,
                                                                   .now_micros = now_});
    row_.clear_taints();
    std::vector<std::string> result;
    for (const v1::Taint& taint : taints) {
      *row_.add_taints() = taint;
      result.push_back(Describe(taint));
    }
    row_.set_generation(registered_.generation());
    return result;
  }
  void AddPolicy(std::string_view manifest) {
    auto policy = ParseTaintPolicy(Json::parse(manifest), 1);
    ASSERT_OK(policy);
    policies_.push_back(*std::move(policy));
  }

  FailoverOptions options_;
  v1::ClusterStatus registered_;
  v1::ClusterStatus row_;
  std::vector<TaintPolicy> policies_;
  int64_t now_ = 0;
};

TEST_F(TaintsTest, FollowTheConditionAndKeepTheirTime) {
  EXPECT_THAT(TaintsAt(0, Readiness::kTrue), IsEmpty());
  EXPECT_THAT(TaintsAt(10, Readiness::kFalse),
              ElementsAre("cluster.karmada.io/not-ready:NoSchedule"));
  EXPECT_THAT(TaintsAt(20, Readiness::kUnknown),
              ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  EXPECT_EQ(row_.taints(0).time_added_micros(), 10 * kSecond);
  EXPECT_EQ(NextTaintChangeMicros(options_, row_, 0), 310 * kSecond);
  EXPECT_THAT(TaintsAt(30, Readiness::kTrue), IsEmpty());
  EXPECT_EQ(NextTaintChangeMicros(options_, row_, 0), 0);
}

TEST_F(TaintsTest, FailoverBeginsAfterTheToleratedTime) {
  TaintsAt(0, Readiness::kUnknown);
  EXPECT_EQ(TaintsAt(299, Readiness::kUnknown).size(), 1u);
  EXPECT_THAT(TaintsAt(300, Readiness::kUnknown),
              ElementsAre("cluster.karmada.io/unreachable:NoExecute",
                          "cluster.karmada.io/unreachable:NoSchedule"));
  EXPECT_EQ(row_.taints(0).time_added_micros(), 300 * kSecond);
  EXPECT_EQ(NextTaintChangeMicros(options_, row_, 0), 0);
  TaintsAt(400, Readiness::kUnknown);
  EXPECT_EQ(row_.taints(0).time_added_micros(), 300 * kSecond);
  EXPECT_THAT(TaintsAt(500, Readiness::kTrue), IsEmpty());
}

TEST_F(TaintsTest, NoFailoverInAStormOrWhenSwitchedOff) {
  TaintsAt(0, Readiness::kUnknown);
  EXPECT_EQ(TaintsAt(400, Readiness::kUnknown, true).size(), 1u);
  EXPECT_EQ(TaintsAt(401, Readiness::kUnknown, false).size(), 2u);
  options_.enabled = false;
  EXPECT_EQ(TaintsAt(402, Readiness::kUnknown).size(), 1u);
}

TEST_F(TaintsTest, StormIsALargeShareOfAllClusters) {
  EXPECT_FALSE(IsStorm(options_, 0, 0));
  EXPECT_FALSE(IsStorm(options_, 1, 3));
  EXPECT_TRUE(IsStorm(options_, 2, 3));
  EXPECT_TRUE(IsStorm(options_, 1, 1));
  EXPECT_FALSE(IsStorm(options_, 50, 100));
}

TEST_F(TaintsTest, OwnTaintsStayAndWin) {
  v1::Taint* cordon = registered_.add_taints();
  cordon->set_key("cluster.karmada.io/unschedulable");
  cordon->set_effect("NoSchedule");
  v1::Taint* drain = registered_.add_taints();
  drain->set_key("maintenance");
  drain->set_effect("NoExecute");
  EXPECT_THAT(TaintsAt(5, Readiness::kTrue),
              ElementsAre("cluster.karmada.io/unschedulable:NoSchedule", "maintenance:NoExecute"));
  TaintsAt(60, Readiness::kTrue);
  EXPECT_EQ(row_.taints(1).time_added_micros(), 5 * kSecond);
}

constexpr char kPolicy[] = R"({"metadata":{"name":"lost"},"spec":{
  "targetClusters":{"clusterNames":["a"]},
  "addOnConditions":[{"conditionType":"Ready","operator":"NotIn","statusValues":["True"]}],
  "removeOnConditions":[{"conditionType":"Ready","operator":"In","statusValues":["True"]}],
  "taints":[{"key":"lost","effect":"NoExecute"}]}})";

TEST_F(TaintsTest, PolicyAddsAndRemovesOnConditions) {
  registered_.set_name("a");
  options_.enabled = false;
  AddPolicy(kPolicy);
  EXPECT_THAT(TaintsAt(0, Readiness::kTrue), IsEmpty());
  EXPECT_EQ(TaintsAt(10, Readiness::kUnknown).back(), "lost:NoExecute");
  EXPECT_EQ(TaintsAt(20, Readiness::kFalse).back(), "lost:NoExecute");
  EXPECT_EQ(row_.taints(1).time_added_micros(), 10 * kSecond);
  EXPECT_THAT(TaintsAt(30, Readiness::kTrue), IsEmpty());
}

TEST_F(TaintsTest, NoPolicyDrivesOutInAStorm) {
  registered_.set_name("a");
  options_.enabled = false;
  AddPolicy(kPolicy);
  EXPECT_THAT(TaintsAt(10, Readiness::kUnknown, /*storm=*/true),
              ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  EXPECT_EQ(TaintsAt(20, Readiness::kUnknown).back(), "lost:NoExecute");
  EXPECT_EQ(TaintsAt(30, Readiness::kUnknown, /*storm=*/true).back(), "lost:NoExecute") << "stays";
}

TEST_F(TaintsTest, TaintsOutliveTheirPolicyUntilTheClusterChanges) {
  registered_.set_name("a");
  registered_.set_generation(1);
  AddPolicy(kPolicy);
  TaintsAt(10, Readiness::kUnknown);
  policies_.clear();
  EXPECT_THAT(TaintsAt(20, Readiness::kTrue), ElementsAre("lost:NoExecute"));
  registered_.set_generation(2);
  EXPECT_THAT(TaintsAt(30, Readiness::kTrue), IsEmpty());
}

TEST_F(TaintsTest, PolicyOfAnotherClusterDoesNothing) {
  registered_.set_name("b");
  AddPolicy(kPolicy);
  EXPECT_EQ(TaintsAt(10, Readiness::kUnknown).size(), 1u);
}

TEST_F(TaintsTest, MalformedPolicyNamesItsField) {
  const auto policy =
      ParseTaintPolicy(Json::parse(R"({"metadata":{"name":"x"},"spec":{"addOnConditions":[
                      {"conditionType":"Ready","operator":"Is"}]}})"),
                       1);
  EXPECT_THAT(policy, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("spec.addOnConditions[0].operator")));
}

}  // namespace
}  // namespace sealane::status
