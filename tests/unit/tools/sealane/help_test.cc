// What the program says about itself, and while it waits.
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(CommandTest, HelpListsEveryCommandAndExplainsEach) {
  EXPECT_EQ(Run({"help"}), kOk);
  for (const Command& command : Commands()) {
    EXPECT_THAT(out_.str(), HasSubstr(command.summary));
  }
  for (const Command& command : Commands()) {
    EXPECT_EQ(Run({command.name, "--help"}), kOk);
    EXPECT_THAT(out_.str(), AllOf(StartsWith(command.summary), HasSubstr("Usage:")));
    EXPECT_THAT(out_.str(), HasSubstr(StrCat("\n  sealane ", command.name))) << "an example";
    for (const FlagSpec& flag : command.flags) EXPECT_FALSE(flag.help.empty()) << flag.name;
  }
  EXPECT_EQ(Run({}), kUsage);
}

TEST_F(CommandTest, TheDocumentHasTheHelpOfEveryVerb) {
  std::ifstream file(StrCat(SEALANE_SOURCE_DIR, "/docs/cli.md"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::string begin = "<!-- begin: sealane help --markdown -->\n";
  const size_t from = text.find(begin);
  const size_t to = text.find("<!-- end -->");
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos);
  EXPECT_EQ(Run({"help", "--markdown"}), kOk);
  EXPECT_TRUE(text.substr(from + begin.size(), to - from - begin.size()) == out_.str())
      << "put what `sealane help --markdown` prints between the marks of docs/cli.md";
  for (const Command& command : Commands()) {
    EXPECT_THAT(out_.str(), HasSubstr(StrCat("\nUsage: sealane ", command.name, " ")));
    for (const FlagSpec& flag : command.flags) {
      EXPECT_THAT(out_.str(), HasSubstr(StrCat("--", flag.name)));
    }
  }
  EXPECT_EQ(Run({"help"}), kOk);
  for (int code = kOk; code <= kNotHealthy; ++code) {
    EXPECT_THAT(text, HasSubstr(StrCat("\n| ", code, " | ")));
    EXPECT_THAT(out_.str(), HasSubstr(StrCat("\n  ", code, "  ")));
  }
}

TEST_F(CommandTest, WrongWordsSayWhatIsNear) {
  EXPECT_EQ(Run({"aply"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean apply?"));
  EXPECT_EQ(Run({"get", "apps", "--cluser", "a"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean --cluster?"));
}

TEST_F(CommandTest, WhatIsWaitedForIsToldOnATerminalOnly) {
  script_.on_deploy = [this] {
    if (!script_.waiting) return;
    script_.waiting("sealane-policy", absl::Milliseconds(2050));
    script_.waiting("sealane-policy", absl::ZeroDuration());
  };
  Run({"apply", "-f", "-"}, "kind: A\n");
  EXPECT_EQ(err_.str(), "");
  progress_ = true;
  Run({"apply", "-f", "-", "--timeout", "9s"}, "kind: A\n");
  EXPECT_EQ(err_.str(), "\r\x1b[Kwaiting for sealane-policy, 2s of 9s\r\x1b[K");
}

}  // namespace
}  // namespace sealane::cli
