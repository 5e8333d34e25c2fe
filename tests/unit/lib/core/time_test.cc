#include "lib/core/time.h"

#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

TEST(TimeTest, RoundTripsKubernetesTimes) {
  const auto time = ParseKubeTime("2026-01-02T03:04:05Z");
  ASSERT_OK(time);
  EXPECT_EQ(FormatKubeTime(*time), "2026-01-02T03:04:05Z");
  EXPECT_OK(ParseKubeTime("2026-01-02T03:04:05.123456Z"));
  EXPECT_THAT(ParseKubeTime("yesterday"),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("yesterday")));
}

}  // namespace
}  // namespace sealane
