#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "benchmarks/scheduler/scheduler_benchmark.h"
#include "lib/core/json.h"

int main(int argc, char** argv) {
  bool json = false;
  double seconds = 0.5;
  std::string only;
  int clusters = 100;
  int count = 1000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--json") {
      json = true;
    } else if (arg.substr(0, 10) == "--seconds=") {
      seconds = std::atof(argv[i] + 10);
    } else if (arg.substr(0, 7) == "--only=") {
      only = arg.substr(7);
    } else if (arg.substr(0, 11) == "--clusters=") {
      clusters = std::atoi(argv[i] + 11);
    } else if (arg.substr(0, 8) == "--count=") {
      count = std::atoi(argv[i] + 8);
    } else {
      std::fprintf(
          stderr,
          "scheduler_benchmark [--seconds=S] [--json]: decisions per second and P99 for "
          "each strategy\n"
          "scheduler_benchmark --only=STRATEGY [--clusters=N] [--count=N]: so many decisions"
          " and nothing else, for a profiler\n");
      return arg == "--help" ? 0 : 2;
    }
  }
  if (!only.empty()) {
    sealane::bench::RepeatDecision(only, clusters, count);
    return 0;
  }
  const auto result = sealane::bench::RunSchedulerBenchmark(seconds);
  sealane::Json rates = sealane::Json::array();
  std::printf("%-26s %9s %14s %10s\n", "strategy", "clusters", "dec./CPU s", "P99 us");
  for (const auto& rate : result.rates) {
    std::printf("%-26s %9d %14.0f %10.1f\n", rate.strategy.c_str(), rate.clusters, rate.per_second,
                rate.p99_micros);
    rates.push_back({{"strategy", rate.strategy},
                     {"clusters", rate.clusters},
                     {"per_second", rate.per_second},
                     {"p99_micros", rate.p99_micros}});
  }
  std::printf(
      "reference (match and divide, 100 clusters): %.0f/s; static weights reach %.2f of it\n"
      "memory: %.0f bytes per cluster; per binding %.0f in its row, %.0f in the row of its "
      "placement, %.0f in the index\n"
      "a heartbeat with 10,000 bindings placed: %.1f us; a pass over all of them: %.0f us\n",
      result.reference_per_second, result.ratio, result.bytes_per_cluster,
      result.bytes_per_binding_row, result.bytes_per_placement_row, result.bytes_per_binding,
      result.heartbeat_micros, result.full_pass_micros);
  if (json) {
    const sealane::Json out = {{"benchmark", "scheduler"},
                               {"ratio", result.ratio},
                               {"reference_per_second", result.reference_per_second},
                               {"rates", rates},
                               {"bytes_per_cluster", result.bytes_per_cluster},
                               {"bytes_per_binding_row", result.bytes_per_binding_row},
                               {"bytes_per_placement_row", result.bytes_per_placement_row},
                               {"bytes_per_binding", result.bytes_per_binding},
                               {"heartbeat_micros", result.heartbeat_micros},
                               {"full_pass_micros", result.full_pass_micros}};
    std::printf("%s\n", out.dump().c_str());
  }
  return 0;
}
