#include "services/scheduler/score.h"

#include <algorithm>

#include "services/scheduler/candidate.h"

namespace sealane::scheduler {
namespace {

constexpr int64_t kMaxScore = 100;

int64_t Locality(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  return context.in_use ? kMaxScore : 0;
}

}  // namespace

const std::array<ScorePlugin, kScoreCount>& ScorePlugins() {
  static const std::array<ScorePlugin, kScoreCount> plugins = {
      ScorePlugin{"ClusterLocality", &Locality}};
  return plugins;
}

int64_t Score(const FilterContext& context, const ClusterInfo& cluster) {
  int64_t sum = 0;
  for (const ScorePlugin& plugin : ScorePlugins()) sum += plugin.score(context, cluster);
  return sum;
}

void SortCandidates(Candidates& candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.tier != b.tier) return a.tier < b.tier;
    if (a.score != b.score) return a.score > b.score;
    if (a.available() != b.available()) return a.available() > b.available();
    return a.index < b.index;
  });
}

}  // namespace sealane::scheduler
