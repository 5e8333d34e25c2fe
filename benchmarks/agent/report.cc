#include <cstdio>

#include "benchmarks/agent/agent_benchmark.h"
#include "benchmarks/common/numbers.h"
#include "lib/core/json.h"

namespace sealane::bench {

void PrintAgentBench(const AgentBenchOptions& options, const AgentBenchResult& result, bool json) {
  const auto median = [](const std::vector<double>& values) { return Percentile(values, 50); };
  std::vector<double> ratios;
  for (size_t i = 0; i < result.apply_seconds.size(); ++i) {
    ratios.push_back(result.bare_seconds[i] / result.apply_seconds[i]);
  }
  const double seconds = median(result.apply_seconds);
  const double bare_seconds = median(result.bare_seconds);
  const double cpu_us = median(result.apply_cpu) * 1e6 / options.works;
  const double p50 = Percentile(result.latency_ms, 50);
  const double p99 = Percentile(result.latency_ms, 99);
  std::printf("%d objects; of %zu rounds the median\n\n", options.works, ratios.size());
  std::printf(
      "agent: its request to the last status %8.3f s  %8.0f works/s  %.0f us of processor\n",
      seconds, options.works / seconds, cpu_us);
  std::printf("bare client, the same objects         %8.3f s  %8.0f objects/s\n", bare_seconds,
              options.works / bare_seconds);
  std::printf("ratio                                 %8.3f  (%.3f to %.3f)\n\n", median(ratios),
              Percentile(ratios, 0), Percentile(ratios, 100));
  std::printf("50 changes a second, work to status   p50 %.2f ms, p99 %.2f ms\n", p50, p99);
  std::printf("resident without objects              %8.1f MB\n", result.idle_mb);
  std::printf("resident with %-6d objects          %8.1f MB, %.1f MB peak\n", options.works,
              result.full_mb, result.peak_mb);
  std::printf("processor time per idle hour          %8.1f s without objects, %.1f s with %d\n",
              result.idle_cpu, result.full_cpu, options.works);
  if (!json) return;
  const Json line = {{"benchmark", "agent"},
                     {"works", options.works},
                     {"ratio", median(ratios)},
                     {"works_per_second", options.works / seconds},
                     {"bare_objects_per_second", options.works / bare_seconds},
                     {"cpu_us_per_work", cpu_us},
                     {"work_to_status_p50_ms", p50},
                     {"work_to_status_p99_ms", p99},
                     {"idle_mb", result.idle_mb},
                     {"full_mb", result.full_mb},
                     {"peak_mb", result.peak_mb},
                     {"idle_cpu_seconds_per_hour", result.idle_cpu},
                     {"full_cpu_seconds_per_hour", result.full_cpu}};
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace sealane::bench
