// What the agent says: of a work, and of its cluster. And what it leaves to others. Virtual time.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AgentStatusTest : public AgentTest {
 protected:
  static std::string Deployment(const Json& change = Json::object()) {
    Json object = {{"apiVersion", "apps/v1"},
                   {"kind", "Deployment"},
                   {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
                   {"spec",
                    {{"selector", {{"matchLabels", {{"app", "web"}}}}},
                     {"template",
                      {{"metadata", {{"labels", {{"app", "web"}}}}},
                       {"spec", {{"containers", {{{"name", "main"}, {"image", "web:1"}}}}}}}}}}};
    object.merge_patch(change);
    return object.dump();
  }
  Json Get() { return world_.Call("GET", kDeployment).body; }
  // As the autoscaler does it.
  void Scale(int replicas) {
    const Json scale = {{"spec", {{"replicas", replicas}}}};
    EXPECT_EQ(
        world_.Call("PATCH", StrCat(kDeployment, "/scale?fieldManager=hpa"), scale, kMergePatch)
            .status,
        200);
  }
  void SetStatus(const Json& status) {
    EXPECT_EQ(
        world_.Call("PATCH", StrCat(kDeployment, "/status"), {{"status", status}}, kMergePatch)
            .status,
        200);
  }
};

TEST_F(AgentStatusTest, AStatusIsSentWhenItChangesAndRapidChangesAsOne) {
  world_.StartAgent();
  world_.Put(Deployment());
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(5));
  const size_t said = world_.said().size();
  for (int i = 1; i <= 200; ++i) {
    SetStatus({{"observedGeneration", 1}, {"replicas", i}});
    world_.sim.RunFor(absl::Milliseconds(1));
  }
  ASSERT_TRUE(world_.Until(
      [&] { return world_.Status("web")->status_json().find("\"replicas\":200") != -1UL; }));
  EXPECT_LE(world_.said().size(), said + 6);  // one for each 50 ms
  EXPECT_GE(world_.said().size(), said + 2);
  const size_t then = world_.said().size();
  world_.sim.RunFor(absl::Hours(1));
  EXPECT_EQ(world_.said().size(), then);
}

TEST_F(AgentStatusTest, AStatusIsBoundedInSize) {
  world_.StartAgent();
  const auto put = [&](size_t size) {
    world_.Call("PATCH", "/apis/example.com/v1/namespaces/shop/widgets/w/status",
                {{"status", {{"text", std::string(size, 'x')}}}}, kMergePatch);
  };
  world_.Put(R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
    "metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
    "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
    "schema":{"openAPIV3Schema":{"type":"object",
    "x-kubernetes-preserve-unknown-fields":true}}}]}})");
  world_.Put(R"({"apiVersion":"example.com/v1","kind":"Widget",
    "metadata":{"name":"w","namespace":"shop"},"spec":{"size":3}})");
  ASSERT_TRUE(Applied("w"));
  put(60'000);
  ASSERT_TRUE(world_.Until([&] { return world_.Status("w")->status_json().size() > 60'000; }));
  put(70'000);
  ASSERT_TRUE(world_.Until([&] { return world_.Status("w")->status_json().empty(); }));
  EXPECT_THAT(world_.Status("w")->detail(), HasSubstr("too large to be reported"));
  put(10);
  ASSERT_TRUE(world_.Until([&] { return world_.Status("w")->status_json().size() > 10; }));
  EXPECT_EQ(world_.Status("w")->detail(), "");
}

TEST_F(AgentStatusTest, ANewGenerationWithTheSameManifestIsAppliedWhenItIsConfirmed) {
  world_.StartAgent();
  const v1::Work work = world_.Put(Deployment());
  ASSERT_TRUE(Applied());
  const int64_t applied = world_.Status("web")->applied_micros();
  world_.sim.RunFor(absl::Seconds(5));
  // A change of an object that an override takes back: this cluster's part stays as it is.
  world_.Put(Deployment(),
             [&](v1::Work& next) { next.set_object_generation(work.object_generation() + 1); });
  ASSERT_TRUE(world_.Until(
      [&] { return world_.Status("web")->object_generation() == work.object_generation() + 1; }));
  EXPECT_GE(world_.Status("web")->applied_micros(), applied + 5'000'000);
}

TEST_F(AgentStatusTest, FailedAppliesAreCountedByReason) {
  world_.StartAgent();
  std::string reason = "Forbidden";
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method != "PATCH") return std::nullopt;
    return StatusAnswer(403, reason, "no");
  };
  const auto count = [&](std::string_view of) {
    return world_.Metric(StrCat("sealane_agent_apply_errors_total{reason=\"", of, "\"}"));
  };
  EXPECT_EQ(count("Forbidden"), 0) << "every series exists from the start";
  world_.Put(Deployment());
  ASSERT_TRUE(Failed("Forbidden"));
  EXPECT_GE(count("Forbidden"), 1);
  EXPECT_EQ(count("Other"), 0);
  reason = "AWebhooksOwnInvention";
  ASSERT_TRUE(world_.Until([&] { return count("Other") > 0; }, absl::Minutes(5)));
}

TEST_F(AgentStatusTest, AnHugeRefusalIsCut) {
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "GET") return std::nullopt;
    return StatusAnswer(422, "Invalid", std::string(1 << 20, 'x'));
  };
  world_.StartAgent();
  world_.Put(Deployment());
  ASSERT_TRUE(Failed("Invalid"));
  EXPECT_EQ(world_.Status("web")->message().size(), 2048U);
}

