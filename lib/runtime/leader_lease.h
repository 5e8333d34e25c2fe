#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

struct LeaderLeaseOptions {
  std::string service;   // row leases.<service>
  std::string instance;  // for people; a random part is added
  // How long a leader that falls silent keeps the others out.
  absl::Duration duration = absl::Seconds(4);
  // How often a leader speaks.
  absl::Duration renew_every = absl::Milliseconds(1200);
  int replicas = 1;  // of the stream
};

// At most one process of a service leads. The row leases.<service> changes hands by
// compare-and-set; time is judged by what each process itself observes on its own monotonic clock,
// never by another's clock: a standby counts from the moment it last saw the row change, a leader
// from the moment it began the last write that succeeded, and a leader gives up a fifth of the
// duration earlier than the standbys may take over. So two processes never both believe that they
// lead, unless one's clock runs a quarter faster than the other's or its thread is frozen between
// the check and the deed; writes of tables are compare-and-set for that case.
//
// Thread rule: the executor thread only; callbacks come from the executor, never inside a call.
class LeaderLease {
 public:
  // on_lead and on_lose alternate, on_lead first.
  LeaderLease(Bus& bus, Env env, LeaderLeaseOptions options, std::function<void()> on_lead,
              std::function<void()> on_lose);
  // Falls silent; the others wait for the end of the lease. See Release.
  ~LeaderLease();
  LeaderLease(const LeaderLease&) = delete;
  LeaderLease& operator=(const LeaderLease&) = delete;

  void Start();
  // Stops leading (on_lose is called) and lets a standby take over at once; `done` when that is
  // known on the bus, or cannot be made known. This process stands down for good.
  void Release(std::function<void()> done);

  [[nodiscard]] bool leading() const { return leading_; }
  // Who leads as far as is known here; empty: nobody, or unknown.
  [[nodiscard]] const std::string& leader() const { return seen_holder_; }
  [[nodiscard]] const std::string& self() const { return self_; }

 private:
  void Observe(const WatchEvent& event);
  void Decide();
  // Writes the row on condition that it is still the one last seen.
  void Write(bool release, std::function<void()> done);
  void Wrote(const absl::StatusOr<Appended>& result, absl::Duration began, int64_t term,
             bool release);
  void WakeAt(absl::Duration when);
  void SetLeading(bool leading);

  Bus& bus_;
  Env env_;
  LeaderLeaseOptions options_;
  std::function<void()> on_lead_;
  std::function<void()> on_lose_;
  std::string self_;

  bool synced_ = false;
  bool row_since_reset_ = false;
  bool released_ = false;
  bool writing_ = false;
  bool leading_ = false;
  // The row as last seen, and when (monotonic) it was first seen so.
  uint64_t seen_sequence_ = 0;
  std::string seen_holder_;
  int64_t seen_term_ = 0;
  absl::Duration seen_duration_;
  absl::Duration seen_at_;
  int64_t renewals_ = 0;
  absl::Duration began_;       // of the last write that succeeded, monotonic
  absl::Duration not_before_;  // of the next attempt, after one that failed
  TimerId timer_ = 0;
  ScopedExecutor executor_;
  std::unique_ptr<Subscription> watch_;
};

}  // namespace sealane
