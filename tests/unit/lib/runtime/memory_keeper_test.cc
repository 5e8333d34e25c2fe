#include "lib/runtime/memory_keeper.h"

#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/sim_executor.h"

namespace sealane {
namespace {

TEST(RestDetectorTest, RestIsWhatFollowsWork) {
  RestDetector rest;
  EXPECT_FALSE(rest.Tick(0.040));  // starting
  EXPECT_TRUE(rest.Tick(0.041));
  EXPECT_FALSE(rest.Tick(0.042));  // nothing was done since
  EXPECT_FALSE(rest.Tick(0.200));  // at work
  EXPECT_FALSE(rest.Tick(0.400));
  EXPECT_TRUE(rest.Tick(0.401));
  EXPECT_FALSE(rest.Tick(0.402));  // once per burst
  EXPECT_FALSE(rest.Tick(0.410));  // little
  EXPECT_FALSE(rest.Tick(0.411));
  EXPECT_FALSE(rest.Tick(0.420));
  EXPECT_TRUE(rest.Tick(0.422));
}

TEST(MemoryKeeperTest, GivesBackOncePerBurstAndNotAfterItsEnd) {
  SimExecutor sim(1);
  double cpu = 0;
  int released = 0;
  auto keeper = std::make_unique<MemoryKeeper>(
      sim.env(), [&] { return cpu; }, [&] { ++released; });
  sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(released, 1);  // after the start
  for (int burst = 2; burst <= 3; ++burst) {
    cpu += 1;
    sim.RunFor(absl::Seconds(10));
    EXPECT_EQ(released, burst);
  }
  cpu += 1;
  keeper.reset();
  sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(released, 3);
}

// Resident pages of this program's file, in kB: RssFile of /proc/self/status.
int64_t ResidentFilePages() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    int64_t value = 0;
    if (word == "RssFile:" && file >> value) return value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

TEST(ReleaseUnusedMemoryTest, ProgramPagesLeaveAndComeBackOnDemand) {
  const int64_t before = ResidentFilePages();
  if (before == 0) GTEST_SKIP() << "the kernel does not tell RssFile";
  ReleaseUnusedMemory();
  EXPECT_LT(ResidentFilePages(), before);
  // The program still runs, its data and relocated addresses too.
  auto detector = std::make_unique<RestDetector>();
  EXPECT_TRUE(detector->Tick(0));
  EXPECT_EQ(std::to_string(42), "42");
}

}  // namespace
}  // namespace sealane
