#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/runtime/flags.h"
#include "services/status/leases.h"
#include "services/status/taints.h"

namespace sealane::status {

struct Options {
  bool elect_leader = false;
  LeaseOptions lease;
  FailoverOptions failover;
  // A cluster's row is written for a change of its capacity at most this often.
  absl::Duration capacity_interval = absl::Seconds(5);
  // Clusters without spec.resourceModels get Karmada's nine grades.
  bool default_resource_models = false;
  // The time between two writes of an application's row grows with its size by this per byte, so
  // that an application in a thousand clusters does not rewrite 100 kB for each of their words.
  absl::Duration app_interval_per_byte = absl::Microseconds(10);
  // Nor is a row written sooner than this after the one before while the application is only on its
  // way: not placed or not applied everywhere yet.
  absl::Duration app_gather = absl::Milliseconds(100);
  // Metrics that are counted over all rows are refreshed this often.
  absl::Duration metrics_interval = absl::Seconds(5);
  // How long and how much the log of events keeps.
  absl::Duration events_max_age = absl::Hours(7 * 24);
  int64_t events_max_bytes = int64_t{1} << 30;
  // How many applications may become labels of metrics.
  size_t per_app_metrics = 0;
};

// The flags of sealane-status, with the defaults above.
[[nodiscard]] std::vector<Flag> OptionFlags();
// INVALID_ARGUMENT names the flag.
[[nodiscard]] absl::StatusOr<Options> ParseOptions(const Flags& flags);

}  // namespace sealane::status
