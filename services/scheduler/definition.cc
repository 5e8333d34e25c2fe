#include "lib/core/status.h"
#include "services/scheduler/scheduler_service.h"

namespace sealane::scheduler {

ServiceDefinition SchedulerDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-scheduler";
  definition.writes_bursts = true;
  definition.summary = "Decides in which clusters each object runs, and says why.";
  definition.flags = OptionFlags();
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    SEALANE_ASSIGN_OR_RETURN(const Options options, ParseOptions(flags));
    return MakeSchedulerService(context, options);
  };
  return definition;
}

}  // namespace sealane::scheduler
