// Health, reflection and aggregation of statuses, beyond the recorded cases of the conformance
// data.

#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/kube/aggregate_status.h"
#include "lib/kube/health.h"
#include "lib/kube/reflect_status.h"
#include "tests/support/status_matchers.h"

namespace sealane::kube {
namespace {

using ::testing::HasSubstr;

Json Object(std::string_view api_version, std::string_view kind, Json spec, Json status,
            int64_t generation = 1) {
  return Json{{"apiVersion", api_version},
              {"kind", kind},
              {"metadata", {{"name", "x"}, {"namespace", "n"}, {"generation", generation}}},
              {"spec", std::move(spec)},
              {"status", std::move(status)}};
}

Json Conditions(std::string_view type, std::string_view status, std::string_view message = "") {
  return Json{
      {"conditions", Json::array({{{"type", type}, {"status", status}, {"message", message}}})}};
}

TEST(HealthTest, SaysWhatIsMissing) {
  const Json object =
      Object("apps/v1", "Deployment", {{"replicas", 5}},
             {{"observedGeneration", 1}, {"updatedReplicas", 2}, {"availableReplicas", 2}});
  const HealthVerdict verdict = InterpretHealth(object);
  EXPECT_EQ(verdict.health, Health::kUnhealthy);
  EXPECT_EQ(verdict.reason, "2 of 5 replicas are updated");
}

TEST(HealthTest, SaysWhyThereAreTooFewPods) {
  Json status = {{"observedGeneration", 1}, {"updatedReplicas", 2}, {"availableReplicas", 2}};
  status["conditions"] = {{{"type", "Progressing"}, {"status", "True"}, {"message", "it goes on"}},
                          {{"type", "ReplicaFailure"},
                           {"status", "True"},
                           {"reason", "FailedCreate"},
                           {"message", "exceeded quota"}}};
  const auto reason = [&](const char* kind) {
    return InterpretHealth(Object("apps/v1", kind, {{"replicas", 5}}, status)).reason;
  };
  EXPECT_EQ(reason("Deployment"),
            "2 of 5 replicas are updated; ReplicaFailure: FailedCreate: exceeded quota");
  EXPECT_EQ(reason("ReplicaSet"),
            "2 of 5 replicas are available; ReplicaFailure: FailedCreate: exceeded quota");
}

TEST(HealthTest, MalformedFieldsAreUnknownAndNamed) {
  const HealthVerdict verdict = InterpretHealth(
      Object("apps/v1", "Deployment", {{"replicas", 1}}, {{"observedGeneration", "one"}}));
  EXPECT_EQ(verdict.health, Health::kUnknown);
  EXPECT_THAT(verdict.reason, HasSubstr("status.observedGeneration"));
}

TEST(HealthTest, KindsWithoutARuleOfTheirOwn) {
  const Json none = Json::object();
  const struct {
    const char* what;
    Json object;
    Health want;
  } cases[] = {
      {"running job", Object("batch/v1", "Job", none, {{"active", 1}}), Health::kHealthy},
      {"failed job", Object("batch/v1", "Job", none, Conditions("Failed", "True")),
       Health::kUnhealthy},
      {"complete job", Object("batch/v1", "Job", none, Conditions("Complete", "True")),
       Health::kHealthy},
      {"cron job", Object("batch/v1", "CronJob", none, none), Health::kHealthy},
      {"terminating namespace", Object("v1", "Namespace", none, {{"phase", "Terminating"}}),
       Health::kUnhealthy},
      {"established CRD",
       Object("apiextensions.k8s.io/v1", "CustomResourceDefinition", none,
              Conditions("Established", "True")),
       Health::kHealthy},
      {"new CRD", Object("apiextensions.k8s.io/v1", "CustomResourceDefinition", none, none),
       Health::kUnhealthy},
      {"blind autoscaler",
       Object("autoscaling/v2", "HorizontalPodAutoscaler", none,
              Conditions("ScalingActive", "False", "no metrics")),
       Health::kUnhealthy},
      {"custom ready", Object("x.io/v1", "Thing", none, Conditions("Ready", "True")),
       Health::kHealthy},
      {"custom not ready", Object("x.io/v1", "Thing", none, Conditions("Ready", "False")),
       Health::kUnhealthy},
      {"custom undecided", Object("x.io/v1", "Thing", none, Conditions("Available", "Unknown")),
       Health::kUnknown},
      {"custom failed", Object("x.io/v1", "Thing", none, Conditions("Failed", "True")),
       Health::kUnhealthy},
      {"custom behind", Object("x.io/v1", "Thing", none, {{"observedGeneration", 1}}, 2),
       Health::kUnhealthy},
      {"custom without status", Object("x.io/v1", "Thing", none, nullptr), Health::kHealthy},
      {"Ingress of another group", Object("x.io/v1", "Ingress", none, none), Health::kHealthy},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(InterpretHealth(test.object).health, test.want) << test.what;
  }
}

TEST(HealthTest, NamesRoundTrip) {
  for (const Health health : {Health::kUnknown, Health::kHealthy, Health::kUnhealthy}) {
    EXPECT_EQ(ParseHealth(HealthName(health)), health);
  }
}

TEST(ReflectStatusTest, TemplateGenerationIsGivenOrAnnotated) {
  Json object = Object("apps/v1", "Deployment", Json::object(), {{"replicas", 2}}, 7);
  EXPECT_THAT(ReflectStatus(object), StatusIs(absl::StatusCode::kInvalidArgument,
                                              HasSubstr(kTemplateGenerationAnnotation)));
  const auto given = ReflectStatus(object, 3);
  ASSERT_OK(given);
  EXPECT_EQ(*given, (Json{{"replicas", 2}, {"generation", 7}, {"resourceTemplateGeneration", 3}}));
  object["metadata"]["annotations"] = {{kTemplateGenerationAnnotation, "4"}};
  const auto annotated = ReflectStatus(object);
  ASSERT_OK(annotated);
  EXPECT_EQ((*annotated)["resourceTemplateGeneration"], 4);
}

TEST(ReflectStatusTest, MalformedStatusIsRefusedWithItsField) {
  EXPECT_THAT(ReflectStatus(Object("batch/v1", "Job", Json::object(), {{"active", "many"}})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("status.active")));
  EXPECT_THAT(ReflectStatus(Object("v1", "Pod", Json::object(), "broken")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("status")));
}

class AggregateStatusTest : public ::testing::Test {
 protected:
  absl::StatusOr<Json> Aggregate(const Json& object, const std::vector<Json>& statuses) {
    std::vector<AggregateItem> items;
    for (size_t i = 0; i < statuses.size(); ++i) {
      items.push_back({"member" + std::to_string(i), &statuses[i]});
    }
    return AggregateStatus(object, items, absl::FromUnixSeconds(1'750'000'000));
  }
};

TEST_F(AggregateStatusTest, ObservedGenerationWaitsForTheLastCluster) {
  for (const char* kind : {"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet"}) {
    Json object = Object("apps/v1", kind, Json::object(), {{"observedGeneration", 4}}, 5);
    const Json done = {
        {"generation", 9}, {"observedGeneration", 9}, {"resourceTemplateGeneration", 5}};
    const Json behind = {
        {"generation", 9}, {"observedGeneration", 8}, {"resourceTemplateGeneration", 5}};
    const Json old = {
        {"generation", 8}, {"observedGeneration", 8}, {"resourceTemplateGeneration", 4}};
    EXPECT_EQ((*Aggregate(object, {done, behind}))["observedGeneration"], 4) << kind;
    EXPECT_EQ((*Aggregate(object, {done, old}))["observedGeneration"], 4) << kind;
    EXPECT_EQ((*Aggregate(object, {done, nullptr}))["observedGeneration"], 4) << kind;
    EXPECT_EQ((*Aggregate(object, {done, done}))["observedGeneration"], 5) << kind;
  }
}

TEST_F(AggregateStatusTest, FinishedJobStaysFinished) {
  Json object = Object("batch/v1", "Job", Json::object(), Json());
  const Json complete = {
      {"succeeded", 2},
      {"startTime", "2026-01-01T00:00:00Z"},
      {"completionTime", "2026-01-01T01:00:00Z"},
      {"conditions", Json::array({{{"type", "Complete"}, {"status", "True"}},
                                  {{"type", "SuccessCriteriaMet"}, {"status", "True"}}})}};
  auto status = Aggregate(object, {complete, complete});
  ASSERT_OK(status);
  EXPECT_EQ((*status)["succeeded"], 4);
  ASSERT_EQ((*status)["conditions"].size(), 2u);
  EXPECT_EQ((*status)["conditions"][0]["type"], "Complete");
  EXPECT_EQ((*status)["conditions"][0]["lastTransitionTime"], "2025-06-15T15:06:40Z");
  EXPECT_EQ((*status)["conditions"][1]["type"], "SuccessCriteriaMet");
  object["status"] = *status;
  EXPECT_EQ(*Aggregate(object, {Json{{"active", 1}}}), *status);
}

TEST_F(AggregateStatusTest, AddressesAreUniqueAndSorted) {
  const Json object = Object("v1", "Service", {{"type", "LoadBalancer"}}, Json());
  const Json a = {{"loadBalancer",
                   {{"ingress",
                     {{{"ip", "10.0.0.2"}, {"ports", {{{"port", 80}, {"protocol", "TCP"}}}}},
                      {{"hostname", "b.example.com"}}}}}}};
  const Json b = {{"loadBalancer",
                   {{"ingress",
                     {{{"ip", "10.0.0.2"}, {"ports", {{{"port", 443}, {"protocol", "TCP"}}}}},
                      {{"hostname", "a.example.com"}, {"ip", "10.0.0.1"}}}}}}};
  const auto status = Aggregate(object, {a, b});
  ASSERT_OK(status);
  EXPECT_EQ((*status)["loadBalancer"]["ingress"],
            Json::parse(R"([{"hostname":"a.example.com","ip":"10.0.0.1"},
                            {"hostname":"b.example.com"},
                            {"ip":"10.0.0.2","ports":[{"port":80,"protocol":"TCP"},
                                                      {"port":443,"protocol":"TCP"}]}])"));
}

TEST_F(AggregateStatusTest, DisruptedPodsCarryTheirCluster) {
  const Json object = Object("policy/v1", "PodDisruptionBudget", Json::object(), Json());
  const auto status = Aggregate(
      object, {Json{{"currentHealthy", 1}, {"disruptedPods", {{"p", "2026-01-01T00:00:00Z"}}}},
               Json{{"currentHealthy", 2}}});
  ASSERT_OK(status);
  EXPECT_EQ((*status)["currentHealthy"], 3);
  EXPECT_TRUE((*status)["disruptedPods"].contains("member0/p"));
}

TEST_F(AggregateStatusTest, MalformedPartNamesItsCluster) {
  const Json object = Object("apps/v1", "Deployment", Json::object(), Json());
  EXPECT_THAT(Aggregate(object, {Json::object(), Json{{"replicas", "two"}}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::AllOf(HasSubstr("member1"), HasSubstr("status.replicas"))));
  EXPECT_THAT(Aggregate(Object("batch/v1", "Job", Json::object(), Json()),
                        {Json{{"startTime", "yesterday"}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("member0")));
}

TEST_F(AggregateStatusTest, OtherKindsAreNotAggregated) {
  const Json object = Object("x.io/v1", "Thing", Json::object(), Json());
  EXPECT_FALSE(CanAggregate(object));
  EXPECT_TRUE(Aggregate(object, {Json{{"a", 1}}})->is_null());
}

}  // namespace
}  // namespace sealane::kube