TEST_F(AgentStatusTest, RepairsAreCountedAcrossRestarts) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(5));
  world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
  world_.sim.RunFor(absl::Seconds(5));
  ASSERT_EQ(world_.Status("web")->drift_repairs(), 1);
  const size_t said = world_.said().size();
  world_.KillAgent();
  world_.StartAgent();
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(world_.said().size(), said);
  world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
  ASSERT_TRUE(world_.Until([&] { return world_.Status("web")->drift_repairs() == 2; }));
}

TEST_F(AgentStatusTest, TheHeartbeatTellsTheCluster) {
  const std::string uid =
      world_.Call("GET", "/api/v1/namespaces/kube-system").body["metadata"]["uid"];
  const Json node = world_.Call("GET", "/api/v1/nodes").body["items"][0];
  const auto pod = [&](const char* name, bool placed) {
    Json object = {{"metadata", {{"name", name}}},
                   {"spec",
                    {{"containers",
                      {{{"name", "c"},
                        {"image", "i"},
                        {"resources", {{"requests", {{"cpu", "500m"}, {"memory", "1Gi"}}}}}}}}}}};
    if (placed) object["spec"]["nodeName"] = node["metadata"]["name"];
    ASSERT_EQ(world_.Call("POST", "/api/v1/namespaces/shop/pods", object).status, 201);
  };
  pod("one", true);
  pod("two", true);
  pod("three", false);
  world_.StartAgent();
  ASSERT_TRUE(world_.Until([&] { return world_.heartbeat().counter() > 0; }));
  const v1::Heartbeat& said = world_.heartbeat();
  EXPECT_EQ(said.cluster(), "member");
  EXPECT_EQ(said.cluster_id(), uid);
  EXPECT_EQ(said.kubernetes_version(), world_.Call("GET", "/version").body["gitVersion"]);
  EXPECT_FALSE(said.agent_version().empty());
  EXPECT_TRUE(said.api_healthy());
  EXPECT_EQ(said.api_message(), "");
  EXPECT_TRUE(said.api_enablements_complete());
  bool deployments = false;
  for (const v1::ApiEnablement& group : said.api_enablements()) {
    for (const v1::ApiResource& resource : group.resources()) {
      deployments |= group.group_version() == "apps/v1" && resource.kind() == "Deployment" &&
                     resource.name() == "deployments";
    }
  }
  EXPECT_TRUE(deployments);
  EXPECT_EQ(said.node_summary().total_num(), 1);
  EXPECT_EQ(said.node_summary().ready_num(), 1);
  const v1::ResourceSummary& sums = said.resource_summary();
  EXPECT_EQ(sums.allocatable().at("cpu"), node["status"]["allocatable"]["cpu"]);
  EXPECT_EQ(sums.allocated().at("cpu"), "1");
  EXPECT_EQ(sums.allocated().at("memory"), "2Gi");
  EXPECT_EQ(sums.allocated().at("pods"), "2");
  EXPECT_EQ(sums.allocating().at("cpu"), "500m");
  EXPECT_EQ(sums.allocating().at("pods"), "1");
  // The nodes as the resource models count them.
  ASSERT_EQ(said.node_shapes_size(), 1);
  EXPECT_EQ(said.node_shapes(0).count(), 1);
  EXPECT_TRUE(said.node_shapes(0).free().contains("cpu"));
  // A change is told soon; otherwise the agent says every ten seconds that it is there.
  const int64_t counter = said.counter();
  world_.Call("DELETE", "/api/v1/namespaces/shop/pods/three?gracePeriodSeconds=0");
  ASSERT_TRUE(world_.Until(
      [&] { return !world_.heartbeat().resource_summary().allocating().contains("cpu"); },
      absl::Seconds(3)));
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_GE(world_.heartbeat().counter(), counter + 6);
  EXPECT_LE(world_.heartbeat().counter(), counter + 9);
}

