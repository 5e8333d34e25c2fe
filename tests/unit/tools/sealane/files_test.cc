#include "tools/sealane/files.h"

#include <sys/stat.h>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::cli {
namespace {

TEST(FilesTest, WritesWithTheGivenRightsAndReplaces) {
  const TempDir directory;
  const std::string path = directory.path() + "/secret";
  ASSERT_OK(WriteFile(path, "first and longer", 0600));
  ASSERT_OK(WriteFile(path, "second", 0600));
  EXPECT_EQ(ReadFile(path).value(), "second");
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(FilesTest, SaysWhichFileAndWhy) {
  EXPECT_THAT(ReadFile("/does/not/exist").status(),
              StatusIs(absl::StatusCode::kNotFound, "/does/not/exist: No such file or directory"));
  EXPECT_FALSE(WriteFile("/does/not/exist", "x", 0600).ok());
}

}  // namespace
}  // namespace sealane::cli
