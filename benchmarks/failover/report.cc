#include "benchmarks/failover/report.h"

#include <algorithm>
#include <cstdio>

#include "lib/core/json.h"

namespace sealane::bench {

void PrintFailover(const FailoverOptions& options, const LostClusterResult& lost,
                   const NewClusterResult& joined, bool json) {
  const auto moved = static_cast<double>(lost.moved);
  std::printf(
      "%d applications on %d clusters; one is lost, %.0f move\n"
      "placements: %.3f s, %.0f/s; works at their new clusters: %.3f s, %.0f/s\n"
      "a bare client with as many messages: %.3f s, ratio %.3f\n"
      "scheduler: %.2f s of processor time\n\n",
      options.apps, options.clusters, moved, lost.placed_seconds, moved / lost.placed_seconds,
      lost.works_seconds, moved / lost.works_seconds, lost.bare_seconds, lost.ratio,
      lost.scheduler_cpu_seconds);
  // Steps overlap: each counts from the end of the one before, if it ended later.
  const double placed = std::max(joined.placed, joined.ready);
  const double rendered = std::max(joined.rendered, placed);
  const double share = 100 / joined.applied;
  std::printf(
      "a cluster joins, %d base services: %.3f s until all are applied\n"
      "ready after %.3f s (%.0f %%), placed after %.3f s (%.0f %%), rendered after %.3f s (%.0f "
      "%%), "
      "applied after %.3f s (%.0f %%)\n",
      options.base, joined.applied, joined.ready, joined.ready * share, joined.placed,
      (placed - joined.ready) * share, joined.rendered, (rendered - placed) * share, joined.applied,
      (joined.applied - rendered) * share);
  if (!json) return;
  const Json out = {{"benchmark", "failover"},
                    {"apps", options.apps},
                    {"clusters", options.clusters},
                    {"moved", lost.moved},
                    {"placed_seconds", lost.placed_seconds},
                    {"works_seconds", lost.works_seconds},
                    {"works_per_second", moved / lost.works_seconds},
                    {"bare_seconds", lost.bare_seconds},
                    {"ratio", lost.ratio},
                    {"scheduler_cpu_seconds", lost.scheduler_cpu_seconds},
                    {"base", options.base},
                    {"join_ready_seconds", joined.ready},
                    {"join_placed_seconds", joined.placed},
                    {"join_rendered_seconds", joined.rendered},
                    {"join_applied_seconds", joined.applied}};
  std::printf("%s\n", out.dump().c_str());
}

}  // namespace sealane::bench
