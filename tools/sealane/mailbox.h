#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "lib/core/mutex.h"

namespace sealane::cli {

// Hands values from the bus' thread to the command that waits for them. Thread rule: safe from any
// thread.
template <typename T>
class Mailbox {
 public:
  void Put(T value) {
    const MutexLock lock(&mutex_);
    values_.push_back(std::move(value));
    filled_.Signal();
  }
  // The next value; nullopt when none came within `timeout`.
  std::optional<T> Take(absl::Duration timeout) {
    const Deadline deadline(timeout);
    const MutexLock lock(&mutex_);
    while (values_.empty()) {
      if (!filled_.WaitWithTimeout(&mutex_, deadline.Left())) break;
    }
    if (values_.empty()) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  Mutex mutex_;
  CondVar filled_;
  std::deque<T> values_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sealane::cli
