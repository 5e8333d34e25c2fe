#include <cstdio>

#include "benchmarks/common/numbers.h"
#include "benchmarks/gateway/gateway_benchmark.h"
#include "lib/core/json.h"

namespace sealane::bench {

void PrintGatewayBench(const GatewayBenchOptions& options, const GatewayBenchResult& result,
                       bool json) {
  std::vector<double> ratios;
  for (size_t i = 0; i < result.through_seconds.size(); ++i) {
    ratios.push_back(result.direct_seconds[i] / result.through_seconds[i]);
  }
  const double through = Percentile(result.through_seconds, 50);
  const double direct = Percentile(result.direct_seconds, 50);
  const double create_p99 = Percentile(result.create_ms, 99);
  const double read_p99 = Percentile(result.read_ms, 99);
  const double fan_out_p50 = Percentile(result.fan_out_ms, 50);
  const double fan_out_p99 = Percentile(result.fan_out_ms, 99);
  std::printf("%d objects over TLS, %d requests at a time\n\n", options.objects,
              options.concurrency);
  std::printf("creates                  %9.0f /s    p50 %.1f ms, p99 %.1f ms\n",
              result.creates_per_second, Percentile(result.create_ms, 50), create_p99);
  std::printf("reads                    %9.0f /s    p50 %.1f ms, p99 %.1f ms\n",
              result.reads_per_second, Percentile(result.read_ms, 50), read_p99);
  std::printf("list of all              %9.1f ms    %.1f MB; by 500: %.1f ms\n", result.list_ms,
              result.list_mb, result.pages_ms);
  std::printf("memory                   %9.1f MB    idle, %.0f bytes per object\n", result.idle_mb,
              result.bytes_per_object);
  std::printf("%6d watchers          %9.0f events/s, %.0f bytes each\n", options.watchers,
              result.events_per_second, result.bytes_per_watcher);
  std::printf("write to watcher         p50 %.1f ms, p99 %.1f ms, ten changes a second\n\n",
              fan_out_p50, fan_out_p99);
  std::printf("create to %d members      %9.3f s     %.0f objects/s\n", options.members, through,
              options.placed / through);
  std::printf("directly into as many    %9.3f s     %.0f objects/s\n", direct,
              options.placed / direct);
  std::printf("ratio                    %9.3f       (%.3f to %.3f)\n", Percentile(ratios, 50),
              Percentile(ratios, 0), Percentile(ratios, 100));
  std::printf("\nprocessor per object, microseconds:");
  for (const auto& [program, us] : result.cpu_us) std::printf("  %s %.0f", program.c_str(), us);
  std::printf("\n");
  if (!json) return;
  const Json line = {{"benchmark", "gateway"},
                     {"objects", options.objects},
                     {"ratio", Percentile(ratios, 50)},
                     {"creates_per_second", result.creates_per_second},
                     {"create_p99_ms", create_p99},
                     {"reads_per_second", result.reads_per_second},
                     {"read_p99_ms", read_p99},
                     {"list_ms", result.list_ms},
                     {"pages_ms", result.pages_ms},
                     {"idle_mb", result.idle_mb},
                     {"bytes_per_object", result.bytes_per_object},
                     {"watchers", options.watchers},
                     {"events_per_second", result.events_per_second},
                     {"fan_out_p50_ms", fan_out_p50},
                     {"fan_out_p99_ms", fan_out_p99},
                     {"bytes_per_watcher", result.bytes_per_watcher},
                     {"through_seconds", through},
                     {"direct_seconds", direct}};
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace sealane::bench
