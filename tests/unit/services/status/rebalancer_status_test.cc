// What a WorkloadRebalancer is told about the objects that it names.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::Not;

class RebalancerStatusTest : public StatusServiceTest {
 protected:
  void Ask(int64_t generation, const Json& workloads) {
    v1::StoredObject object;
    Identify(*object.mutable_ref(), "apps.karmada.io/v1alpha1", "WorkloadRebalancer", "", "again");
    object.set_uid("uid-again");
    object.set_generation(generation);
    object.set_manifest(
        Json{{"metadata", {{"name", "again"}}}, {"spec", {{"workloads", workloads}}}}.dump());
    Put(kObjectsTable, Key(), object.SerializeAsString());
  }
  static std::string Key() {
    return RowKey(ObjectKey{"apps.karmada.io", "WorkloadRebalancer", "", "again"});
  }
  const v1::AppStatus* Row() {
    const auto* row = apps_.Find(Key());
    return row == nullptr ? nullptr : &row->value;
  }
  // "web Successful"
  std::vector<std::string> Results() {
    if (Row() == nullptr) return {"none"};
    std::vector<std::string> results;
    const Json status = Json::parse(Row()->status_json());
    for (const Json& observed : status["observedWorkloads"]) {
      results.push_back(StrCat(observed["workload"].value("name", "?"), " ",
                               observed.value("result", ""), observed.contains("reason") ? " " : "",
                               observed.value("reason", "")));
    }
    return results;
  }
  static Json Named(const std::string& name) {
    return {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"namespace", "n"}, {"name", name}};
  }
};

TEST_F(RebalancerStatusTest, SaysOnceWhatBecameOfEachObject) {
  Register("a");
  Deploy("web", {"a"});
  Deploy("api", {"a"});
  Ask(1, {Named("web"),
          Named("gone"),
          {{"apiVersion", "apps/v1"},
           {"kind", "Deployment"},
           {"labelSelector", {{"matchLabels", {{"app", "api"}}}}}},
          {{"apiVersion", "apps/v1"}, {"kind", "StatefulSet"}, {"labelSelector", Json::object()}}});
  EXPECT_EQ(Row(), nullptr) << "what came with it may be on its way";
  sim_.RunFor(absl::Seconds(3));
  const auto results = ElementsAre("web Successful", "gone Failed ReferencedBindingNotFound",
                                   "api Successful", "? Failed ReferencedBindingNotFound");
  EXPECT_THAT(Results(), results);
  ASSERT_NE(Row(), nullptr);
  EXPECT_EQ(Row()->phase(), "Healthy");
  EXPECT_EQ(Row()->observed_generation(), 1);
  const Json status = Json::parse(Row()->status_json());
  EXPECT_EQ(status["observedGeneration"], 1);
  EXPECT_TRUE(status["finishTime"].is_string());
  EXPECT_EQ(status["observedWorkloads"][2]["workload"], Named("api"));
  EXPECT_THAT(events_, Not(::testing::Contains("AppHealthy"))) << "the scheduler tells of it";

  // What comes and goes later is not concerned, neither here nor in another process.
  Deploy("gone", {"a"});
  Put(kObjectsTable, RowKey(ObjectKey{"apps", "Deployment", "n", "web"}), "");
  Put(kBindingsTable, RowKey(ObjectKey{"apps", "Deployment", "n", "web"}), "");
  StartService();
  sim_.RunFor(absl::Seconds(10));
  EXPECT_THAT(Results(), results);
  EXPECT_EQ(Json::parse(Row()->status_json()), status);

  Ask(2, {Named("web"), Named("gone")});
  sim_.RunFor(absl::Seconds(3));
  EXPECT_THAT(Results(), ElementsAre("web Failed ReferencedBindingNotFound", "gone Successful"));
  EXPECT_EQ(Row()->observed_generation(), 2);

  Put(kObjectsTable, Key(), "");
  EXPECT_EQ(Row(), nullptr);
  EXPECT_TRUE(service_->Idle());
}

}  // namespace
}  // namespace sealane::status
