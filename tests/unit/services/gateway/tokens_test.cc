#include "services/gateway/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::optional<User> Ask(const Tokens& tokens, const std::string& value) {
  http::Headers headers;
  if (!value.empty()) headers.Add("Authorization", value);
  return tokens.Authenticate(headers);
}

TEST(TokensTest, KnowsUsersByTheirToken) {
  const auto tokens = Tokens::Parse(
      "# who may\n"
      "0123456789abcdef,alice,1,\"system:masters,dev\"\r\n"
      "\n"
      "fedcba9876543210,bob\n");
  ASSERT_OK(tokens);
  EXPECT_EQ(tokens->size(), 2u);
  const auto alice = Ask(*tokens, "Bearer 0123456789abcdef");
  ASSERT_TRUE(alice.has_value());
  EXPECT_EQ(alice->name, "alice");
  EXPECT_THAT(alice->groups, ElementsAre("system:masters", "dev", "system:authenticated"));
  const auto bob = Ask(*tokens, "Bearer fedcba9876543210");
  ASSERT_TRUE(bob.has_value());
  EXPECT_FALSE(bob->Is("system:masters"));
  for (const char* wrong : {"", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdefg",
                            "Basic 0123456789abcdef", "0123456789abcdef"}) {
    EXPECT_FALSE(Ask(*tokens, wrong).has_value()) << wrong;
  }
}

TEST(TokensTest, SaysWhichLineIsWrong) {
  EXPECT_THAT(Tokens::Parse("short,alice\n").status().ToString(), HasSubstr("line 1: a token"));
  EXPECT_THAT(Tokens::Parse("\n0123456789abcdef,\n").status().ToString(),
              HasSubstr("line 2: the user is missing"));
  EXPECT_THAT(Tokens::Parse("0123456789abcdef,a\n0123456789abcdef,b\n").status().ToString(),
              HasSubstr("line 2: the token is there twice"));
}

}  // namespace
}  // namespace sealane::gateway
