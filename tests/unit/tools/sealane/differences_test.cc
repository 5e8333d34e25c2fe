#include "tools/sealane/differences.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json Deployment(std::string_view region, int replicas, const std::vector<std::string>& args) {
  const std::string registry = "registry." + std::string(region);
  return {{"metadata", {{"name", "web"}, {"labels", {{"app", "web"}, {"region", region}}}}},
          {"spec",
           {{"replicas", replicas},
            {"template",
             {{"spec",
               {{"containers",
                 {{{"name", "web"},
                   {"image", registry + "/web:1"},
                   {"args", args},
                   {"env", {{{"name", "REGION"}, {"value", region}}}}},
                  {{"name", "relay"}, {"image", registry + "/relay:2"}}}}}}}}}}};
}

TEST(DifferencesTest, SaysWhatEachClusterHasOfItsOwn) {
  const auto differences = Differences(
      {{"aws", Deployment("us", 1, {"--a"})}, {"aliyun", Deployment("cn", 3, {"--a", "--zh"})}});
  EXPECT_THAT(differences.at("aliyun"),
              ElementsAre("label region=cn", "web: args --zh", "web: REGION=cn"));
  EXPECT_THAT(differences.at("aws"), ElementsAre("label region=us", "web: REGION=us"));
}

TEST(DifferencesTest, EqualOrAloneMeansNone) {
  EXPECT_THAT(Differences({{"a", Deployment("cn", 1, {})}}).at("a"), IsEmpty());
  const auto same = Differences({{"a", Deployment("cn", 1, {})}, {"b", Deployment("cn", 2, {})}});
  EXPECT_THAT(same.at("a"), IsEmpty());
  EXPECT_THAT(same.at("b"), IsEmpty());
}

TEST(DifferencesTest, OtherFieldsKeepTheirPath) {
  const auto differences =
      Differences({{"a", {{"spec", {{"ports", {{{"port", 80}}}}, {"type", "NodePort"}}}}},
                   {"b", {{"spec", {{"ports", {{{"port", 81}}}}}}}}});
  EXPECT_THAT(differences.at("a"), ElementsAre("spec.ports[0].port=80", "spec.type=NodePort"));
  EXPECT_THAT(differences.at("b"), ElementsAre("spec.ports[0].port=81"));
}

TEST(ImagesTest, NamesContainersWhenThereAreSeveral) {
  EXPECT_THAT(Images(Deployment("us", 1, {})),
              ElementsAre("web: registry.us/web:1", "relay: registry.us/relay:2"));
  const Json pod = {{"spec", {{"containers", {{{"name", "one"}, {"image", "i:1"}}}}}}};
  EXPECT_THAT(Images(pod), ElementsAre("i:1"));
  EXPECT_THAT(Images({{"data", {{"k", "v"}}}}), IsEmpty());
}

}  // namespace
}  // namespace sealane::cli
