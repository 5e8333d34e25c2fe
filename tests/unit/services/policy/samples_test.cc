// Karmada's sample manifests, where they are beside the tree: each is taken, or refused in a way
// that names its kind.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/services/policy/policy_fixture.h"

namespace sealane::policy {
namespace {

namespace fs = std::filesystem;

TEST_F(PolicyServiceTest, EverySampleIsTakenOrClearlyRefused) {
  const fs::path folder =
      fs::path(SEALANE_SOURCE_DIR) / ".." / "shared" / "conformance" / "karmada" / "samples";
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder, error)) paths.push_back(entry.path());
  if (paths.empty()) GTEST_SKIP() << "no samples beside the tree";
  std::sort(paths.begin(), paths.end());
  int taken = 0;
  for (const fs::path& path : paths) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const v1::DeployResult result = Apply(text);
    EXPECT_GT(result.results_size(), 0) << path;
    for (const v1::OperationResult& one : result.results()) {
      if (one.accepted()) {
        ++taken;
        continue;
      }
      bool named = false;
      for (const v1::FieldError& why : one.errors()) {
        named |= why.message().find(one.object().kind()) != std::string::npos;
      }
      EXPECT_TRUE(named) << path << ": " << one.ShortDebugString();
    }
  }
  EXPECT_GE(taken, 20);
}

}  // namespace
}  // namespace sealane::policy
