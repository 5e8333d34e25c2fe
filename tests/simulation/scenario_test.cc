#include "tests/simulation/scenario.h"

#include "gtest/gtest.h"

namespace sealane::simulation {
namespace {

// The examples of the design documents: 9 by 1:2 and 1:3; ties by name, both directions.
TEST(WebsterByHandTest, WorkedExamples) {
  using Map = std::map<std::string, int>;
  EXPECT_EQ(WebsterByHand(9, {{"a", 1}, {"b", 2}}, false), (Map{{"a", 3}, {"b", 6}}));
  EXPECT_EQ(WebsterByHand(9, {{"a", 1}, {"b", 3}}, false), (Map{{"a", 2}, {"b", 7}}));
  EXPECT_EQ(WebsterByHand(1, {{"a", 1}, {"b", 1}}, false), (Map{{"a", 1}}));
  EXPECT_EQ(WebsterByHand(1, {{"a", 1}, {"b", 1}}, true), (Map{{"b", 1}}));
}

}  // namespace
}  // namespace sealane::simulation
