// An API server that takes no writes, a disk that is full, a machine that loses its power: what the
// agent does, and where it shows. Virtual time.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::HasSubstr;

class AgentFaultsTest : public AgentTest {
 protected:
  // What /readyz says besides "ok"; "(not ready)" when it does not say that.
  std::string Remark() {
    std::string text;
    return world_.agent().Ready(&text) ? text : "(not ready) " + text;
  }
};

TEST_F(AgentFaultsTest, AnApiServerThatTakesNoWritesShowsInHealthAndIsNotHammered) {
  for (const int code : {403, 405, 500, 503}) {
    AgentWorld world;
    world.StartAgent();
    world.Put(ConfigMapManifest("web", "one"));
    ASSERT_TRUE(world.Until([&] { return world.Says("web", v1::WorkStatus::APPLIED); }));
    std::string text;
    ASSERT_TRUE(world.agent().Ready(&text)) << text;
    EXPECT_EQ(text, "");
    EXPECT_EQ(world.Metric("sealane_agent_api_failed_writes"), 0);
    world.fault = [code](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
      if (request.method == "GET") return std::nullopt;
      return StatusAnswer(code, "ReadOnly", "the cluster is read-only");
    };
    for (int i = 0; i < 5; ++i) world.Put(ConfigMapManifest(StrCat("c", i), "one"));
    world.Put(ConfigMapManifest("web", "two"));
    ASSERT_TRUE(world.Until([&] { return world.Says("web", v1::WorkStatus::FAILED, "ReadOnly"); },
                            absl::Minutes(2)))
        << code;
    EXPECT_THAT(world.Status("web")->message(), HasSubstr("the cluster is read-only"));
    // It does its work as well as it can: ready, with a remark.
    ASSERT_TRUE(world.agent().Ready(&text)) << code;
    EXPECT_THAT(text, HasSubstr("writes to the API server fail: the cluster is read-only"));
    EXPECT_GE(world.Metric("sealane_agent_api_failed_writes"), 3);
    world.sim.RunFor(absl::Minutes(1));
    EXPECT_TRUE(world.heartbeat().api_healthy());
    EXPECT_THAT(world.heartbeat().api_message(), HasSubstr("read-only"));
    const size_t writes = world.Writes().size();
    world.sim.RunFor(absl::Minutes(10));
    EXPECT_LT(world.Writes().size() - writes, 6 * 45U) << code;  // six works, half a minute
    world.fault = nullptr;
    ASSERT_TRUE(
        world.Until([&] { return world.Says("web", v1::WorkStatus::APPLIED); }, absl::Minutes(6)))
        << code;
    ASSERT_TRUE(world.agent().Ready(&text));
    EXPECT_EQ(text, "");
    EXPECT_EQ(world.Metric("sealane_agent_api_failed_writes"), 0);
    world.sim.RunFor(absl::Minutes(1));
    EXPECT_EQ(world.heartbeat().api_message(), "");
  }
}

TEST_F(AgentFaultsTest, WhatIsRefusedForWhatItSaysIsNoTroubleOfTheServer) {
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "GET") return std::nullopt;
    return StatusAnswer(422, "Invalid", "data: wrong");
  };
  world_.StartAgent();
  for (int i = 0; i < 5; ++i) world_.Put(ConfigMapManifest(StrCat("c", i), "one"));
  ASSERT_TRUE(Failed("Invalid", "c4"));
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(Remark(), "");
  EXPECT_EQ(world_.Metric("sealane_agent_api_failed_writes"), 0);
}

TEST_F(AgentFaultsTest, AFullDiskShowsInHealth) {
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  EXPECT_EQ(Remark(), "");
  world_.disk->failure = absl::ResourceExhaustedError("No space left on device");
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(Remark(), "No space left on device");
  world_.disk->failure = absl::OkStatus();
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(Remark(), "");
}

