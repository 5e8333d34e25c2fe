#include "lib/telemetry/log.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kOff); }

  // What `write` puts on standard error at this threshold.
  template <typename F>
  std::string Capture(LogLevel level, F write) {
    SetLogLevel(level);
    ::testing::internal::CaptureStderr();
    write(Logger("policy"));
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, OneLineWithTimeLevelComponentTextAndFields) {
  const std::string line = Capture(LogLevel::kInfo, [](const Logger& log) {
    log.Info("claimed", {{"object", "Deployment a/b"}, {"policy", "x"}, {"note", ""}});
  });
  EXPECT_THAT(line, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z info policy "
                                 "claimed object=\"Deployment a/b\" policy=x note=\"\"\n"));
}

TEST_F(LogTest, ValuesCannotBreakTheLine) {
  const std::string line = Capture(LogLevel::kInfo, [](const Logger& log) {
    log.Warn("refused", {{"why", "a\nb \"c\" \\ \x01 {}"}});
  });
  EXPECT_THAT(line, HasSubstr("why=\"a\\nb \\\"c\\\" \\\\ \\x01 {}\"\n"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST_F(LogTest, TheThresholdHides) {
  const auto all = [](const Logger& log) {
    log.Debug("one");
    log.Info("two");
    log.Warn("three");
    log.Error("four");
  };
  EXPECT_THAT(Capture(LogLevel::kOff, all), IsEmpty());
  const std::string warn = Capture(LogLevel::kWarn, all);
  EXPECT_THAT(warn, Not(HasSubstr("two")));
  EXPECT_THAT(warn, HasSubstr("warn policy three"));
  EXPECT_THAT(warn, HasSubstr("error policy four"));
  EXPECT_THAT(Capture(LogLevel::kDebug, all), HasSubstr("debug policy one"));
}

TEST_F(LogTest, LevelNames) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(ParseLogLevel("warn"), LogLevel::kWarn);
  EXPECT_EQ(ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("loud"), LogLevel::kInfo);
}

}  // namespace
}  // namespace sealane
