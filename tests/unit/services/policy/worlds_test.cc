// Properties of rendering over random worlds: policies of both scopes with every kind of overrider,
// clusters that they tell apart in every way.
#include <algorithm>
#include <random>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "services/policy/overrides.h"
#include "services/policy/renderer.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

constexpr int kClusters = 6;

v1::ClusterStatus Cluster(int index) {
  v1::ClusterStatus cluster;
  cluster.set_name(StrCat("c", index));
  cluster.set_region(StrCat("r", index % 3));
  cluster.set_provider(StrCat("p", index % 2));
  (*cluster.mutable_labels())["own"] = StrCat("secret-of-c", index);
  return cluster;
}

Json Object() {
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", {{"name", "web"}, {"namespace", "shop"}, {"labels", {{"app", "web"}}}}},
          {"spec",
           {{"replicas", 3},
            {"template",
             {{"metadata", {{"annotations", {{"config", R"({"url":"x"})"}}}}},
              {"spec",
               {{"containers",
                 Json::array({{{"name", "app"},
                               {"image", "docker.io/shop/web:1"},
                               {"args", {"--a"}},
                               {"env", Json::array({{{"name", "M"}, {"value", "x"}}})}}})}}}}}}}};
}

// Sets something to `value`; applied twice it sets the same.
Json Overriders(std::mt19937& random, const std::string& value) {
  const std::string key = StrCat("k", random() % 3);
  switch (random() % 7) {
    case 0:
      return {{"labelsOverrider", {{{"operator", "add"}, {"value", {{key, value}}}}}}};
    case 1:
      return {{"annotationsOverrider", {{{"operator", "add"}, {"value", {{key, value}}}}}}};
    case 2:
      return {
          {"imageOverrider", {{{"component", "Tag"}, {"operator", "replace"}, {"value", value}}}}};
    case 3:
      return {{"envOverrider",
               {{{"operator", "add"}, {"value", {{{"name", key}, {"value", value}}}}}}}};
    case 4:
      return {{"plaintext",
               {{{"operator", "add"},
                 {"path", StrCat("/spec/template/spec/", key)},
                 {"value", value}}}}};
    case 5:
      return {
          {"fieldOverrider",
           {{{"fieldPath", "/spec/template/metadata/annotations/config"},
             {"json", {{{"operator", "add"}, {"subPath", StrCat("/", key)}, {"value", value}}}}}}}};
    default:
      return {{"commandOverrider",
               {{{"containerName", "app"}, {"operator", "remove"}, {"value", {value}}}}}};
  }
}

// A target, and which clusters it concerns.
Json Target(std::mt19937& random, std::vector<bool>* concerned) {
  concerned->assign(kClusters, true);
  const auto only = [&](const auto& test) {
    for (int c = 0; c < kClusters; ++c) (*concerned)[static_cast<size_t>(c)] = test(c);
  };
  const int pick = static_cast<int>(random() % kClusters);
  switch (random() % 5) {
    case 0:
      return nullptr;
    case 1:
      only([&](int c) { return c == pick; });
      return {{"clusterNames", {StrCat("c", pick)}}};
    case 2:
      only([&](int c) { return c != pick; });
      return {{"exclude", {StrCat("c", pick)}}};
    case 3:
      only([&](int c) { return c % 3 == pick % 3; });
      return {{"fieldSelector",
               {{"matchExpressions",
                 {{{"key", "region"}, {"operator", "In"}, {"values", {StrCat("r", pick % 3)}}}}}}}};
    default:
      only([&](int c) { return c == pick; });
      return {{"labelSelector", {{"matchLabels", {{"own", StrCat("secret-of-c", pick)}}}}}};
  }
}

struct World {
  std::vector<OverridePolicy> policies;
  // Values that rules set, and whom they concern.
  std::vector<std::pair<std::string, std::vector<bool>>> values;

  [[nodiscard]] std::vector<const OverridePolicy*> Pointers() const {
    std::vector<const OverridePolicy*> pointers;
    for (const OverridePolicy& policy : policies) pointers.push_back(&policy);
    return pointers;
  }
};

