#include "lib/core/event_loop.h"

#include <atomic>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/mutex.h"
#include "lib/core/scoped_executor.h"

namespace sealane {
namespace {

TEST(EventLoopTest, RunsPostedCallbacksInOrder) {
  EventLoop loop;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) loop.Post([&seen, i] { seen.push_back(i); });
  loop.Post([&] { loop.RequestStop(); });
  loop.Run();
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
}

TEST(EventLoopTest, TimersFireInOrderOfDeadline) {
  EventLoop loop;
  std::vector<int> seen;
  loop.After(absl::Milliseconds(4), [&] {
    seen.push_back(2);
    loop.RequestStop();
  });
  loop.After(absl::Milliseconds(2), [&] { seen.push_back(1); });
  loop.Run();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(EventLoopTest, CancelledTimerDoesNotRunEvenWhenDue) {
  EventLoop loop;
  bool ran = false;
  const TimerId victim = loop.After(absl::Milliseconds(1), [&] { ran = true; });
  loop.After(absl::ZeroDuration(), [&, victim] {
    // Both timers are due by the time the loop looks again; the cancelled one must still not run.
    const absl::Duration until = loop.clock().Monotonic() + absl::Milliseconds(3);
    while (loop.clock().Monotonic() < until) {
    }
    loop.Cancel(victim);
    loop.After(absl::Milliseconds(1), [&] { loop.RequestStop(); });
  });
  loop.Run();
  EXPECT_FALSE(ran);
}

TEST(EventLoopTest, AcceptsWorkFromOtherThreads) {
  EventLoop loop;
  loop.Start();
  Notification done;
  std::atomic<int> count = 0;
  for (int i = 0; i < 100; ++i) {
    loop.Post([&] {
      if (++count == 100) done.Notify();
    });
  }
  EXPECT_TRUE(done.WaitWithTimeout(absl::Seconds(10)));
  loop.Stop();
}

TEST(ScopedExecutorTest, CallbacksDieWithIt) {
  EventLoop loop;
  int ran = 0;
  auto scoped = std::make_unique<ScopedExecutor>(loop);
  scoped->Post([&] { ++ran; });
  scoped->After(absl::Milliseconds(1), [&] { ran += 10; });
  loop.Post([&] { scoped.reset(); });
  loop.After(absl::Milliseconds(3), [&] { loop.RequestStop(); });
  loop.Run();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace sealane
