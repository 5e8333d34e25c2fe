// Why pods are not ready, as a work's status tells it. Virtual time.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json PullBackOff(const char* list = "containerStatuses") {
  return {{"phase", "Pending"},
          {list,
           {{{"name", "c"},
             {"image", "web:2"},
             {"imageID", ""},
             {"ready", false},
             {"restartCount", 0},
             {"state",
              {{"waiting", {{"reason", "ImagePullBackOff"}, {"message", "no such image"}}}}}}}}};
}

class AgentPodsTest : public AgentTest {
 protected:
  static Json Template(const Json& labels) {
    return {{"metadata", {{"labels", labels}}},
            {"spec",
             {{"restartPolicy", "Always"}, {"containers", {{{"name", "c"}, {"image", "web:2"}}}}}}};
  }
  // The Deployment shop/web, applied, with a status as its controller would write it.
  void Deploy(int replicas, const Json& selector, const Json& labels) {
    const Json object = {
        {"apiVersion", "apps/v1"},
        {"kind", "Deployment"},
        {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
        {"spec", {{"replicas", replicas}, {"selector", selector}, {"template", Template(labels)}}}};
    world_.Put(object.dump());
    ASSERT_TRUE(Applied());
    SetStatus(kDeployment, {{"observedGeneration", 1},
                            {"replicas", replicas},
                            {"updatedReplicas", replicas},
                            {"availableReplicas", 0}});
  }
  void SetStatus(const std::string& path, const Json& status) {
    EXPECT_EQ(world_.Call("PATCH", path + "/status", {{"status", status}}, kMergePatch).status,
              200);
  }
  void AddPod(const std::string& name, const Json& labels, const Json& status) {
    Json pod = Template(labels);
    pod["metadata"]["name"] = name;
    ASSERT_EQ(world_.Call("POST", "/api/v1/namespaces/shop/pods", pod).status, 201);
    SetStatus(StrCat("/api/v1/namespaces/shop/pods/", name), status);
  }
  bool Tells(const std::string& text, std::string_view name = "web") {
    return world_.Until([&] {
      const v1::WorkStatus* status = world_.Status(name);
      return status != nullptr && status->detail().find(text) != std::string::npos;
    });
  }
  std::string Detail() { return world_.Status("web")->detail(); }
};

TEST_F(AgentPodsTest, TheSelectorIsFollowedWithItsExpressionsAndForeignPodsAreNotAskedFor) {
  world_.StartAgent();
  Deploy(2,
         {{"matchLabels", {{"app", "web"}}},
          {"matchExpressions",
           {{{"key", "tier"}, {"operator", "In"}, {"values", {"front", "edge"}}},
            {{"key", "old"}, {"operator", "DoesNotExist"}},
            {{"key", "zone"}, {"operator", "Exists"}},
            {{"key", "track"}, {"operator", "NotIn"}, {"values", {"canary"}}}}}},
         {{"app", "web"}, {"tier", "front"}, {"zone", "a"}});
  const Json good = {{"app", "web"}, {"tier", "edge"}, {"zone", "a"}};
  AddPod("web-1", good, PullBackOff());
  AddPod("web-2", good, PullBackOff("initContainerStatuses"));
  for (const Json& labels :
       {Json{{"app", "web"}, {"tier", "back"}, {"zone", "a"}},
        Json{{"app", "web"}, {"tier", "edge"}, {"zone", "a"}, {"old", "x"}},
        Json{{"app", "web"}, {"tier", "edge"}},
        Json{{"app", "web"}, {"tier", "edge"}, {"zone", "a"}, {"track", "canary"}},
        Json{{"app", "other"}}}) {
    AddPod(StrCat("foreign-", labels.dump().size()), labels, {{"phase", "Failed"}});
  }
  ASSERT_TRUE(Tells("2 of 2 pods: ImagePullBackOff (no such image)")) << Detail();
  EXPECT_THAT(Detail(), HasSubstr("0 of 2 updated replicas are available"));
  for (const auto& sent : world_.sent) {
    if (sent.request.path.find("/namespaces/shop/pods?") == std::string::npos) continue;
    EXPECT_THAT(sent.request.path, HasSubstr("labelSelector=app%3Dweb"));
  }
  // A pod that is going says nothing, a ready one neither; then all is well and nothing is told.
  SetStatus("/api/v1/namespaces/shop/pods/web-1",
            {{"phase", "Running"}, {"containerStatuses", nullptr}});
  ASSERT_TRUE(Tells("1 of 2 pods: ImagePullBackOff")) << Detail();
  SetStatus(kDeployment, {{"availableReplicas", 2}});
  ASSERT_TRUE(world_.Until([&] { return Detail().empty(); })) << Detail();
  EXPECT_EQ(world_.Status("web")->health(), "Healthy");
}

TEST_F(AgentPodsTest, ManyPodsAreCountedPageByPageUpToAThousand) {
  world_.StartAgent();
  Deploy(1100, {{"matchLabels", {{"app", "web"}}}}, {{"app", "web"}});
  for (int i = 0; i < 250; ++i) AddPod(StrCat("web-", i), {{"app", "web"}}, PullBackOff());
  ASSERT_TRUE(Tells("250 of 250 pods: ImagePullBackOff")) << Detail();
  for (int i = 250; i < 1100; ++i) AddPod(StrCat("web-", i), {{"app", "web"}}, PullBackOff());
  ASSERT_TRUE(Tells("1000 of the first 1000 pods: ImagePullBackOff")) << Detail();
}

TEST_F(AgentPodsTest, WhatTheControllerSaysIsTold) {
  world_.StartAgent();
  Deploy(3, {{"matchLabels", {{"app", "web"}}}}, {{"app", "web"}});
  SetStatus(kDeployment, {{"updatedReplicas", 0},
                          {"conditions",
                           {{{"type", "ReplicaFailure"},
                             {"status", "True"},
                             {"reason", "FailedCreate"},
                             {"message", "exceeded quota: compute"}},
                            {{"type", "Progressing"},
                             {"status", "False"},
                             {"reason", "ProgressDeadlineExceeded"},
                             {"message", "ReplicaSet \"web-1\" has timed out progressing."}}}}});
  ASSERT_TRUE(Tells("exceeded quota: compute")) << Detail();
  EXPECT_EQ(Detail(),
            "0 of 3 replicas are updated; ReplicaFailure: FailedCreate: exceeded quota: compute; "
            "not Progressing: ProgressDeadlineExceeded: ReplicaSet \"web-1\" has timed out "
            "progressing.");
}

TEST_F(AgentPodsTest, ABarePodTellsItsOwnTrouble) {
  world_.StartAgent();
  Json pod = Template({{"app", "web"}});
  pod["apiVersion"] = "v1";
  pod["kind"] = "Pod";
  pod["metadata"]["name"] = "web";
  pod["metadata"]["namespace"] = "shop";
  world_.Put(pod.dump());
  ASSERT_TRUE(Applied());
  SetStatus("/api/v1/namespaces/shop/pods/web", PullBackOff());
  ASSERT_TRUE(Tells("phase is Pending; ImagePullBackOff (no such image)")) << Detail();
}

TEST_F(AgentPodsTest, AJobThatRunsIsHealthyAndItsPodsTroubleIsToldAllTheSame) {
  world_.StartAgent();
  Json spec = {{"template", Template({{"app", "web"}})}};
  spec["template"]["spec"]["restartPolicy"] = "Never";
  const Json job = {{"apiVersion", "batch/v1"},
                    {"kind", "Job"},
                    {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
                    {"spec", spec}};
  world_.Put(job.dump());
  ASSERT_TRUE(Applied());
  const char* path = "/apis/batch/v1/namespaces/shop/jobs/web";
  Json labels = world_.Call("GET", path).body["spec"]["selector"]["matchLabels"];
  ASSERT_FALSE(labels.empty());
  AddPod("web-1", labels, PullBackOff());
  SetStatus(path, {{"active", 1}, {"ready", 0}});
  ASSERT_TRUE(Tells("1 of 1 pods: ImagePullBackOff (no such image)")) << Detail();
  EXPECT_EQ(world_.Status("web")->health(), "Healthy");
  SetStatus(path, {{"ready", 1}});
  ASSERT_TRUE(world_.Until([&] { return Detail().empty(); })) << Detail();
  // Failed for good: what the controller says, and what the pods say.
  SetStatus(path, {{"active", nullptr},
                   {"ready", 0},
                   {"failed", 1},
                   {"startTime", "2025-06-15T15:00:00Z"},
                   {"conditions",
                    {{{"type", "Failed"},
                      {"status", "True"},
                      {"reason", "BackoffLimitExceeded"},
                      {"message", "too many"}}}}});
  ASSERT_TRUE(Tells("BackoffLimitExceeded: too many; 1 of 1 pods: ImagePullBackOff")) << Detail();
}

TEST_F(AgentPodsTest, TheJobsOfACronJobThatRunTellTheTroubleOfTheirPods) {
  world_.StartAgent();
  Json job = {{"template", Template({{"app", "web"}})}};
  job["template"]["spec"]["restartPolicy"] = "Never";
  const Json cron = {{"apiVersion", "batch/v1"},
                     {"kind", "CronJob"},
                     {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
                     {"spec", {{"schedule", "* * * * *"}, {"jobTemplate", {{"spec", job}}}}}};
  world_.Put(cron.dump());
  ASSERT_TRUE(Applied());
  AddPod("web-1-x", {{"app", "web"}, {"job-name", "web-1"}}, PullBackOff());
  AddPod("other-1-x", {{"app", "web"}, {"job-name", "other-1"}}, PullBackOff());
  const char* path = "/apis/batch/v1/namespaces/shop/cronjobs/web";
  SetStatus(path, {{"active",
                    {{{"kind", "Job"}, {"name", "web-1"}}, {{"kind", "Job"}, {"name", "web-2"}}}}});
  ASSERT_TRUE(Tells("1 of 1 pods: ImagePullBackOff (no such image)")) << Detail();
  EXPECT_EQ(world_.Status("web")->health(), "Healthy");
  SetStatus(path, {{"active", nullptr}});
  ASSERT_TRUE(world_.Until([&] { return Detail().empty(); })) << Detail();
}

TEST_F(AgentPodsTest, WithoutTheRightToListPodsNothingIsToldAndNothingFails) {
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.path.find("/pods") == std::string::npos) return std::nullopt;
    return StatusAnswer(403, "Forbidden", "pods is forbidden");
  };
  world_.StartAgent();
  Deploy(1, {{"matchLabels", {{"app", "web"}}}}, {{"app", "web"}});
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_EQ(Detail(), "0 of 1 updated replicas are available");
  size_t asked = 0;
  for (const auto& sent : world_.sent) {
    asked += sent.request.path.find("/namespaces/shop/pods?") != std::string::npos ? 1 : 0;
  }
  EXPECT_LT(asked, 25U);
}

}  // namespace
}  // namespace sealane::agent
