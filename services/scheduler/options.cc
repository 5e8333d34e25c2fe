#include "services/scheduler/options.h"

#include "lib/core/status.h"

namespace sealane::scheduler {

std::vector<Flag> OptionFlags() {
  return {
      {"assume-for",
       "How long capacity that was given away counts as used before heartbeats show it.", "1m"},
      {"retry-every", "How often what cannot be scheduled is looked at again at least.", "5m"},
      {"capacity-delay", "How long reports of capacity are gathered before what waits is retried.",
       "2s"},
      {"capacity-lost-after",
       "How long a cluster must lack room for what runs there before replicas that are divided by "
       "room leave it; 0s: never.",
       "5m"},
      {"capacity-wait",
       "How long a decision waits for agents to count what fits; 0s: they are not asked.", "500ms"},
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
  if (options.retry_every <= absl::ZeroDuration()) {
    return InvalidArgument("--retry-every: must be longer than zero");
  }
  options.elect_leader = flags.GetBool("leader-election");
  return options;
}

}  // namespace sealane::scheduler
