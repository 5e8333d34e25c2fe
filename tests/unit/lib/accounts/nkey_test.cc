#include "lib/accounts/nkey.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A pair that NATS' documentation shows.
constexpr char kSeed[] = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
constexpr char kPublic[] = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

TEST(NKeyTest, ReadsAndWritesAsNatsDoes) {
  const auto key = NKey::FromSeed(kSeed);
  ASSERT_OK(key);
  EXPECT_EQ(key->type(), NKey::Type::kUser);
  EXPECT_EQ(key->public_key(), kPublic);
  EXPECT_EQ(key->seed(), kSeed);
}

TEST(NKeyTest, EveryTypeComesBackFromItsSeed) {
  for (const auto& [type, letter] :
       {std::pair(NKey::Type::kOperator, 'O'), std::pair(NKey::Type::kAccount, 'A'),
        std::pair(NKey::Type::kUser, 'U')}) {
    const auto key = NKey::Generate(type);
    ASSERT_OK(key);
    EXPECT_THAT(key->seed(), StartsWith(std::string("S") + letter));
    EXPECT_THAT(key->public_key(), StartsWith(std::string(1, letter)));
    const auto again = NKey::FromSeed(key->seed());
    ASSERT_OK(again);
    EXPECT_EQ(again->type(), type);
    EXPECT_EQ(again->public_key(), key->public_key());
    EXPECT_NE(NKey::Generate(type)->seed(), key->seed());
  }
}

TEST(NKeyTest, SignsTheSameWayEachTime) {
  const auto key = NKey::FromSeed(kSeed);
  ASSERT_OK(key);
  const auto one = key->Sign("message");
  ASSERT_OK(one);
  EXPECT_EQ(one->size(), 64U);
  EXPECT_EQ(*one, *key->Sign("message"));
  EXPECT_NE(*one, *key->Sign("massage"));
}

TEST(NKeyTest, RefusesWhatIsNoSeedWithoutShowingIt) {
  const auto refused = [](std::string seed, const char* why) {
    const auto key = NKey::FromSeed(seed);
    EXPECT_THAT(key.status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
    if (!seed.empty()) {
      EXPECT_EQ(std::string(key.status().message()).find(seed), std::string::npos);
    }
  };
  refused("", "58 characters");
  refused(kPublic, "58 characters");
  refused(std::string(kSeed) + "A", "");
  std::string wrong = kSeed;
  wrong[20] = wrong[20] == 'A' ? 'B' : 'A';
  refused(wrong, "checksum");
  wrong[20] = '!';
  refused(wrong, "58 characters");
}

TEST(NKeyTest, Base32HasNoPadding) {
  EXPECT_EQ(Base32(""), "");
  EXPECT_EQ(Base32("f"), "MY");
  EXPECT_EQ(Base32("foobar"), "MZXW6YTBOI");
}

}  // namespace
}  // namespace sealane
