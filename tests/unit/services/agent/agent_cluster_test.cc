// The agent against the Kubernetes API: whose objects, drift, immutable fields, definitions, and an
// API server that is slow, full, forbidding or silent. Virtual time.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::HasSubstr;

Json Foreign(std::string_view value) {
  Json object = Json::parse(ConfigMapManifest("web", value));
  object["data"]["theirs"] = "kept";
  return object;
}

class AgentClusterTest : public AgentTest {
 protected:
  // many-0 and so on are applied.
  bool ManyApplied(int count) {
    return world_.Until([&] {
      for (int i = 0; i < count; ++i) {
        const v1::WorkStatus* status = world_.Status(StrCat("many-", i));
        if (status == nullptr || status->state() != v1::WorkStatus::APPLIED) return false;
      }
      return true;
    });
  }
  // GETs of single ConfigMaps, and of pages of them.
  std::pair<int, int> Looks() {
    std::pair<int, int> looks;
    for (const auto& sent : world_.sent) {
      if (sent.request.method != "GET") continue;
      if (sent.request.path.starts_with("/api/v1/namespaces/shop/configmaps/")) ++looks.first;
      if (sent.request.path.starts_with("/api/v1/namespaces/shop/configmaps?")) ++looks.second;
    }
    return looks;
  }
};

TEST_F(AgentClusterTest, AbortLeavesAForeignObjectAndSaysWhose) {
  world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", Foreign("old"));
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "new"),
             [](v1::Work& work) { work.set_conflict_resolution("Abort"); });
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "Conflict"); }));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("made by helm"));
  EXPECT_EQ(Value(), "old");
  EXPECT_TRUE(world_.Writes().empty());
  // Once the owner took it away, the work goes in without another word from the control plane.
  world_.Call("DELETE", kPath);
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "new");
}

TEST_F(AgentClusterTest, WhatSomebodyMakesAtTheSameMomentIsLeftAlone) {
  world_.StartAgent();
  bool made = false;
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "PATCH" && !std::exchange(made, true)) {
      Json theirs = Foreign("new");
      world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", theirs);
    }
    return std::nullopt;
  };
  world_.Put(ConfigMapManifest("web", "new"));
  ASSERT_TRUE(Failed("Conflict"));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("made by helm"));
  const Json object = world_.ConfigMap("web");
  EXPECT_EQ(object["data"].size(), 2U);
  EXPECT_FALSE(object["metadata"].contains("labels")) << object.dump(2);
  // Nor does it go with the work.
  world_.Put(ConfigMapManifest("web", "new"), [](v1::Work& work) { work.set_deleting(true); });
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::REMOVED); }));
  EXPECT_FALSE(world_.ConfigMap("web").is_null());
}

TEST_F(AgentClusterTest, OneListTellsWhichOfManyAreNotThere) {
  world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", Foreign("old"));
  for (int i = 0; i < 100; ++i) world_.Put(ConfigMapManifest(StrCat("many-", i), "new"));
  world_.Put(ConfigMapManifest("web", "new"));
  world_.StartAgent();
  ASSERT_TRUE(Failed("Conflict"));
  ASSERT_TRUE(ManyApplied(100));
  EXPECT_EQ(Value(), "old");
  EXPECT_EQ(Looks(), std::pair(1, 1));  // web, which is there
}

TEST_F(AgentClusterTest, ANamespaceFullOfOtherObjectsIsNotListedForAFew) {
  for (int i = 0; i < 1200; ++i) {
    world_.Call("POST", "/api/v1/namespaces/shop/configmaps",
                Json::parse(ConfigMapManifest(StrCat("other-", i), "x")));
  }
  for (int i = 0; i < 20; ++i) world_.Put(ConfigMapManifest(StrCat("many-", i), "new"));
  world_.StartAgent();
  ASSERT_TRUE(ManyApplied(20));
  EXPECT_EQ(Looks(), std::pair(20, 1));
}

TEST_F(AgentClusterTest, AForeignObjectIsNotDeletedWithItsWork) {
  world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", Foreign("old"));
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "new"));
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "Conflict"); }));
  world_.Put(ConfigMapManifest("web", "new"), [](v1::Work& work) { work.set_deleting(true); });
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::REMOVED); }));
  EXPECT_EQ(Value(), "old");
}

TEST_F(AgentClusterTest, OverwriteTakesOverWhatTheManifestNamesAndNothingElse) {
  world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", Foreign("old"));
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "new"),
             [](v1::Work& work) { work.set_conflict_resolution("Overwrite"); });
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "new");
  EXPECT_EQ(world_.ConfigMap("web")["data"]["theirs"], "kept");
}

