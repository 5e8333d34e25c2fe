#pragma once

#include <cstddef>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class QueryReply;
}  // namespace v1

namespace status {

// Which of the decisions are told.
struct ExplainSlice {
  size_t from = 0;
  size_t limit = 100;
};

// The scheduler's answer to `explain` (proto/sealane/v1/query.proto), for the page:
//   {"state", "message", "cause", "policy", "strategy", "outcome", "note", "group", "scheduled",
//    "clusters": [{"cluster", "replicas"}],         in force
//    "evictions": [{"cluster", "reason", "since", "graceUntil", "replacedBy"}],
//    "selected", "feasible", "refused",             how many clusters
//    "reasons": [{"filter", "clusters"}],           how many clusters each filter refused
//    "decisions": [{"cluster", "selected", "replicas", "reasons", "scores", "available", "note"}],
//    "decisionCount", "next"}                       `next`: where the next slice begins; absent:
//    none
// Decisions: selected ones first, then those that could be, then refused ones, each by name. Pure.
[[nodiscard]] Json ExplainJson(const v1::QueryReply& reply, const ExplainSlice& slice);

}  // namespace status
}  // namespace sealane
