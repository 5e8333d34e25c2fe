#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"

namespace sealane {

// What became of one attempt to bring a key to its wanted state.
struct ReconcileResult {
  enum class Kind { kDone, kRetry, kAgainAfter, kTerminal };
  Kind kind = Kind::kDone;
  absl::Status status;   // kRetry, kTerminal: why
  absl::Duration after;  // kAgainAfter

  static ReconcileResult Done() { return {}; }
  // Again after the key's back-off, which grows with each retry in a row.
  static ReconcileResult Retry(absl::Status why) { return {Kind::kRetry, std::move(why), {}}; }
  // Again after exactly this; the back-off is reset.
  static ReconcileResult AgainAfter(absl::Duration after) {
    return {Kind::kAgainAfter, absl::OkStatus(), after};
  }
  // Counted and reported, not tried again until the key is added again.
  static ReconcileResult Terminal(absl::Status why) {
    return {Kind::kTerminal, std::move(why), {}};
  }
};

struct KeyedQueueOptions {
  std::string name = "queue";  // for metrics and logs
  int max_active = 1;          // keys being worked on at once
  int max_active_per_lane = 1;
  // The lane of a key (a cluster); lanes take turns. Empty function: one lane.
  std::function<std::string(std::string_view key)> lane_of = {};
  // Among the keys of a lane, a larger priority goes first; equal ones in order of arrival.
  std::function<int64_t(std::string_view key)> priority_of = {};
  BackoffOptions backoff = {};
  // How many attempts start before control returns to the executor.
  int batch = 64;
};

// Counters of one queue; read them from metrics callbacks on the executor thread.
struct KeyedQueueStats {
  uint64_t added = 0;         // Add calls
  uint64_t deduplicated = 0;  // of them, for a key that was waiting already
  uint64_t attempts = 0;
  uint64_t retries = 0;
  uint64_t terminal = 0;
  size_t waiting = 0;
  size_t active = 0;
  size_t delayed = 0;
};

// A queue of keys for level-triggered work, as in controller-runtime: a key that is waiting is not
// added twice; a key that is being worked on is not handed out again until it is finished (added
// meanwhile, it runs once more afterwards); lanes take turns so that one busy or failing lane does
// not starve another; failures back off per key.
//
// The handler may finish at once or later (by calling `done` exactly once, on the executor thread).
// Thread rule: the executor thread only. Nothing runs before Start.
class KeyedQueue {
 public:
  using Done = std::function<void(ReconcileResult)>;
  using Handler = std::function<void(const std::string& key, Done done)>;

  KeyedQueue(Env env, KeyedQueueOptions options, Handler handler);
  KeyedQueue(const KeyedQueue&) = delete;
  KeyedQueue& operator=(const KeyedQueue&) = delete;

  // Begins to hand out keys. Call when the views that the handler reads are synced.
  void Start();
  // Stops handing out keys; what is active finishes, what waits stays. Start resumes.
  void Pause() { started_ = false; }
  void Add(std::string_view key);
  // Adds the key later; an earlier Add or a shorter delay wins.
  void AddAfter(std::string_view key, absl::Duration delay);
  // Forgets a waiting or delayed key and its back-off. An active one finishes.
  void Forget(std::string_view key);

  [[nodiscard]] KeyedQueueStats stats() const;
  [[nodiscard]] bool idle() const { return states_.empty(); }
  // How long the oldest waiting key has waited.
  [[nodiscard]] absl::Duration oldest_wait() const;

 private:
  struct State {
    bool waiting = false;
    bool active = false;
    bool again = false;    // added while active
    TimerId timer = 0;     // delayed
    absl::Duration due;    // of the timer, monotonic
    absl::Duration since;  // when it began to wait, monotonic
    Backoff backoff;

    explicit State(const BackoffOptions& options) : backoff(options) {}
  };
  struct Lane {
    // Priority (largest first), then order of arrival.
    std::map<std::pair<int64_t, uint64_t>, std::string> waiting;
    int active = 0;
  };

  void Enqueue(const std::string& key, State& state);
  void Schedule();
  void Drain();
  bool StartOne();
  void Finish(const std::string& key, ReconcileResult result);
  void Delay(const std::string& key, State& state, absl::Duration delay);
  // As Delay, unless a timer that fires earlier is set already.
  void DelayAtMost(const std::string& key, State& state, absl::Duration delay);
  void EraseIfIdle(const std::string& key);
  std::string LaneOf(std::string_view key) const;

  Env env_;
  KeyedQueueOptions options_;
  Handler handler_;
  bool started_ = false;
  bool drain_posted_ = false;
  uint64_t next_sequence_ = 0;
  int active_ = 0;
  size_t waiting_ = 0;
  size_t delayed_ = 0;
  KeyedQueueStats stats_;
  StringMap<State> states_;
  std::map<std::string, Lane> lanes_;
  std::string last_lane_;  // lanes take turns in name order, after this one
  ScopedExecutor executor_;
};

}  // namespace sealane
