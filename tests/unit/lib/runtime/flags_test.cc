#include "lib/runtime/flags.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

const std::vector<Flag>& Known() {
  static const std::vector<Flag> known = {{"bus-url", "Where.", "nats://127.0.0.1:4222"},
                                          {"workers", "How many.", "4"},
                                          {"timeout", "How long.", "10s"},
                                          {"verbose", "Say more.", "", true}};
  return known;
}

absl::Status Refused(const std::vector<std::string>& args) {
  return ParseFlags(Known(), args).status();
}

TEST(FlagsTest, DefaultsAndBothForms) {
  auto flags = ParseFlags(Known(), {});
  ASSERT_OK(flags);
  EXPECT_EQ(flags->Get("bus-url"), "nats://127.0.0.1:4222");
  EXPECT_EQ(flags->Get("nonsense"), "");
  EXPECT_FALSE(flags->GetBool("verbose"));
  flags = ParseFlags(Known(), {"--bus-url=nats://a:1", "--workers", "7", "--verbose"});
  ASSERT_OK(flags);
  EXPECT_EQ(flags->Get("bus-url"), "nats://a:1");
  EXPECT_EQ(*flags->GetInt("workers", 1, 10), 7);
  EXPECT_TRUE(flags->GetBool("verbose"));
  EXPECT_EQ(ParseFlags(Known(), {"--workers=1", "--workers=2", "--bus-url="})->Get("workers"), "2");
  EXPECT_FALSE(ParseFlags(Known(), {"--verbose=false"})->GetBool("verbose"));
}

TEST(FlagsTest, ErrorsNameTheFlag) {
  EXPECT_THAT(Refused({"--colour=red"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown flag --colour")));
  EXPECT_THAT(Refused({"extra"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"extra\"")));
  EXPECT_THAT(Refused({"--"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"--\"")));
  EXPECT_THAT(Refused({"--workers"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--workers: needs a value")));
  EXPECT_THAT(Refused({"--verbose=maybe"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--verbose")));
}

TEST(FlagsTest, NumbersAndDurationsAreChecked) {
  const auto flags = ParseFlags(Known(), {"--workers=eleven", "--timeout=soon"});
  ASSERT_OK(flags);
  EXPECT_THAT(flags->GetInt("workers", 1, 10).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--workers: must be a number from 1 to 10, not \"eleven\"")));
  EXPECT_THAT(flags->GetDuration("timeout").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--timeout")));
  const auto out_of_range = ParseFlags(Known(), {"--workers=11", "--timeout=-1s"});
  EXPECT_FALSE(out_of_range->GetInt("workers", 1, 10).ok());
  EXPECT_FALSE(out_of_range->GetDuration("timeout").ok());
  EXPECT_EQ(*ParseFlags(Known(), {"--timeout=1m30s"})->GetDuration("timeout"), absl::Seconds(90));
}

TEST(FlagsTest, TheEnvironmentComesBeforeDefaultsAndAfterTheCommandLine) {
  ASSERT_EQ(setenv("SEALANE_BUS_URL", "nats://env:1", 1), 0);
  EXPECT_EQ(ParseFlags(Known(), {})->Get("bus-url"), "nats://env:1");
  EXPECT_EQ(ParseFlags(Known(), {"--bus-url=nats://arg:1"})->Get("bus-url"), "nats://arg:1");
  unsetenv("SEALANE_BUS_URL");
  ASSERT_EQ(setenv("SEALANE_VERBOSE", "si", 1), 0);
  EXPECT_THAT(Refused({}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SEALANE_VERBOSE")));
  unsetenv("SEALANE_VERBOSE");
}

TEST(FlagsTest, HelpNamesEveryFlagAndDefault) {
  const std::string help = DescribeFlags(Known());
  EXPECT_THAT(help, HasSubstr("--bus-url VALUE\n      Where. (default: nats://127.0.0.1:4222)"));
  EXPECT_THAT(help, HasSubstr("--verbose\n      Say more.\n"));
}

}  // namespace
}  // namespace sealane
