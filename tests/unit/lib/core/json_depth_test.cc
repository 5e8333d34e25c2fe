#include "lib/core/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace sealane {
namespace {

TEST(JsonDepthTest, CountsListsAndObjectsOutsideOfStrings) {
  EXPECT_FALSE(NestedDeeperThan("", 0));
  EXPECT_FALSE(NestedDeeperThan("1", 0));
  EXPECT_TRUE(NestedDeeperThan("[]", 0));
  EXPECT_FALSE(NestedDeeperThan(R"([{"a": [1]}, {"b": [2]}])", 3));
  EXPECT_TRUE(NestedDeeperThan(R"([{"a": [1]}, {"b": [2]}])", 2));
  EXPECT_FALSE(NestedDeeperThan(R"({"a": "[[[[", "b\"[[": "\\"})", 1));
  EXPECT_FALSE(NestedDeeperThan(R"("\)", 1));
  EXPECT_TRUE(NestedDeeperThan(std::string(1'000'000, '['), 200));
}

}  // namespace
}  // namespace sealane
