// The cluster's etcd is restored from a backup: what was written since is gone, and resource
// versions are handed out a second time. Virtual time.

#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

class AgentRestoreTest : public AgentTest {
 protected:
  // Backed up with web = "one"; since then web = "two" and late = "new", and time passed.
  kubeapi::MemoryStore::Backup HistoryWithBackup() {
    world_.StartAgent();
    world_.Put(ConfigMapManifest("web", "one"));
    EXPECT_TRUE(Applied());
    const auto backup = world_.cluster().MakeBackup();
    world_.Put(ConfigMapManifest("web", "two"));
    EXPECT_TRUE(Applied());
    world_.Put(ConfigMapManifest("late", "new"));
    EXPECT_TRUE(Applied("late"));
    for (int i = 0; i < 20; ++i) Busy(i);
    world_.sim.RunFor(absl::Minutes(5));
    return backup;
  }
  // Somebody else writes.
  void Busy(int i) {
    world_.Call("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=x",
                Json{{"metadata", {{"name", StrCat("busy", i)}}}});
  }
  void ExpectInForce() {
    EXPECT_EQ(Value(), "two");
    EXPECT_EQ(Value("late"), "new");
    // And drift is seen as ever, although versions are below those of before.
    world_.Call("PATCH", kPath, {{"data", {{"value", "hand"}}}}, kMergePatch);
    world_.sim.RunFor(absl::Seconds(1));
    EXPECT_EQ(Value(), "two");
    world_.Call("DELETE", "/api/v1/namespaces/shop/configmaps/late");
    world_.sim.RunFor(absl::Seconds(1));
    EXPECT_EQ(Value("late"), "new");
  }
};

TEST_F(AgentRestoreTest, WhatTheRestoreTookIsBroughtBackAndDriftIsSeen) {
  const auto backup = HistoryWithBackup();
  world_.cluster().Restore(backup);
  ASSERT_EQ(Value(), "one");
  ASSERT_EQ(Value("late"), "(absent)");
  world_.sim.RunFor(absl::Seconds(5));
  EXPECT_GE(world_.Metric("sealane_agent_api_restores_total"), 1);
  world_.sim.RunFor(absl::Minutes(2));  // so that what follows is no fight
  ExpectInForce();
  // A newer word finds its way as well.
  world_.Put(ConfigMapManifest("web", "three"));
  ASSERT_TRUE(Applied());
  EXPECT_EQ(Value(), "three");
}

TEST_F(AgentRestoreTest, ARestoreWhileNoAgentLookedIsSeenAtTheStart) {
  const auto backup = HistoryWithBackup();
  world_.KillAgent();
  world_.cluster().Restore(backup);
  world_.StartAgent();
  world_.sim.RunFor(absl::Minutes(2));
  ExpectInForce();
}

TEST_F(AgentRestoreTest, ARestoreIsSeenAlsoWhenVersionsAreAlreadyPastThoseOfBefore) {
  const auto backup = HistoryWithBackup();
  const uint64_t before = world_.cluster().MakeBackup().revision;
  for (const bool running : {true, false}) {
    if (!running) world_.KillAgent();
    world_.hang = true;  // the server is away
    world_.cluster().Restore(backup);
    world_.sim.RunFor(absl::Minutes(1));
    for (int i = 0; world_.cluster().MakeBackup().revision <= before + 100; ++i) Busy(i);
    world_.hang = false;
    if (!running) world_.StartAgent();
    world_.sim.RunFor(absl::Minutes(3));
    ExpectInForce();
    world_.sim.RunFor(absl::Minutes(2));
  }
}

}  // namespace
}  // namespace sealane::agent
