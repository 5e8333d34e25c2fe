// What nodes have left, told in few words and never more than there is.

#include "services/agent/node_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"

namespace sealane::agent {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using Nodes = std::map<std::string, NodeFacts, std::less<>>;

Quantity Parsed(std::string_view text) { return Quantity::Parse(text).value(); }

NodeFacts SmallNode(std::string_view cpu, std::string_view used = "0") {
  NodeFacts node;
  node.ready = true;
  node.allocatable = {{"cpu", Parsed(cpu)}, {"memory", Parsed("8Gi")}, {"pods", Parsed("110")}};
  node.requested = {{"cpu", Parsed(used)}, {"pods", Parsed("10")}};
  return node;
}

TEST(NodeShapesTest, NodesWithTheSameLeftAreCountedTogether) {
  Nodes nodes = {{"a", SmallNode("4", "1")},
                 {"b", SmallNode("3")},
                 {"c", SmallNode("8")},
                 {"off", SmallNode("8")}};
  nodes.at("off").schedulable = false;
  nodes.at("c").ready = false;
  nodes["full"] = SmallNode("2", "2");
  v1::Heartbeat heartbeat;
  FillNodeShapes(nodes, heartbeat);
  ASSERT_EQ(heartbeat.node_shapes_size(), 2);
  const v1::NodeShape& alike = heartbeat.node_shapes(0);
  EXPECT_EQ(alike.count(), 2);
  EXPECT_THAT(alike.free(),
              UnorderedElementsAre(Pair("cpu", "3"), Pair("memory", "8Gi"), Pair("pods", "100")));
  EXPECT_EQ(heartbeat.node_shapes(1).count(), 1);
  EXPECT_EQ(heartbeat.node_shapes(1).free().count("cpu"), 0U) << "what is used up is left out";
}

// The sums that each resource is told to have, and has.
TEST(NodeShapesTest, ThousandsOfNodesAreToldInFewShapesThatAreNeverTooLarge) {
  Nodes nodes;
  int64_t cpu = 0;
  for (int i = 0; i < 5000; ++i) {
    const int64_t used = i * 37 % 7900;
    nodes[StrCat("node-", i)] = SmallNode("8", StrCat(used, "m"));
    cpu += 8000 - used;
  }
  const std::vector<NodeShape> shapes = NodeShapes(nodes, kMaxNodeShapes);
  EXPECT_LE(shapes.size(), kMaxNodeShapes);
  int64_t count = 0;
  int64_t told = 0;
  for (const NodeShape& shape : shapes) {
    count += shape.count;
    told += shape.count * shape.free.at("cpu");
  }
  EXPECT_EQ(count, 5000);
  EXPECT_LE(told, cpu);
  EXPECT_GT(told, cpu * 8 / 10) << "and not much too small";
}

TEST(NodeShapesTest, RoundingMovesNoNodeAcrossAPowerOfTwo) {
  Nodes nodes;
  for (int i = 0; i < 1000; ++i) nodes[StrCat("node-", i)] = SmallNode("4", StrCat(2 * i, "m"));
  nodes["less"] = SmallNode("4", "2001m");
  int64_t from_two = 0;
  for (const NodeShape& shape : NodeShapes(nodes, 8)) {
    if (shape.free.at("cpu") >= 2000) from_two += shape.count;
  }
  EXPECT_EQ(from_two, 1000);
}

TEST(NodeShapesTest, OneShapeIsTheCommonPart) {
  Nodes nodes = {{"a", SmallNode("4")}, {"b", SmallNode("7")}};
  nodes.at("b").allocatable["gpu"] = Parsed("2");
  const std::vector<NodeShape> shapes = NodeShapes(nodes, 1);
  ASSERT_EQ(shapes.size(), 1U);
  EXPECT_EQ(shapes[0].count, 2);
  EXPECT_EQ(shapes[0].free.at("cpu"), 4000);
  EXPECT_EQ(shapes[0].free.count("gpu"), 0U);
  EXPECT_TRUE(NodeShapes({}, 1).empty());
}

}  // namespace
}  // namespace sealane::agent
