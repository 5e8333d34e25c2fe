#include <algorithm>
#include <cstdio>

#include "benchmarks/common/numbers.h"
#include "benchmarks/pipeline/pipeline.h"
#include "lib/core/json.h"

namespace sealane::bench {
namespace {

double Rounded(double value) {
  return static_cast<double>(static_cast<int64_t>(value * 1000 + 0.5)) / 1000;
}

}  // namespace

void PrintPipeline(const PipelineOptions& options, const PipelineResult& result, bool json) {
  const double works_rate = static_cast<double>(result.works) / result.pipeline_seconds;
  const double pipeline_rate = static_cast<double>(result.messages) / result.pipeline_seconds;
  const double bare_rate = static_cast<double>(result.messages) / result.bare_seconds;
  const double way_ratio = result.ratio * static_cast<double>(result.way_messages) /
                           static_cast<double>(std::max<uint64_t>(result.messages, 1));
  const double first_p50 = Percentile(result.first_work_ms, 50);
  const double first_p99 = Percentile(result.first_work_ms, 99);
  const double all_p50 = Percentile(result.all_works_ms, 50);
  const double all_p99 = Percentile(result.all_works_ms, 99);
  std::printf("%d applications to %d clusters; agents %s\n\n", options.apps, options.clusters,
              options.report ? "consume and report" : "only consume");
  std::printf("deploy event to last work      %8.3f s   %8.0f works/s\n", result.pipeline_seconds,
              works_rate);
  std::printf("  last event accepted after    %8.3f s\n", result.accepted_seconds);
  std::printf("  persisted meanwhile          %8llu messages, %.1f MB: %.0f messages/s\n",
              static_cast<unsigned long long>(result.messages),
              static_cast<double>(result.message_bytes) / 1e6, pipeline_rate);
  std::printf("bare client, same messages     %8.3f s   %8.0f messages/s\n", result.bare_seconds,
              bare_rate);
  std::printf(
      "ratio                          %8.3f   (%.3f counting only the %llu messages that lead to "
      "works)\n",
      result.ratio, way_ratio, static_cast<unsigned long long>(result.way_messages));
  for (const auto& [name, count] : result.streams) {
    std::printf("  %-16s %8llu\n", name.c_str(), static_cast<unsigned long long>(count));
  }
  std::printf("\n");
  std::printf("idle system, %zu edits, deploy event to work, milliseconds\n",
              result.all_works_ms.size());
  std::printf("  first of %3d clusters        p50 %7.2f   p99 %7.2f\n", options.clusters, first_p50,
              first_p99);
  std::printf("  last of %3d clusters         p50 %7.2f   p99 %7.2f\n\n", options.clusters, all_p50,
              all_p99);
  std::printf("%-20s %12s %22s\n", "process", "peak MB", "CPU s (throughput)");
  for (const ProcessCost& process : result.processes) {
    std::printf("%-20s %12.1f %22.2f\n", process.name.c_str(), process.peak_memory_mb,
                process.cpu_seconds);
  }
  if (result.agent_idle_mb > 0) {
    std::printf("%-20s %12.1f   idle %.1f MB\n", "sealane-agent", result.agent_peak_mb,
                result.agent_idle_mb);
  }
  if (!json) return;
  Json line = {{"benchmark", "pipeline"},
               {"apps", options.apps},
               {"clusters", options.clusters},
               {"ratio", Rounded(result.ratio)},
               {"works_per_second", Rounded(works_rate)},
               {"messages_per_second", Rounded(pipeline_rate)},
               {"bare_messages_per_second", Rounded(bare_rate)},
               {"messages", result.messages},
               {"way_messages", result.way_messages},
               {"way_ratio", Rounded(way_ratio)},
               {"pipeline_seconds", Rounded(result.pipeline_seconds)},
               {"bare_seconds", Rounded(result.bare_seconds)},
               {"latency_p50_ms", Rounded(all_p50)},
               {"latency_p99_ms", Rounded(all_p99)},
               {"latency_first_p50_ms", Rounded(first_p50)},
               {"latency_first_p99_ms", Rounded(first_p99)},
               {"agent_idle_rss_mb", Rounded(result.agent_idle_mb)}};
  for (const ProcessCost& process : result.processes) {
    line["peak_rss_mb"][process.name] = Rounded(process.peak_memory_mb);
    line["cpu_seconds"][process.name] = Rounded(process.cpu_seconds);
  }
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace sealane::bench
