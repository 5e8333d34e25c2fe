#include "services/status/page/fleet_summary.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "lib/core/json.h"
#include "sealane/v1/cluster.pb.h"
#include "services/status/page/fleet_json.h"

namespace sealane::status {
namespace {

struct Sums {
  int64_t total = 0;
  std::map<std::string, int64_t> states;
  std::map<std::string, int64_t> marks;
  Capacity capacity;

  void Add(const v1::ClusterStatus& cluster) {
    const std::string_view state = ClusterStateOf(cluster);
    ++total;
    ++states[std::string(state)];
    for (const std::string_view mark : ClusterMarksOf(cluster)) ++marks[std::string(mark)];
    // What a cluster that is not ready said last is not known to be so any more.
    if (state == "Ready") capacity += CapacityOf(cluster);
  }
};

using Clusters = std::vector<const v1::ClusterStatus*>;

Json TilesJson(Clusters clusters, size_t limit) {
  std::sort(clusters.begin(), clusters.end(), [](const auto* a, const auto* b) {
    const bool a_ready = ClusterStateOf(*a) == "Ready";
    const bool b_ready = ClusterStateOf(*b) == "Ready";
    return a_ready != b_ready ? b_ready : a->name() < b->name();
  });
  Json tiles = Json::array();
  for (const v1::ClusterStatus* cluster : clusters) {
    if (tiles.size() == limit) break;
    Json marks = Json::array();
    for (const std::string_view mark : ClusterMarksOf(*cluster)) marks.push_back(std::string(mark));
    tiles.push_back({{"name", cluster->name()},
                     {"state", std::string(ClusterStateOf(*cluster))},
                     {"marks", std::move(marks)}});
  }
  return tiles;
}

}  // namespace

Json SummarizeClusters(const std::vector<const v1::ClusterStatus*>& clusters,
                       const SummaryLimits& limits) {
  Sums all;
  std::map<std::string, std::map<std::string, Clusters>> places;
  for (const v1::ClusterStatus* cluster : clusters) {
    all.Add(*cluster);
    places[cluster->provider()][cluster->region()].push_back(cluster);
  }
  Json providers = Json::array();
  size_t regions_told = 0;
  size_t regions_left_out = 0;
  size_t clusters_told = 0;
  for (const auto& [provider, by_region] : places) {
    Json regions = Json::array();
    int64_t total = 0;
    for (const auto& [region, members] : by_region) {
      total += static_cast<int64_t>(members.size());
      if (regions_told == limits.regions) {
        ++regions_left_out;
        continue;
      }
      ++regions_told;
      Sums sums;
      for (const v1::ClusterStatus* member : members) sums.Add(*member);
      Json tiles =
          TilesJson(members, std::min(limits.clusters_per_region, limits.clusters - clusters_told));
      clusters_told += tiles.size();
      const size_t more = members.size() - tiles.size();
      regions.push_back({{"region", region},
                         {"total", sums.total},
                         {"states", sums.states},
                         {"capacity", ToJson(sums.capacity)},
                         {"clusters", std::move(tiles)},
                         {"more", more}});
    }
    if (regions.empty()) continue;
    providers.push_back(
        {{"provider", provider}, {"total", total}, {"regions", std::move(regions)}});
  }
  return {{"clusters", {{"total", all.total}, {"states", all.states}, {"marks", all.marks}}},
          {"capacity", ToJson(all.capacity)},
          {"providers", std::move(providers)},
          {"moreRegions", regions_left_out}};
}

}  // namespace sealane::status