TEST_F(AgentClusterTest, DriftIsRepairedWithinASecondAndCounted) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "ours"));
  ASSERT_TRUE(Applied());
  const std::vector<std::function<void()>> attacks = {
      [&] {
        world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
      },
      [&] {
        world_.Call("PATCH", kPath, {{"data", {{"value", nullptr}}}}, kMergePatch);
      },
      [&] {
        world_.Call("PATCH", kPath, {{"metadata", {{"labels", {{"sealane.io/managed", nullptr}}}}}},
                    kMergePatch);
      },
      [&] { world_.Call("DELETE", kPath); }};
  int repairs = 0;
  for (const auto& attack : attacks) {
    world_.sim.RunFor(absl::Minutes(3));  // not a fight: nobody keeps undoing it
    attack();
    world_.sim.RunFor(absl::Seconds(1));
    ++repairs;
    EXPECT_EQ(Value(), "ours") << "attack " << repairs;
    EXPECT_EQ(world_.ConfigMap("web")["metadata"]["labels"]["sealane.io/managed"], "true");
    EXPECT_EQ(world_.Status("web")->drift_repairs(), repairs);
  }
  EXPECT_EQ(world_.Metric("sealane_agent_drift_total{answer=\"repaired\"}"), repairs);
}

TEST_F(AgentClusterTest, FieldsOfOthersAreNotDrift) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "ours"));
  ASSERT_TRUE(Applied());
  const size_t writes = world_.Writes().size();
  world_.Call("PATCH", kPath, {{"data", {{"theirs", "x"}}}}, kMergePatch);
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(world_.Writes().size(), writes);
  world_.Put(ConfigMapManifest("web", "second"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(world_.ConfigMap("web")["data"]["theirs"], "x");
}

TEST_F(AgentClusterTest, DriftThatSomebodyRepeatsIsAnsweredEverSlower) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "ours"));
  ASSERT_TRUE(Applied());
  int undone = 0;
  const absl::Duration end = world_.sim.Monotonic() + absl::Minutes(10);
  while (world_.sim.Monotonic() < end) {
    if (Value() == "ours") {
      world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
      ++undone;
    }
    world_.sim.RunFor(absl::Milliseconds(50));
  }
  EXPECT_GT(undone, 8);
  EXPECT_LT(undone, 30);
}

TEST_F(AgentClusterTest, ReportedDriftStaysWithItsDifference) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "ours", R"({"sealane.io/drift":"Report"})"));
  ASSERT_TRUE(Applied());
  world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::APPLIED, "Drifted"); }));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("data.value: \"hand\" -> \"ours\""));
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_EQ(Value(), "hand");
  EXPECT_EQ(world_.Metric("sealane_agent_drift_total{answer=\"repaired\"}"), 0);
  EXPECT_EQ(world_.Metric("sealane_agent_drift_total{answer=\"reported\"}"), 1);
  // Put right by hand: the mark goes, and that is no repair of ours.
  world_.Call("PATCH", kPath, {{"data", {{"value", "ours"}}}}, kMergePatch);
  ASSERT_TRUE(Applied());
  EXPECT_EQ(world_.Status("web")->message(), "");
  EXPECT_EQ(world_.Metric("sealane_agent_drift_total{answer=\"reported\"}"), 1);
  EXPECT_EQ(world_.Metric("sealane_agent_drift_total{answer=\"repaired\"}"), 0);
  // Also what is deleted, or no longer marked as ours.
  world_.sim.RunFor(absl::Minutes(1));
  world_.Call("DELETE", kPath);
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::APPLIED, "Drifted"); }));
  EXPECT_EQ(world_.Status("web")->message(), "the object was deleted");
  EXPECT_EQ(Value(), "(absent)");
  world_.Put(ConfigMapManifest("web", "next", R"({"sealane.io/drift":"Report"})"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "next");
}

std::string Immutable(std::string_view value, std::string_view annotations) {
  Json object = Json::parse(ConfigMapManifest("web", value, annotations));
  object["immutable"] = true;
  return object.dump();
}

TEST_F(AgentClusterTest, ARefusedImmutableFieldIsReportedInTheServersWords) {
  world_.StartAgent();
  world_.Put(Immutable("one", "{}"));
  ASSERT_TRUE(Applied());
  const std::string uid = world_.ConfigMap("web")["metadata"]["uid"];
  world_.Put(Immutable("two", "{}"));
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "Invalid"); }));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("immutable"));
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_EQ(Value(), "one");
  EXPECT_EQ(world_.ConfigMap("web")["metadata"]["uid"], uid);
}

