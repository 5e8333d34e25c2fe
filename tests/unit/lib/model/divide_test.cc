#include "lib/model/divide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace sealane {
namespace {

using ::testing::ElementsAre;

// The method as it is defined: one seat after the other.
std::vector<int64_t> OneByOne(int64_t seats, const std::vector<Party>& parties, bool descending) {
  std::vector<int64_t> given(parties.size(), 0);
  for (; seats > 0; --seats) {
    int64_t best = -1;
    double best_quotient = 0;
    for (size_t i = 0; i < parties.size(); ++i) {
      if (parties[i].votes <= 0 || (parties[i].cap >= 0 && given[i] >= parties[i].cap)) continue;
      const double quotient =
          static_cast<double>(parties[i].votes) / static_cast<double>(2 * given[i] + 1);
      const bool first = best < 0;
      const auto b = static_cast<size_t>(best);
      bool better = first || quotient > best_quotient;
      if (!first && quotient == best_quotient) {
        better = given[i] != given[b] ? given[i] < given[b] : descending;
      }
      if (!better) continue;
      best = static_cast<int64_t>(i);
      best_quotient = quotient;
    }
    if (best < 0) break;
    ++given[static_cast<size_t>(best)];
  }
  return given;
}

TEST(DivideTest, KnownDivisions) {
  EXPECT_THAT(DivideWebster(9, {{1}, {2}}, false), ElementsAre(3, 6));
  EXPECT_THAT(DivideWebster(9, {{1}, {3}}, false), ElementsAre(2, 7));
  EXPECT_THAT(DivideWebster(6, {{2}, {1}, {1}}, false), ElementsAre(3, 2, 1));
  EXPECT_THAT(DivideWebster(6, {{2}, {1}, {1}}, true), ElementsAre(3, 1, 2));
  EXPECT_THAT(DivideWebster(3, {{0}, {0}}, false), ElementsAre(0, 0));
  EXPECT_THAT(DivideWebster(0, {{1}, {2}}, false), ElementsAre(0, 0));
  EXPECT_THAT(DivideWebster(5, {}, false), ElementsAre());
}

TEST(DivideTest, CapsBoundAndTheRestGoesToOthers) {
  EXPECT_THAT(DivideWebster(10, {{1, 2}, {1, -1}}, false), ElementsAre(2, 8));
  EXPECT_THAT(DivideWebster(10, {{5, 3}, {1, 4}}, false), ElementsAre(3, 4));
}

TEST(DivideTest, TheShortcutGivesWhatOneByOneGives) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Party> parties(1 + random() % 12);
    const uint64_t largest = round % 3 == 0 ? 4 : round % 3 == 1 ? 100 : 1'000'000;
    for (Party& party : parties) {
      party.votes = static_cast<int64_t>(random() % largest);
      party.cap = random() % 4 == 0 ? static_cast<int64_t>(random() % 20) : -1;
    }
    const auto seats = static_cast<int64_t>(random() % 120);
    const bool descending = random() % 2 == 0;
    const auto got = DivideWebster(seats, parties, descending);
    ASSERT_EQ(got, OneByOne(seats, parties, descending)) << "round " << round;
  }
}

TEST(DivideTest, ManySeatsAreFast) {
  std::vector<Party> parties(1000);
  std::mt19937_64 random(1);
  for (Party& party : parties) party.votes = 1 + static_cast<int64_t>(random() % 1'000'000'000);
  const auto given = DivideWebster(2'000'000'000, parties, false);
  EXPECT_EQ(std::accumulate(given.begin(), given.end(), int64_t{0}), 2'000'000'000);
}

}  // namespace
}  // namespace sealane
