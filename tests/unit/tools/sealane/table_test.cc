#include "tools/sealane/table.h"

#include "gtest/gtest.h"

namespace sealane::cli {
namespace {

TEST(TextTableTest, AlignsColumnsWithoutTrailingBlanks) {
  TextTable table({"NAME", "PHASE", "MESSAGE"});
  table.Add({"web", "Healthy", ""});
  table.Add({"a-long-name", "Failed", "no room"});
  EXPECT_EQ(table.Render(Style{}),
            "NAME         PHASE    MESSAGE\n"
            "web          Healthy\n"
            "a-long-name  Failed   no room\n");
}

TEST(TextTableTest, CellsMayHaveSeveralLines) {
  TextTable table({"CLUSTER", "IMAGE", "HEALTH"});
  table.Add({"aws", "web: a:1\nrelay: b:2", "Healthy"});
  table.Add({"gcp", "web: a:1", "Unknown"});
  EXPECT_EQ(table.Render(Style{}),
            "CLUSTER  IMAGE       HEALTH\n"
            "aws      web: a:1    Healthy\n"
            "         relay: b:2\n"
            "gcp      web: a:1    Unknown\n");
}

TEST(TextTableTest, CountsCharactersNotBytes) {
  TextTable table({"REGION", "N"});
  table.Add({"北京", "1"});
  table.Add({"Zürich", "2"});
  EXPECT_EQ(table.Render(Style{}), "REGION  N\n北京      1\nZürich  2\n");
}

TEST(TextTableTest, ColoursKeepTheColumns) {
  TextTable table({"PHASE", "N"});
  table.Add({"Failed", "1"});
  EXPECT_EQ(table.Render(Style{true}),
            "\x1b[1mPHASE\x1b[0m   \x1b[1mN\x1b[0m\n\x1b[31mFailed\x1b[0m  1\n");
}

TEST(FormatAgeTest, UsesTheLargestUnitThatSaysEnough) {
  const auto age = [](int64_t seconds) { return FormatAge(seconds * 1'000'000 + 5, 5); };
  EXPECT_EQ(age(0), "0s");
  EXPECT_EQ(age(119), "119s");
  EXPECT_EQ(age(120), "2m");
  EXPECT_EQ(age(7199), "119m");
  EXPECT_EQ(age(7200), "2h");
  EXPECT_EQ(age(3 * 86400), "3d");
  EXPECT_EQ(FormatAge(1'000'000, 0), "-");
  EXPECT_EQ(FormatAge(1'000'000, 9'000'000), "0s");  // another clock is ahead
}

}  // namespace
}  // namespace sealane::cli
