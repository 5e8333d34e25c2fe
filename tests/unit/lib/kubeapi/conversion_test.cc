#include "lib/kubeapi/conversion.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

Json Autoscaler(const char* version, Json spec) {
  spec["scaleTargetRef"] = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}};
  spec["maxReplicas"] = 5;
  return {{"apiVersion", version},
          {"kind", "HorizontalPodAutoscaler"},
          {"metadata", {{"name", "web"}}},
          {"spec", spec}};
}

Json CpuMetric(int percent) {
  return {
      {"type", "Resource"},
      {"resource",
       {{"name", "cpu"}, {"target", {{"type", "Utilization"}, {"averageUtilization", percent}}}}}};
}

TEST(ConversionTest, WhatV1HasNoFieldsForComesBack) {
  const Json metrics = Json::array(
      {{{"type", "Resource"},
        {"resource",
         {{"name", "memory"}, {"target", {{"type", "AverageValue"}, {"averageValue", "1Gi"}}}}}},
       CpuMetric(60),
       {{"type", "ContainerResource"},
        {"containerResource",
         {{"name", "cpu"},
          {"container", "app"},
          {"target", {{"type", "Utilization"}, {"averageUtilization", 70}}}}}},
       {{"type", "Pods"},
        {"pods",
         {{"metric", {{"name", "hits"}, {"selector", {{"matchLabels", {{"a", "b"}}}}}}},
          {"target", {{"type", "AverageValue"}, {"averageValue", "10"}}}}}},
       {{"type", "Object"},
        {"object",
         {{"describedObject", {{"kind", "Ingress"}, {"name", "in"}}},
          {"metric", {{"name", "requests"}}},
          {"target", {{"type", "Value"}, {"value", "2k"}}}}}},
       {{"type", "External"},
        {"external",
         {{"metric", {{"name", "queue"}, {"selector", {{"matchLabels", {{"q", "1"}}}}}}},
          {"target", {{"type", "AverageValue"}, {"averageValue", "30"}}}}}}});
  Json stored = Autoscaler("autoscaling/v2", {{"metrics", metrics}});
  stored["spec"]["behavior"] = {{"scaleDown", {{"stabilizationWindowSeconds", 60}}}};
  stored["metadata"]["annotations"] = {{"mine", "kept"}};
  Json shown = FromStorageForm("autoscaling/v1", stored);
  EXPECT_EQ(shown["spec"], Autoscaler("", {{"targetCPUUtilizationPercentage", 60}})["spec"]);
  const Json external =
      Json::parse(shown["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
                      .get<std::string>())[4]["external"];
  EXPECT_EQ(external["metricName"], "queue");
  EXPECT_EQ(external["targetAverageValue"], "30");
  ToStorageForm(shown);
  Json in_order = metrics;  // the one with a field of its own comes last
  in_order.erase(1);
  in_order.push_back(metrics[1]);
  stored["spec"]["metrics"] = in_order;
  EXPECT_EQ(shown, stored);
}

TEST(ConversionTest, AnAutoscalerIsOneObjectInBothVersions) {
  ApiHarness api;
  api.MakeNamespace("ns");
  const std::string v1 = "/apis/autoscaling/v1/namespaces/ns/horizontalpodautoscalers";
  const std::string v2 = "/apis/autoscaling/v2/namespaces/ns/horizontalpodautoscalers";
  const auto watch = api.Watch(v1 + "?watch=1");
  const ApiAnswer made =
      api.Post(v1, Autoscaler("autoscaling/v1", {{"targetCPUUtilizationPercentage", 50}}));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["apiVersion"], "autoscaling/v1");
  EXPECT_EQ(made.body["spec"]["targetCPUUtilizationPercentage"], 50);
  EXPECT_EQ(made.body["spec"]["minReplicas"], 1);
  Json stored = api.Get(v2 + "/web").body;
  EXPECT_EQ(stored["apiVersion"], "autoscaling/v2");
  EXPECT_EQ(stored["spec"]["metrics"], Json::array({CpuMetric(50)}));
  EXPECT_FALSE(stored["spec"].contains("targetCPUUtilizationPercentage"));
  EXPECT_EQ(api.Post(v2, Autoscaler("autoscaling/v2", Json::object())).status, 409);
  // Patches, replacements and applied configurations of v1.
  const ApiAnswer patched =
      api.MergePatch(v1 + "/web", {{"spec", {{"targetCPUUtilizationPercentage", 60}}}});
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(api.Get(v2 + "/web").body["spec"]["metrics"], Json::array({CpuMetric(60)}));
  Json full = api.Get(v1 + "/web").body;
  full["spec"]["maxReplicas"] = 7;
  EXPECT_EQ(api.Put(v1 + "/web", full).status, 200);
  const ApiAnswer applied =
      api.Apply(v1 + "/web", "me",
                Autoscaler("autoscaling/v1", {{"targetCPUUtilizationPercentage", 70}}), true);
  ASSERT_EQ(applied.status, 200) << applied.text;
  EXPECT_EQ(applied.body["spec"]["targetCPUUtilizationPercentage"], 70);
  EXPECT_EQ(api.Get(v1).body["items"][0]["spec"]["targetCPUUtilizationPercentage"], 70);
  EXPECT_EQ(api.Get(v1).body["items"][0]["spec"]["maxReplicas"], 5);
  EXPECT_EQ(watch->Events().back()["object"]["spec"]["targetCPUUtilizationPercentage"], 70);
  EXPECT_EQ(watch->Events().back()["object"]["apiVersion"], "autoscaling/v1");
  EXPECT_EQ(api.Get("/apis/autoscaling").body["preferredVersion"]["version"], "v2");
  EXPECT_EQ(api.Get("/apis/autoscaling").body["versions"].size(), 2U);
  EXPECT_EQ(api.Delete(v1 + "/web").status, 200);
  EXPECT_EQ(api.Get(v2 + "/web").status, 404);
}

TEST(ConversionTest, OldClientsMakeWhatTheyKnow) {
  ApiHarness api;
  api.MakeNamespace("ns");
  const Json pod = {{"restartPolicy", "Never"},
                    {"containers", {{{"name", "c"}, {"image", "busybox"}}}}};
  const ApiAnswer made =
      api.Post("/apis/batch/v1beta1/namespaces/ns/cronjobs",
               {{"apiVersion", "batch/v1beta1"},
                {"kind", "CronJob"},
                {"metadata", {{"name", "tick"}}},
                {"spec",
                 {{"schedule", "* * * * *"},
                  {"jobTemplate", {{"spec", {{"template", {{"spec", pod}}}}}}}}}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["apiVersion"], "batch/v1beta1");
  const Json stored = api.Get("/apis/batch/v1/namespaces/ns/cronjobs/tick").body;
  EXPECT_EQ(stored["apiVersion"], "batch/v1");
  EXPECT_EQ(stored["spec"]["concurrencyPolicy"], "Allow");
  // It is not shown to those who ask what there is.
  EXPECT_EQ(api.Get("/apis/batch").body["versions"].size(), 1U);
}

}  // namespace
}  // namespace sealane::kubeapi
