#include "services/status/options.h"

#include <string>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::status {

std::vector<Flag> OptionFlags() {
  return {
      {"lease", "How long a cluster's heartbeat holds when it does not say itself.", "40s"},
      {"hold", "How long a cluster must stay in another state before that is believed.", "30s"},
      {"failover", "Move applications away from clusters that stay not ready.", "true", true},
      {"failover-after", "How long a cluster may be not ready before its applications move.", "5m"},
      {"failover-storm-percent",
       "No failover while more than this share of all clusters is not ready.", "55"},
      {"capacity-interval", "How often at most a cluster's capacity is published.", "5s"},
      {"default-resource-models",
       "Give Clusters without spec.resourceModels the nine grades of Karmada's webhook.", "false",
       true},
      {"events-max-age", "How long events are kept.", "168h"},
      {"events-max-bytes", "How much of events is kept.", "1073741824"},
      {"per-app-metrics", "Tell of single applications in /metrics, too.", "false", true},
      {"per-app-metrics-limit", "Of how many applications at most.", "1000"},
      {"leader-election", "Take part in the election of one leader.", "true", true},
  };
}

absl::StatusOr<Options> ParseOptions(const Flags& flags) {
  Options options;
  SEALANE_ASSIGN_OR_RETURN(options.lease.lease, flags.GetDuration("lease"));
  SEALANE_ASSIGN_OR_RETURN(options.lease.hold, flags.GetDuration("hold"));
  if (options.lease.lease <= absl::ZeroDuration()) {
    return InvalidArgument("--lease: must be longer than zero");
  }
  options.failover.enabled = flags.GetBool("failover");
  options.elect_leader = flags.GetBool("leader-election");
  SEALANE_ASSIGN_OR_RETURN(options.failover.after, flags.GetDuration("failover-after"));
  SEALANE_ASSIGN_OR_RETURN(const int64_t percent, flags.GetInt("failover-storm-percent", 1, 100));
  options.failover.storm_share = static_cast<double>(percent) / 100;
  SEALANE_ASSIGN_OR_RETURN(options.capacity_interval, flags.GetDuration("capacity-interval"));
  options.default_resource_models = flags.GetBool("default-resource-models");
  SEALANE_ASSIGN_OR_RETURN(options.events_max_age, flags.GetDuration("events-max-age"));
  SEALANE_ASSIGN_OR_RETURN(options.events_max_bytes,
                           flags.GetInt("events-max-bytes", 1 << 20, int64_t{1} << 50));
  SEALANE_ASSIGN_OR_RETURN(const int64_t apps, flags.GetInt("per-app-metrics-limit", 1, 100'000));
  if (flags.GetBool("per-app-metrics")) options.per_app_metrics = static_cast<size_t>(apps);
  return options;
}

}  // namespace sealane::status
