#pragma once

#include <cstdint>

#include "lib/bus/query.h"
#include "services/scheduler/world.h"

namespace sealane::scheduler {

// Answers a request on query.scheduler:
//   explain     kind, namespace, name (group: optional): the binding; the placement with the
//   reasons
//               of every cluster as of now, in parts; the body is JSON: {"strategy", "would",
//               "failedGroups", "note"}.
//   placements  rows of placements, filtered by kind, namespace, name, cluster; limit.
//   simulate    options "drain" and "fail": comma-separated clusters; body: a serialized QueryReply
//               whose `clusters` and `bindings` are added or take the place of present ones. The
//               answer's body is JSON: {"moves": [{"object", "before", "after", "state", "message",
//               "cause"}], "replicasBefore", "replicasAfter", "lookedAt", "unscheduled", "shown"}.
void AnswerQuery(const World& world, int64_t now_micros, const v1::QueryRequest& request,
                 QueryAnswer& answer);

}  // namespace sealane::scheduler
