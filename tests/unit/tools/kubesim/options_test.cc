#include "tools/kubesim/options.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane::kubesim {
namespace {

absl::StatusOr<ProgramOptions> Parse(std::vector<std::string> arguments) {
  std::vector<char*> argv = {const_cast<char*>("kubesim")};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return ParseOptions(static_cast<int>(argv.size()), argv.data());
}

TEST(OptionsTest, FlagsInBothForms) {
  const auto options =
      Parse({"--name", "m1", "--nodes=5", "--cpu", "500m", "--memory=2Gi", "--startup-delay",
             "250ms", "--listen=127.0.0.1:8080", "--seed", "7", "--controllers", "off"});
  ASSERT_OK(options);
  EXPECT_EQ(options->cluster.name, "m1");
  EXPECT_EQ(options->cluster.nodes, 5);
  EXPECT_EQ(options->cluster.cpu, "500m");
  EXPECT_EQ(options->cluster.startup_delay, absl::Milliseconds(250));
  EXPECT_EQ(options->listen, "127.0.0.1:8080");
  EXPECT_EQ(options->seed, 7U);
  EXPECT_FALSE(options->cluster.controllers);
}

TEST(OptionsTest, BadFlagsAreNamed) {
  EXPECT_EQ(Parse({"--nodes", "many"}).status().message(), "--nodes: must be a whole number");
  EXPECT_EQ(Parse({"--nope"}).status().message(), "unknown flag --nope");
  EXPECT_EQ(Parse({"--name"}).status().message(), "--name needs a value");
  EXPECT_FALSE(Parse({"--cpu", "x"}).ok());
  EXPECT_FALSE(Parse({"--startup-delay", "-1s"}).ok());
  EXPECT_FALSE(Parse({"stray"}).ok());
}

}  // namespace
}  // namespace sealane::kubesim
