#include "lib/reconcile/keyed_queue.h"

#include <algorithm>
#include <utility>

namespace sealane {
namespace {

constexpr size_t kKeptCapacity = 1024;

}  // namespace

KeyedQueue::KeyedQueue(Env env, KeyedQueueOptions options, Handler handler)
    : env_(env),
      options_(std::move(options)),
      handler_(std::move(handler)),
      executor_(env.executor) {}

std::string KeyedQueue::LaneOf(std::string_view key) const {
  return options_.lane_of ? options_.lane_of(key) : std::string();
}

void KeyedQueue::Start() {
  started_ = true;
  Schedule();
}

void KeyedQueue::Add(std::string_view key) {
  ++stats_.added;
  State& state = states_.try_emplace(std::string(key), options_.backoff).first->second;
  if (state.waiting || state.again) {
    ++stats_.deduplicated;
    return;
  }
  if (state.timer != 0) {
    executor_.Cancel(std::exchange(state.timer, 0));
    --delayed_;
  }
  if (state.active) {
    state.again = true;
    return;
  }
  Enqueue(std::string(key), state);
}

void KeyedQueue::AddAfter(std::string_view key, absl::Duration delay) {
  State& state = states_.try_emplace(std::string(key), options_.backoff).first->second;
  if (state.waiting || state.again) return;
  DelayAtMost(std::string(key), state, delay);
}

void KeyedQueue::DelayAtMost(const std::string& key, State& state, absl::Duration delay) {
  if (state.timer != 0 && state.due <= env_.clock.Monotonic() + delay) return;
  Delay(key, state, delay);
}

void KeyedQueue::Delay(const std::string& key, State& state, absl::Duration delay) {
  if (state.timer != 0) {
    executor_.Cancel(state.timer);
    --delayed_;
  }
  state.due = env_.clock.Monotonic() + delay;
  ++delayed_;
  state.timer = executor_.After(delay, [this, key] {
    const auto it = states_.find(key);
    if (it == states_.end()) return;
    it->second.timer = 0;
    --delayed_;
    if (it->second.active) {
      it->second.again = true;
    } else if (!it->second.waiting) {
      Enqueue(key, it->second);
    }
  });
}

void KeyedQueue::Forget(std::string_view key) {
  const auto it = states_.find(key);
  if (it == states_.end()) return;
  State& state = it->second;
  state.again = false;
  state.backoff.Reset();
  if (state.timer != 0) {
    executor_.Cancel(std::exchange(state.timer, 0));
    --delayed_;
  }
  if (state.waiting) {
    const auto lane = lanes_.find(LaneOf(key));
    std::erase_if(lane->second.waiting, [&](const auto& entry) { return entry.second == key; });
    if (lane->second.active == 0 && lane->second.waiting.empty()) lanes_.erase(lane);
    state.waiting = false;
    --waiting_;
  }
  EraseIfIdle(std::string(key));
}

void KeyedQueue::Enqueue(const std::string& key, State& state) {
  state.waiting = true;
  state.since = env_.clock.Monotonic();
  ++waiting_;
  const int64_t priority = options_.priority_of ? options_.priority_of(key) : 0;
  lanes_[LaneOf(key)].waiting.emplace(std::pair(-priority, next_sequence_++), key);
  Schedule();
}

void KeyedQueue::Schedule() {
  if (!started_ || drain_posted_ || waiting_ == 0 || active_ >= options_.max_active) return;
  drain_posted_ = true;
  executor_.Post([this] {
    drain_posted_ = false;
    Drain();
  });
}

void KeyedQueue::Drain() {
  for (int i = 0; i < options_.batch; ++i) {
    if (!started_ || !StartOne()) return;
  }
  Schedule();
}

bool KeyedQueue::StartOne() {
  if (active_ >= options_.max_active || lanes_.empty()) return false;
  // The next lane in name order after the last one served that has a key and a free place.
  auto it = lanes_.upper_bound(last_lane_);
  for (size_t i = 0; i < lanes_.size(); ++i, ++it) {
    if (it == lanes_.end()) it = lanes_.begin();
    Lane& lane = it->second;
    if (lane.waiting.empty() || lane.active >= options_.max_active_per_lane) continue;
    last_lane_ = it->first;
    const std::string key = std::move(lane.waiting.extract(lane.waiting.begin()).mapped());
    ++lane.active;
    ++active_;
    --waiting_;
    ++stats_.attempts;
    State& state = states_.at(key);
    state.waiting = false;
    state.active = true;
    handler_(key, [this, key, alive = executor_.alive()](ReconcileResult result) {
      if (!alive.expired()) Finish(key, std::move(result));
    });
    return true;
  }
  return false;
}

void KeyedQueue::Finish(const std::string& key, ReconcileResult result) {
  State& state = states_.at(key);
  state.active = false;
  --active_;
  const auto lane = lanes_.find(LaneOf(key));
  if (--lane->second.active == 0 && lane->second.waiting.empty()) lanes_.erase(lane);
  if (result.kind == ReconcileResult::Kind::kRetry) {
    ++stats_.retries;
  } else {
    state.backoff.Reset();
    if (result.kind == ReconcileResult::Kind::kTerminal) ++stats_.terminal;
  }
  if (std::exchange(state.again, false)) {
    if (state.timer != 0) {
      executor_.Cancel(std::exchange(state.timer, 0));
      --delayed_;
    }
    Enqueue(key, state);
  } else if (result.kind == ReconcileResult::Kind::kRetry) {
    DelayAtMost(key, state, state.backoff.Next(env_.random));
  } else if (result.kind == ReconcileResult::Kind::kAgainAfter) {
    DelayAtMost(key, state, result.after);
  } else {
    EraseIfIdle(key);
  }
  Schedule();
}

void KeyedQueue::EraseIfIdle(const std::string& key) {
  const auto it = states_.find(key);
  if (it == states_.end()) return;
  const State& state = it->second;
  if (state.waiting || state.active || state.again || state.timer != 0) return;
  states_.erase(it);
  // A map does not shrink; after a burst that would be some hundred bytes for each of its keys.
  if (states_.empty() && states_.capacity() > kKeptCapacity) states_ = {};
}

KeyedQueueStats KeyedQueue::stats() const {
  KeyedQueueStats stats = stats_;
  stats.waiting = waiting_;
  stats.active = static_cast<size_t>(active_);
  stats.delayed = delayed_;
  return stats;
}

absl::Duration KeyedQueue::oldest_wait() const {
  const absl::Duration now = env_.clock.Monotonic();
  absl::Duration oldest = absl::ZeroDuration();
  for (const auto& [name, lane] : lanes_) {
    for (const auto& [order, key] : lane.waiting) {
      oldest = std::max(oldest, now - states_.at(key).since);
      if (!options_.priority_of) break;  // then the first is the oldest
    }
  }
  return oldest;
}

}  // namespace sealane
