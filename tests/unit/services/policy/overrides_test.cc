#include "services/policy/overrides.h"

#include <random>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Json Yaml(std::string_view text) {
  Json value;
  EXPECT_OK(kube::ParseManifest(text, &value));
  return value;
}

v1::ClusterStatus Cluster(const std::string& name, const std::string& region) {
  v1::ClusterStatus cluster;
  cluster.set_name(name);
  cluster.set_region(region);
  cluster.set_provider("aws");
  (*cluster.mutable_labels())["registry"] = name + ".registry.example";
  return cluster;
}

OverridePolicy Policy(const std::string& name, const Json& rules, const Json& annotations = {}) {
  const auto policy = ParseOverridePolicy(
      Json{{"apiVersion", "policy.karmada.io/v1alpha1"},
           {"kind", "OverridePolicy"},
           {"metadata", {{"name", name}, {"namespace", "shop"}, {"annotations", annotations}}},
           {"spec", {{"overrideRules", rules}}}});
  EXPECT_OK(policy);
  return *policy;
}

Json Rule(const Json& overriders, const Json& target = nullptr) {
  return Json{{"overriders", overriders}, {"targetCluster", target}};
}

const Json& Deployment() {
  static const auto& object = *new Json(Yaml(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 3
  template:
    spec:
      initContainers: [{name: setup, image: "docker.io/shop/setup:1"}]
      containers:
      - {name: app, image: "docker.io/shop/web:1.0", args: [--a, --b], env: [{name: MODE, value: x}]}
      - {name: side, image: "nginx@sha256:)" +
                                             std::string(64, 'a') + R"("}
)"));
  return object;
}

struct Result {
  absl::Status status;
  Json object;
  std::vector<v1::AppliedOverride> applied;
};

Result Apply(const std::vector<OverridePolicy>& policies, const v1::ClusterStatus& cluster) {
  Result result;
  result.object = Deployment();
  std::vector<const OverridePolicy*> pointers;
  for (const auto& policy : policies) pointers.push_back(&policy);
  result.status = ApplyOverrides(pointers, cluster, result.object, &result.applied);
  return result;
}

const Json& Container(const Json& object, size_t index) {
  return object["spec"]["template"]["spec"]["containers"][index];
}

TEST(Overrides, EveryOverriderInOneRule) {
  const auto policy = Policy(
      "all",
      Json::array({Rule(
          {{"imageOverrider",
            {{{"component", "Registry"}, {"operator", "replace"}, {"value", "eu.example"}}}},
           {"argsOverrider",
            {{{"containerName", "app"}, {"operator", "remove"}, {"value", {"--a"}}},
             {{"containerName", "app"}, {"operator", "add"}, {"value", {"--c"}}}}},
           {"commandOverrider",
            {{{"containerName", "side"}, {"operator", "add"}, {"value", {"/bin/side"}}}}},
           {"envOverrider",
            {{{"operator", "replace"},
              {"value", {{{"name", "MODE"}, {"value", "y"}}, {{"name", "NONE"}, {"value", "z"}}}}},
             {{"containerName", "side"},
              {"operator", "add"},
              {"value", {{{"name", "NEW"}, {"value", "1"}}}}}}},
           {"labelsOverrider", {{{"operator", "add"}, {"value", {{"a/b", "c"}}}}}},
           {"annotationsOverrider", {{{"operator", "add"}, {"value", {{"note", "n"}}}}}},
           {"plaintext",
            {{{"operator", "replace"}, {"path", "/spec/replicas"}, {"value", 9}}}}})}));
  const Result result = Apply({policy}, Cluster("eu", "eu-west-1"));
  ASSERT_OK(result.status);
  EXPECT_EQ(Container(result.object, 0)["image"], "eu.example/shop/web:1.0");
  EXPECT_EQ(Container(result.object, 1)["image"],
            "eu.example/nginx@sha256:" + std::string(64, 'a'));
  EXPECT_EQ(Container(result.object, 0)["args"], (Json{"--b", "--c"}));
  EXPECT_EQ(Container(result.object, 1)["command"], Json{"/bin/side"});
  EXPECT_EQ(Container(result.object, 0)["env"], (Json{{{"name", "MODE"}, {"value", "y"}}}));
  EXPECT_EQ(Container(result.object, 1)["env"], (Json{{{"name", "NEW"}, {"value", "1"}}}));
  EXPECT_EQ(result.object["metadata"]["labels"], (Json{{"app", "web"}, {"a/b", "c"}}));
  EXPECT_EQ(result.object["metadata"]["annotations"]["note"], "n");
  EXPECT_EQ(result.object["spec"]["replicas"], 9);
  EXPECT_EQ(result.object["spec"]["template"]["spec"]["initContainers"][0]["image"],
            "docker.io/shop/setup:1")
      << "init containers are reached only when the policy says so";
  ASSERT_FALSE(result.applied.empty());
  EXPECT_EQ(result.applied.back().path(), "/spec/replicas");
  EXPECT_EQ(result.applied.back().value_json(), "9");
  EXPECT_EQ(result.applied.back().overrider(), "plaintext[0]");
}

TEST(Overrides, AllContainersWhenAsked) {
  const Json rules = Json::array({Rule(
      {{"imageOverrider", {{{"component", "Tag"}, {"operator", "replace"}, {"value", "2"}}}}})});
  const auto policy = Policy("all", rules, {{"sealane.io/containers", "All"}});
  const Result result = Apply({policy}, Cluster("eu", "eu"));
  ASSERT_OK(result.status);
  EXPECT_EQ(result.object["spec"]["template"]["spec"]["initContainers"][0]["image"],
            "docker.io/shop/setup:2");
}

// One rule with every overrider that goes by container.
Json EveryContainerOverrider() {
  return {{"imageOverrider", {{{"component", "Tag"}, {"operator", "replace"}, {"value", "2"}}}},
          {"commandOverrider",
           {{{"containerName", "setup"}, {"operator", "add"}, {"value", {"/bin/setup"}}},
            {{"containerName", "debug"}, {"operator", "add"}, {"value", {"/bin/sh"}}}}},
          {"argsOverrider",
           {{{"containerName", "setup"}, {"operator", "remove"}, {"value", {"--slow"}}},
            {{"containerName", "debug"}, {"operator", "add"}, {"value", {"--tty"}}}}},
          {"envOverrider",
           {{{"operator", "remove"}, {"value", {{{"name", "MODE"}}}}},
            {{"containerName", "setup"},
             {"operator", "add"},
             {"value", {{{"name", "NEW"}, {"value", "1"}}}}}}}};
}

// A pod with a container, an init container and an ephemeral one.
constexpr std::string_view kPod = R"({
    "containers": [{"name": "app", "image": "web:1", "env": [{"name": "MODE", "value": "x"}]}],
    "initContainers": [{"name": "setup", "image": "setup:1", "args": ["--slow", "--all"],
                        "env": [{"name": "MODE", "value": "x"}, {"name": "KEPT", "value": "k"}]}],
    "ephemeralContainers": [{"name": "debug", "image": "debug:1",
                             "env": [{"name": "MODE", "value": "x"}]}]})";

