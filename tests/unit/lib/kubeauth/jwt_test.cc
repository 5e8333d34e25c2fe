#include "lib/kubeauth/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "lib/core/sim_executor.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeauth/oidc.h"
#include "lib/kubeauth/service_accounts.h"
#include "tests/unit/lib/kubeauth/test_keys.h"

namespace sealane::kubeauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

KeySet SetOf(const std::vector<Json>& keys) {
  absl::StatusOr<KeySet> set = KeySet::Parse(Json({{"keys", keys}}).dump());
  EXPECT_TRUE(set.ok()) << set.status();
  return set.value_or(KeySet());
}

absl::Status Check(const std::string& token, const KeySet& keys) {
  const absl::StatusOr<UnverifiedJwt> parts = TakeApart(token);
  return parts.ok() ? VerifySignature(*parts, keys) : parts.status();
}

// One for all tests: making an RSA key takes a while.
const TestKey& Rsa() {
  static const auto* const key = new TestKey(TestKey::Rsa());
  return *key;
}

const Json kClaims = {{"sub", "ann"}};

TEST(JwtTest, WhatAKeySignsItsPublicHalfVerifies) {
  const TestKey p256 = TestKey::Ec("P-256");
  const TestKey p384 = TestKey::Ec("P-384");
  for (const TestKey* one : {&Rsa(), &p256, &p384}) {
    const absl::StatusOr<Key> key = ParsePrivateKey(one->Pem());
    ASSERT_TRUE(key.ok()) << key.status();
    const absl::StatusOr<std::string> token = Sign(kClaims, *key);
    ASSERT_TRUE(token.ok());
    EXPECT_TRUE(Check(*token, KeySet::Of(*key)).ok());
    EXPECT_EQ((*TakeApart(*token)->claims)["sub"], "ann");
    // The same key from a key set.
    const std::string kid = TakeApart(*token)->kid;
    EXPECT_TRUE(Check(*token, SetOf({one->Jwk(kid)})).ok());
    EXPECT_TRUE(absl::IsNotFound(Check(*token, SetOf({one->Jwk("another")}))));
    const TestKey other = TestKey::Ec("P-256");
    EXPECT_TRUE(absl::IsUnauthenticated(Check(*token, SetOf({other.Jwk(kid)}))));
    // One bit.
    std::string bent = *token;
    bent[bent.size() / 2] = bent[bent.size() / 2] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(Check(bent, KeySet::Of(*key)).ok());
  }
}

TEST(JwtTest, TheKeyDecidesTheAlgorithm) {
  const KeySet keys = SetOf({Rsa().Jwk("k")});
  EXPECT_TRUE(Check(Rsa().SignRsa({{"alg", "RS256"}, {"kid", "k"}}, kClaims), keys).ok());
  EXPECT_TRUE(Check(Rsa().SignRsa({{"alg", "RS256"}}, kClaims), keys).ok()) << "no name: all";
  for (const char* alg :
       {"none", "None", "HS256", "HS512", "RS512", "PS256", "ES256", "EdDSA", ""}) {
    EXPECT_TRUE(
        absl::IsUnauthenticated(Check(Rsa().SignRsa({{"alg", alg}, {"kid", "k"}}, kClaims), keys)))
        << alg;
  }
  // The key may be for one algorithm alone.
  Json only = Rsa().Jwk("k");
  only["alg"] = "RS512";
  EXPECT_FALSE(Check(Rsa().SignRsa({{"alg", "RS256"}, {"kid", "k"}}, kClaims), SetOf({only})).ok());
  only["alg"] = "RS256";
  EXPECT_TRUE(Check(Rsa().SignRsa({{"alg", "RS256"}, {"kid", "k"}}, kClaims), SetOf({only})).ok());
}

