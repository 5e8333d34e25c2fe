#include "lib/reconcile/keyed_queue.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/sim_executor.h"

namespace sealane {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Finishes each attempt when the test says so.
class Manual {
 public:
  KeyedQueue::Handler handler() {
    return [this](const std::string& key, KeyedQueue::Done done) {
      EXPECT_FALSE(pending.contains(key)) << key << " is in two workers";
      started.push_back(key);
      pending[key] = std::move(done);
    };
  }
  void Finish(const std::string& key, ReconcileResult result = ReconcileResult::Done()) {
    auto node = pending.extract(key);
    ASSERT_FALSE(node.empty()) << key;
    node.mapped()(std::move(result));
  }

  std::vector<std::string> started;
  std::map<std::string, KeyedQueue::Done> pending;
};

class KeyedQueueTest : public ::testing::Test {
 protected:
  KeyedQueue& Make(KeyedQueueOptions options) {
    queue_ = std::make_unique<KeyedQueue>(sim_.env(), std::move(options), work_.handler());
    return *queue_;
  }
  // Runs what is due now.
  void Settle() { sim_.RunFor(absl::ZeroDuration()); }

  SimExecutor sim_{1};
  Manual work_;
  std::unique_ptr<KeyedQueue> queue_;
};

absl::Status Broken() { return absl::UnavailableError("broken"); }

std::string FirstLetter(std::string_view key) { return std::string(key.substr(0, 1)); }

TEST_F(KeyedQueueTest, NothingRunsBeforeStartAndNothingIsLost) {
  KeyedQueue& queue = Make({.max_active = 9, .max_active_per_lane = 9});
  queue.Add("b");
  queue.Add("a");
  sim_.RunFor(absl::Seconds(10));
  EXPECT_THAT(work_.started, IsEmpty());
  EXPECT_EQ(queue.stats().waiting, 2u);
  EXPECT_EQ(queue.oldest_wait(), absl::Seconds(10));
  queue.Start();
  EXPECT_THAT(work_.started, IsEmpty()) << "a handler never runs inside a call";
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("b", "a"));
}

TEST_F(KeyedQueueTest, AWaitingKeyIsNotAddedTwice) {
  KeyedQueue& queue = Make({});
  queue.Add("a");
  queue.Add("a");
  queue.Add("b");
  queue.Add("a");
  queue.Start();
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a"));
  work_.Finish("a");
  Settle();
  work_.Finish("b");
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a", "b"));
  EXPECT_EQ(queue.stats().added, 4u);
  EXPECT_EQ(queue.stats().deduplicated, 2u);
  EXPECT_EQ(queue.stats().attempts, 2u);
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, AnActiveKeyRunsOnceMoreAfterItIsFinished) {
  KeyedQueue& queue = Make({.max_active = 4, .max_active_per_lane = 4});
  queue.Start();
  queue.Add("a");
  Settle();
  queue.Add("a");
  queue.Add("a");
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a"));
  work_.Finish("a");
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a", "a"));
  work_.Finish("a");
  Settle();
  EXPECT_EQ(work_.started.size(), 2u);
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, LanesTakeTurns) {
  KeyedQueue& queue = Make({.max_active = 1, .max_active_per_lane = 1, .lane_of = FirstLetter});
  for (const char* key : {"a1", "a2", "a3", "b1", "c1", "b2"}) queue.Add(key);
  queue.Start();
  for (int i = 0; i < 6; ++i) {
    Settle();
    ASSERT_EQ(work_.pending.size(), 1u);
    work_.Finish(work_.started.back());
  }
  EXPECT_THAT(work_.started, ElementsAre("a1", "b1", "c1", "a2", "b2", "a3"));
}

TEST_F(KeyedQueueTest, AStuckLaneDoesNotHoldTheOthers) {
  KeyedQueue& queue = Make({.max_active = 3, .max_active_per_lane = 1, .lane_of = FirstLetter});
  for (const char* key : {"a1", "a2", "a3", "b1", "b2"}) queue.Add(key);
  queue.Start();
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a1", "b1"));
  work_.Finish("b1");
  Settle();
  work_.Finish("b2");
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a1", "b1", "b2"));
  EXPECT_EQ(queue.stats().waiting, 2u);
  EXPECT_EQ(queue.stats().active, 1u);
}

TEST_F(KeyedQueueTest, PriorityGoesFirstWithinALaneThenOrderOfArrival) {
  KeyedQueueOptions options;
  options.priority_of = [](std::string_view key) { return key.ends_with("!") ? 10 : 0; };
  KeyedQueue& queue = Make(std::move(options));
  queue.Add("old");
  sim_.RunFor(absl::Seconds(3));
  for (const char* key : {"urgent!", "new", "also!"}) queue.Add(key);
  EXPECT_EQ(queue.oldest_wait(), absl::Seconds(3)) << "the oldest is not the first to go";
  queue.Start();
  for (int i = 0; i < 4; ++i) {
    Settle();
    work_.Finish(work_.started.back());
  }
  EXPECT_THAT(work_.started, ElementsAre("urgent!", "also!", "old", "new"));
}

