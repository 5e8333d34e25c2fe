#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct AgentBenchOptions {
  int works = 5000;
  int edits = 200;
  int idle_seconds = 20;
  std::string bin_dir;
  std::string log_level = "warn";
  bool keep = false;
};

struct AgentBenchResult {
  double apply_seconds = 0;  // an agent that finds all works waiting: its start to the last status
  double bare_seconds = 0;   // the same objects, applied by a bare client to another API server
  std::vector<double> latency_ms;  // work seen on the bus to its status seen there
  double idle_mb = 0;              // resident, with one object
  double full_mb = 0;              // resident, with all of them
  double peak_mb = 0;
  double idle_cpu = 0;  // seconds of processor time per hour, with one object
  double full_cpu = 0;
};

// Starts nats-server, the services, kubesim and the agent, and measures.
[[nodiscard]] absl::StatusOr<AgentBenchResult> RunAgentBench(const AgentBenchOptions& options);

void PrintAgentBench(const AgentBenchOptions& options, const AgentBenchResult& result, bool json);

}  // namespace sealane::bench
