#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/agent/cluster_facts.h"

namespace sealane::agent {

// How many shapes a heartbeat tells.
inline constexpr size_t kMaxNodeShapes = 64;

// Nodes that have the same left.
struct NodeShape {
  // By resource name: CPU in thousandths, everything else in whole units. Without what is used up.
  std::map<std::string, int64_t> free;
  int64_t count = 0;
};

// What the ready, schedulable nodes have left, at most `limit` shapes (from 1), sorted. Exact when
// there are few enough; else amounts are rounded down to as many binary digits as it takes, which
// moves no node across a power of two; and if that does not do, neighbours are told as their common
// part. So never more is told than there is.
[[nodiscard]] std::vector<NodeShape> NodeShapes(
    const std::map<std::string, NodeFacts, std::less<>>& nodes, size_t limit);

// NodeShapes as the heartbeat tells them.
void FillNodeShapes(const std::map<std::string, NodeFacts, std::less<>>& nodes,
                    v1::Heartbeat& heartbeat);

}  // namespace sealane::agent
