#include "services/status/rollout.h"

#include <algorithm>
#include <string>

#include "sealane/v1/app.pb.h"
#include "services/status/app_facts.h"

namespace sealane::status {
namespace {

double Seconds(int64_t from_micros, int64_t to_micros) {
  return static_cast<double>(std::max<int64_t>(0, to_micros - from_micros)) / 1e6;
}

// Times of the cluster in the row before; zeros when it was not in it.
Published::ClusterTimes TimesBefore(const Published* before, std::string_view cluster,
                                    const ClusterNames& names) {
  if (before == nullptr) return {};
  const auto& all = before->clusters;
  const auto it = std::lower_bound(all.begin(), all.end(), cluster,
                                   [&](const Published::ClusterTimes& entry, std::string_view n) {
                                     return names.Name(entry.cluster) < n;
                                   });
  return it != all.end() && names.Name(it->cluster) == cluster ? *it : Published::ClusterTimes{};
}

void AddClusterSteps(const Published::ClusterTimes& known, const v1::AppStatus& row,
                     const v1::ClusterAppStatus& now, std::vector<TakenStep>& taken) {
  if (now.rendered_micros() != 0 && known.rendered_micros == 0) {
    const int64_t from = std::max(now.placed_micros(), row.claimed_micros());
    taken.push_back({RolloutStep::kRendered, Seconds(from, now.rendered_micros())});
  }
  if (now.applied_generation() < row.generation()) return;
  const bool same = known.healthy_generation == now.applied_generation();
  if (now.rendered_micros() != 0 && now.applied_micros() != 0 &&
      (!same || known.applied_micros == 0)) {
    taken.push_back({RolloutStep::kApplied, Seconds(now.rendered_micros(), now.applied_micros())});
  }
  if (now.applied_micros() != 0 && now.healthy_micros() != 0 &&
      (!same || known.healthy_micros == 0)) {
    taken.push_back({RolloutStep::kHealthy, Seconds(now.applied_micros(), now.healthy_micros())});
  }
}

}  // namespace

std::string_view Name(RolloutStep step) {
  switch (step) {
    case RolloutStep::kClaimed:
      return "claimed";
    case RolloutStep::kPlaced:
      return "placed";
    case RolloutStep::kRendered:
      return "rendered";
    case RolloutStep::kApplied:
      return "applied";
    case RolloutStep::kHealthy:
      return "healthy";
  }
  return "";
}

std::vector<TakenStep> NewSteps(const Published* before, const v1::AppStatus& row,
                                const ClusterNames& names) {
  std::vector<TakenStep> taken;
  if (row.claimed_micros() == 0 || row.deleting()) return taken;
  if (before != nullptr &&
      (before->uid_hash != UidHash(row.uid()) || before->generation != row.generation())) {
    before = nullptr;
  }
  if (before == nullptr || before->claimed_micros == 0) {
    taken.push_back({RolloutStep::kClaimed, Seconds(row.accepted_micros(), row.claimed_micros())});
  }
  int64_t placed = 0;  // when the first cluster was chosen
  bool was_placed = false;
  for (const v1::ClusterAppStatus& now : row.clusters()) {
    const Published::ClusterTimes known = TimesBefore(before, now.cluster(), names);
    was_placed = was_placed || known.placed_micros != 0;
    if (now.placed_micros() != 0 && (placed == 0 || now.placed_micros() < placed)) {
      placed = now.placed_micros();
    }
    AddClusterSteps(known, row, now, taken);
  }
  if (placed != 0 && !was_placed) {
    taken.push_back({RolloutStep::kPlaced, Seconds(row.claimed_micros(), placed)});
  }
  return taken;
}

}  // namespace sealane::status
