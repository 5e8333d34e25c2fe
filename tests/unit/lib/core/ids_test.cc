#include "lib/core/ids.h"

#include <regex>

#include "gtest/gtest.h"
#include "lib/core/sim_executor.h"

namespace sealane {
namespace {

TEST(IdsTest, IsAVersionFourUuidAndFollowsTheSeed) {
  SimExecutor a(1), b(1);
  const std::string id = NewUuid(a);
  EXPECT_EQ(id, NewUuid(b));
  EXPECT_NE(id, NewUuid(a));
  EXPECT_TRUE(std::regex_match(
      id, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")))
      << id;
}

}  // namespace
}  // namespace sealane
