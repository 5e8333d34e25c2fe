#pragma once

#include "absl/time/time.h"
#include "lib/core/env.h"

namespace sealane {

// Exponential back-off with jitter: initial, initial*2, ... capped at max; each delay is drawn
// uniformly from [0.5, 1.0] of that, so that many waiters spread out.
struct BackoffOptions {
  absl::Duration initial = absl::Milliseconds(50);
  absl::Duration max = absl::Seconds(30);
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options = {}) : options_(options) {}
  // The delay before the next attempt; grows with each call.
  [[nodiscard]] absl::Duration Next(Random& random);
  // Call after a success.
  void Reset() { failures_ = 0; }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  BackoffOptions options_;
  int failures_ = 0;
};

}  // namespace sealane
