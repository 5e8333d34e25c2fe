#include "lib/http/handshake_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace sealane::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HandshakeGateTest : public ::testing::Test {
 protected:
  HandshakeGate Make(size_t most, int per_second) {
    HandshakeLimits limits;
    limits.max_under_way = most;
    limits.per_second = per_second;
    limits.place_time = absl::Milliseconds(100);
    return HandshakeGate(limits);
  }
  // All whose turn it is now.
  std::vector<uint64_t> Begun(HandshakeGate& gate) {
    std::vector<uint64_t> out;
    while (const auto next = gate.Next(now_)) out.push_back(*next);
    return out;
  }
  void Knock(HandshakeGate& gate, const std::string& source, uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) gate.Knock(i, source, now_);
  }

  absl::Duration now_ = absl::Hours(5);
};

TEST_F(HandshakeGateTest, WhoComesAloneBeginsAtOnce) {
  HandshakeGate gate = Make(4, 10);
  for (uint64_t i = 1; i <= 10; ++i) {
    gate.Knock(i, "a", now_);
    EXPECT_THAT(Begun(gate), ElementsAre(i));
    gate.Leave(i);
    now_ += absl::Milliseconds(1);
  }
  EXPECT_EQ(gate.delayed(), 0);
  EXPECT_EQ(gate.refused(), 0);
  EXPECT_FALSE(gate.WakeAt().has_value());
}

TEST_F(HandshakeGateTest, OneSourceHasItsRateAndOthersHaveTheirs) {
  HandshakeGate gate = Make(1000, 10);
  std::vector<uint64_t> at_once;
  for (uint64_t i = 1; i <= 30; ++i) {
    gate.Knock(i, "a", now_);
    for (const uint64_t one : Begun(gate)) at_once.push_back(one);
  }
  EXPECT_EQ(at_once.size(), 10);
  EXPECT_EQ(gate.delayed(), 20);
  // From then on one each tenth of a second, woken for it and not before.
  for (uint64_t i = 11; i <= 30; ++i) {
    EXPECT_EQ(gate.WakeAt(), now_ + absl::Milliseconds(100));
    now_ += absl::Milliseconds(99);
    EXPECT_THAT(Begun(gate), IsEmpty());
    now_ += absl::Milliseconds(1);
    EXPECT_THAT(Begun(gate), ElementsAre(i));
    // Another source is not held up.
    gate.Knock(1000 + i, "b", now_);
    EXPECT_THAT(Begun(gate), ElementsAre(1000 + i));
  }
  EXPECT_EQ(gate.delayed(), 20);
  // After half a second without any it may begin five at once.
  now_ += absl::Milliseconds(500);
  Knock(gate, "a", 40, 60);
  EXPECT_EQ(Begun(gate).size(), 5);
}

TEST_F(HandshakeGateTest, SourcesTakeTurnsHoweverManyConnectionsOneHas) {
  HandshakeGate gate = Make(2, 0);
  Knock(gate, "flood", 1, 100);
  EXPECT_THAT(Begun(gate), ElementsAre(1));  // half of the places
  Knock(gate, "b", 201, 202);
  Knock(gate, "c", 301, 301);
  EXPECT_THAT(Begun(gate), ElementsAre(201));
  gate.Leave(1);
  EXPECT_THAT(Begun(gate), ElementsAre(301));
  gate.Leave(201);
  EXPECT_THAT(Begun(gate), ElementsAre(2));
  gate.Leave(301);
  EXPECT_THAT(Begun(gate), ElementsAre(202));
  EXPECT_EQ(gate.waiting(), 98);
}

TEST_F(HandshakeGateTest, WhoStopsHalfWayHoldsNoPlaceForLong) {
  HandshakeGate gate = Make(2, 0);
  Knock(gate, "a", 1, 3);
  Knock(gate, "b", 11, 12);
  EXPECT_THAT(Begun(gate), ElementsAre(1, 11));
  EXPECT_EQ(gate.WakeAt(), now_ + absl::Milliseconds(100));
  now_ += absl::Milliseconds(100);
  EXPECT_THAT(Begun(gate), ElementsAre(2, 12));
  // When these two are done at last, their places were given to others before.
  gate.Leave(1);
  gate.Leave(11);
  EXPECT_THAT(Begun(gate), IsEmpty());
  gate.Leave(2);
  EXPECT_THAT(Begun(gate), ElementsAre(3));
}

