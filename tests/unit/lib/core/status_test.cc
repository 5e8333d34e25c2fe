#include "lib/core/status.h"

#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::Eq;

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument(StrCat(n, " is odd"));
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  SEALANE_ASSIGN_OR_RETURN(const int half, Half(n));
  SEALANE_RETURN_IF_ERROR(Annotate(Half(half).status(), "second half"));
  return half / 2;
}

TEST(StatusTest, MacrosPassErrorsOn) {
  EXPECT_OK(Quarter(8));
  EXPECT_THAT(Quarter(3), StatusIs(absl::StatusCode::kInvalidArgument, Eq("3 is odd")));
  EXPECT_THAT(Quarter(6),
              StatusIs(absl::StatusCode::kInvalidArgument, Eq("second half: 3 is odd")));
}

TEST(StatusTest, AnnotateKeepsOk) { EXPECT_OK(Annotate(absl::OkStatus(), "context")); }

TEST(StringsTest, MapsAreSearchedWithViews) {
  StringMap<int> map;
  map["a"] = 1;
  EXPECT_TRUE(map.contains(std::string_view("a")));
  EXPECT_EQ(StrCat("a", 1, 'c', true, std::string("d")), "a1ctrued");
  EXPECT_EQ(StrJoin(std::vector<std::string>{"x", "y"}, ", "), "x, y");
}

}  // namespace
}  // namespace sealane
