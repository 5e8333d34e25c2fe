#include <algorithm>
#include <cstdio>

#include "benchmarks/common/numbers.h"
#include "benchmarks/status/status_benchmark.h"
#include "lib/core/json.h"

namespace sealane::bench {
namespace {

double Rounded(double value) {
  return static_cast<double>(static_cast<int64_t>(value * 1000 + 0.5)) / 1000;
}

}  // namespace

void PrintStatus(const StatusOptions& options, const StatusResult& result, bool json) {
  const double works =
      static_cast<double>(result.apps) * std::min(options.spread, options.clusters);
  const double rate = works / result.update_seconds;
  const double bare_rate = works / result.bare_seconds;
  const double p50 = Percentile(result.latency_ms, 50);
  const double p99 = Percentile(result.latency_ms, 99);
  std::printf("%.0f reports on %d applications in %d clusters\n\n", works, result.apps,
              options.clusters);
  std::printf("reports to last healthy application %8.3f s  %9.0f reports/s\n",
              result.update_seconds, rate);
  std::printf("  rows of app_status written        %8llu\n",
              static_cast<unsigned long long>(result.rows_written));
  std::printf("bare client, same reports           %8.3f s  %9.0f reports/s\n", result.bare_seconds,
              bare_rate);
  std::printf("ratio                               %8.3f\n\n", rate / bare_rate);
  std::printf("idle system, report to row          p50 %.2f ms, p99 %.2f ms\n", p50, p99);
  std::printf("memory per work                     %8.0f bytes, %.1f MB resident, %.1f MB peak\n",
              result.bytes_per_work, result.resident_mb, result.peak_mb);
  std::printf("restart to first answer             %8.3f s; raw replay of %llu messages %.3f s\n",
              result.restart_seconds, static_cast<unsigned long long>(result.replay_messages),
              result.replay_seconds);
  const double list = Percentile(result.list_apps_ms, 50);
  const double list_json = Percentile(result.list_json_ms, 50);
  const double top = Percentile(result.top_clusters_ms, 50);
  std::printf("sealane get apps -A                 %8.0f ms; -o json %.0f ms\n", list, list_json);
  std::printf("sealane top clusters                %8.0f ms\n", top);
  if (!json) return;
  const Json line = {{"benchmark", "status"},
                     {"works", works},
                     {"apps", result.apps},
                     {"clusters", options.clusters},
                     {"ratio", Rounded(rate / bare_rate)},
                     {"reports_per_second", Rounded(rate)},
                     {"bare_reports_per_second", Rounded(bare_rate)},
                     {"rows_written", result.rows_written},
                     {"report_to_row_p50_ms", Rounded(p50)},
                     {"report_to_row_p99_ms", Rounded(p99)},
                     {"bytes_per_work", Rounded(result.bytes_per_work)},
                     {"resident_mb", Rounded(result.resident_mb)},
                     {"peak_mb", Rounded(result.peak_mb)},
                     {"restart_seconds", Rounded(result.restart_seconds)},
                     {"replay_seconds", Rounded(result.replay_seconds)},
                     {"list_apps_ms", Rounded(list)},
                     {"list_json_ms", Rounded(list_json)},
                     {"top_clusters_ms", Rounded(top)},
                     {"restart_ratio", Rounded(result.replay_seconds / result.restart_seconds)}};
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace sealane::bench
