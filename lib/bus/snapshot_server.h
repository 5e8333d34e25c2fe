#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "lib/bus/bus.h"
#include "lib/bus/packed_table.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

namespace v1 {
class Work;
}  // namespace v1

struct SnapshotServerOptions {
  int max_concurrent = 4;       // snapshots that are being sent at once
  size_t max_waiting = 20'000;  // requests beyond this are dropped; the agents ask again
  size_t part_bytes = 480 << 10;
};

struct SnapshotServerStats {
  uint64_t served = 0;
  uint64_t refused = 0;  // not synced, malformed, or of another account's cluster
  uint64_t dropped = 0;
  uint64_t rows = 0;
};

// Answers the agents' snapshot requests (subject snap.works.<cluster>) from the policy service's
// view of `works`: rows of that cluster in parts, then an end with their count, the stream's last
// sequence and its creation time. One part per turn of the executor and a bounded number of agents
// at a time, so that a reconnecting fleet does not starve the service. Replicas share the requests
// (queue group). Thread rule: the executor thread only.
class SnapshotServer {
 public:
  // All must outlive the server.
  SnapshotServer(Bus& bus, Env env, const PackedTable<v1::Work>& works,
                 SnapshotServerOptions options = {});
  ~SnapshotServer();
  void Start();
  [[nodiscard]] const SnapshotServerStats& stats() const { return stats_; }
  [[nodiscard]] bool idle() const { return waiting_.empty() && active_ == 0; }

 private:
  struct Job {
    std::string cluster;
    std::string reply;
    std::string prefix;  // of its rows' keys
    std::string cursor;  // last key sent
    uint64_t rows = 0;
    uint64_t last_sequence = 0;
    int64_t stream_created_micros = 0;
  };
  void OnRequest(const BusMessage& message);
  void Refuse(const std::string& reply, std::string_view why);
  void Pump();
  void SendPart(Job job);

  Bus& bus_;
  const PackedTable<v1::Work>& works_;
  const SnapshotServerOptions options_;
  std::deque<std::string> order_;       // clusters, in order of their requests
  std::map<std::string, Job> waiting_;  // by cluster: a repeated request replaces the earlier one
  int active_ = 0;
  SnapshotServerStats stats_;
  std::unique_ptr<Subscription> subscription_;
  ScopedExecutor executor_;
};

}  // namespace sealane
