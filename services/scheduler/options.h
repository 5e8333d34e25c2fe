#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/runtime/flags.h"
#include "services/scheduler/pace.h"

namespace sealane::scheduler {

struct Options {
  // How long capacity that was given away counts as used before heartbeats show it.
  absl::Duration assume_for = absl::Seconds(90);
  // What cannot be scheduled is looked at again at least this often; relevant events come first.
  absl::Duration retry_every = absl::Minutes(5);
  // After a cluster reports another capacity, what waits for room is looked at this much later,
  // once for all reports in between.
  absl::Duration capacity_delay = absl::Seconds(2);
  // How long a cluster must lack room for what runs there before replicas that are divided by room
  // leave it; zero: they never do.
  absl::Duration capacity_lost_after = absl::Minutes(5);
  // How long a decision that depends on capacity waits for the agents to count; zero: agents are
  // not asked, heartbeats alone count.
  absl::Duration capacity_wait = absl::Milliseconds(500);
  // After failures in so many clusters for the same reason, application failover holds an
  // application where it is; 0: never.
  int failover_limit = 3;
  // Over how long returns (sealane.io/failback) are spread.
  absl::Duration failback_spread = absl::Minutes(5);
  // At which pace objects leave tainted clusters.
  PaceOptions pace;
  // Take part in the election of one leader; without it, this process always leads.
  bool elect_leader = true;
};

// The flags of sealane-scheduler, with the defaults above.
[[nodiscard]] std::vector<Flag> OptionFlags();
// INVALID_ARGUMENT names the flag.
[[nodiscard]] absl::StatusOr<Options> ParseOptions(const Flags& flags);

}  // namespace sealane::scheduler