TEST_F(AgentClusterTest, RecreateReplacesTheObject) {
  world_.StartAgent();
  world_.Put(Immutable("one", R"({"sealane.io/recreate":"true"})"));
  ASSERT_TRUE(Applied());
  const std::string uid = world_.ConfigMap("web")["metadata"]["uid"];
  world_.Put(Immutable("two", R"({"sealane.io/recreate":"true"})"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "two");
  EXPECT_NE(world_.ConfigMap("web")["metadata"]["uid"], uid);
  EXPECT_EQ(world_.Metric("sealane_agent_removals_total{how=\"recreated\"}"), 1);
  // It is still ours: it goes with its work.
  world_.Put(Immutable("two", "{}"), [](v1::Work& work) { work.set_deleting(true); });
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::REMOVED); }));
  EXPECT_EQ(Value(), "(absent)");
}

std::string DeploymentText(Json spec) {
  Json object = {{"apiVersion", "apps/v1"},
                 {"kind", "Deployment"},
                 {"metadata",
                  {{"name", "web"},
                   {"namespace", "shop"},
                   {"annotations", {{"sealane.io/recreate", "true"}}}}},
                 {"spec",
                  {{"replicas", 1},
                   {"selector", {{"matchLabels", {{"app", "web"}}}}},
                   {"template",
                    {{"metadata", {{"labels", {{"app", "web"}, {"tier", "x"}}}}},
                     {"spec", {{"containers", {{{"name", "main"}, {"image", "web:1"}}}}}}}}}}};
  object["spec"].merge_patch(spec);
  return object.dump();
}

TEST_F(AgentClusterTest, RecreateDoesNotDeleteWhatWouldBeRefusedAgain) {
  const char* path = "/apis/apps/v1/namespaces/shop/deployments/web";
  const auto uid = [&] { return world_.Call("GET", path).body["metadata"]["uid"]; };
  world_.StartAgent();
  world_.Put(DeploymentText(Json::object()));
  ASSERT_TRUE(Applied());
  const Json before = uid();
  const Json bad = {{"strategy", {{"type", "Recreate"}, {"rollingUpdate", {{"maxSurge", 1}}}}}};
  const Json selector = {{"selector", {{"matchLabels", {{"tier", "x"}}}}}};
  Json both = bad;
  both.update(selector);
  for (const Json& spec : {bad, both}) {
    world_.Put(DeploymentText(spec));
    ASSERT_TRUE(
        world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "Invalid"); }));
    world_.sim.RunFor(absl::Minutes(5));
    EXPECT_EQ(uid(), before) << spec;
  }
  world_.Put(DeploymentText(selector));
  ASSERT_TRUE(Applied());
  EXPECT_NE(uid(), before);
}

TEST_F(AgentClusterTest, ACustomResourceWhoseDefinitionComesWithItConverges) {
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  world_.Put(R"({"apiVersion":"example.com/v1","kind":"Widget",
    "metadata":{"name":"w","namespace":"shop"},"spec":{"size":3}})");
  // The definition comes second, as the network pleases.
  world_.sim.RunFor(absl::Milliseconds(300));
  EXPECT_TRUE(world_.Says("w", v1::WorkStatus::FAILED, "NoKindMatch"));
  world_.Put(R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
    "metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
    "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
      {"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})");
  ASSERT_TRUE(world_.Until([&] {
    const v1::WorkStatus* status = world_.Status("w");
    return status != nullptr && status->state() == v1::WorkStatus::APPLIED;
  }));
  EXPECT_EQ(world_.Call("GET", "/apis/example.com/v1/namespaces/shop/widgets/w").status, 200);
}

TEST_F(AgentClusterTest, RetryAfterIsHonouredByEveryRequest) {
  for (const int code : {429, 503}) {
    AgentWorld world;
    world.StartAgent();
    world.Put(ConfigMapManifest("web", "one"));
    ASSERT_TRUE(world.Until([&] { return world.Says("web", v1::WorkStatus::APPLIED); }));
    bool refused = false;
    world.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
      if (request.method != "PATCH" || std::exchange(refused, true)) return std::nullopt;
      return StatusAnswer(code, code == 429 ? "TooManyRequests" : "ServiceUnavailable", "busy",
                          "20");
    };
    world.Put(ConfigMapManifest("web", "two"));
    ASSERT_TRUE(world.Until([&] { return refused; }));
    const absl::Duration at = world.sim.Monotonic();
    world.Put(ConfigMapManifest("other", "one"));
    ASSERT_TRUE(world.Until([&] {
      return world.ConfigMap("web")["data"]["value"] == "two" &&
             !world.ConfigMap("other").is_null();
    }));
    const auto writes = world.Writes();
    ASSERT_GE(writes.size(), 4U);  // one, two refused, two, other
    EXPECT_GE(writes[2].at - at, absl::Seconds(20)) << code;
    EXPECT_LT(writes[2].at - at, absl::Seconds(22)) << code;
    EXPECT_EQ(world.Metric("sealane_agent_api_throttled_total"), code == 429 ? 1 : 0);
  }
}