TEST_F(HandshakeGateTest, WhoLeavesWhileHeWaitsIsCountedAndForgotten) {
  HandshakeGate gate = Make(2, 2);
  Knock(gate, "a", 1, 5);
  EXPECT_THAT(Begun(gate), ElementsAre(1));
  gate.Leave(2);
  gate.Leave(1);
  EXPECT_THAT(Begun(gate), ElementsAre(3));
  for (uint64_t i = 3; i <= 5; ++i) gate.Leave(i);
  gate.Leave(5);
  gate.Leave(77);
  EXPECT_EQ(gate.refused(), 3);
  EXPECT_EQ(gate.waiting(), 0);
  EXPECT_FALSE(gate.WakeAt().has_value());
  // The allowance that was used is remembered, until it is whole again.
  EXPECT_EQ(gate.sources(), 1);
  now_ += absl::Seconds(1);
  EXPECT_THAT(Begun(gate), IsEmpty());
  EXPECT_EQ(gate.sources(), 0);
}

TEST_F(HandshakeGateTest, WhoHasLeftWhenItsTurnComesCostsNothing) {
  HandshakeGate gate = Make(4, 1);
  Knock(gate, "a", 1, 5);
  for (uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(gate.Next(now_), i);
    gate.Withdraw(i);
    gate.Leave(i);
  }
  EXPECT_EQ(gate.refused(), 4);
  EXPECT_THAT(Begun(gate), ElementsAre(5));
  gate.Leave(5);
  Knock(gate, "a", 6, 6);
  EXPECT_THAT(Begun(gate), IsEmpty());
  EXPECT_EQ(gate.WakeAt(), now_ + absl::Seconds(1));
}

TEST_F(HandshakeGateTest, WhateverTheClientsDoTheLimitsHoldAndNobodyWaitsForEver) {
  HandshakeGate gate = Make(8, 50);
  uint64_t next = 1;
  uint64_t random = 12345;
  const auto below = [&](uint64_t bound) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (random >> 33) % bound;
  };
  std::map<uint64_t, std::string> open;  // every connection that has not left
  std::map<uint64_t, absl::Duration> waits;
  std::map<uint64_t, absl::Duration> begun;
  std::map<std::string, std::vector<absl::Duration>> times;
  absl::Duration longest;
  const auto pump = [&] {
    while (const auto one = gate.Next(now_)) {
      ASSERT_TRUE(waits.contains(*one)) << *one;
      if (open[*one] == "good") longest = std::max(longest, now_ - waits[*one]);
      waits.erase(*one);
      begun[*one] = now_;
      times[open[*one]].push_back(now_);
      const auto counts = std::count_if(begun.begin(), begun.end(), [&](const auto& b) {
        return b.second + absl::Milliseconds(100) > now_;
      });
      ASSERT_LE(counts, 8);
    }
  };
  for (int step = 0; step < 20000; ++step) {
    now_ += absl::Milliseconds(below(3));
    pump();
    // Three floods, and one good client that comes ten times per second.
    const std::string source = step % 100 == 0 ? "good" : std::string(1, "abc"[below(3)]);
    open[next] = source;
    waits[next] = now_;
    gate.Knock(next++, source, now_);
    pump();
    // Some end at once, some never, some while they wait.
    if (!begun.empty() && below(2) == 0) {
      const auto it = std::next(begun.begin(), static_cast<long>(below(begun.size())));
      gate.Leave(it->first);
      begun.erase(it);
    }
    if (waits.size() > 50) {
      const uint64_t gone = waits.begin()->first;
      if (open[gone] != "good") {
        gate.Leave(gone);
        waits.erase(gone);
      }
    }
    pump();
    EXPECT_EQ(gate.waiting(), waits.size());
  }
  EXPECT_GT(times["good"].size(), 100);
  EXPECT_LE(longest, absl::Milliseconds(250));
  for (const auto& [source, when] : times) {
    for (size_t i = 100; i < when.size(); ++i) {
      EXPECT_GE(when[i] - when[i - 100], absl::Milliseconds(999)) << source;
    }
  }
  EXPECT_LE(gate.sources(), 4);
}

}  // namespace
}  // namespace sealane::http