TEST_F(KeyedQueueTest, RetriesBackOffAndSuccessResets) {
  KeyedQueueOptions options;
  options.backoff = {.initial = absl::Seconds(1), .max = absl::Seconds(4)};
  KeyedQueue& queue = Make(std::move(options));
  queue.Start();
  queue.Add("a");
  Settle();
  // Jitter draws from [0.5, 1.0] of 1, 2, 4, 4 seconds.
  for (const int64_t limit : {1, 2, 4, 4}) {
    work_.Finish("a", ReconcileResult::Retry(Broken()));
    EXPECT_EQ(queue.stats().delayed, 1u);
    const size_t before = work_.started.size();
    sim_.RunFor(absl::Seconds(limit) * 0.5 - absl::Milliseconds(1));
    EXPECT_EQ(work_.started.size(), before) << "too early, limit " << limit;
    sim_.RunFor(absl::Seconds(limit) * 0.5 + absl::Milliseconds(2));
    EXPECT_EQ(work_.started.size(), before + 1) << "too late, limit " << limit;
  }
  EXPECT_EQ(queue.stats().retries, 4u);
  work_.Finish("a");
  EXPECT_TRUE(queue.idle());
  queue.Add("a");
  Settle();
  work_.Finish("a", ReconcileResult::Retry(Broken()));
  const size_t before = work_.started.size();
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(work_.started.size(), before + 1) << "the back-off starts again after a success";
}

TEST_F(KeyedQueueTest, AddDuringBackOffRunsAtOnceAndOnlyOnce) {
  KeyedQueue& queue = Make({});
  queue.Start();
  queue.Add("a");
  Settle();
  work_.Finish("a", ReconcileResult::Retry(Broken()));
  queue.Add("a");
  EXPECT_EQ(queue.stats().delayed, 0u);
  Settle();
  EXPECT_EQ(work_.started.size(), 2u);
  work_.Finish("a");
  sim_.RunFor(absl::Hours(1));
  EXPECT_EQ(work_.started.size(), 2u);
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, ATerminalResultWaitsForTheNextAdd) {
  KeyedQueue& queue = Make({});
  queue.Start();
  queue.Add("a");
  Settle();
  work_.Finish("a", ReconcileResult::Terminal(absl::InvalidArgumentError("no")));
  sim_.RunFor(absl::Hours(1));
  EXPECT_EQ(work_.started.size(), 1u);
  EXPECT_EQ(queue.stats().terminal, 1u);
  EXPECT_TRUE(queue.idle());
  queue.Add("a");
  Settle();
  EXPECT_EQ(work_.started.size(), 2u);
}

TEST_F(KeyedQueueTest, AgainAfterIsExact) {
  KeyedQueue& queue = Make({});
  queue.Start();
  queue.Add("a");
  Settle();
  work_.Finish("a", ReconcileResult::AgainAfter(absl::Seconds(7)));
  sim_.RunFor(absl::Seconds(7) - absl::Nanoseconds(1));
  EXPECT_EQ(work_.started.size(), 1u);
  sim_.RunFor(absl::Nanoseconds(1));
  EXPECT_EQ(work_.started.size(), 2u);
}

TEST_F(KeyedQueueTest, TheEarliestDelayWins) {
  KeyedQueue& queue = Make({});
  queue.Start();
  queue.AddAfter("a", absl::Seconds(9));
  queue.AddAfter("a", absl::Seconds(2));
  queue.AddAfter("a", absl::Seconds(5));
  EXPECT_EQ(queue.stats().delayed, 1u);
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(work_.started.size(), 1u);
  // Also against the delay that the attempt itself asks for, whichever is set first.
  queue.AddAfter("a", absl::Seconds(1));
  work_.Finish("a", ReconcileResult::AgainAfter(absl::Seconds(60)));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(work_.started.size(), 2u);
  work_.Finish("a");
  sim_.RunFor(absl::Hours(1));
  EXPECT_EQ(work_.started.size(), 2u) << "the longer delay is dropped";
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, ADelayThatEndsDuringAnAttemptRunsAfterIt) {
  KeyedQueue& queue = Make({.max_active = 2, .max_active_per_lane = 2});
  queue.Start();
  queue.Add("a");
  Settle();
  queue.AddAfter("a", absl::Seconds(1));
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(work_.started.size(), 1u);
  work_.Finish("a");
  Settle();
  EXPECT_EQ(work_.started.size(), 2u);
}

