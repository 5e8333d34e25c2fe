#include "lib/kubeauth/authenticators.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "lib/kubeauth/static_tokens.h"
#include "tests/support/status_matchers.h"

namespace sealane::kubeauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

http::HttpRequest WithHeader(const std::string& value) {
  return {"GET", "/", {{"Authorization", value}}, ""};
}

TEST(StaticTokensTest, ReadsKubernetesForm) {
  const auto tokens = StaticTokens::Parse(
      "secret-a,ann,1,\"dev,system:masters\"\r\n\nsecret-b,\"b, the \"\"second\"\"\",2\n"
      "secret-c,carl,3,one\n");
  ASSERT_OK(tokens);
  EXPECT_EQ(tokens->size(), 3U);
  EXPECT_EQ(tokens->Find("secret-a")->name, "ann");
  EXPECT_EQ(tokens->Find("secret-a")->uid, "1");
  EXPECT_THAT(tokens->Find("secret-a")->groups, ElementsAre("dev", "system:masters"));
  EXPECT_EQ(tokens->Find("secret-b")->name, "b, the \"second\"");
  EXPECT_THAT(tokens->Find("secret-c")->groups, ElementsAre("one"));
  for (const char* wrong : {"", "secret", "secret-a ", "secret-aa", "SECRET-A", "ann"}) {
    EXPECT_FALSE(tokens->Find(wrong)) << wrong;
  }
}

TEST(StaticTokensTest, BadLinesAreNamedWithoutTheirSecrets) {
  for (const char* bad : {"ok,u,1\nhidden,user", "ok,u,1\nhidden,u,1,a,b", "ok,u,1\n\"hidden,u,1",
                          "ok,u,1\nhid\"den\",u,1", "ok,u,1\n,hidden,1", "ok,u,1\nhidden,,1",
                          "hidden,u,1\nhidden,v,2", "ok,u,1\n\"hidden\"x,u,1"}) {
    const auto tokens = StaticTokens::Parse(bad);
    EXPECT_EQ(tokens.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(tokens.status().message()), HasSubstr("line 2")) << bad;
    EXPECT_THAT(std::string(tokens.status().message()), Not(HasSubstr("hidden"))) << bad;
  }
}

TEST(AuthenticatorsTest, BearerTokensAreTakenFromOneHeaderOnly) {
  EXPECT_EQ(BearerToken(WithHeader("Bearer abc")), "abc");
  EXPECT_EQ(BearerToken(WithHeader("bearer  abc")), "abc");
  for (const char* bad : {"", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b"}) {
    EXPECT_EQ(BearerToken(WithHeader(bad)), "") << bad;
  }
  http::HttpRequest twice = WithHeader("Bearer abc");
  twice.headers.Add("authorization", "Bearer def");
  EXPECT_EQ(BearerToken(twice), "");
}

TEST(AuthenticatorsTest, TheFirstThatKnowsTheSenderSaysWhoItIs) {
  const auto tokens = StaticTokens::Parse("t,token-user,7,team");
  ASSERT_OK(tokens);
  const Authenticator who = FirstOf({ByClientCertificate(), [&](const http::HttpRequest& request) {
                                       return tokens->Find(BearerToken(request));
                                     }});
  EXPECT_FALSE(who({}));
  EXPECT_FALSE(who(WithHeader("Bearer wrong")));
  const auto by_token = who(WithHeader("Bearer t"));
  ASSERT_TRUE(by_token);
  EXPECT_EQ(by_token->name, "token-user");
  EXPECT_THAT(by_token->groups, ElementsAre("team", "system:authenticated"));
  http::HttpRequest request = WithHeader("Bearer t");
  request.peer = std::make_shared<const http::PeerCertificate>(
      http::PeerCertificate{"cert-user", {"org", "system:authenticated"}});
  const auto by_certificate = who(request);
  ASSERT_TRUE(by_certificate);
  EXPECT_EQ(by_certificate->name, "cert-user");
  EXPECT_THAT(by_certificate->groups, ElementsAre("org", "system:authenticated"));
  // A certificate that names nobody is no user.
  http::HttpRequest nameless;
  nameless.peer = std::make_shared<const http::PeerCertificate>(http::PeerCertificate{"", {"x"}});
  EXPECT_FALSE(who(nameless));
}

}  // namespace
}  // namespace sealane::kubeauth
