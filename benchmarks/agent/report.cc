#include <cstdio>

#include "benchmarks/agent/agent_benchmark.h"
#include "benchmarks/common/numbers.h"
#include "lib/core/json.h"

namespace sealane::bench {

void PrintAgentBench(const AgentBenchOptions& options, const AgentBenchResult& result, bool json) {
  const double rate = options.works / result.apply_seconds;
  const double bare_rate = options.works / result.bare_seconds;
  const double p50 = Percentile(result.latency_ms, 50);
  const double p99 = Percentile(result.latency_ms, 99);
  std::printf("%d objects\n\n", options.works);
  std::printf("agent: its start to the last status %8.3f s  %8.0f works/s\n", result.apply_seconds,
              rate);
  std::printf("bare client, the same objects       %8.3f s  %8.0f objects/s\n", result.bare_seconds,
              bare_rate);
  std::printf("ratio                               %8.3f\n\n", rate / bare_rate);
  std::printf("idle system, work to status         p50 %.2f ms, p99 %.2f ms\n", p50, p99);
  std::printf("resident with one object            %8.1f MB\n", result.idle_mb);
  std::printf("resident with %-6d objects        %8.1f MB, %.1f MB peak\n", options.works,
              result.full_mb, result.peak_mb);
  std::printf("processor time per idle hour        %8.1f s with one object, %.1f s with %d\n",
              result.idle_cpu, result.full_cpu, options.works);
  if (!json) return;
  const Json line = {{"benchmark", "agent"},
                     {"works", options.works},
                     {"ratio", rate / bare_rate},
                     {"works_per_second", rate},
                     {"bare_objects_per_second", bare_rate},
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
