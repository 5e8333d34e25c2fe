#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

namespace v1 {
class SnapshotPart;
class Work;
}  // namespace v1

struct WorkFeedOptions {
  std::string cluster;
  int64_t incarnation = 0;
  // A snapshot is asked for when the bus is connected, when a gap is suspected, and this often.
  absl::Duration resnapshot_every = absl::Minutes(10);
  // Snapshots after a reconnect start after a random part of this, so that a thousand agents do not
  // ask at once. The first one of a process starts at once.
  absl::Duration jitter = absl::Seconds(2);
  // A snapshot whose next part does not come within this is asked for again.
  absl::Duration part_timeout = absl::Seconds(10);
};

struct WorkFeedStats {
  uint64_t snapshots = 0;        // applied
  uint64_t snapshot_errors = 0;  // refused, incomplete or timed out
  uint64_t puts = 0;
  uint64_t deletes = 0;
  uint64_t stale = 0;  // older than what was known
  uint64_t parse_errors = 0;
};

// An agent's view of its works: live messages plus snapshots answered by the policy service
// (lib/bus/snapshot_server.h). Level-triggered: what it tells is the newest known state of a key,
// each state at most once; after `on_synced` every key not told is not wanted. Keys are
// "<group>.<kind>.<namespace>.<name>" (RowKey). Thread rule: the executor thread only; callbacks
// never run inside a call.
class WorkFeed {
 public:
  struct Handlers {
    std::function<void(const std::string& key, v1::Work work)> on_put;
    std::function<void(const std::string& key)> on_delete;
    // After each snapshot; `first` for the first one of this process.
    std::function<void(bool first)> on_synced;
  };

  // The bus (an agent's account) and env must outlive the feed.
  WorkFeed(Bus& bus, Env env, WorkFeedOptions options, Handlers handlers);
  ~WorkFeed();
  void Start();
  // Asks for a snapshot soon: the caller suspects that it missed something.
  void Resnapshot();
  [[nodiscard]] bool synced() const { return synced_; }
  // Creation time of the works stream that the last snapshot was of: tells two lives of it apart.
  // During the callbacks of a snapshot it is already that snapshot's.
  [[nodiscard]] int64_t stream_created_micros() const { return stream_created_micros_; }
  [[nodiscard]] const WorkFeedStats& stats() const { return stats_; }

 private:
  struct Known {
    uint64_t sequence = 0;
    bool live = false;  // false: deleted
  };
  struct Collected {
    std::string key;
    uint64_t sequence;
    std::string value;
  };

  void OnLive(const BusMessage& message);
  void Apply(const std::string& key, uint64_t sequence, bool live, std::string_view value);
  void Schedule(absl::Duration delay);
  void Ask();
  void OnPart(uint64_t attempt, const absl::StatusOr<BusMessage>& reply);
  void Finish(const v1::SnapshotPart& end);
  void Fail();
  void ArmTimeout();

  Bus& bus_;
  Env env_;
  const WorkFeedOptions options_;
  const Handlers handlers_;
  std::map<std::string, Known, std::less<>> known_;
  std::vector<Collected> collected_;   // rows of the snapshot that is coming in
  std::vector<BusMessage> meanwhile_;  // live messages since it was asked for
  uint64_t attempt_ = 0;
  bool collecting_ = false;
  bool connected_ = false;
  bool synced_ = false;
  uint64_t last_live_sequence_ = 0;
  int64_t stream_created_micros_ = 0;
  TimerId ask_timer_ = 0;
  absl::Duration ask_at_;
  TimerId timeout_timer_ = 0;
  Backoff backoff_;
  WorkFeedStats stats_;
  std::unique_ptr<Subscription> live_;
  std::unique_ptr<Subscription> state_;
  std::unique_ptr<Subscription> request_;
  ScopedExecutor executor_;
};

}  // namespace sealane
