#include "lib/core/hash.h"

#include "gtest/gtest.h"

namespace sealane {
namespace {

// Published FNV test vectors.
TEST(HashTest, MatchesPublishedVectors) {
  EXPECT_EQ(Fnv1a32(""), 0x811c9dc5u);
  EXPECT_EQ(Fnv1a32("foobar"), 0xbf9cf968u);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8ull);
  EXPECT_EQ(Hex64(0xabc), "0000000000000abc");
}

}  // namespace
}  // namespace sealane