// That pod after EveryContainerOverrider, in every container.
constexpr std::string_view kPodInAll = R"({
    "containers": [{"name": "app", "image": "web:2", "env": []}],
    "initContainers": [{"name": "setup", "image": "setup:2", "command": ["/bin/setup"],
                        "args": ["--all"],
                        "env": [{"name": "KEPT", "value": "k"}, {"name": "NEW", "value": "1"}]}],
    "ephemeralContainers": [{"name": "debug", "image": "debug:2", "command": ["/bin/sh"],
                             "args": ["--tty"], "env": []}]})";

TEST(Overrides, InitAndEphemeralContainersAndCronJobsOnlyWhenAsked) {
  const Json rules = Json::array({Rule(EveryContainerOverrider())});
  const OverridePolicy plain = Policy("plain", rules);
  const OverridePolicy named = Policy("named", rules, {{"sealane.io/containers", "Containers"}});
  const OverridePolicy all = Policy("all", rules, {{"sealane.io/containers", "All"}});
  const auto apply = [](const OverridePolicy& policy, Json object) {
    std::vector<v1::AppliedOverride> applied;
    EXPECT_OK(ApplyOverrides({&policy}, Cluster("eu", "eu"), object, &applied));
    return object;
  };
  const Json metadata = {{"name", "web"}, {"namespace", "shop"}};
  const Json pod = Json::parse(kPod);
  const Json deployment = {{"apiVersion", "apps/v1"},
                           {"kind", "Deployment"},
                           {"metadata", metadata},
                           {"spec", {{"template", {{"spec", pod}}}}}};
  const Json cron = {{"apiVersion", "batch/v1"},
                     {"kind", "CronJob"},
                     {"metadata", metadata},
                     {"spec", {{"jobTemplate", {{"spec", {{"template", {{"spec", pod}}}}}}}}}};
  EXPECT_EQ(apply(all, deployment)["spec"]["template"]["spec"], Json::parse(kPodInAll));
  EXPECT_EQ(apply(all, cron)["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            Json::parse(kPodInAll));
  Json only_containers = pod;
  only_containers["containers"] = Json::parse(kPodInAll)["containers"];
  for (const OverridePolicy* policy : {&plain, &named}) {
    EXPECT_EQ(apply(*policy, deployment)["spec"]["template"]["spec"], only_containers);
    EXPECT_EQ(apply(*policy, cron), cron);
  }
}

TEST(Overrides, EnvironmentIsRemovedByName) {
  const auto policy =
      Policy("p", Json::array({Rule({{"envOverrider",
                                      {{{"containerName", "app"},
                                        {"operator", "remove"},
                                        {"value", {{{"name", "MODE"}}, {{"name", "NONE"}}}}}}}})}));
  const Result result = Apply({policy}, Cluster("eu", "eu"));
  ASSERT_OK(result.status);
  EXPECT_EQ(Container(result.object, 0)["env"], Json::array());
  EXPECT_EQ(Container(result.object, 1), Container(Deployment(), 1));
  ASSERT_EQ(result.applied.size(), 1U);
  EXPECT_EQ(result.applied[0].path(), "/spec/template/spec/containers/0/env");
}

TEST(Overrides, ExpandsEveryValueOfACluster) {
  const Json rules = Json::array({Rule(
      {{"envOverrider",
        {{{"containerName", "app"},
          {"operator", "add"},
          {"value", {{{"name", "WHERE"}, {"value", "${cluster.provider}/${cluster.region}"}}}}}}},
       {"plaintext",
        {{{"operator", "add"},
          {"path", "/spec/hosts"},
          {"value", {"${cluster.name}.example", {{"a", "${cluster.labels.registry}"}}}}}}}})});
  const auto expanding = Policy("p", rules, {{"sealane.io/expand", "true"}});
  const Result result = Apply({expanding}, Cluster("eu", "eu-west-1"));
  ASSERT_OK(result.status);
  EXPECT_EQ(Container(result.object, 0)["env"][1],
            (Json{{"name", "WHERE"}, {"value", "aws/eu-west-1"}}));
  EXPECT_EQ(result.object["spec"]["hosts"], (Json{"eu.example", {{"a", "eu.registry.example"}}}));
  for (const std::string missing : {"provider", "region"}) {
    v1::ClusterStatus bare = Cluster("bare", "r");
    missing == "provider" ? bare.clear_provider() : bare.clear_region();
    EXPECT_THAT(Apply({expanding}, bare).status,
                StatusIs(absl::StatusCode::kNotFound,
                         AllOf(HasSubstr("OverridePolicy shop/p rule 0"),
                               HasSubstr("cluster bare has no cluster." + missing))));
  }
}

TEST(Overrides, ExpandsClusterValuesOnlyWhenAsked) {
  const Json rules = Json::array(
      {Rule({{"annotationsOverrider",
              {{{"operator", "add"},
                {"value", {{"where", "${cluster.name}/${cluster.labels.registry}$${x}"}}}}}}})});
  const Result plain = Apply({Policy("p", rules)}, Cluster("eu", "eu"));
  ASSERT_OK(plain.status);
  EXPECT_EQ(plain.object["metadata"]["annotations"]["where"],
            "${cluster.name}/${cluster.labels.registry}$${x}");
  const auto expanding = Policy("p", rules, {{"sealane.io/expand", "true"}});
  const Result expanded = Apply({expanding}, Cluster("eu", "eu"));
  ASSERT_OK(expanded.status);
  EXPECT_EQ(expanded.object["metadata"]["annotations"]["where"], "eu/eu.registry.example${x}");
  v1::ClusterStatus bare = Cluster("bare", "");
  bare.clear_labels();
  EXPECT_THAT(Apply({expanding}, bare).status,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("cluster.labels.registry")));
}

TEST(Overrides, FailureNamesPolicyRuleOperationAndPath) {
  const auto policy = Policy(
      "broken",
      Json::array({Rule({}), Rule({{"plaintext",
                                    {{{"operator", "add"}, {"path", "/spec/a"}, {"value", 1}},
                                     {{"operator", "replace"}, {"path", "/spec/x/y"}}}}})}));
  EXPECT_THAT(Apply({policy}, Cluster("eu", "eu")).status,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("OverridePolicy shop/broken rule 1"),
                             HasSubstr("plaintext[1]"), HasSubstr("/spec/x/y"))));
}

