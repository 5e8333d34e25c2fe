#include "lib/runtime/leader_lease.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

// One process that would like to lead, with a bus connection of its own.
struct Candidate {
  Candidate(MemoryServer& server, SimExecutor& sim, const std::string& name)
      : bus(server.Connect(BusIdentity::Hub(), name)) {
    LeaderLeaseOptions options;
    options.service = "policy";
    options.instance = name;
    lease = std::make_unique<LeaderLease>(
        *bus, sim.env(), options,
        [this] {
          EXPECT_FALSE(leads) << "on_lead twice";
          leads = true;
          ++times;
        },
        [this] {
          EXPECT_TRUE(leads) << "on_lose without on_lead";
          leads = false;
        });
    lease->Start();
  }

  std::unique_ptr<Bus> bus;
  bool leads = false;
  int times = 0;
  std::unique_ptr<LeaderLease> lease;
};

class LeaderLeaseTest : public ::testing::Test {
 protected:
  Candidate& Join(const std::string& name) {
    candidates_.push_back(std::make_unique<Candidate>(server_, sim_, name));
    return *candidates_.back();
  }
  [[nodiscard]] int Leaders() const {
    return static_cast<int>(
        std::count_if(candidates_.begin(), candidates_.end(),
                      [](const auto& candidate) { return candidate->lease->leading(); }));
  }
  // Lets time pass and fails when there are two leaders at any moment.
  void Run(absl::Duration span) {
    sim_.RunUntil(
        [&] {
          EXPECT_LE(Leaders(), 1);
          return Leaders() > 1;
        },
        span);
  }
  void Cut(const std::string& name, bool disconnected) {
    BusFaults faults;
    faults.disconnected = disconnected;
    server_.SetFaults(name, faults);
  }

  SimExecutor sim_{7};
  MemoryServer server_{sim_.env()};
  std::vector<std::unique_ptr<Candidate>> candidates_;
};

TEST_F(LeaderLeaseTest, TheFirstLeadsAndKeepsTheLease) {
  Candidate& a = Join("a");
  Run(absl::Seconds(1));
  EXPECT_TRUE(a.leads);
  EXPECT_EQ(a.lease->leader(), a.lease->self());
  Candidate& b = Join("b");
  Run(absl::Minutes(10));
  EXPECT_TRUE(a.leads);
  EXPECT_EQ(a.times, 1);
  EXPECT_FALSE(b.leads);
  EXPECT_EQ(b.lease->leader(), a.lease->self());
}

TEST_F(LeaderLeaseTest, AStandbyTakesOverSecondsAfterTheLeaderDied) {
  Candidate& a = Join("a");
  Run(absl::Seconds(1));
  Candidate& b = Join("b");
  Run(absl::Seconds(10));
  ASSERT_TRUE(a.leads);
  candidates_.erase(candidates_.begin());  // a is killed
  Run(absl::Seconds(3));
  EXPECT_FALSE(b.leads) << "the lease still holds";
  Run(absl::Seconds(3));
  EXPECT_TRUE(b.leads);
}

TEST_F(LeaderLeaseTest, ReleaseHandsOverAtOnce) {
  Candidate& a = Join("a");
  Run(absl::Seconds(1));
  Candidate& b = Join("b");
  Run(absl::Seconds(10));
  bool done = false;
  a.lease->Release([&] { done = true; });
  EXPECT_FALSE(a.lease->leading());
  Run(absl::Milliseconds(100));
  EXPECT_TRUE(done);
  EXPECT_FALSE(a.leads);
  EXPECT_TRUE(b.leads);
  Run(absl::Minutes(1));
  EXPECT_FALSE(a.leads) << "who released stands down for good";
}

TEST_F(LeaderLeaseTest, ReleaseOfAStandbyEnds) {
  Join("a");
  Run(absl::Seconds(1));
  Candidate& b = Join("b");
  Run(absl::Seconds(1));
  bool done = false;
  b.lease->Release([&] { done = true; });
  Run(absl::Milliseconds(1));
  EXPECT_TRUE(done);
}

TEST_F(LeaderLeaseTest, ALeaderThatIsCutOffStopsBeforeAnotherStarts) {
  Candidate& a = Join("a");
  Run(absl::Seconds(1));
  Candidate& b = Join("b");
  Run(absl::Seconds(10));
  Cut("a", true);
  Run(absl::Seconds(20));
  EXPECT_FALSE(a.leads);
  EXPECT_TRUE(b.leads);
  Cut("a", false);
  Run(absl::Minutes(1));
  EXPECT_TRUE(b.leads);
  EXPECT_FALSE(a.leads);
}

TEST_F(LeaderLeaseTest, AShortOutageOfTheServerMovesNothing) {
  Candidate& a = Join("a");
  Join("b");
  Run(absl::Seconds(10));
  ASSERT_TRUE(a.leads);
  server_.Restart(absl::Seconds(1));
  Run(absl::Minutes(1));
  EXPECT_TRUE(a.leads);
  EXPECT_EQ(a.times, 1);
}

TEST_F(LeaderLeaseTest, ALongOutageEndsWithOneLeader) {
  Join("a");
  Join("b");
  Run(absl::Seconds(10));
  server_.Restart(absl::Minutes(2));
  Run(absl::Minutes(1));
  EXPECT_EQ(Leaders(), 0) << "nobody can know that it leads";
  Run(absl::Minutes(2));
  EXPECT_EQ(Leaders(), 1);
}

TEST_F(LeaderLeaseTest, ALostStreamEndsWithOneLeader) {
  Join("a");
  Join("b");
  Run(absl::Seconds(10));
  server_.RecreateStream("leases");
  Run(absl::Minutes(1));
  EXPECT_EQ(Leaders(), 1);
}

TEST_F(LeaderLeaseTest, WallClockJumpsDoNotMatter) {
  Candidate& a = Join("a");
  Join("b");
  Run(absl::Seconds(10));
  for (const int hours : {-100, 300, -5}) {
    sim_.JumpWallClock(absl::Hours(hours));
    Run(absl::Minutes(1));
    EXPECT_TRUE(a.leads);
    EXPECT_EQ(a.times, 1);
  }
}

// Random cuts, delays, duplicates, restarts, deaths: never two leaders at once, and one in the end.
TEST_F(LeaderLeaseTest, RandomFaultsNeverMakeTwoLeaders) {
  for (int run = 0; run < 30; ++run) {
    SCOPED_TRACE(run);
    for (const char* name : {"a", "b", "c"}) Join(StrCat(name, run));
    for (int i = 0; i < 60; ++i) {
      const std::string name = StrCat(static_cast<char>('a' + sim_.Below(3)), run);
      BusFaults faults;
      switch (sim_.Below(4)) {
        case 0:
          faults.disconnected = true;
          break;
        case 1:
          faults.duplicate_probability = 0.2;
          faults.delay = [this] { return absl::Milliseconds(sim_.Below(1500)); };
          break;
        case 2:
          if (sim_.Below(4) == 0) server_.Restart(absl::Milliseconds(sim_.Below(6000)));
          break;
        default:
          break;
      }
      server_.SetFaults(name, faults);
      Run(absl::Milliseconds(sim_.Below(4000)));
    }
    for (const char* name : {"a", "b", "c"}) server_.SetFaults(StrCat(name, run), {});
    Run(absl::Minutes(1));
    EXPECT_EQ(Leaders(), 1);
    candidates_.clear();
    Run(absl::Seconds(1));
  }
}

}  // namespace
}  // namespace sealane
