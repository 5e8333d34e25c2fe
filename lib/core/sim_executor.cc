#include "lib/core/sim_executor.h"

namespace sealane {

TimerId SimExecutor::After(absl::Duration delay, std::function<void()> fn) {
  if (delay < absl::ZeroDuration()) delay = absl::ZeroDuration();
  const TimerId id = next_timer_++;
  timers_.emplace(Deadline{elapsed_ + delay, id}, std::move(fn));
  deadlines_.emplace(id, elapsed_ + delay);
  return id;
}

void SimExecutor::Cancel(TimerId id) {
  const auto it = deadlines_.find(id);
  if (it == deadlines_.end()) return;
  timers_.erase(Deadline{it->second, id});
  deadlines_.erase(it);
}

bool SimExecutor::Step() {
  if (timers_.empty()) return false;
  auto next = timers_.extract(timers_.begin());
  elapsed_ = next.key().first;
  deadlines_.erase(next.key().second);
  next.mapped()();
  return true;
}

void SimExecutor::RunFor(absl::Duration span) {
  const absl::Duration end = elapsed_ + span;
  while (!timers_.empty() && timers_.begin()->first.first <= end) Step();
  elapsed_ = end;
}

bool SimExecutor::RunUntil(const std::function<bool()>& done, absl::Duration limit) {
  const absl::Duration end = elapsed_ + limit;
  while (!done()) {
    if (timers_.empty() || timers_.begin()->first.first > end) {
      elapsed_ = end;
      return done();
    }
    Step();
  }
  return true;
}

}  // namespace sealane