TEST(Overrides, FieldInsideText) {
  Json object = {
      {"apiVersion", "v1"},
      {"kind", "ConfigMap"},
      {"metadata", {{"name", "c"}, {"namespace", "shop"}}},
      {"data", {{"a.json", "{\"z\":1,\"a\":{\"url\":\"x\"}}"}, {"b.yaml", "z: 1\na:\n- x\n"}}}};
  const auto policy = Policy(
      "fields",
      Json::array({Rule(
          {{"fieldOverrider",
            {{{"fieldPath", "/data/a.json"},
              {"json",
               {{{"operator", "replace"}, {"subPath", "/a/url"}, {"value", "a<b"}},
                {{"operator", "add"}, {"subPath", "/new"}, {"value", true}}}}},
             {{"fieldPath", "/data/b.yaml"},
              {"yaml", {{{"operator", "add"}, {"subPath", "/a/-"}, {"value", "yes"}}}}}}}})}));
  std::vector<v1::AppliedOverride> applied;
  ASSERT_OK(ApplyOverrides({&policy}, Cluster("eu", "eu"), object, &applied));
  EXPECT_EQ(object["data"]["a.json"], "{\"z\":1,\"a\":{\"url\":\"a\\u003cb\"},\"new\":true}");
  EXPECT_EQ(object["data"]["b.yaml"], "a:\n- x\n- \"yes\"\nz: 1\n");
}