TEST_F(AgentFaultsTest, WhatIsAboutToBeMadeIsOnTheDiskBeforeAndNotOnlyInItsCache) {
  size_t made = 0;
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "PATCH" && Value("c" + std::to_string(made)) == "(absent)") {
      ++made;
      EXPECT_EQ(world_.disk->unsynced, 0U) << request.path;
    }
    return std::nullopt;
  };
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(3));
  world_.Put(ConfigMapManifest("c0", "one"));
  ASSERT_TRUE(Applied("c0"));
  EXPECT_EQ(made, 1U);
  // What the last moments brought is synced soon after.
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(world_.disk->unsynced, 0U);
}

TEST_F(AgentFaultsTest, AThousandNewObjectsCostAFewSyncs) {
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(3));
  for (int i = 0; i < 1000; ++i) world_.Put(ConfigMapManifest(StrCat("c", i), "one"));
  const size_t before = world_.disk->syncs;
  const absl::Duration begin = world_.sim.Monotonic();
  ASSERT_TRUE(world_.Until([&] { return world_.created("configmaps") == 1000; }));
  // Besides those of every five seconds.
  EXPECT_LE(world_.disk->syncs - before,
            5 + static_cast<size_t>((world_.sim.Monotonic() - begin) / absl::Seconds(5)));
}

// One kind of two API groups: the second is an alias of the first, as Events and Ingresses are.
class SharedObjectTest : public AgentFaultsTest {
 protected:
  SharedObjectTest() {
    const Json crd = Json::parse(R"({"apiVersion":"apiextensions.k8s.io/v1",
      "kind":"CustomResourceDefinition","metadata":{"name":"configmaps.mirror.io"},
      "spec":{"group":"mirror.io","scope":"Namespaced","names":{"plural":"configmaps",
      "singular":"configmap","kind":"ConfigMap","listKind":"ConfigMapList"},"versions":[
      {"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",
      "x-kubernetes-preserve-unknown-fields":true}}}]}})");
    EXPECT_EQ(
        world_.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd).status,
        201);
    world_.fault = [this](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
      static constexpr std::string_view kAlias = "/apis/mirror.io/v1/namespaces/shop/configmaps/";
      if (!request.path.starts_with(kAlias)) return std::nullopt;
      http::HttpRequest real = request;
      real.path = StrCat("/api/v1/namespaces/shop/configmaps/", request.path.substr(kAlias.size()));
      if (request.method == "PATCH") {
        Json body = Json::parse(real.body);
        body["apiVersion"] = "v1";
        real.body = body.dump();
      }
      http::HttpResponse answer = world_.Ask(real);
      Json body = Json::parse(answer.body);
      if (body.value("kind", "") == "ConfigMap") body["apiVersion"] = "mirror.io/v1";
      answer.body = body.dump();
      return answer;
    };
    world_.StartAgent();
    world_.Put(ConfigMapManifest("web", "one"));
    EXPECT_TRUE(Applied());
    Json alias = Json::parse(ConfigMapManifest("web", "one"));
    alias["apiVersion"] = "mirror.io/v1";
    alias_ = alias.dump();
    world_.Put(alias_);
    EXPECT_TRUE(Applied());
  }
  std::string alias_;
};

TEST_F(SharedObjectTest, AnObjectOfTwoWorksGoesWithTheLast) {
  const auto removed = [&](const std::string& manifest) {
    world_.Put(manifest, [](v1::Work& work) { work.set_deleting(true); });
    return world_.Until([&] { return world_.Says("web", v1::WorkStatus::REMOVED); });
  };
  const Json uid = world_.ConfigMap("web")["metadata"]["uid"];
  ASSERT_TRUE(removed(alias_));
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(world_.ConfigMap("web")["metadata"]["uid"], uid);
  EXPECT_EQ(world_.ConfigMap("web")["metadata"]["labels"]["sealane.io/managed"], "true");
  ASSERT_TRUE(removed(ConfigMapManifest("web", "one")));
  EXPECT_EQ(Value(), "(absent)");
}

}  // namespace
}  // namespace sealane::agent
