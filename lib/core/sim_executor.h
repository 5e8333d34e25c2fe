#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "lib/core/env.h"

namespace sealane {

// Clock, timers, randomness and executor of a simulation: one thread, virtual time, one seed.
// Callbacks run only inside Step/RunUntilIdle/RunFor, in the order of (time, creation), so the same
// seed replays the same run exactly. Thread rule: one thread only.
class SimExecutor final : public Executor, public Clock, public Random {
 public:
  explicit SimExecutor(uint64_t seed, absl::Time start = absl::FromUnixSeconds(1'750'000'000))
      : engine_(seed), start_(start) {}

  void Post(std::function<void()> fn) override { After(absl::ZeroDuration(), std::move(fn)); }
  TimerId After(absl::Duration delay, std::function<void()> fn) override;
  void Cancel(TimerId id) override;

  absl::Time Now() const override { return start_ + elapsed_ + skew_; }
  absl::Duration Monotonic() const override { return elapsed_; }
  uint64_t Next() override { return engine_(); }

  // Runs the next callback, moving virtual time to it. False when there is none.
  bool Step();
  // Runs what is due now and within `span`; time ends exactly `span` later.
  void RunFor(absl::Duration span);
  // Runs callbacks until `done` holds (checked after each) or `limit` of virtual time has passed.
  // True when `done` held.
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit);

  // Makes the wall clock (not the monotonic one) jump, as an operator or NTP may.
  void JumpWallClock(absl::Duration by) { skew_ += by; }
  [[nodiscard]] size_t pending() const { return timers_.size(); }
  [[nodiscard]] Env env() { return Env{*this, *this, *this}; }

 private:
  using Deadline = std::pair<absl::Duration, TimerId>;

  std::mt19937_64 engine_;
  absl::Time start_;
  absl::Duration elapsed_;
  absl::Duration skew_;
  std::map<Deadline, std::function<void()>> timers_;
  std::map<TimerId, absl::Duration> deadlines_;
  TimerId next_timer_ = 1;
};

}  // namespace sealane
