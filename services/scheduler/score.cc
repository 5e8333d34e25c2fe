#include "services/scheduler/score.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "services/scheduler/candidate.h"

namespace sealane::scheduler {
namespace {

constexpr int64_t kMaxScore = 100;

// Comparing costs n log n; ten thousand clusters are sorted by the bytes of a number instead, so
// that a decision grows with their number and no faster. Below this the comparison is as fast.
constexpr size_t kFewCandidates = 128;

struct Ranked {
  uint64_t rank = 0;  // tier, score and room in one number; the smallest is the best
  uint32_t index = 0;
  uint32_t place = 0;  // among the candidates
};

constexpr int64_t kRankLimit = int64_t{1} << 16;

bool RanksFit(const Candidates& candidates) {
  return std::all_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
    return candidate.tier >= 0 && candidate.tier < kRankLimit && candidate.score >= 0 &&
           candidate.score < kRankLimit && candidate.available() >= 0;
  });
}

// Room is the sum of two numbers of 31 bits: it takes 32.
uint64_t RankOf(const Candidate& candidate) {
  const auto score = static_cast<uint64_t>(kRankLimit - 1 - candidate.score);
  const auto room = static_cast<uint64_t>(2 * kUnlimited + 1 - candidate.available());
  return static_cast<uint64_t>(candidate.tier) << 48 | score << 32 | room;
}

// Byte by byte from the last; equal ones keep their order. Bytes that are the same in all are
// passed over.
template <typename KeyOf>
void SortByDigits(std::vector<Ranked>& order, const KeyOf& key_of) {
  uint64_t differ = 0;
  for (const Ranked& ranked : order) differ |= key_of(ranked) ^ key_of(order.front());
  std::vector<Ranked> other(order.size());
  for (int shift = 0; shift < 64; shift += 8) {
    if ((differ >> shift & 0xff) == 0) continue;
    std::array<size_t, 257> begins{};
    for (const Ranked& ranked : order) ++begins[(key_of(ranked) >> shift & 0xff) + 1];
    for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
    for (const Ranked& ranked : order) other[begins[key_of(ranked) >> shift & 0xff]++] = ranked;
    order.swap(other);
  }
}

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
  if (candidates.size() < kFewCandidates || !RanksFit(candidates)) {
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      if (a.tier != b.tier) return a.tier < b.tier;
      if (a.score != b.score) return a.score > b.score;
      if (a.available() != b.available()) return a.available() > b.available();
      return a.index < b.index;
    });
    return;
  }
  std::vector<Ranked> order(candidates.size());
  bool by_index = true;
  for (size_t i = 0; i < candidates.size(); ++i) {
    order[i] = {RankOf(candidates[i]), candidates[i].index, static_cast<uint32_t>(i)};
    by_index = by_index && (i == 0 || candidates[i - 1].index < candidates[i].index);
  }
  if (!by_index) SortByDigits(order, [](const Ranked& ranked) { return uint64_t{ranked.index}; });
  SortByDigits(order, [](const Ranked& ranked) { return ranked.rank; });
  Candidates sorted;
  sorted.reserve(candidates.size());
  for (const Ranked& ranked : order) sorted.push_back(candidates[ranked.place]);
  candidates = std::move(sorted);
}

}  // namespace sealane::scheduler