TEST(JwtTest, ThePublicKeyIsNoSharedSecret) {
  const std::string text =
      StrCat(TestKey::Encode(R"({"alg":"HS256","kid":"k"})"), ".", TestKey::Encode(kClaims.dump()));
  for (const std::string& secret : {Rsa().PublicPem(), Rsa().Jwk("k")["n"].get<std::string>()}) {
    std::array<unsigned char, 32> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
    const std::string token =
        StrCat(text, ".", TestKey::Encode(std::string(reinterpret_cast<char*>(mac.data()), size)));
    EXPECT_TRUE(absl::IsUnauthenticated(Check(token, SetOf({Rsa().Jwk("k")}))));
  }
  // Without any signature.
  EXPECT_FALSE(
      Check(StrCat(TestKey::Encode(R"({"alg":"none"})"), ".", TestKey::Encode(kClaims.dump()), "."),
            SetOf({Rsa().Jwk("k")}))
          .ok());
  EXPECT_FALSE(Check(StrCat(text, "."), SetOf({Rsa().Jwk("k")})).ok());
}

TEST(JwtTest, HeadersThatAskForMoreAreRefused) {
  for (const char* name : {"crit", "zip", "jwk", "jku", "x5u", "x5c", "b64"}) {
    const Json header = {{"alg", "RS256"}, {"kid", "k"}, {name, "x"}};
    EXPECT_TRUE(
        absl::IsInvalidArgument(Check(Rsa().SignRsa(header, kClaims), SetOf({Rsa().Jwk("k")}))))
        << name;
  }
}

TEST(JwtTest, WhatIsNoTokenIsRefused) {
  const std::string good = Rsa().SignRsa({{"alg", "RS256"}}, kClaims);
  const std::string twice = StrCat(TestKey::Encode(R"({"alg":"RS256"})"), ".",
                                   TestKey::Encode(R"({"sub":"ann","sub":"root"})"), ".AAAA");
  const std::string deep =
      StrCat(TestKey::Encode(R"({"alg":"RS256"})"), ".",
             TestKey::Encode(StrCat(R"({"a":)", std::string(500, '['), std::string(500, ']'), "}")),
             ".AAAA");
  for (const std::string& token :
       {std::string(), std::string("a.b"), std::string("..."), good + ".x", good + "=", "x" + good,
        std::string(20'000, 'a'), twice, deep, std::string("!!!.???.***"),
        StrCat(TestKey::Encode("[]"), ".", TestKey::Encode("{}"), ".AAAA"),
        StrCat(TestKey::Encode(R"({"alg":1})"), ".", TestKey::Encode("{}"), ".AAAA")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(TakeApart(token).status())) << token.substr(0, 40);
  }
  // A last letter with spare bits set is another text of the same bytes.
  std::string spare = good;
  spare.back() = static_cast<char>(spare.back() + 1);
  EXPECT_FALSE(Check(spare, SetOf({Rsa().Jwk("k")})).ok());
}

TEST(JwtTest, BrokenKeySetsNameTheKey) {
  EXPECT_FALSE(KeySet::Parse("[]").ok());
  EXPECT_FALSE(KeySet::Parse("{}").ok());
  const auto parse = [](const Json& key) {
    return KeySet::Parse(Json({{"keys", Json::array({Rsa().Jwk("good"), key})}}).dump());
  };
  const TestKey small = TestKey::Rsa(1024);
  EXPECT_THAT(std::string(parse(small.Jwk("small")).status().message()), HasSubstr("keys[1]"));
  Json off = TestKey::Ec("P-256").Jwk("off");
  off["y"] = off["x"];
  EXPECT_FALSE(parse(off).ok()) << "no point of the curve";
  Json other = TestKey::Ec("P-256").Jwk("other");
  other["crv"] = "P-521";
  EXPECT_FALSE(parse(other).ok());
  // What is for something else is left out.
  for (const Json& skipped : std::vector<Json>{{{"kty", "oct"}, {"k", "c2VjcmV0"}},
                                               {{"kty", "OKP"}, {"crv", "Ed25519"}},
                                               {{"kty", "RSA"}, {"use", "enc"}}}) {
    const auto set = parse(skipped);
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_EQ(set->size(), 1);
  }
}

class OidcTest : public ::testing::Test {
 protected:
  OidcTest() : sim_(1) {
    options_.issuer = "https://login.example.com";
    options_.client_id = "fleet";
    options_.groups_claim = "groups";
    claims_ = {{"iss", options_.issuer},
               {"aud", "fleet"},
               {"sub", "ann"},
               {"exp", absl::ToUnixSeconds(sim_.env().clock.Now() + absl::Hours(1))},
               {"groups", {"teachers", "system:masters"}}};
  }
  std::string User() {
    const auto user = UserOfClaims(claims_, options_, sim_.env().clock.Now());
    return user.ok() ? user->name : std::string(user.status().message());
  }
  int64_t In(int seconds) {
    return absl::ToUnixSeconds(sim_.env().clock.Now() + absl::Seconds(seconds));
  }
  SimExecutor sim_;
  OidcOptions options_;
  Json claims_;
};

TEST_F(OidcTest, AUserHasAPrefixAndNoGroupOfKubernetes) {
  const auto user = UserOfClaims(claims_, options_, sim_.env().clock.Now());
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->name, "https://login.example.com#ann");
  EXPECT_THAT(user->groups, ElementsAre("teachers"));
  options_.groups_prefix = "oidc:";
  EXPECT_THAT(UserOfClaims(claims_, options_, sim_.env().clock.Now())->groups,
              ElementsAre("oidc:teachers", "oidc:system:masters"));
  options_.username_prefix = "-";
  EXPECT_EQ(User(), "ann");
  claims_["sub"] = "system:admin";
  EXPECT_THAT(User(), HasSubstr("keeps for itself"));
}

