#include "tools/sealane/text_diff.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/strings.h"

namespace sealane::cli {
namespace {

std::string Numbers(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) text += StrCat(i, "\n");
  return text;
}

TEST(UnifiedDiffTest, EqualTextsHaveNone) {
  EXPECT_EQ(UnifiedDiff("a\nb\n", "a\nb\n", "x", "y"), "");
  EXPECT_EQ(UnifiedDiff("", "", "x", "y"), "");
}

TEST(UnifiedDiffTest, AsDiffPrintsIt) {
  const std::string a = Numbers(1, 20);
  std::string b = a;
  b.replace(b.find("5\n"), 2, "five\n");
  b.replace(b.find("18\n"), 3, "");
  EXPECT_EQ(UnifiedDiff(a, b, "old", "new"),
            "--- old\n+++ new\n"
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
            "@@ -15,6 +15,5 @@\n 15\n 16\n 17\n-18\n 19\n 20\n");
  EXPECT_EQ(UnifiedDiff("", "a\n", "old", "new"), "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n");
  EXPECT_EQ(UnifiedDiff("a\nb", "a\n", "old", "new"), "--- old\n+++ new\n@@ -1,2 +1 @@\n a\n-b\n");
}

TEST(UnifiedDiffTest, ChangesNearEachOtherShareAHunk) {
  const std::string a = Numbers(1, 9);
  std::string b = a;
  b.replace(b.find("1\n"), 2, "x\n");
  b.replace(b.find("8\n"), 2, "y\n");
  EXPECT_EQ(UnifiedDiff(a, b, "old", "new"),
            "--- old\n+++ new\n@@ -1,9 +1,9 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n 9\n");
}

// Applies the diff's hunks to `text`: what comes out must be the new text.
std::string Patch(std::string_view text, std::string_view diff) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::string out;
  size_t next = 0;  // the first line of `text` that is not in `out`
  for (size_t at = 0; at < diff.size();) {
    const size_t end = diff.find('\n', at);
    const std::string line(diff.substr(at, end - at));
    at = end + 1;
    if (line.starts_with("---") || line.starts_with("+++")) continue;
    if (line.starts_with("@@")) {
      const std::string range = line.substr(4, line.find(' ', 4) - 4);
      const size_t first = std::stoul(range);
      const bool none = range.ends_with(",0");
      while (next < first - (none ? 0 : 1)) out += lines[next++] + "\n";
    } else if (line[0] == '+') {
      out += line.substr(1) + "\n";
    } else {
      EXPECT_EQ(line.substr(1), lines.at(next));
      if (line[0] == ' ') out += lines[next] + "\n";
      ++next;
    }
  }
  while (next < lines.size()) out += lines[next++] + "\n";
  return out;
}

TEST(UnifiedDiffTest, ADiffAppliedGivesTheNewText) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same texts in every run
  for (int round = 0; round < 500; ++round) {
    const auto text = [&random] {
      std::string out;
      const unsigned lines = random() % 30;
      for (unsigned i = 0; i < lines; ++i) out += StrCat(random() % 6, "\n");
      return out;
    };
    const std::string a = text();
    const std::string b = text();
    ASSERT_EQ(Patch(a, UnifiedDiff(a, b, "a", "b")), b) << "round " << round << "\n" << a;
  }
}

TEST(UnifiedDiffTest, LargeTextsThatShareNothingAreReplaced) {
  const std::string a = Numbers(1, 5000);
  const std::string b = Numbers(10001, 15000);
  EXPECT_EQ(Patch(a, UnifiedDiff(a, b, "a", "b")), b);
}

}  // namespace
}  // namespace sealane::cli
