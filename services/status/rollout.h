#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace sealane {

namespace v1 {
class AppStatus;
}  // namespace v1

namespace status {

class ClusterNames;
struct Published;

// The steps of a generation's way through the fleet, after it was accepted. The first two are taken
// once, the others in each cluster.
enum class RolloutStep { kClaimed, kPlaced, kRendered, kApplied, kHealthy };
inline constexpr size_t kRolloutSteps = 5;

// "claimed": the label of metrics.
[[nodiscard]] std::string_view Name(RolloutStep step);

struct TakenStep {
  RolloutStep step;
  double seconds;  // since the step before; 0 where clocks of two machines contradict each other
};

// What `row` shows as taken and the row before it (nullptr: there was none, or of another object)
// did not. Nothing of a generation of which it is not known when it was claimed. Pure.
[[nodiscard]] std::vector<TakenStep> NewSteps(const Published* before, const v1::AppStatus& row,
                                              const ClusterNames& names);

}  // namespace status
}  // namespace sealane
