#pragma once

#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace sealane {

// The seam to the outside world: time, timers, randomness and the place where callbacks run.
//
// Everything in Sealane that waits, repeats or chooses takes an Env. In production it is an
// EventLoop (one thread, real time); in tests/simulation all services share a SimExecutor (one
// thread, virtual time, seeded). No other code reads a clock or starts a timer.

// Reads the time. Thread rule: safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall-clock time, for what people and other processes read. May jump.
  [[nodiscard]] virtual absl::Time Now() const = 0;
  // Time since an arbitrary start that never goes back, for measuring and waiting.
  [[nodiscard]] virtual absl::Duration Monotonic() const = 0;
};

// Names a pending timer; 0 names none.
using TimerId = uint64_t;

// Runs callbacks one after another, never two at once (a strand). Thread rule: Post, After and
// Cancel are safe from any thread; the callbacks run on the executor's own thread.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `fn` later, in the order of the calls. Never runs it inside Post.
  virtual void Post(std::function<void()> fn) = 0;
  // Runs `fn` once, `delay` from now (a delay <= 0 means as soon as possible).
  virtual TimerId After(absl::Duration delay, std::function<void()> fn) = 0;
  // Forgets a timer. After Cancel returns on the executor's own thread the callback does not run.
  // Unknown and finished timers are ignored.
  virtual void Cancel(TimerId id) = 0;
};

// A source of randomness. Thread rule: use on the executor's thread only.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  // Uniform in [0, bound); 0 when bound is 0.
  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : Next() % bound; }
  // Uniform in [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
};

// What a component is given. The three must outlive it.
struct Env {
  Clock& clock;
  Executor& executor;
  Random& random;
};

}  // namespace sealane
