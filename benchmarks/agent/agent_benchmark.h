#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct AgentBenchOptions {
  int works = 5000;
  int rounds = 5;
  int edits = 200;
  int idle_seconds = 20;
  std::string bin_dir;
  std::string log_level = "warn";
  bool keep = false;
};

struct AgentBenchResult {
  // Of each round: an agent that finds all works waiting, from its request for them to the last
  // status; its processor time since its start; the same objects, applied by a bare client to
  // another API server.
  std::vector<double> apply_seconds;
  std::vector<double> apply_cpu;
  std::vector<double> bare_seconds;
  // The rest is of the first round.
  std::vector<double> latency_ms;  // work published to its status seen on the bus
  double idle_mb = 0;              // resident, without works
  double full_mb = 0;              // resident, with all of them
  double peak_mb = 0;
  double idle_cpu = 0;  // seconds of processor time per hour, without works
  double full_cpu = 0;
};

// Starts nats-server, kubesim and the agent, is itself the policy service, and measures.
[[nodiscard]] absl::StatusOr<AgentBenchResult> RunAgentBench(const AgentBenchOptions& options);

void PrintAgentBench(const AgentBenchOptions& options, const AgentBenchResult& result, bool json);

}  // namespace sealane::bench
