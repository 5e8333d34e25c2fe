// The agent alone: killed, cut off, on a full disk, under a clock that jumps. Virtual time.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

class AgentAloneTest : public AgentTest {};

bool HasInventory(const MemoryDisk& disk) {
  const auto it = disk.values.lower_bound("i/");
  return it != disk.values.end() && it->first.starts_with("i/");
}

TEST_F(AgentAloneTest, TheInventoryIsWrittenBeforeTheApply) {
  bool asked = false;
  world_.fault = [&](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
    if (request.method == "PATCH") {
      asked = true;
      EXPECT_TRUE(HasInventory(*world_.disk));
    }
    return std::nullopt;
  };
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  EXPECT_TRUE(asked);
}

// Killed after each step of the executor in turn, from the arrival of the work to its report.
TEST(AgentKillTest, KilledAtAnyStepNothingLeaksAndNothingIsMadeTwice) {
  bool finished = false;
  for (int steps = 0; !finished; ++steps) {
    ASSERT_LT(steps, 500);
    AgentWorld world;
    world.StartAgent();
    world.sim.RunFor(absl::Seconds(5));
    world.Put(ConfigMapManifest("web", "one"));
    for (int i = 0; i < steps; ++i) world.sim.Step();
    finished = world.Says("web", v1::WorkStatus::APPLIED) && world.agent().Idle();
    const bool withdrawn = steps % 2 == 1;
    world.KillAgent();
    // The object may be there or not; every other time its row goes while no agent looks.
    if (withdrawn) world.RemoveRow("ConfigMap", "web");
    world.sim.RunFor(absl::Seconds(1));
    world.StartAgent();
    ASSERT_TRUE(world.Until([&] { return world.agent().Idle(); })) << "after " << steps;
    world.sim.RunFor(absl::Seconds(1));
    EXPECT_EQ(world.ConfigMap("web").is_null(), withdrawn) << "killed after " << steps << " steps";
    EXPECT_LE(world.created("configmaps"), 1) << "killed after " << steps << " steps";
    EXPECT_EQ(HasInventory(*world.disk), !withdrawn) << "killed after " << steps << " steps";
    if (!withdrawn) {
      EXPECT_TRUE(world.Says("web", v1::WorkStatus::APPLIED)) << steps;
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST_F(AgentAloneTest, ARestartAppliesAndSaysNothingAgain) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(5));
  const size_t writes = world_.Writes().size();
  const size_t said = world_.said().size();
  world_.KillAgent();
  world_.StartAgent();
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_TRUE(world_.agent().Idle());
  EXPECT_EQ(world_.Writes().size(), writes);
  EXPECT_EQ(world_.said().size(), said);
}

TEST_F(AgentAloneTest, NothingIsPrunedBeforeTheFirstFullSync) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(5));
  world_.KillAgent();
  // The works are lost from the state directory, the inventory is not: nothing says now that the
  // object is wanted.
  std::erase_if(world_.disk->values, [](const auto& e) { return e.first.starts_with("w/"); });
  world_.CutBus(true);
  world_.StartAgent();
  world_.sim.RunFor(absl::Hours(1));
  EXPECT_EQ(Value(), "one");
  world_.CutBus(false);
  world_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(Value(), "one");
  EXPECT_EQ(world_.created("configmaps"), 1);
  // After it, what no row names goes.
  world_.RemoveRow("ConfigMap", "web");
  ASSERT_TRUE(world_.Until([&] { return Value() == "(absent)"; }));
}

