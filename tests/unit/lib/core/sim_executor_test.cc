#include "lib/core/sim_executor.h"

#include <vector>

#include "gtest/gtest.h"

namespace sealane {
namespace {

TEST(SimExecutorTest, VirtualTimeMovesOnlyWithCallbacks) {
  SimExecutor sim(1);
  const absl::Time start = sim.Now();
  std::vector<int> seen;
  sim.After(absl::Hours(2), [&] { seen.push_back(2); });
  sim.After(absl::Hours(1), [&] { seen.push_back(1); });
  sim.Post([&] { seen.push_back(0); });
  EXPECT_TRUE(sim.RunUntil([&] { return seen.size() == 3; }, absl::Hours(3)));
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(sim.Now() - start, absl::Hours(2));
}

TEST(SimExecutorTest, RunForEndsExactlyThen) {
  SimExecutor sim(1);
  int fired = 0;
  sim.After(absl::Seconds(10), [&] { ++fired; });
  sim.RunFor(absl::Seconds(9));
  EXPECT_EQ(fired, 0);
  sim.RunFor(absl::Seconds(1));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(sim.Monotonic(), absl::Seconds(10));
}

TEST(SimExecutorTest, CancelAndSeed) {
  SimExecutor a(7), b(7);
  EXPECT_EQ(a.Next(), b.Next());
  bool ran = false;
  a.Cancel(a.After(absl::Seconds(1), [&] { ran = true; }));
  a.RunFor(absl::Seconds(2));
  EXPECT_FALSE(ran);
}

TEST(SimExecutorTest, WallClockMayJumpMonotonicMayNot) {
  SimExecutor sim(1);
  const absl::Time before = sim.Now();
  sim.JumpWallClock(-absl::Hours(1));
  EXPECT_EQ(sim.Now(), before - absl::Hours(1));
  EXPECT_EQ(sim.Monotonic(), absl::ZeroDuration());
}

}  // namespace
}  // namespace sealane
