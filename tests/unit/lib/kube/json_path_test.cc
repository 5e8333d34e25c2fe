#include "lib/kube/json_path.h"

#include <gtest/gtest.h>

#include "lib/core/json.h"

namespace sealane::kube {
namespace {

std::string Find(std::string_view path) {
  static const Json root =
      Json::parse(R"({"a": {"b": 7, "c.d": "x"}, "list": [{"n": 1}, {"n": 2}], "nothing": null})");
  const auto parsed = JsonPath::Parse(path);
  if (!parsed.ok()) return "refused";
  const Json* value = parsed->Find(root);
  return value == nullptr ? "none" : value->dump();
}

TEST(JsonPathTest, FindsOneValue) {
  for (const char* same :
       {"{.a.b}", "{ .a.b }", ".a.b", "a.b", "$.a.b", "{$['a'].b}", "a[\"b\"]"}) {
    EXPECT_EQ(Find(same), "7") << same;
  }
  EXPECT_EQ(Find("{.a['c.d']}"), "\"x\"");
  EXPECT_EQ(Find("{.list[1].n}"), "2");
  EXPECT_EQ(Find("{.list[-1].n}"), "2");
  EXPECT_EQ(Find("{.list[2].n}"), "none");
  EXPECT_EQ(Find("{.list[-3]}"), "none");
  EXPECT_EQ(Find("{.a.b.c}"), "none");
  EXPECT_EQ(Find("{.a[0]}"), "none");
  EXPECT_EQ(Find("{.nothing}"), "null");
}

TEST(JsonPathTest, RefusesWhatIsNoPathToOneValue) {
  for (const char* bad :
       {"", "{}", "$", "{.a", "a}", ".a..b", ".", ".a.", ".list[*].n", ".list[0:1]",
        ".list[?(@.n==1)]", "..n", ".*", ".list[", ".list[0]n", "{.a}{.b}", ".a b"}) {
    EXPECT_EQ(Find(bad), "refused") << bad;
  }
}

}  // namespace
}  // namespace sealane::kube