TEST_F(AgentAloneTest, WithTheBusGoneAcrossARestartDriftIsRepairedAndLaterReportedOnce) {
  world_.StartAgent();
  for (int i = 0; i < 20; ++i) world_.Put(ConfigMapManifest(StrCat("c", i), "one"));
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(5));
  world_.CutBus(true);
  world_.sim.RunFor(absl::Seconds(5));
  world_.KillAgent();
  world_.StartAgent();
  std::string why;
  ASSERT_TRUE(world_.Until([&] { return world_.agent().Ready(&why); })) << why;
  EXPECT_EQ(world_.Metric("sealane_agent_bus_connected"), 0);
  const size_t said = world_.said().size();
  for (int round = 0; round < 5; ++round) {
    world_.Call("PATCH", kPath, {{"data", {{"value", StrCat("hand ", round)}}}}, kMergePatch);
    world_.sim.RunFor(absl::Minutes(5));
    EXPECT_EQ(Value(), "one") << round;
  }
  // The outbox holds one word per work at most, whatever happened.
  EXPECT_LE(world_.Metric("sealane_agent_reports_pending"), 21);
  EXPECT_GE(world_.Metric("sealane_agent_reports_pending"), 1);
  EXPECT_EQ(world_.said().size(), said);
  const size_t writes = world_.Writes().size();
  world_.CutBus(false);
  ASSERT_TRUE(world_.Until([&] { return world_.agent().Idle(); }));
  world_.sim.RunFor(absl::Minutes(1));
  // Only what changed is said, and nothing is applied again.
  EXPECT_EQ(world_.said().size(), said + 1);
  EXPECT_EQ(world_.Status("web")->drift_repairs(), 5);
  EXPECT_EQ(world_.Writes().size(), writes);
  EXPECT_EQ(world_.Metric("sealane_agent_reports_pending"), 0);
}

TEST_F(AgentAloneTest, OnAFullDiskItGoesOnFromMemoryAndStoresLater) {
  world_.StartAgent();
  world_.sim.RunFor(absl::Seconds(5));
  EXPECT_EQ(world_.Metric("sealane_agent_state_writable"), 1);
  world_.disk->failure = absl::ResourceExhaustedError("No space left on device");
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(Value(), "one");
  EXPECT_FALSE(HasInventory(*world_.disk));
  EXPECT_EQ(world_.Metric("sealane_agent_state_writable"), 0);
  world_.disk->failure = absl::OkStatus();
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_TRUE(HasInventory(*world_.disk));
  EXPECT_EQ(world_.Metric("sealane_agent_state_writable"), 1);
}

TEST_F(AgentAloneTest, KilledOnAFullDiskItKnowsItsObjectsByTheirMarks) {
  world_.disk->failure = absl::ResourceExhaustedError("No space left on device");
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.KillAgent();
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "two"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "two");
  EXPECT_EQ(world_.created("configmaps"), 1);
}

TEST_F(AgentAloneTest, AClockThatJumpsChangesNeitherWaitingNorTheOrderOfReports) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  int64_t incarnation = world_.Status("web")->incarnation();
  int round = 0;
  for (const absl::Duration jump : {-absl::Hours(24 * 365), absl::Hours(24 * 730)}) {
    ++round;
    world_.sim.JumpWallClock(jump);
    // Running: repaired as ever.
    world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
    world_.sim.RunFor(absl::Seconds(1));
    EXPECT_EQ(Value(), "one");
    world_.sim.RunFor(absl::Minutes(5));
    // Restarted: a later process has the larger number also when the clock went back.
    world_.KillAgent();
    world_.StartAgent();
    world_.Put(ConfigMapManifest("web", "one", StrCat(R"({"round":")", round, R"("})")));
    ASSERT_TRUE(Applied());
    EXPECT_GT(world_.Status("web")->incarnation(), incarnation);
    incarnation = world_.Status("web")->incarnation();
  }
}

TEST_F(AgentAloneTest, AnOlderWorkOrOneOfAnotherClusterIsDropped) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  const double stale = world_.Metric("sealane_agent_works_received_total{result=\"stale\"}");
  const size_t writes = world_.Writes().size();
  world_.Put(ConfigMapManifest("web", "older"),
             [](v1::Work& work) { work.mutable_fence()->set_version(1); });
  world_.Put(ConfigMapManifest("other", "x"), [](v1::Work& work) { work.set_cluster("b"); });
  world_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(Value(), "one");
  EXPECT_EQ(Value("other"), "(absent)");
  EXPECT_EQ(world_.Writes().size(), writes);
  EXPECT_GT(world_.Metric("sealane_agent_works_received_total{result=\"stale\"}"), stale);
  EXPECT_EQ(world_.Metric("sealane_agent_works_received_total{result=\"malformed\"}"), 1);
}

TEST_F(AgentAloneTest, ATableMadeAnewRemovesNothing) {
  world_.StartAgent();
  world_.Put(ConfigMapManifest("web", "one"));
  ASSERT_TRUE(Applied());
  world_.server.RecreateStream("works");
  world_.sim.RunFor(absl::Hours(1));
  EXPECT_EQ(Value(), "one");
}

}  // namespace
}  // namespace sealane::agent
