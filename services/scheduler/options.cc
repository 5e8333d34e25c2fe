#include "services/scheduler/options.h"

#include "lib/core/status.h"

namespace sealane::scheduler {

std::vector<Flag> OptionFlags() {
  return {
      {"assume-for",
       "How long capacity that was given away counts as used before heartbeats show it. Longer "
       "than "
       "a cluster may be silent before it is judged (lease and hold).",
       "90s"},
      {"retry-every", "How often what cannot be scheduled is looked at again at least.", "5m"},
      {"capacity-delay", "How long reports of capacity are gathered before what waits is retried.",
       "2s"},
      {"capacity-lost-after",
       "How long a cluster must lack room for what runs there before replicas that are divided by "
       "room leave it; 0s: never.",
       "5m"},
      {"capacity-wait",
       "How long a decision waits for agents to count what fits; 0s: they are not asked.", "500ms"},
      {"failover-limit",
       "After failures in so many clusters for the same reason, an application is not moved any "
       "more until it is changed; 0: it always is.",
       "3"},
      {"failover-rate",
       "How many objects per second leave one tainted cluster; 0: as many as can. Clusters take as "
       "many as their free pods allow in a minute.",
       "200"},
      {"failback-spread", "Over how long returns (sealane.io/failback) are spread.", "5m"},
      {"leader-election", "Take part in the election of one leader.", "true", true},
  };
}

absl::StatusOr<Options> ParseOptions(const Flags& flags) {
  Options options;
  SEALANE_ASSIGN_OR_RETURN(options.assume_for, flags.GetDuration("assume-for"));
  SEALANE_ASSIGN_OR_RETURN(options.retry_every, flags.GetDuration("retry-every"));
  SEALANE_ASSIGN_OR_RETURN(options.capacity_delay, flags.GetDuration("capacity-delay"));
  SEALANE_ASSIGN_OR_RETURN(options.capacity_lost_after, flags.GetDuration("capacity-lost-after"));
  SEALANE_ASSIGN_OR_RETURN(options.capacity_wait, flags.GetDuration("capacity-wait"));
  SEALANE_ASSIGN_OR_RETURN(const int64_t limit, flags.GetInt("failover-limit", 0, 1000));
  options.failover_limit = static_cast<int>(limit);
  SEALANE_ASSIGN_OR_RETURN(options.failback_spread, flags.GetDuration("failback-spread"));
  SEALANE_ASSIGN_OR_RETURN(const int64_t rate, flags.GetInt("failover-rate", 0, 1'000'000));
  options.pace.leave_per_second = static_cast<double>(rate);
  if (options.retry_every <= absl::ZeroDuration()) {
    return InvalidArgument("--retry-every: must be longer than zero");
  }
  options.elect_leader = flags.GetBool("leader-election");
  return options;
}

}  // namespace sealane::scheduler
