#pragma once

#include <memory>

#include "lib/runtime/service.h"
#include "services/scheduler/options.h"

namespace sealane::scheduler {

// The scheduler service: reads bindings and cluster_status, writes placements, answers explain and
// simulate on query.scheduler (docs/events.md). Thread rule: the context's executor.
[[nodiscard]] std::unique_ptr<Service> MakeSchedulerService(ServiceContext context,
                                                            Options options = {});

// Flags, options and service for main.
[[nodiscard]] ServiceDefinition SchedulerDefinition();

}  // namespace sealane::scheduler
