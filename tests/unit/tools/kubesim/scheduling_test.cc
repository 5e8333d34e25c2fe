#include "tools/kubesim/scheduling.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "tests/support/status_matchers.h"
#include "tools/kubesim/quantity.h"

namespace sealane::kubesim {
namespace {

Json Node(const std::string& cpu, int pods = 10) {
  return {{"metadata", {{"labels", {{"zone", "a"}}}}},
          {"spec", Json::object()},
          {"status",
           {{"allocatable", {{"cpu", cpu}, {"memory", "1Gi"}, {"pods", std::to_string(pods)}}},
            {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
}

Json Pod(const std::string& cpu) {
  return {
      {"spec",
       {{"containers",
         Json::array({{{"resources", {{"requests", {{"cpu", cpu}, {"memory", "100Mi"}}}}}}})}}}};
}

TEST(SchedulingTest, Quantities) {
  EXPECT_DOUBLE_EQ(*QuantityValue("500m"), 0.5);
  EXPECT_DOUBLE_EQ(*QuantityValue("2Ki"), 2048);
  EXPECT_DOUBLE_EQ(*QuantityValue("1e3"), 1000);
  EXPECT_FALSE(QuantityValue("").ok());
  EXPECT_FALSE(QuantityValue("5x").ok());
}

TEST(SchedulingTest, TheEmptiestNodeThenTheFirstName) {
  const Json node = Node("4");
  const std::map<std::string, const Json*> nodes = {{"a", &node}, {"b", &node}, {"c", &node}};
  EXPECT_EQ(*ChooseNode(Pod("1"), nodes, {}), "a");
  EXPECT_EQ(*ChooseNode(Pod("1"), nodes, {{"a", {1, 0, 2}}, {"b", {1, 0, 1}}, {"c", {3, 0, 1}}}),
            "b");
}

TEST(SchedulingTest, EveryReasonIsCounted) {
  const Json small = Node("500m");
  const Json full = Node("8", 1);
  Json cordoned = Node("8");
  cordoned["spec"]["unschedulable"] = true;
  Json tainted = Node("8");
  tainted["spec"]["taints"] =
      Json::array({{{"key", "k"}, {"value", "v"}, {"effect", "NoSchedule"}}});
  Json broken = Node("8");
  broken["status"]["conditions"][0]["status"] = "Unknown";
  const std::map<std::string, const Json*> nodes = {
      {"a", &small}, {"b", &full}, {"c", &cordoned}, {"d", &tainted}, {"e", &broken}};
  const auto none = ChooseNode(Pod("1"), nodes, {{"b", {0, 0, 1}}});
  EXPECT_EQ(
      none.status().message(),
      "0/5 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) had untolerated "
      "taint {k: v}, 1 node(s) were not ready, 1 node(s) were unschedulable.");
  Json tolerant = Pod("1");
  tolerant["spec"]["tolerations"] = Json::array({{{"key", "k"}, {"operator", "Exists"}}});
  EXPECT_EQ(*ChooseNode(tolerant, nodes, {{"b", {0, 0, 1}}}), "d");
  Json picky = Pod("100m");
  picky["spec"]["nodeSelector"] = {{"zone", "b"}};
  EXPECT_FALSE(ChooseNode(picky, nodes, {}).ok());
}

}  // namespace
}  // namespace sealane::kubesim
