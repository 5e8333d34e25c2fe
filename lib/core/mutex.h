#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sealane {

// A lock with the annotations that clang's -Wthread-safety checks. std::mutex and not absl::Mutex:
// Debian's Abseil is not built for ThreadSanitizer, which therefore sees none of its locks and
// reports every correct use as a race.
class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a lock as long as it lives.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(*mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// When to give up waiting.
class Deadline {
 public:
  explicit Deadline(absl::Duration timeout) : at_(absl::Now() + timeout) {}
  [[nodiscard]] absl::Duration Left() const { return at_ - absl::Now(); }

 private:
  absl::Time at_;
};

// Waits for a change of what a Mutex guards. It may wake for nothing: check in a loop.
class CondVar {
 public:
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    changed_.wait(lock);
    lock.release();
  }
  // False when `timeout` went by, in monotonic time. Longer than a day counts as a day.
  bool WaitWithTimeout(Mutex* mutex, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    const auto wait = absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(24)));
    const bool woken = changed_.wait_for(lock, wait) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void Signal() { changed_.notify_one(); }
  void SignalAll() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

// Something that happens once, and those who wait for it. Thread rule: safe from any thread.
class Notification {
 public:
  void Notify() {
    MutexLock lock(&mutex_);
    happened_ = true;
    changed_.SignalAll();
  }
  void Wait() {
    MutexLock lock(&mutex_);
    while (!happened_) changed_.Wait(&mutex_);
  }
  // Whether it happened within `timeout`.
  bool WaitWithTimeout(absl::Duration timeout) {
    const Deadline deadline(timeout);
    MutexLock lock(&mutex_);
    while (!happened_ && changed_.WaitWithTimeout(&mutex_, deadline.Left())) {
    }
    return happened_;
  }

 private:
  Mutex mutex_;
  bool happened_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar changed_;
};

}  // namespace sealane
