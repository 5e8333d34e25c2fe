#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sealane::bench {

// One strategy at one number of clusters. Rates and times are those of one core: processor time.
struct DecisionRate {
  std::string strategy;
  int clusters = 0;
  double per_second = 0;
  double p99_micros = 0;
};

struct SchedulerBenchmark {
  std::vector<DecisionRate> rates;
  // What any scheduler must do at least, measured in the same run: match 100 clusters with an
  // affinity and divide the replicas among those that match, for a binding that is already parsed.
  double reference_per_second = 0;
  double ratio = 0;              // static weights at 100 clusters / reference
  double bytes_per_cluster = 0;  // of the snapshot, 10,000 clusters that serve the same kinds
  // 10,000 bindings of 100 policies: the row in the table of bindings, the row in the table of
  // placements (with the reasons for 32 clusters), and what the index holds beside them.
  double bytes_per_binding_row = 0;
  double bytes_per_placement_row = 0;
  double bytes_per_binding = 0;
  double heartbeat_micros = 0;  // a heartbeat that changes capacity, 10,000 bindings placed
  double full_pass_micros = 0;  // for comparison: looking at all of them once
};

[[nodiscard]] const std::vector<std::string>& BenchmarkStrategies();

// So many decisions and nothing else: for valgrind and profilers.
void RepeatDecision(const std::string& strategy, int clusters, int count);

// `seconds`: how long each rate is measured.
[[nodiscard]] SchedulerBenchmark RunSchedulerBenchmark(double seconds);

}  // namespace sealane::bench
