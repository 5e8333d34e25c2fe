#include <cstdlib>
#include <iostream>
#include <string>

#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/world.h"

namespace sealane::simulation {
namespace {

std::vector<ClusterSpec> FiveClusters() {
  return {{"aliyun-beijing", "aliyun", "cn-beijing"},
          {"aliyun-shanghai", "aliyun", "cn-shanghai"},
          {"aws-virginia", "aws", "us-east-1"},
          {"idc-local", "idc", "cn-beijing"},
          {"tencent-shanghai", "tencent", "cn-shanghai"}};
}

// One run of random deploys, edits, deletes and restarts with delayed and duplicated messages; at
// rest every cluster must hold exactly what the last events say. Returns the first thing wrong, or
// "". With `verbose`, prints what happens.
std::string RunSeed(uint64_t seed, bool verbose) {
  Trouble trouble;
  trouble.max_delay = seed % 3 == 0 ? absl::ZeroDuration() : absl::Milliseconds(seed % 300);
  trouble.duplicate_probability = seed % 2 == 0 ? 0.1 : 0;
  World world(seed, FiveClusters(), trouble);
  Scenario scenario(FiveClusters());
  SimExecutor& sim = world.sim();
  const auto say = [&](const std::string& what) {
    if (verbose) std::cout << absl::FormatDuration(sim.Monotonic()) << " " << what << "\n";
  };
  world.Deploy(scenario.InitialManifests(sim), false);
  sim.RunFor(absl::Seconds(20));  // clusters join and become ready
  const int steps = 12 + static_cast<int>(sim.Below(20));
  for (int step = 0; step < steps; ++step) {
    if (sim.Below(100) < 20) {
      const std::vector<std::string> processes = world.processes();
      const std::string victim = processes[sim.Below(processes.size())];
      say(StrCat("restart ", victim));
      world.RestartProcess(victim);
    } else if (sim.Below(100) < 5) {
      say("restart bus");
      world.RestartBus(absl::Milliseconds(static_cast<int64_t>(sim.Below(3000))));
    } else {
      const Scenario::Event event = scenario.NextEvent(sim);
      say(event.what);
      world.Deploy(event.manifests, event.remove);
    }
    // Sometimes the next step comes while this one is still under way.
    sim.RunFor(absl::Milliseconds(static_cast<int64_t>(sim.Below(2) == 0 ? 0 : sim.Below(5000))));
  }
  // Longer than a lease: a process that does not lead yet, and has nothing to do, would do
  // something once it leads.
  constexpr int kLooks = 10;
  std::string mismatch;
  const bool settled = sim.RunUntil(
      [&, next = absl::ZeroDuration(), looks = 0]() mutable {
        if (sim.Monotonic() < next) return false;
        next = sim.Monotonic() + absl::Seconds(1);
        mismatch = scenario.Mismatch(world.Content());
        const bool rest = mismatch.empty() && world.NotIdle().empty() &&
                          world.results().size() == world.published();
        looks = rest ? looks + 1 : 0;
        return looks >= kLooks;
      },
      absl::Minutes(10));
  if (!settled) {
    if (!mismatch.empty()) return mismatch;
    if (world.results().size() != world.published()) {
      return StrCat("only ", world.results().size(), " of ", world.published(),
                    " deploy events were answered");
    }
    return StrCat("no rest: ", StrJoin(world.NotIdle(), ", "));
  }
  for (const auto& [id, result] : world.results()) {
    if (!result.accepted()) return StrCat(id, " was refused: ", result.ShortDebugString());
  }
  // Rest means rest: nothing is written any more but heartbeats' consequences.
  const uint64_t works = world.server().StreamLastSequence("works");
  const uint64_t placements = world.server().StreamLastSequence("placements");
  sim.RunFor(absl::Minutes(2));
  mismatch = scenario.Mismatch(world.Content());
  if (!mismatch.empty()) return StrCat("after rest: ", mismatch);
  if (world.server().StreamLastSequence("works") != works ||
      world.server().StreamLastSequence("placements") != placements) {
    return "works or placements were written again after rest";
  }
  return "";
}

// SEALANE_SEED=N replays one seed with its story; SEALANE_SEEDS=N runs that many.
TEST(SimulationTest, EveryClusterHoldsWhatTheLastEventsSay) {
  if (const char* seed = std::getenv("SEALANE_SEED"); seed != nullptr) {
    EXPECT_EQ(RunSeed(std::strtoull(seed, nullptr, 10), true), "");
    return;
  }
  const char* seeds = std::getenv("SEALANE_SEEDS");
  const uint64_t count = seeds == nullptr ? 100 : std::strtoull(seeds, nullptr, 10);
  for (uint64_t seed = 1; seed <= count; ++seed) {
    const std::string wrong = RunSeed(seed, false);
    EXPECT_EQ(wrong, "") << "replay with SEALANE_SEED=" << seed;
    if (!wrong.empty()) break;
  }
}

TEST(SimulationTest, TheSameSeedTellsTheSameStory) {
  const auto story = [](uint64_t seed) {
    World world(seed, FiveClusters(), {.max_delay = absl::Milliseconds(50)});
    Scenario scenario(FiveClusters());
    world.Deploy(scenario.InitialManifests(world.sim()), false);
    for (int i = 0; i < 10; ++i) {
      const Scenario::Event event = scenario.NextEvent(world.sim());
      world.Deploy(event.manifests, event.remove);
      world.sim().RunFor(absl::Seconds(2));
    }
    return StrCat(world.server().messages_in(), " ", world.sim().Next());
  };
  EXPECT_EQ(story(7), story(7));
  EXPECT_NE(story(7), story(8));
}

}  // namespace
}  // namespace sealane::simulation
