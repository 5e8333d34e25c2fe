#include "tools/sealane/context.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kConfig = R"(
current-context: home
contexts:
  - name: home
    url: nats://127.0.0.1:4222
    user: alice
    password: secret
  - name: work
    url: nats://bus.example.com:4222
    user: bob
    password-file: bob.password
    namespace: shop
)";

TEST(ParseConfigTest, TakesTheCurrentContextOrTheNamedOne) {
  const TempDir directory;
  ASSERT_OK(WriteFile(directory.path() + "/bob.password", "from-file\n", 0600));
  const auto home = ParseConfig(kConfig, "", directory.path());
  ASSERT_OK(home);
  EXPECT_EQ(home->url, "nats://127.0.0.1:4222");
  EXPECT_EQ(home->user, "alice");
  EXPECT_EQ(home->password, "secret");
  EXPECT_EQ(home->default_namespace, "");
  const auto work = ParseConfig(kConfig, "work", directory.path());
  ASSERT_OK(work);
  EXPECT_EQ(work->password, "from-file");
  EXPECT_EQ(work->default_namespace, "shop");
}

TEST(ParseConfigTest, OneContextNeedsNotBeChosen) {
  const auto only = ParseConfig("contexts: [{name: a, url: 'nats://a:1'}]", "", "/");
  ASSERT_OK(only);
  EXPECT_EQ(only->url, "nats://a:1");
}

TEST(ParseConfigTest, SaysWhatIsWrong) {
  const auto wrong = [](std::string_view text, std::string_view name) {
    return ParseConfig(text, name, "/").status();
  };
  EXPECT_THAT(wrong(kConfig, "none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("there is: home, work")));
  EXPECT_THAT(wrong("contexts: 3", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("contexts")));
  EXPECT_THAT(wrong("contexts: [{name: a, url: b}, {name: c, url: d}]", ""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--context or current-context: a, c")));
  EXPECT_THAT(wrong("contexts: [{name: a, uri: b}]", "a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown field \"uri\"")));
  EXPECT_THAT(wrong("a: [", ""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line")));
}

class LoadContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = directory_.path() + "/config.yaml";
    ASSERT_OK(WriteFile(path_,
                        "current-context: c\ncontexts:\n- {name: c, url: 'nats://file:1', "
                        "user: file, password: file}\n",
                        0600));
  }
  absl::StatusOr<Context> Load(const std::vector<std::string>& args,
                               const Environment& environment) {
    return LoadContext(ParseArgs(ContextFlags(), args).value(), environment);
  }
  TempDir directory_;
  std::string path_;
};

TEST_F(LoadContextTest, FlagsBeatEnvironmentBeatsFile) {
  const auto file = Load({"--config", path_}, {});
  ASSERT_OK(file);
  EXPECT_EQ(file->url, "nats://file:1");
  const Environment environment = {{"SEALANE_CONFIG", path_},
                                   {"SEALANE_BUS_URL", "nats://env:1"},
                                   {"SEALANE_BUS_PASSWORD", "env"}};
  const auto from_environment = Load({}, environment);
  ASSERT_OK(from_environment);
  EXPECT_EQ(from_environment->url, "nats://env:1");
  EXPECT_EQ(from_environment->user, "file");
  EXPECT_EQ(from_environment->password, "env");
  const auto flags = Load({"--bus-url=nats://flag:1", "--user", "flag"}, environment);
  ASSERT_OK(flags);
  EXPECT_EQ(flags->url, "nats://flag:1");
  EXPECT_EQ(flags->user, "flag");
}

TEST_F(LoadContextTest, SaysHowToNameAFleet) {
  EXPECT_THAT(Load({}, {}).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("--bus-url"), HasSubstr("SEALANE_BUS_URL"),
                             HasSubstr("config.yaml"))));
  EXPECT_THAT(Load({"--config", "/none"}, {}).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none")));
  EXPECT_THAT(Load({"--context", "x"}, {{"SEALANE_CONFIG", path_}}).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
}

}  // namespace
}  // namespace sealane::cli
