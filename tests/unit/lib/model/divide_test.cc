#include "lib/model/divide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <random>

namespace sealane {
namespace {

using ::testing::ElementsAre;

// The method as it is defined: one seat after the other, beginning with what is held.
std::vector<int64_t> OneByOne(int64_t seats, const std::vector<Party>& parties, bool descending) {
  std::vector<int64_t> given(parties.size(), 0);
  for (size_t i = 0; i < parties.size(); ++i) {
    if (parties[i].votes <= 0) continue;
    given[i] = parties[i].cap < 0 ? parties[i].held : std::min(parties[i].held, parties[i].cap);
    seats -= given[i];
  }
  for (; seats < 0; ++seats) {
    int64_t last = -1;
    for (size_t i = 0; i < parties.size(); ++i) {
      if (given[i] == 0) continue;
      if (last < 0) {
        last = static_cast<int64_t>(i);
        continue;
      }
      const auto l = static_cast<size_t>(last);
      const double quotient =
          static_cast<double>(parties[i].votes) / static_cast<double>(2 * given[i] - 1);
      const double smallest =
          static_cast<double>(parties[l].votes) / static_cast<double>(2 * given[l] - 1);
      bool later = quotient < smallest;
      if (quotient == smallest) later = given[i] != given[l] ? given[i] > given[l] : !descending;
      if (later) last = static_cast<int64_t>(i);
    }
    if (last < 0) break;
    --given[static_cast<size_t>(last)];
  }
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

TEST(DivideTest, WhatIsHeldStaysAndOnlyTheRestIsGiven) {
  // a was full when b got its 9; now there is room in a: what is new goes there.
  EXPECT_THAT(DivideWebster(12, {{3, 20, 3}, {1, 20, 9}}, false), ElementsAre(3, 9));
  EXPECT_THAT(DivideWebster(14, {{3, 20, 3}, {1, 20, 9}}, false), ElementsAre(5, 9));
  EXPECT_THAT(DivideWebster(10, {{3, 20, 3}, {1, 20, 9}}, false), ElementsAre(3, 7));
  // Equal ones: the last that was given goes first.
  EXPECT_THAT(DivideWebster(3, {{1, -1, 2}, {1, -1, 2}}, false), ElementsAre(2, 1));
  EXPECT_THAT(DivideWebster(3, {{1, -1, 2}, {1, -1, 2}}, true), ElementsAre(1, 2));
  // Without votes, or above the cap, nothing is kept.
  EXPECT_THAT(DivideWebster(4, {{0, -1, 3}, {1, -1, 1}}, false), ElementsAre(0, 4));
  EXPECT_THAT(DivideWebster(4, {{5, 1, 3}, {1, -1, 1}}, false), ElementsAre(1, 3));
}

TEST(DivideTest, TheShortcutFromWhatIsHeldGivesWhatOneByOneGives) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 4000; ++round) {
    std::vector<Party> parties(1 + random() % 12);
    const uint64_t largest = round % 3 == 0 ? 4 : round % 3 == 1 ? 100 : 1'000'000;
    for (Party& party : parties) {
      party.votes = static_cast<int64_t>(random() % largest);
      party.cap = random() % 3 == 0 ? static_cast<int64_t>(random() % 20) : -1;
      party.held = random() % 2 == 0 ? static_cast<int64_t>(random() % 40) : 0;
    }
    const auto seats = static_cast<int64_t>(random() % 240);
    const bool descending = random() % 2 == 0;
    ASSERT_EQ(DivideWebster(seats, parties, descending), OneByOne(seats, parties, descending))
        << "round " << round;
  }
}

TEST(DivideTest, OneSeatMoreOrLessTouchesOnePartyOnly) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 500; ++round) {
    std::vector<Party> parties(2 + random() % 6);
    int64_t room = 0;
    for (Party& party : parties) {
      party.votes = 1 + static_cast<int64_t>(random() % 9);
      party.cap = static_cast<int64_t>(random() % 20);
      room += party.cap;
    }
    int64_t seats = room / 2;
    for (int step = 0; step < 30; ++step) {
      const auto before = DivideWebster(seats, parties, false);
      room = 0;
      for (size_t i = 0; i < parties.size(); ++i) {
        parties[i].held = before[i];
        parties[i].cap = before[i] + static_cast<int64_t>(random() % 5);
        room += parties[i].cap;
      }
      const int64_t change = random() % 2 == 0 && seats < room ? 1 : seats > 0 ? -1 : 0;
      seats += change;
      const auto after = DivideWebster(seats, parties, false);
      int64_t touched = 0;
      for (size_t i = 0; i < parties.size(); ++i) touched += std::abs(after[i] - before[i]);
      ASSERT_EQ(touched, std::abs(change)) << "round " << round;
    }
  }
}

TEST(DivideTest, ManySeatsAreFast) {
  std::vector<Party> parties(1000);
  std::mt19937_64 random(1);
  for (Party& party : parties) party.votes = 1 + static_cast<int64_t>(random() % 1'000'000'000);
  const auto given = DivideWebster(2'000'000'000, parties, false);
  EXPECT_EQ(std::accumulate(given.begin(), given.end(), int64_t{0}), 2'000'000'000);
  for (size_t i = 0; i < parties.size(); ++i) parties[i].held = given[i];
  parties[0].held += 700'000'000;
  parties[1].held = 0;
  const auto fewer = DivideWebster(1'000'000'000, parties, false);
  EXPECT_EQ(std::accumulate(fewer.begin(), fewer.end(), int64_t{0}), 1'000'000'000);
  const auto more = DivideWebster(4'000'000'000, parties, false);
  EXPECT_EQ(std::accumulate(more.begin(), more.end(), int64_t{0}), 4'000'000'000);
}

}  // namespace
}  // namespace sealane
