#include "lib/core/backoff.h"

#include "gtest/gtest.h"
#include "lib/core/sim_executor.h"

namespace sealane {
namespace {

TEST(BackoffTest, DoublesWithJitterUpToTheCap) {
  SimExecutor sim(3);
  Backoff backoff({.initial = absl::Milliseconds(100), .max = absl::Seconds(1)});
  absl::Duration expected = absl::Milliseconds(100);
  for (int i = 0; i < 60; ++i) {
    const absl::Duration delay = backoff.Next(sim);
    EXPECT_GE(delay, expected / 2);
    EXPECT_LE(delay, expected);
    expected = std::min(expected * 2, absl::Seconds(1));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(sim), absl::Milliseconds(100));
}

}  // namespace
}  // namespace sealane