TEST_F(AgentClusterTest, AnApiServerThatHangsIsNoticedAndTheWorkGoesOnAfterwards) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.hang = true;
  world_.Put(ConfigMapManifest("web", "two"));
  ASSERT_TRUE(world_.Until([&] { return world_.Metric("sealane_agent_api_healthy") == 0; },
                           absl::Seconds(20)));
  std::string why;
  EXPECT_FALSE(world_.agent().Ready(&why));
  EXPECT_THAT(why, HasSubstr("API server"));
  // Nothing is piled up meanwhile: probes, and what was on its way.
  const size_t writes = world_.Writes().size();
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_LE(world_.Writes().size(), writes + 1);
  world_.hang = false;
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "two");
  EXPECT_TRUE(world_.agent().Ready(&why)) << why;
}

TEST_F(AgentClusterTest, AReadOnlyApiServerIsReportedAndNotHammered) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "GET") return std::nullopt;
    return StatusAnswer(500, "InternalError", "etcdserver: mvcc: database space exceeded");
  };
  world_.Put(ConfigMapManifest("web", "two"));
  ASSERT_TRUE(
      world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "InternalError"); }));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("database space exceeded"));
  const size_t writes = world_.Writes().size();
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_LT(world_.Writes().size() - writes, 45U);  // a back-off of up to half a minute
  EXPECT_GT(world_.Writes().size(), writes);
  world_.fault = nullptr;
  ASSERT_TRUE(
      world_.Until([&] { return world_.Says("web", v1::WorkStatus::APPLIED); }, absl::Minutes(1)));
  EXPECT_EQ(Value(), "two");
}

TEST_F(AgentClusterTest, ExpiredCredentialsAreSaidAndNotHammered) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(world_.Metric("sealane_agent_api_healthy"), 1);
  size_t refused = 0;
  size_t probes = 0;
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    ++(request.path == "/readyz" || request.path.starts_with("/api?") || request.path == "/api" ||
               request.path == "/apis"
           ? probes
           : refused);
    return StatusAnswer(401, "Unauthorized", "the token has expired");
  };
  world_.Put(ConfigMapManifest("web", "two"));
  ASSERT_TRUE(
      world_.Until([&] { return world_.Says("web", v1::WorkStatus::FAILED, "Unauthorized"); }));
  EXPECT_THAT(world_.Status("web")->message(), HasSubstr("the token has expired"));
  world_.sim.RunFor(absl::Minutes(10));
  EXPECT_EQ(world_.Metric("sealane_agent_api_healthy"), 0);
  EXPECT_LT(refused, 100U);  // works and watches
  EXPECT_LT(probes, 1500U);  // every two seconds, each tried once more with fresh credentials
  world_.fault = nullptr;
  ASSERT_TRUE(
      world_.Until([&] { return world_.Says("web", v1::WorkStatus::APPLIED); }, absl::Minutes(2)));
  EXPECT_EQ(Value(), "two");
  ASSERT_TRUE(world_.Until([&] { return world_.Metric("sealane_agent_api_healthy") == 1; }));
}

TEST_F(AgentClusterTest, AMissingRightFailsOnlyTheWorksThatNeedIt) {
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.path.find("/secrets") == std::string::npos) return std::nullopt;
    return StatusAnswer(403, "Forbidden", "secrets is forbidden: User \"agent\" cannot");
  };
  world_.StartAgent();
  world_.Put(R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"shop"}})");
  ASSERT_TRUE(world_.Until([&] { return world_.Says("s", v1::WorkStatus::FAILED, "Forbidden"); }));
  EXPECT_THAT(world_.Status("s")->message(), HasSubstr("cannot"));
  world_.Put(ConfigMapManifest("web", "one"));
  EXPECT_TRUE(Applied());
}

TEST_F(AgentClusterTest, RemovalNamesTheUidItMeans) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  const std::string uid = world_.ConfigMap("web")["metadata"]["uid"];
  // Between the agent's look and its DELETE somebody replaces the object by one of their own.
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method != "DELETE") return std::nullopt;
    world_.fault = nullptr;
    world_.Call("DELETE", kPath);
    world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=helm", Foreign("theirs"));
    return std::nullopt;
  };
  world_.Put(ConfigMapManifest("web", "one"), [](v1::Work& work) { work.set_deleting(true); });
  ASSERT_TRUE(world_.Until([&] { return world_.Says("web", v1::WorkStatus::REMOVED); }));
  const auto writes = world_.Writes();
  EXPECT_EQ(writes.back().request.method, "DELETE");
  EXPECT_EQ(Json::parse(writes.back().request.body)["preconditions"]["uid"], uid);
  EXPECT_EQ(Value(), "theirs");
}

}  // namespace
}  // namespace sealane::agent
