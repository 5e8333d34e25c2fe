#include "lib/http/message.h"

#include "gtest/gtest.h"

namespace sealane::http {
namespace {

TEST(MessageTest, HeadersCompareWithoutCase) {
  Headers headers = {{"Content-Type", "a"}};
  headers.Add("X", "1");
  headers.Add("x", "2");
  EXPECT_EQ(headers.Get("content-type"), "a");
  EXPECT_EQ(headers.Get("X"), "1");
  headers.Set("x", "3");
  EXPECT_EQ(headers.Get("X"), "3");
  EXPECT_EQ(headers.fields().size(), 2U);
  EXPECT_FALSE(headers.Has("Y"));
}

TEST(MessageTest, TargetsAreTakenApart) {
  const Target target = ParseTarget("/api/v1/a%2Fb+c?x=1&y=a+b%3Dc&flag&x=2&=");
  EXPECT_EQ(target.path, "/api/v1/a/b+c");
  EXPECT_EQ(target.Query("x"), "1");
  EXPECT_EQ(target.Query("y"), "a b=c");
  EXPECT_TRUE(target.HasQuery("flag"));
  EXPECT_EQ(target.Query("flag"), "");
  EXPECT_FALSE(target.HasQuery("z"));
}

TEST(MessageTest, PercentCodingGoesBothWays) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(PercentDecode(PercentEncode(all), false), all);
  EXPECT_EQ(PercentDecode("100%", false), "100%");
  EXPECT_EQ(PercentDecode("%zz%4", false), "%zz%4");
}

}  // namespace
}  // namespace sealane::http
