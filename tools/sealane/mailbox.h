#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sealane::cli {

// Hands values from the bus' thread to the command that waits for them. Thread rule: safe from any
// thread.
template <typename T>
class Mailbox {
 public:
  void Put(T value) {
    const absl::MutexLock lock(&mutex_);
    values_.push_back(std::move(value));
  }
  // The next value; nullopt when none came within `timeout`.
  std::optional<T> Take(absl::Duration timeout) {
    const absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &Mailbox::HasValue), timeout)) {
      return std::nullopt;
    }
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  bool HasValue() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !values_.empty(); }

  absl::Mutex mutex_;
  std::deque<T> values_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sealane::cli
