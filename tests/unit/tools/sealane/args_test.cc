#include "tools/sealane/args.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<FlagSpec>& Flags() {
  static const auto* flags = new std::vector<FlagSpec>{{"filename", 'f', "FILE", "", true},
                                                       {"output", 'o', "FORMAT", ""},
                                                       {"watch", 'w', "", ""},
                                                       {"timeout", 0, "DURATION", ""}};
  return *flags;
}

TEST(ArgsTest, TakesEveryFormOfAFlag) {
  const auto args = ParseArgs(
      Flags(), {"apps", "-f", "a", "--filename=b", "--filename", "c", "-ojson", "-w", "name"});
  ASSERT_OK(args);
  EXPECT_THAT(args->positional(), ElementsAre("apps", "name"));
  EXPECT_THAT(args->All("filename"), ElementsAre("a", "b", "c"));
  EXPECT_EQ(args->Get("output"), "json");
  EXPECT_TRUE(args->Has("watch"));
  EXPECT_FALSE(args->Has("timeout"));
}

TEST(ArgsTest, DashIsAnArgumentAndDoubleDashEndsFlags) {
  const auto args = ParseArgs(Flags(), {"-f", "-", "-", "--", "-w"});
  ASSERT_OK(args);
  EXPECT_THAT(args->All("filename"), ElementsAre("-"));
  EXPECT_THAT(args->positional(), ElementsAre("-", "-w"));
}

TEST(ArgsTest, RefusesWhatItDoesNotKnowAndSaysWhatIsNear) {
  const auto refused = [](const std::vector<std::string>& args) {
    return ParseArgs(Flags(), args).status();
  };
  EXPECT_THAT(refused({"--outptu=json"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean --output?")));
  EXPECT_THAT(refused({"-x"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown flag -x")));
  EXPECT_THAT(refused({"-o"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--output needs a value")));
  EXPECT_THAT(refused({"--watch=yes"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes no value")));
  EXPECT_THAT(refused({"-o", "a", "-o", "b"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("given twice")));
}

TEST(ArgsTest, ReadsDurations) {
  const auto args = ParseArgs(Flags(), {"--timeout", "1m30s"});
  ASSERT_OK(args);
  EXPECT_EQ(args->Duration("timeout", absl::Seconds(1)).value(), absl::Seconds(90));
  EXPECT_EQ(ParseArgs(Flags(), {})->Duration("timeout", absl::Seconds(1)).value(),
            absl::Seconds(1));
  for (const char* wrong : {"soon", "10", "-3s"}) {
    EXPECT_THAT(
        ParseArgs(Flags(), {std::string("--timeout=") + wrong})->Duration("timeout", {}).status(),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--timeout is")));
  }
}

TEST(NearestTest, FindsTyposOnly) {
  const std::vector<std::string> words = {"apply", "delete", "status"};
  EXPECT_EQ(Nearest("aply", words), "apply");
  EXPECT_EQ(Nearest("stauts", words), "status");
  EXPECT_EQ(Nearest("propagate", words), "");
}

}  // namespace
}  // namespace sealane::cli