TEST_F(AgentStatusTest, RetainedReplicasBelongToTheAutoscaler) {
  const Json labels = {
      {"metadata", {{"labels", {{"resourcetemplate.karmada.io/retain-replicas", "true"}}}}}};
  const auto manifest = [&](int replicas, const char* image) {
    Json change = labels;
    change["spec"]["replicas"] = replicas;
    change["spec"]["template"]["spec"]["containers"] =
        Json::array({{{"name", "main"}, {"image", image}}});
    return Deployment(change);
  };
  world_.StartAgent();
  world_.Put(manifest(2, "web:1"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Get()["spec"]["replicas"], 2);  // as many as the manifest says, to begin with
  Scale(5);
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(Get()["spec"]["replicas"], 5);
  EXPECT_EQ(world_.Status("web")->drift_repairs(), 0);
  world_.Put(manifest(3, "web:2"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Get()["spec"]["replicas"], 5);
  EXPECT_EQ(Get()["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
  Scale(7);
  world_.KillAgent();
  world_.StartAgent();
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(Get()["spec"]["replicas"], 7);
  // Without the label they are the manifest's again.
  world_.Put(Deployment({{"spec", {{"replicas", 3}}}}));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Get()["spec"]["replicas"], 3);
}

TEST_F(AgentStatusTest, WhatTheManifestDoesNotNameIsLeftToOthers) {
  world_.StartAgent();
  world_.Put(Deployment());
  ASSERT_TRUE(Applied());
  Scale(5);
  const Json sidecar = {
      {"spec",
       {{"template", {{"spec", {{"containers", {{{"name", "proxy"}, {"image", "proxy:1"}}}}}}}}}}};
  EXPECT_EQ(
      world_.Call("PATCH", kDeployment, sidecar, "application/strategic-merge-patch+json").status,
      200);
  const size_t writes = world_.Writes().size();
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(world_.Writes().size(), writes);
  world_.Put(Deployment({{"metadata", {{"labels", {{"tier", "gold"}}}}}}));
  ASSERT_TRUE(Applied());
  const Json now = Get();
  EXPECT_EQ(now["metadata"]["labels"]["tier"], "gold");
  EXPECT_EQ(now["spec"]["replicas"], 5);
  EXPECT_EQ(now["spec"]["template"]["spec"]["containers"].size(), 2U);
  // What the server itself allots: addresses and ports of a Service.
  const auto service = [](int port) {
    return StrCat(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web",
      "namespace":"shop"},"spec":{"type":"NodePort","selector":{"app":"web"},"ports":[
      {"name":"http","port":)",
                  port, "}]}}");
  };
  world_.Put(service(80));
  ASSERT_TRUE(Applied());
  const char* path = "/api/v1/namespaces/shop/services/web";
  const Json before = world_.Call("GET", path).body["spec"];
  world_.Call("PATCH", path, {{"spec", {{"externalIPs", {"192.0.2.1"}}}}}, kMergePatch);
  world_.Put(service(80));
  ASSERT_TRUE(Applied());
  const Json after = world_.Call("GET", path).body["spec"];
  EXPECT_EQ(after["clusterIP"], before["clusterIP"]);
  EXPECT_EQ(after["ports"], before["ports"]);
  EXPECT_EQ(after["externalIPs"], Json({"192.0.2.1"}));
}

}  // namespace
}  // namespace sealane::agent
