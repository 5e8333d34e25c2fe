#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"
#include "lib/telemetry/log.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/item.h"
#include "services/agent/state_store.h"

namespace sealane::v1 {
class WorkStatus;
}  // namespace sealane::v1

namespace sealane::agent {

// What the agent says about a work: nullopt when there is nothing to say yet. Pure. The ordering
// fields (incarnation, counter) are left unset.
[[nodiscard]] std::optional<v1::WorkStatus> BuildStatus(std::string_view cluster, const Item& item);

// Writes work_status rows: only what changed since it was last durable, at most once per work and
// 50 ms, in the order of the changes, at most 256 at once, until they are durable. While the bus is
// away, the rows to write are remembered (one per work, so at most as many as there are works) and
// written when it returns. Across a restart, what was durable is known from the state store.
//
// Thread rule: the executor thread. Everything given must outlive it.
class Reporter {
 public:
  Reporter(Env env, Bus& bus, StateStore& store, const Items& items, AgentMetrics& metrics,
           std::string_view cluster);

  // Of this process: larger than that of every earlier one.
  void SetIncarnation(int64_t incarnation) { incarnation_ = incarnation; }
  // What an earlier process had made durable for a row ("s/" values of the state store).
  void Restore(const std::string& key, std::string_view value);
  // Nothing is sent before.
  void Start();
  // The work's outcome or observed state may have changed.
  void Changed(const std::string& key);
  // The work's row is gone: so goes its status.
  void Remove(const std::string& key);
  // Rows that an earlier process reported and that belong to no item any more go too.
  void RemoveOrphans();
  // The control plane may have lost the rows: all are written again.
  void ResendAll();
  // The bus came back: no need to wait out the back-off.
  void Retry();
  [[nodiscard]] bool idle() const { return queue_.empty() && in_flight_ == 0; }
  [[nodiscard]] size_t pending() const { return queue_.size() + in_flight_; }

 private:
  struct Row {
    uint64_t durable = 0;  // hash of the row that is known to be durable; 0: none
    bool queued = false;
    bool in_flight = false;
    bool again = false;                       // changed while in flight
    bool remove = false;                      // the row is to go
    std::pair<absl::Duration, uint64_t> due;  // place in the queue, when queued
    absl::Duration last_sent = -absl::InfiniteDuration();
  };

  void Enqueue(const std::string& key, Row& row);
  void Arm();
  void Pump();
  void Send(const std::string& key, Row& row);
  void OnDone(const std::string& key, uint64_t hash, bool removed, const absl::Status& status);

  Env env_;
  Bus& bus_;
  StateStore& store_;
  const Items& items_;
  AgentMetrics& metrics_;
  std::string cluster_;
  Logger log_{"agent"};
  int64_t incarnation_ = 0;
  int64_t counter_ = 0;
  bool started_ = false;
  std::map<std::string, Row, std::less<>> rows_;
  // By due time, then order of arrival.
  std::map<std::pair<absl::Duration, uint64_t>, std::string> queue_;
  uint64_t next_ = 0;
  size_t in_flight_ = 0;
  absl::Duration paused_until_;
  TimerId timer_ = 0;
  absl::Duration armed_for_;
  Backoff backoff_{{.initial = absl::Milliseconds(100), .max = absl::Seconds(5)}};
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