World RandomWorld(std::mt19937& random) {
  World world;
  const unsigned count = 1 + random() % 5;
  for (unsigned p = 0; p < count; ++p) {
    const bool wide = random() % 2 == 0;
    const bool expand = random() % 3 == 0;
    Json rules = Json::array();
    for (unsigned r = 1 + random() % 3; r > 0; --r) {
      // "v3.2z": no value is the beginning of another.
      std::string value = StrCat("v", p, ".", r, "z");
      std::vector<bool> concerned;
      const Json target = Target(random, &concerned);
      world.values.emplace_back(value, concerned);
      if (expand) value += "-${cluster.labels.own}-";
      rules.push_back({{"overriders", Overriders(random, value)}, {"targetCluster", target}});
    }
    Json metadata = {{"name", StrCat("o", p)}};
    if (!wide) metadata["namespace"] = "shop";
    if (expand) metadata["annotations"]["sealane.io/expand"] = "true";
    auto policy = ParseOverridePolicy({{"apiVersion", "policy.karmada.io/v1alpha1"},
                                       {"kind", wide ? "ClusterOverridePolicy" : "OverridePolicy"},
                                       {"metadata", metadata},
                                       {"spec", {{"overrideRules", rules}}}});
    EXPECT_OK(policy);
    world.policies.push_back(*std::move(policy));
  }
  return world;
}

std::vector<std::string> RenderAll(const World& world, Json object, std::vector<int> order) {
  ObjectRenderer renderer(std::move(object), world.Pointers());
  std::vector<std::string> results(kClusters);
  for (const int c : order) {
    const auto rendering = renderer.Render(Cluster(c), {.replicas = 2 + c % 2});
    EXPECT_OK(rendering);
    if (rendering.ok()) results[static_cast<size_t>(c)] = (*rendering)->manifest;
  }
  return results;
}

TEST(RenderedWorlds, DeterministicIdempotentAndNothingLeaks) {
  std::mt19937 random(3);
  std::vector<int> order = {0, 1, 2, 3, 4, 5};
  for (int round = 0; round < 150; ++round) {
    const World world = RandomWorld(random);
    const std::vector<std::string> results = RenderAll(world, Object(), order);
    // Whatever was rendered before in whatever order, and whoever shares a rendering.
    std::vector<int> shuffled = order;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    ASSERT_EQ(RenderAll(world, Object(), shuffled), results);
    for (int c = 0; c < kClusters; ++c) {
      const std::string& result = results[static_cast<size_t>(c)];
      ASSERT_EQ(RenderAll(world, Object(), {c})[static_cast<size_t>(c)], result);
      // Rendered again it is itself: these rules set, they do not append.
      const Json again = Json::parse(result);
      ASSERT_EQ(RenderAll(world, again, {c})[static_cast<size_t>(c)], result);
      // No rule of another cluster, and no other cluster's own value.
      for (const auto& [value, concerned] : world.values) {
        if (concerned[static_cast<size_t>(c)]) continue;
        ASSERT_EQ(result.find(value), std::string::npos) << value << " in c" << c << ": " << result;
      }
      for (int other = 0; other < kClusters; ++other) {
        if (other == c) continue;
        ASSERT_EQ(result.find(StrCat("secret-of-c", other)), std::string::npos);
      }
      ASSERT_EQ(again["spec"]["replicas"], 2 + c % 2);
    }
  }
}

// The last rule that concerns a cluster decides: cluster-wide policies, then the namespace's; by
// name; rules in order.
TEST(RenderedWorlds, TheLastRuleInOrderWins) {
  std::mt19937 random(4);
  for (int round = 0; round < 100; ++round) {
    World world;
    std::vector<std::string> expected(kClusters);
    for (const bool wide : {true, false}) {
      for (const char* name : {"a", "b"}) {
        Json rules = Json::array();
        for (int r = 0; r < 3; ++r) {
          std::vector<bool> concerned;
          const Json target = Target(random, &concerned);
          const std::string value = StrCat(wide ? "wide" : "own", ".", name, r);
          for (size_t c = 0; c < kClusters; ++c) {
            if (concerned[c]) expected[c] = value;
          }
          rules.push_back(
              {{"overriders",
                {{"labelsOverrider", {{{"operator", "add"}, {"value", {{"last", value}}}}}}}},
               {"targetCluster", target}});
        }
        Json metadata = {{"name", name}};
        if (!wide) metadata["namespace"] = "shop";
        world.policies.push_back(
            *ParseOverridePolicy({{"apiVersion", "policy.karmada.io/v1alpha1"},
                                  {"kind", wide ? "ClusterOverridePolicy" : "OverridePolicy"},
                                  {"metadata", metadata},
                                  {"spec", {{"overrideRules", rules}}}}));
      }
    }
    std::shuffle(world.policies.begin(), world.policies.end(), random);
    const auto results = RenderAll(world, Object(), {0, 1, 2, 3, 4, 5});
    for (size_t c = 0; c < kClusters; ++c) {
      const Json labels = Json::parse(results[c])["metadata"]["labels"];
      ASSERT_EQ(labels.value("last", ""), expected[c]);
    }
  }
}

}  // namespace
}  // namespace sealane::policy