TEST_F(OidcTest, AnEmailMustBeVerified) {
  options_.username_claim = "email";
  claims_["email"] = "ann@example.com";
  EXPECT_EQ(User(), "ann@example.com");
  claims_["email_verified"] = false;
  EXPECT_THAT(User(), HasSubstr("not verified"));
  claims_["email_verified"] = "true";
  EXPECT_THAT(User(), HasSubstr("not verified"));
  claims_["email_verified"] = true;
  EXPECT_EQ(User(), "ann@example.com");
}

TEST_F(OidcTest, TimesCountWithALeeway) {
  claims_["exp"] = In(-5);
  EXPECT_THAT(User(), HasSubstr("ann"));
  claims_["exp"] = In(-11);
  EXPECT_THAT(User(), HasSubstr("expired"));
  claims_["exp"] = In(60);
  claims_["nbf"] = In(5);
  EXPECT_THAT(User(), HasSubstr("ann"));
  claims_["nbf"] = In(15);
  EXPECT_THAT(User(), HasSubstr("not valid yet"));
  claims_.erase("nbf");
  claims_["iat"] = In(15);
  EXPECT_THAT(User(), HasSubstr("not valid yet"));
  claims_.erase("iat");
  for (const Json& wrong : std::vector<Json>{nullptr, "tomorrow", -1, 1e300, true}) {
    claims_["exp"] = wrong;
    EXPECT_THAT(User(), HasSubstr("exp")) << wrong;
  }
  claims_.erase("exp");
  EXPECT_THAT(User(), HasSubstr("exp"));
}

TEST_F(OidcTest, OthersTokensAreNotTaken) {
  const Json good = claims_;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, Json>>{{"iss", "https://evil.example.com"},
                                                 {"iss", "https://login.example.com/"},
                                                 {"iss", nullptr},
                                                 {"aud", "other"},
                                                 {"aud", Json::array({"other"})},
                                                 {"aud", nullptr},
                                                 {"sub", ""},
                                                 {"sub", 7}}) {
    claims_ = good;
    claims_[name] = value;
    EXPECT_FALSE(UserOfClaims(claims_, options_, sim_.env().clock.Now()).ok()) << name << value;
  }
  claims_ = good;
  claims_["aud"] = {"other", "fleet"};
  EXPECT_TRUE(UserOfClaims(claims_, options_, sim_.env().clock.Now()).ok());
}