// --- Properties
// --------------------------------------------------------------------------------------

Json RandomOverriders(std::mt19937& random) {
  static const std::vector<Json> kChoices = {
      {{"labelsOverrider", {{{"operator", "add"}, {"value", {{"k", "v1"}}}}}}},
      {{"labelsOverrider", {{{"operator", "replace"}, {"value", {{"app", "v2"}}}}}}},
      {{"annotationsOverrider", {{{"operator", "add"}, {"value", {{"k", "v3"}}}}}}},
      {{"imageOverrider", {{{"component", "Tag"}, {"operator", "replace"}, {"value", "7"}}}}},
      {{"imageOverrider",
        {{{"component", "Registry"}, {"operator", "replace"}, {"value", "r.io"}}}}},
      {{"argsOverrider", {{{"containerName", "app"}, {"operator", "remove"}, {"value", {"--a"}}}}}},
      {{"plaintext", {{{"operator", "replace"}, {"path", "/spec/replicas"}, {"value", 5}}}}},
      {{"plaintext", {{{"operator", "add"}, {"path", "/spec/paused"}, {"value", true}}}}},
  };
  return kChoices[random() % kChoices.size()];
}

Json RandomTarget(std::mt19937& random) {
  switch (random() % 4) {
    case 0:
      return nullptr;
    case 1:
      return {{"clusterNames", {StrCat("c", random() % 4)}}};
    case 2:
      return {{"labelSelector",
               {{"matchLabels", {{"registry", StrCat("c", random() % 4, ".registry.example")}}}}}};
    default:
      return {{"exclude", {StrCat("c", random() % 4)}}};
  }
}

