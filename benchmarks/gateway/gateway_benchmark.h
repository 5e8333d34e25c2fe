#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct GatewayBenchOptions {
  std::string bin_dir;
  int objects = 10'000;  // ConfigMaps that no policy claims: writes, reads, the list, memory
  int placed = 2'000;    // ConfigMaps that go to every member: the ratio
  int members = 2;
  int concurrency = 64;  // requests at a time, of every client here
  int watchers = 1'000;
  int edits = 100;  // changes that all watchers see, twice: slowly and at once
  int rounds = 3;   // of the ratio; the median counts
  std::string log_level = "warn";
  bool keep = false;
};

struct GatewayBenchResult {
  double creates_per_second = 0;
  std::vector<double> create_ms;
  double reads_per_second = 0;
  std::vector<double> read_ms;
  double list_ms = 0;  // all objects in one answer
  double list_mb = 0;
  double pages_ms = 0;  // the same by 500
  double idle_mb = 0;
  double bytes_per_object = 0;
  double bytes_per_watcher = 0;
  std::vector<double> fan_out_ms;       // ten changes a second: from the write to each watcher
  double events_per_second = 0;         // changes at once, all watchers together
  std::vector<double> through_seconds;  // create at the gateway -> present in all members
  std::vector<double> direct_seconds;   // the same objects written into the members
  // Of the last round: microseconds of processor per object, by program.
  std::vector<std::pair<std::string, double>> cpu_us;
};

[[nodiscard]] absl::StatusOr<GatewayBenchResult> RunGatewayBench(
    const GatewayBenchOptions& options);
void PrintGatewayBench(const GatewayBenchOptions& options, const GatewayBenchResult& result,
                       bool json);

}  // namespace sealane::bench
