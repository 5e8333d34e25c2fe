#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "services/scheduler/filter.h"

namespace sealane::scheduler {

// Rates a feasible cluster from 0 to 100; the sum over the plugins decides, see SortCandidates.
struct ScorePlugin {
  std::string_view name;
  int64_t (*score)(const FilterContext& context, const ClusterInfo& cluster);
};

inline constexpr size_t kScoreCount = 1;
// ClusterLocality: 100 for a cluster of the placement in force, so that objects stay where they
// are. (Karmada's second plugin, ClusterAffinity, scores 0 for all and is left out.)
[[nodiscard]] const std::array<ScorePlugin, kScoreCount>& ScorePlugins();

// The sum.
[[nodiscard]] int64_t Score(const FilterContext& context, const ClusterInfo& cluster);

}  // namespace sealane::scheduler
