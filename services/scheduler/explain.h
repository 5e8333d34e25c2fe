#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sealane/v1/tables.pb.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

// What a result says about each cluster, in words: every reason, scores by plugin, the estimate,
// why these replicas. In name order. With a limit, clusters that are selected or in use come first
// in line, then the others by name.
[[nodiscard]] std::vector<v1::ClusterDecision> Decisions(const ScheduleInput& input,
                                                         const ScheduleResult& result,
                                                         size_t limit = SIZE_MAX);

// "Divided by static weights 2:1:1 ..." in one sentence, for people.
[[nodiscard]] std::string DescribeStrategy(const Request& request);

}  // namespace sealane::scheduler
