#include "lib/accounts/claims.h"

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Json BodyOf(std::string_view token) {
  const size_t head = token.find('.');
  std::string text;
  EXPECT_TRUE(absl::WebSafeBase64Unescape(
      ToAbsl(token.substr(head + 1, token.find('.', head + 1) - head - 1)), &text));
  return Json::parse(text, nullptr, false);
}

class ClaimsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Account(const AccountLayout& layout, const Revocations& revoked,
                                      absl::Time now = kNow) {
    return AccountJwt(
        layout, account_.public_key(), oper_,
        [](const std::string& name) -> absl::StatusOr<std::string> {
          if (name == "unknown") return NotFound("no such account");
          return StrCat("key of ", name);
        },
        revoked, now);
  }
  const NKey oper_ = *NKey::Generate(NKey::Type::kOperator);
  const NKey account_ = *NKey::Generate(NKey::Type::kAccount);
  const NKey user_ = *NKey::Generate(NKey::Type::kUser);
};

TEST_F(ClaimsTest, AnAccountSaysWhatItsLayoutSays) {
  const auto jwt = Account(ClusterLayout("a.b"), {{"UOLD", absl::FromUnixSeconds(7)}});
  ASSERT_OK(jwt);
  const Json body = BodyOf(*jwt);
  EXPECT_EQ(body["iss"], oper_.public_key());
  EXPECT_EQ(body["sub"], account_.public_key());
  EXPECT_EQ(body["iat"], 1'700'000'000);
  EXPECT_FALSE(body.contains("exp"));
  const Json& nats = body["nats"];
  EXPECT_EQ(nats["version"], 2);
  EXPECT_EQ(nats["revocations"], Json({{"UOLD", 7}}));
  EXPECT_FALSE(nats["limits"].contains("streams")) << "JetStream is HUB's alone";
  ASSERT_EQ(nats["exports"].size(), 1U);
  EXPECT_EQ(nats["exports"][0]["response_type"], "Stream");
  EXPECT_EQ(nats["imports"][0], Json({{"name", "HUB live.works.a=2Eb.>"},
                                      {"subject", "live.works.a=2Eb.>"},
                                      {"account", "key of HUB"},
                                      {"local_subject", "works.>"},
                                      {"type", "stream"}}));
  const auto hub = Account(HubLayout({"a"}), {});
  ASSERT_OK(hub);
  EXPECT_EQ(BodyOf(*hub)["nats"]["limits"]["streams"], -1);
  EXPECT_EQ(BodyOf(*hub)["nats"]["imports"][0]["account"], "key of CL_a");
}

TEST_F(ClaimsTest, AUserMayDoWhatItsPermissionsSay) {
  const AccountPermissions permissions = ClusterLayout("a").permissions;
  const auto jwt = UserJwt("cluster-a", user_, permissions, account_, kNow);
  ASSERT_OK(jwt);
  const Json nats = BodyOf(*jwt)["nats"];
  EXPECT_EQ(nats["pub"]["allow"], Json(permissions.publish));
  EXPECT_EQ(nats["sub"]["allow"], Json(permissions.subscribe));
  EXPECT_EQ(nats["resp"], Json({{"max", 10000}, {"ttl", 120'000'000'000}}));
  const auto everything = UserJwt("sealane", user_, {}, account_, kNow);
  ASSERT_OK(everything);
  EXPECT_EQ(BodyOf(*everything)["nats"]["pub"], Json::object());
  EXPECT_FALSE(BodyOf(*everything)["nats"].contains("resp"));
}

TEST_F(ClaimsTest, TheSameIsRecognisedWhenSignedLater) {
  const auto early = Account(ClusterLayout("a"), {});
  const auto late = Account(ClusterLayout("a"), {}, kNow + absl::Hours(1));
  const auto other = Account(ClusterLayout("b"), {});
  EXPECT_NE(*early, *late);
  EXPECT_TRUE(SameClaims(*early, *late));
  EXPECT_FALSE(SameClaims(*early, *other));
  for (const char* junk : {"", ".", "a.b.c", ".."}) {
    EXPECT_FALSE(SameClaims(junk, junk)) << junk;
  }
}

TEST_F(ClaimsTest, AnUnknownAccountIsAnError) {
  AccountLayout layout;
  layout.imports = {{true, "unknown", "a", "b"}};
  EXPECT_THAT(Account(layout, {}).status(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no")));
}

TEST_F(ClaimsTest, CredentialsGiveTheirKeyBack) {
  const std::string text = CredentialsText("the.jwt.here", user_);
  EXPECT_THAT(text, HasSubstr("\nthe.jwt.here\n"));
  const auto key = KeyOfCredentials(text);
  ASSERT_OK(key);
  EXPECT_EQ(key->public_key(), user_.public_key());
  EXPECT_FALSE(KeyOfCredentials("nothing").ok());
}

TEST_F(ClaimsTest, ADeletionNamesTheAccounts) {
  const auto jwt = DeletionJwt(oper_, {"ACC1", "ACC2"}, kNow);
  ASSERT_OK(jwt);
  EXPECT_EQ(BodyOf(*jwt)["nats"]["accounts"], Json({"ACC1", "ACC2"}));
}

}  // namespace
}  // namespace sealane