std::vector<OverridePolicy> RandomPolicies(std::mt19937& random) {
  std::vector<OverridePolicy> policies;
  for (unsigned p = random() % 5; p > 0; --p) {
    Json rules = Json::array();
    for (unsigned r = 1 + random() % 3; r > 0; --r) {
      rules.push_back(Rule(RandomOverriders(random), RandomTarget(random)));
    }
    policies.push_back(Policy(StrCat("p", p), rules));
  }
  return policies;
}

TEST(OverridesProperty, DeterministicIdempotentAndWithoutLeaks) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const std::vector<OverridePolicy> policies = RandomPolicies(random);
    std::vector<const OverridePolicy*> pointers;
    for (const auto& policy : policies) pointers.push_back(&policy);
    std::map<std::string, std::string> by_key;
    for (int c = 0; c < 4; ++c) {
      const v1::ClusterStatus cluster = Cluster(StrCat("c", c), "r");
      const Result first = Apply(policies, cluster);
      ASSERT_OK(first.status);
      // The same input gives the same output, whatever was rendered for other clusters before.
      EXPECT_EQ(Apply(policies, cluster).object, first.object);
      // Clusters with equal keys get equal results: they may share one rendering.
      const auto [it, added] = by_key.emplace(OverrideKey(pointers, cluster), first.object.dump());
      EXPECT_EQ(it->second, first.object.dump());
      // Applied again to its own result it changes nothing: these operations set, not append.
      Json again = first.object;
      std::vector<v1::AppliedOverride> applied;
      ASSERT_OK(ApplyOverrides(pointers, cluster, again, &applied));
      EXPECT_EQ(again, first.object);
    }
  }
}

TEST(OverridesProperty, TheLaterRuleWins) {
  std::mt19937 random(12);
  for (int round = 0; round < 50; ++round) {
    Json rules = Json::array();
    const int count = 1 + static_cast<int>(random() % 6);
    int last = -1;
    for (int i = 0; i < count; ++i) {
      const Json target = RandomTarget(random);
      rules.push_back(Rule(
          {{"labelsOverrider", {{{"operator", "add"}, {"value", {{"n", StrCat(i)}}}}}}}, target));
      const auto alone = Policy("alone", Json::array({rules.back()}));
      if (Apply({alone}, Cluster("c1", "r")).object["metadata"]["labels"].contains("n")) last = i;
    }
    const Result result = Apply({Policy("all", rules)}, Cluster("c1", "r"));
    ASSERT_OK(result.status);
    if (last < 0) {
      EXPECT_FALSE(result.object["metadata"]["labels"].contains("n"));
    } else {
      EXPECT_EQ(result.object["metadata"]["labels"]["n"], StrCat(last));
    }
  }
}

}  // namespace
}  // namespace sealane::policy