TEST_F(KeyedQueueTest, AddOverridesADelayThatWasSetDuringTheAttempt) {
  KeyedQueue& queue = Make({.max_active = 2, .max_active_per_lane = 2});
  queue.Start();
  queue.Add("a");
  Settle();
  queue.AddAfter("a", absl::Seconds(5));
  queue.Add("a");
  work_.Finish("a");
  Settle();
  EXPECT_EQ(work_.started.size(), 2u);
  work_.Finish("a");
  sim_.RunFor(absl::Minutes(1));
  EXPECT_EQ(work_.started.size(), 2u);
  EXPECT_EQ(queue.stats().delayed, 0u);
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, ForgetDropsWaitingAndDelayedKeys) {
  KeyedQueue& queue = Make({.lane_of = FirstLetter});
  queue.Add("a1");
  queue.Add("b1");
  queue.AddAfter("c1", absl::Seconds(1));
  queue.Forget("a1");
  queue.Forget("c1");
  queue.Forget("unknown");
  EXPECT_EQ(queue.stats().waiting, 1u);
  EXPECT_EQ(queue.stats().delayed, 0u);
  queue.Start();
  sim_.RunFor(absl::Minutes(1));
  EXPECT_THAT(work_.started, ElementsAre("b1"));
  work_.Finish("b1");
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, PauseKeepsWhatWaits) {
  KeyedQueue& queue = Make({});
  queue.Start();
  queue.Add("a");
  queue.Add("b");
  Settle();
  queue.Pause();
  work_.Finish("a");
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a"));
  EXPECT_FALSE(queue.idle());
  queue.Start();
  Settle();
  EXPECT_THAT(work_.started, ElementsAre("a", "b"));
}

TEST_F(KeyedQueueTest, HandlersThatFinishAtOnceDoNotHoldTheExecutor) {
  int attempts = 0;
  KeyedQueueOptions options;
  options.batch = 10;
  KeyedQueue queue(sim_.env(), std::move(options), [&](const std::string&, KeyedQueue::Done done) {
    ++attempts;
    done(ReconcileResult::Done());
  });
  for (int i = 0; i < 25; ++i) queue.Add(std::to_string(i));
  queue.Start();
  ASSERT_TRUE(sim_.Step());
  EXPECT_EQ(attempts, 10);
  Settle();
  EXPECT_EQ(attempts, 25);
  EXPECT_TRUE(queue.idle());
}

TEST_F(KeyedQueueTest, AnAnswerThatComesAfterTheQueueIsGoneIsIgnored) {
  Make({}).Start();
  queue_->Add("a");
  Settle();
  queue_->AddAfter("b", absl::Seconds(1));
  queue_.reset();
  work_.Finish("a", ReconcileResult::Retry(Broken()));
  sim_.RunFor(absl::Minutes(1));
  EXPECT_THAT(work_.started, ElementsAre("a"));
}

// Random adds, delays, forgets, and results: never one key in two workers, never over the limits,
// and at rest every key's last change was seen by an attempt that started after it.
TEST_F(KeyedQueueTest, RandomRunsKeepThePromises) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    SimExecutor sim(seed);
    std::map<std::string, int> wanted;  // current version
    std::map<std::string, int> seen;    // version at the start of the last successful attempt
    std::set<std::string> active;
    std::map<std::string, int> lane_active;
    KeyedQueueOptions options;
    options.max_active = 3;
    options.max_active_per_lane = 2;
    options.lane_of = FirstLetter;
    options.priority_of = [](std::string_view key) { return key.back() - '0'; };
    KeyedQueue queue(sim.env(), std::move(options),
                     [&](const std::string& key, KeyedQueue::Done done) {
                       EXPECT_TRUE(active.insert(key).second);
                       EXPECT_LE(active.size(), 3u);
                       EXPECT_LE(++lane_active[FirstLetter(key)], 2);
                       const int version = wanted[key];
                       const auto finish = [&, key, version, done = std::move(done)] {
                         active.erase(key);
                         --lane_active[FirstLetter(key)];
                         if (sim.Below(4) == 0) {
                           done(ReconcileResult::Retry(Broken()));
                         } else {
                           seen[key] = version;
                           done(ReconcileResult::Done());
                         }
                       };
                       if (sim.Below(2) == 0) {
                         finish();
                       } else {
                         sim.After(absl::Milliseconds(sim.Below(50)), finish);
                       }
                     });
    queue.Start();
    for (int i = 0; i < 200; ++i) {
      const std::string key = {static_cast<char>('a' + sim.Below(3)),
                               static_cast<char>('0' + sim.Below(4))};
      ++wanted[key];
      if (sim.Below(4) == 0) {
        queue.AddAfter(key, absl::Milliseconds(sim.Below(100)));
      } else {
        queue.Add(key);
      }
      if (sim.Below(20) == 0) queue.Pause();
      sim.RunFor(absl::Milliseconds(sim.Below(20)));
      queue.Start();
    }
    EXPECT_TRUE(sim.RunUntil([&] { return queue.idle(); }, absl::Hours(1)));
    EXPECT_EQ(seen, wanted);
    EXPECT_EQ(queue.stats().waiting, 0u);
    EXPECT_EQ(queue.stats().active, 0u);
    EXPECT_EQ(queue.stats().delayed, 0u);
  }
}

}  // namespace
}  // namespace sealane
