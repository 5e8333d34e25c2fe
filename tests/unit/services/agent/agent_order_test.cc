// The order of applying within what arrives together, and definitions that come with their objects.
// Virtual time.

#include <algorithm>
#include <map>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "services/agent/apply_order.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ApplyOrderTest, AWorkWaitsForEarlierStagesOfItsNamespaceAndOfNone) {
  ApplyOrder order;
  order.Expect("ns-a", "", "Namespace", "", "a");
  order.Expect("crd", "apiextensions.k8s.io", "CustomResourceDefinition", "", "x");
  order.Expect("map-a", "", "ConfigMap", "a", "m");
  order.Expect("web-a", "apps", "Deployment", "a", "w");
  const auto waits = [&](const char* key, const char* kind, const char* ns) {
    return order.Waits(key, std::string_view(kind) == "Deployment" ? "apps" : "", kind, ns, "n");
  };
  EXPECT_TRUE(waits("map-a", "ConfigMap", "a"));
  EXPECT_TRUE(waits("web-a", "Deployment", "a"));
  EXPECT_TRUE(waits("web-b", "Deployment", "b"));  // the definition
  EXPECT_FALSE(order.Waits("ns-a", "", "Namespace", "", "a"));
  EXPECT_FALSE(order.Waits("crd", "apiextensions.k8s.io", "CustomResourceDefinition", "", "x"));
  EXPECT_THAT(order.expected(), ElementsAre("crd", "map-a", "ns-a", "web-a"));
  EXPECT_THAT(order.Tried("crd"), ElementsAre("map-a", "web-a", "web-b"));
  EXPECT_THAT(order.expected(), ElementsAre("map-a", "ns-a", "web-a"));
  EXPECT_FALSE(waits("web-b", "Deployment", "b"));
  EXPECT_TRUE(waits("map-a", "ConfigMap", "a"));
  EXPECT_THAT(order.Tried("ns-a"), ElementsAre("map-a"));
  EXPECT_FALSE(waits("map-a", "ConfigMap", "a"));
  EXPECT_TRUE(waits("web-a", "Deployment", "a"));
  EXPECT_THAT(order.Tried("map-a"), ElementsAre("web-a"));
  EXPECT_FALSE(waits("web-a", "Deployment", "a"));
  EXPECT_THAT(order.Tried("web-a"), IsEmpty());
  EXPECT_THAT(order.Tried("never"), IsEmpty());
}

class AgentOrderTest : public AgentTest {
 protected:
  static std::string Manifest(std::string_view api_version, std::string_view kind,
                              std::string_view name, bool namespaced = true, Json spec = {}) {
    Json object = {{"apiVersion", api_version}, {"kind", kind}, {"metadata", {{"name", name}}}};
    if (namespaced) object["metadata"]["namespace"] = "new";
    if (!spec.is_null()) object["spec"] = std::move(spec);
    return object.dump();
  }
  static std::string Deployment(std::string_view name) {
    return Manifest("apps/v1", "Deployment", name, true,
                    {{"selector", {{"matchLabels", {{"app", name}}}}},
                     {"template",
                      {{"metadata", {{"labels", {{"app", name}}}}},
                       {"spec", {{"containers", {{{"name", "c"}, {"image", "web:1"}}}}}}}}});
  }
  static std::string Definition() {
    return R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
      "metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
      "names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
      "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
        {"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})";
  }
  static std::string Widget() {
    return R"({"apiVersion":"example.com/v1","kind":"Widget",
      "metadata":{"name":"w","namespace":"shop"},"spec":{"size":3}})";
  }
  bool AppliedAt(std::string_view name, absl::Duration limit) {
    return world_.Until(
        [&] {
          const v1::WorkStatus* status = world_.Status(name);
          return status != nullptr && status->state() == v1::WorkStatus::APPLIED;
        },
        limit);
  }
};

TEST_F(AgentOrderTest, WhatOthersNeedIsAnsweredBeforeTheyAreSent) {
  static constexpr absl::Duration kSlow = absl::Milliseconds(200);
  world_.delay = [](const http::HttpRequest& request) {
    return request.method == "PATCH" ? kSlow : absl::ZeroDuration();
  };
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  // In the worst order.
  for (int i = 0; i < 20; ++i) world_.Put(Deployment(StrCat("web", i)));
  world_.Put(Manifest("v1", "ConfigMap", "config"));
  world_.Put(Manifest("v1", "Secret", "secret"));
  world_.Put(Manifest("v1", "ServiceAccount", "robot"));
  world_.Put(Manifest("v1", "Namespace", "new", /*namespaced=*/false));
  for (const char* name : {"config", "secret", "robot", "new", "web0", "web19"}) {
    ASSERT_TRUE(AppliedAt(name, absl::Seconds(5))) << name;
  }
  // Each stage was answered before the next one was sent.
  std::map<std::string, std::pair<absl::Duration, absl::Duration>> sent;  // by kind: first, last
  for (const auto& write : world_.Writes()) {
    const auto kind = Json::parse(write.request.body)["kind"].get<std::string>();
    auto& [first, last] = sent.try_emplace(kind, write.at, write.at).first->second;
    last = std::max(last, write.at);
  }
  ASSERT_EQ(sent.size(), 5U);
  for (const char* kind : {"ConfigMap", "Secret", "ServiceAccount"}) {
    EXPECT_GE(sent[kind].first, sent["Namespace"].second + kSlow) << kind;
    EXPECT_GE(sent["Deployment"].first, sent[kind].second + kSlow) << kind;
  }
  EXPECT_EQ(world_.Metric("sealane_agent_applies_total{result=\"retried\"}"), 0);
}

TEST_F(AgentOrderTest, NothingWaitsForWhatFailsOrHangs) {
  world_.fault = [](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "GET" || request.path.find("/secrets/") == std::string::npos) {
      return std::nullopt;
    }
    return StatusAnswer(500, "InternalError", "the webhook does not answer");
  };
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  world_.Put(Manifest("v1", "Namespace", "new", /*namespaced=*/false));
  world_.Put(Manifest("v1", "Secret", "secret"));
  world_.Put(Deployment("web"));
  ASSERT_TRUE(AppliedAt("web", absl::Seconds(1)));
  // Neither for what is not ready: the Deployment has no pods, the claim no volume.
  world_.Put(Manifest(
      "v1", "PersistentVolumeClaim", "data", true,
      {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}));
  world_.Put(Deployment("web2"));
  ASSERT_TRUE(AppliedAt("web2", absl::Seconds(1)));
}

TEST_F(AgentOrderTest, ACustomResourceThatComesWithItsDefinitionIsThereInASecondAndNeverFails) {
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  world_.Put(Widget());
  world_.Put(Definition());
  ASSERT_TRUE(AppliedAt("w", absl::Seconds(1)));
  for (const v1::WorkStatus& said : world_.said()) {
    EXPECT_NE(said.state(), v1::WorkStatus::FAILED) << said.message();
  }
}

TEST_F(AgentOrderTest, ACustomResourceThatWaitedLongIsThereASecondAfterItsDefinition) {
  world_.StartAgent();
  world_.Put(Widget());
  world_.sim.RunFor(absl::Minutes(20));  // discovery is asked ever more seldom
  ASSERT_EQ(world_.Status("w")->reason(), "NoKindMatch");
  world_.Put(Definition());
  EXPECT_TRUE(AppliedAt("w", absl::Seconds(1)));
}

}  // namespace
}  // namespace sealane::agent
