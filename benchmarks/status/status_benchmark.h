#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct StatusOptions {
  int works = 100'000;
  int clusters = 1000;
  int spread = 10;  // clusters of one application
  int edits = 200;  // single reports on the idle system
  std::string bin_dir;
  std::string log_level = "warn";
  bool keep = false;
};

struct StatusResult {
  int apps = 0;
  double update_seconds = 0;   // first report published to last application shown healthy
  double bare_seconds = 0;     // the same reports, published by a bare client
  double restart_seconds = 0;  // a killed service started again to its first answer
  double replay_seconds = 0;   // the messages it reads then, read raw
  uint64_t replay_messages = 0;
  uint64_t rows_written = 0;  // of app_status, while the reports came in
  double bytes_per_work = 0;  // resident memory of the service over that without any row
  double resident_mb = 0;     // after the restart
  double peak_mb = 0;
  std::vector<double> latency_ms;  // report published to row seen
  // Whole runs of the CLI, from its start to its end.
  std::vector<double> list_apps_ms;     // sealane get apps -A
  std::vector<double> list_json_ms;     // sealane get apps -A -o json
  std::vector<double> top_clusters_ms;  // sealane top clusters
};

// Starts nats-server and sealane-status, plays the agents, and measures.
[[nodiscard]] absl::StatusOr<StatusResult> RunStatus(const StatusOptions& options);

void PrintStatus(const StatusOptions& options, const StatusResult& result, bool json);

}  // namespace sealane::bench
