#pragma once

#include <cstdint>

#include "lib/bus/query.h"
#include "services/scheduler/world.h"

namespace sealane::scheduler {

// Answers a request on query.scheduler:
// explain, placements (rows, filtered by kind, namespace, name, cluster; limit) and simulate. What
// they take and give is written in sealane/v1/query.proto.
void AnswerQuery(const World& world, int64_t now_micros, const v1::QueryRequest& request,
                 QueryAnswer& answer);

}  // namespace sealane::scheduler
