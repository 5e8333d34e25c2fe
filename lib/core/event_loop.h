#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "lib/core/env.h"
#include "lib/core/mutex.h"

namespace sealane {

// The real clock of the machine.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration Monotonic() const override;
};

// Randomness for production, seeded from the operating system; or from a number in tests.
class SystemRandom final : public Random {
 public:
  SystemRandom();
  explicit SystemRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// An Executor on one thread and real time. The creator owns it and either calls Run() on its own
// thread or Start()s a thread, which Stop() (and the destructor) joins.
//
// Thread rule: every method is safe from any thread; Stop must not be called from a callback
// (use RequestStop there).
class EventLoop final : public Executor {
 public:
  EventLoop() = default;
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs callbacks on the calling thread until RequestStop.
  void Run();
  // Runs callbacks on a thread of its own.
  void Start();
  // Asks the loop to end after the current callback. Callbacks still queued are dropped.
  void RequestStop();
  // RequestStop, then waits for the thread of Start.
  void Stop();

  void Post(std::function<void()> fn) override;
  TimerId After(absl::Duration delay, std::function<void()> fn) override;
  void Cancel(TimerId id) override;

  [[nodiscard]] Clock& clock() { return clock_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Env env() { return Env{clock_, *this, random_}; }

 private:
  using Deadline = std::pair<absl::Duration, TimerId>;  // monotonic time, then order of creation

  SystemClock clock_;
  SystemRandom random_;
  Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<Deadline, std::function<void()>> timers_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerId, absl::Duration> deadlines_ ABSL_GUARDED_BY(mutex_);
  TimerId next_timer_ ABSL_GUARDED_BY(mutex_) = 1;
  CondVar wake_;
  std::thread thread_;
};

}  // namespace sealane
