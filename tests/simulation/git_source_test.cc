// A Git source beside the whole control plane and member clusters, on virtual time.

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "services/source/source_service.h"
#include "tests/simulation/world.h"
#include "tests/unit/services/source/fake_git.h"

namespace sealane::simulation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kSource[] =
    "apiVersion: sealane.io/v1alpha1\nkind: GitSource\nmetadata: {name: all}\n";

const std::vector<ClusterSpec> kClusters = {{"aliyun-beijing", "aliyun", "cn-beijing"},
                                            {"aws-virginia", "aws", "us-east-1"},
                                            {"tencent-shanghai", "tencent", "cn-shanghai"}};

std::string ConfigMap(std::string_view name, std::string_view annotations = "{}") {
  return StrCat("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ", name,
                ", namespace: shop, annotations: ", annotations, "}\ndata: {a: b}\n");
}

constexpr char kEverywhere[] =
    "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\n"
    "metadata: {name: everywhere, namespace: shop}\n"
    "spec: {resourceSelectors: [{apiVersion: v1, kind: ConfigMap}], placement: {}}\n";

// Clusters, and two ConfigMaps of which one is kept.
std::string Everything() {
  std::string out;
  for (const ClusterSpec& cluster : kClusters) {
    out.append(StrCat("---\napiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\n",
                      "metadata: {name: ", cluster.name, "}\nspec: {syncMode: Pull, provider: ",
                      cluster.provider, ", region: ", cluster.region, "}\n"));
  }
  return StrCat(out, ConfigMap("goes"), ConfigMap("stays", "{sealane.io/prune: 'false'}"));
}

// The names of the clusters that hold it.
std::vector<std::string> Holders(const World& world, const std::string& name) {
  std::vector<std::string> out;
  for (const auto& [cluster, objects] : world.Content()) {
    if (objects.contains(StrCat("ConfigMap shop/", name))) out.push_back(cluster);
  }
  return out;
}

class GitSourceTest : public ::testing::TestWithParam<uint64_t> {};

// When its clusters went, too, the scheduler would hear of one after the other: it would withdraw
// what is kept from the first because the others have it, and from those no more.
TEST_P(GitSourceTest, WhatIsKeptStaysInEveryClusterWhenTheSourceGoes) {
  Trouble trouble;
  trouble.max_delay = absl::Milliseconds(50 * (GetParam() % 8));
  World world(GetParam(), kClusters, trouble);
  SimExecutor& sim = world.sim();
  source::FakeRepositories repositories;
  repositories.Push("all", "c1", Everything());
  const auto bus = world.server().Connect(BusIdentity::Hub(), "source");
  Registry metrics;
  source::SourceOptions options;
  options.elect_leader = false;
  const auto source =
      source::MakeSourceService({sim.env(), *bus, metrics, "source-0"}, options,
                                std::make_unique<source::FakeGit>(sim, repositories));
  source->Start();
  sim.RunFor(absl::Seconds(5));
  world.Deploy({kEverywhere}, false);  // somebody else's policy
  world.Deploy({StrCat(kSource, "spec: {url: 'https://git.example.com/all.git'}\n")}, false);
  ASSERT_TRUE(sim.RunUntil(
      [&] { return Holders(world, "stays").size() == 3 && Holders(world, "goes").size() == 3; },
      absl::Minutes(3)));
  world.Deploy({kSource}, true);
  EXPECT_TRUE(sim.RunUntil([&] { return Holders(world, "goes").empty(); }, absl::Minutes(2)));
  // Looked at all the time, and once everything has settled.
  EXPECT_FALSE(sim.RunUntil([&] { return Holders(world, "stays").size() < 3; }, absl::Minutes(5)));
  EXPECT_THAT(Holders(world, "stays"),
              ElementsAre("aliyun-beijing", "aws-virginia", "tencent-shanghai"));
  EXPECT_THAT(Holders(world, "goes"), IsEmpty());
  EXPECT_THAT(repositories.forgotten, ElementsAre("all"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, GitSourceTest, ::testing::Range<uint64_t>(1, 17));

}  // namespace
}  // namespace sealane::simulation
