#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

class WorkFeed;
namespace v1 {
class Work;
}  // namespace v1

namespace bench {

struct ConsumingAgentOptions {
  std::string cluster;
  bool report = false;  // answer each work with an APPLIED WorkStatus
  absl::Duration heartbeat_every = absl::Seconds(2);
};

// The bus side of an agent without a cluster behind it: the feed of works that the real agent uses,
// heartbeats that name a large healthy cluster, and, when asked to, a WorkStatus for each work.
//
// Thread rule: the executor thread only.
class ConsumingAgent {
 public:
  // Told each newer state of a work.
  using OnWork = std::function<void(const v1::Work& work)>;

  // The bus is a connection of the cluster's own account.
  ConsumingAgent(Bus& bus, Env env, ConsumingAgentOptions options, OnWork on_work);
  ~ConsumingAgent();
  void Start();

  // Live works are subscribed and a complete snapshot was seen.
  [[nodiscard]] bool ready() const;
  // WorkStatuses sent but not acknowledged yet.
  [[nodiscard]] size_t reports_in_flight() const { return reports_in_flight_; }

 private:
  void Heartbeat();
  void Report(const std::string& key, const v1::Work& work);

  Bus& bus_;
  Env env_;
  ConsumingAgentOptions options_;
  OnWork on_work_;
  int64_t incarnation_;
  int64_t counter_ = 0;
  int64_t heartbeats_ = 0;
  size_t reports_in_flight_ = 0;
  std::unique_ptr<WorkFeed> feed_;
  ScopedExecutor executor_;
};

}  // namespace bench
}  // namespace sealane