TEST_F(OidcTest, AKeyThatIsNotThereYetIsAskedForAndOnlyForOurIssuer) {
  const TestKey key = TestKey::Ec();
  const absl::StatusOr<Key> mine = ParsePrivateKey(key.Pem());
  std::shared_ptr<const KeySet> keys = std::make_shared<const KeySet>();
  int asked = 0;
  const Authenticator authenticate =
      ByOidc(options_, {[&keys] { return keys; }, [&asked] { ++asked; }}, sim_.env().clock);
  const auto who = [&](const Json& claims) {
    http::HttpRequest request;
    request.headers.Add("Authorization", StrCat("Bearer ", Sign(claims, *mine).value()));
    return authenticate(request).has_value();
  };
  EXPECT_FALSE(who(claims_));
  EXPECT_EQ(asked, 1);
  Json foreign = claims_;
  foreign["iss"] = "https://evil.example.com";
  EXPECT_FALSE(who(foreign));
  EXPECT_EQ(asked, 1) << "a stranger has nothing fetched";
  keys = std::make_shared<const KeySet>(KeySet::Of(*mine));
  EXPECT_TRUE(who(claims_));
  EXPECT_FALSE(who(foreign));
  claims_["exp"] = In(-60);
  EXPECT_FALSE(who(claims_));
}

class ServiceAccountsTest : public ::testing::Test {
 protected:
  ServiceAccountsTest()
      : sim_(1), accounts_(ParsePrivateKey(TestKey::Ec().Pem()).value(), store_, sim_.env().clock) {
    Make("u-1");
  }
  void Make(const char* uid) {
    const kubeapi::ObjectPtr now = store_.Get(kKey);
    store_.Put(kKey, {{"metadata", {{"name", "robot"}, {"namespace", "shop"}, {"uid", uid}}}},
               now == nullptr ? 0 : now->revision(), [](const auto&) {});
  }
  absl::StatusOr<std::string> Token(const Json& spec = Json::object()) {
    const auto answer = accounts_.Issue(*store_.Get(kKey), {{"spec", spec}});
    if (!answer.ok()) return answer.status();
    return answer->at("status").at("token").get<std::string>();
  }
  const kubeapi::ObjectKey kKey{"serviceaccounts", "shop", "robot"};
  SimExecutor sim_;
  kubeapi::MemoryStore store_;
  ServiceAccounts accounts_;
};

TEST_F(ServiceAccountsTest, ATokenIsItsAccountUntilItExpires) {
  const std::string token = Token().value();
  const auto user = accounts_.UserOf(token);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->name, "system:serviceaccount:shop:robot");
  EXPECT_EQ(user->uid, "u-1");
  EXPECT_THAT(user->groups, ElementsAre("system:serviceaccounts", "system:serviceaccounts:shop"));
  sim_.RunFor(absl::Minutes(59));
  EXPECT_TRUE(accounts_.UserOf(token).has_value());
  sim_.RunFor(absl::Minutes(2));
  EXPECT_FALSE(accounts_.UserOf(token).has_value());
}

TEST_F(ServiceAccountsTest, ItIsWorthNothingWhenTheAccountIsGoneOrAnother) {
  const std::string token = Token().value();
  Make("u-2");
  EXPECT_FALSE(accounts_.UserOf(token).has_value()) << "another of the same name";
  const std::string second = Token().value();
  EXPECT_TRUE(accounts_.UserOf(second).has_value());
  store_.Remove(kKey, store_.Get(kKey)->revision(), [](const auto&) {});
  EXPECT_FALSE(accounts_.UserOf(second).has_value());
}

TEST_F(ServiceAccountsTest, AnotherKeyOrAudienceIsNobody) {
  const ServiceAccounts other(ParsePrivateKey(TestKey::Ec().Pem()).value(), store_,
                              sim_.env().clock);
  EXPECT_FALSE(other.UserOf(Token().value()).has_value());
  EXPECT_FALSE(accounts_.UserOf("not.a.token").has_value());
  EXPECT_EQ(kubeapi::StatusCodeOf(Token({{"audiences", {"vault"}}}).status()), 422);
  EXPECT_EQ(kubeapi::StatusCodeOf(Token({{"expirationSeconds", 10}}).status()), 422);
  EXPECT_EQ(kubeapi::StatusCodeOf(Token({{"expirationSeconds", 1'000'000}}).status()), 422);
  EXPECT_EQ(kubeapi::StatusCodeOf(Token({{"boundObjectRef", {{"kind", "Pod"}}}}).status()), 422);
  EXPECT_TRUE(Token({{"expirationSeconds", 600}}).ok());
}

}  // namespace
}  // namespace sealane::kubeauth
