#include "services/policy/manifest_cache.h"

#include "gtest/gtest.h"
#include "lib/core/hash.h"
#include "lib/core/json.h"

namespace sealane::policy {
namespace {

v1::StoredObject Object(std::string_view uid, int64_t generation, std::string_view manifest) {
  v1::StoredObject object;
  object.set_uid(std::string(uid));
  object.set_generation(generation);
  object.set_manifest(std::string(manifest));
  object.set_manifest_hash(Fnv1a64(manifest));
  return object;
}

TEST(ManifestCacheTest, ParsesOncePerGeneration) {
  ManifestCache cache;
  const auto first = cache.Get("a", Object("u", 1, R"({"n":1})"));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(cache.Get("a", Object("u", 1, R"({"n":1})")), first);
  const auto second = cache.Get("a", Object("u", 2, R"({"n":2})"));
  EXPECT_EQ((*second)["n"], 2);
  EXPECT_EQ((*first)["n"], 1) << "who still uses the old one keeps it";
  EXPECT_EQ((*cache.Get("a", Object("v", 2, R"({"n":3})")))["n"], 3) << "made again";
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ManifestCacheTest, OneGenerationMayHaveTwoManifests) {
  ManifestCache cache;
  cache.Put("a", Object("u", 2, R"({"n":1})"), std::make_shared<const Json>(Json{{"n", 1}}));
  EXPECT_EQ((*cache.Get("a", Object("u", 2, R"({"n":1})")))["n"], 1);
  EXPECT_EQ((*cache.Get("a", Object("u", 2, R"({"n":2})")))["n"], 2) << "of another leader";
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ManifestCacheTest, WhatIsNoJsonIsNotKept) {
  ManifestCache cache;
  EXPECT_EQ(cache.Get("a", Object("u", 1, "{")), nullptr);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ManifestCacheTest, ClearedItParsesAgain) {
  ManifestCache cache;
  const auto first = cache.Get("a", Object("u", 1, R"({"n":1})"));
  cache.Clear();
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_NE(cache.Get("a", Object("u", 1, R"({"n":1})")), first);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ManifestCacheTest, TheLongestUnusedGoesFirst) {
  ManifestCache cache(/*max_bytes=*/16);
  const auto a = cache.Get("a", Object("a", 1, R"({"n":1})"));
  (void)cache.Get("b", Object("b", 1, R"({"n":2})"));
  EXPECT_EQ(cache.Get("a", Object("a", 1, R"({"n":1})")), a);
  (void)cache.Get("c", Object("c", 1, R"({"n":3})"));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_LE(cache.bytes(), 16u);
  EXPECT_EQ(cache.Get("a", Object("a", 1, R"({"n":1})")), a) << "used after b";
  EXPECT_NE(cache.Get("large", Object("l", 1, R"({"text":"longer than all that may be kept"})")),
            nullptr);
  EXPECT_EQ(cache.size(), 1u);
}

}  // namespace
}  // namespace sealane::policy
