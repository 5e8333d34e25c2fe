#include "lib/core/event_loop.h"

#include <chrono>

#include "absl/time/clock.h"

namespace sealane {

absl::Time SystemClock::Now() const { return absl::Now(); }

absl::Duration SystemClock::Monotonic() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

SystemRandom::SystemRandom() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  engine_.seed(seed);
}

EventLoop::~EventLoop() { Stop(); }

void EventLoop::Run() {
  std::deque<std::function<void()>> batch;
  for (;;) {
    batch.clear();  // destroys the captures of what ran, outside the lock
    {
      MutexLock lock(&mutex_);
      for (;;) {
        if (stop_) return;
        const absl::Duration now = clock_.Monotonic();
        while (!timers_.empty() && timers_.begin()->first.first <= now) {
          auto timer = timers_.extract(timers_.begin());
          // Timers stay cancellable until the very moment they run: they are queued by id.
          const TimerId id = timer.key().second;
          queue_.push_back([this, id, fn = std::move(timer.mapped())] {
            {
              MutexLock inner(&mutex_);
              if (deadlines_.erase(id) == 0) return;
            }
            fn();
          });
        }
        if (!queue_.empty()) break;
        if (timers_.empty()) {
          wake_.Wait(&mutex_);
        } else {
          wake_.WaitWithTimeout(&mutex_, timers_.begin()->first.first - now);
        }
      }
      batch.swap(queue_);
    }
    while (!batch.empty()) {
      std::function<void()> fn = std::move(batch.front());
      batch.pop_front();
      fn();
      MutexLock lock(&mutex_);
      if (stop_) return;
    }
  }
}

void EventLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void EventLoop::RequestStop() {
  MutexLock lock(&mutex_);
  stop_ = true;
  wake_.SignalAll();
}

void EventLoop::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

void EventLoop::Post(std::function<void()> fn) {
  MutexLock lock(&mutex_);
  const bool was_empty = queue_.empty();
  queue_.push_back(std::move(fn));
  if (was_empty) wake_.Signal();
}

TimerId EventLoop::After(absl::Duration delay, std::function<void()> fn) {
  if (delay < absl::ZeroDuration()) delay = absl::ZeroDuration();
  MutexLock lock(&mutex_);
  const TimerId id = next_timer_++;
  const absl::Duration at = clock_.Monotonic() + delay;
  const bool first = timers_.empty() || at < timers_.begin()->first.first;
  timers_.emplace(Deadline{at, id}, std::move(fn));
  deadlines_.emplace(id, at);
  if (first) wake_.Signal();
  return id;
}

void EventLoop::Cancel(TimerId id) {
  MutexLock lock(&mutex_);
  const auto it = deadlines_.find(id);
  if (it == deadlines_.end()) return;
  timers_.erase(Deadline{it->second, id});
  deadlines_.erase(it);
}

}  // namespace sealane
