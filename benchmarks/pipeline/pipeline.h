#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct PipelineOptions {
  int apps = 1000;
  int clusters = 10;
  int edits = 300;          // of the latency part
  int runs = 3;             // of pipeline and reference, in turn; the fastest of each counts
  bool report = false;      // agents also answer each work with a WorkStatus
  bool skip_agent = false;  // do not measure a real idle agent
  bool keep = false;        // leave logs and store behind
  std::string bin_dir;
  std::string log_level = "warn";
};

struct ProcessCost {
  std::string name;
  double peak_memory_mb = 0;
  double cpu_seconds = 0;  // while the applications went through
};

struct PipelineResult {
  uint64_t works = 0;           // received by the agents: applications x clusters
  double pipeline_seconds = 0;  // first deploy event published to last work received
  double accepted_seconds = 0;  // ... to last deploy result
  uint64_t messages = 0;        // persisted from the first event to the last work
  uint64_t message_bytes = 0;
  // Of these: deploy events, objects, bindings, placements, works. The rest are results,
  // application statuses and events.
  uint64_t way_messages = 0;
  std::vector<std::pair<std::string, uint64_t>> streams;  // messages of each
  double bare_seconds = 0;                                // the same messages by a bare client
  double ratio = 0;                                       // bare_seconds / pipeline_seconds
  std::vector<double> first_work_ms;  // per edit: deploy event to the first cluster's work
  std::vector<double> all_works_ms;   // ... to the last cluster's
  double agent_idle_mb = 0;           // 0: not measured
  double agent_peak_mb = 0;
  std::vector<ProcessCost> processes;
};

[[nodiscard]] absl::StatusOr<PipelineResult> RunPipeline(const PipelineOptions& options);

// A table for people, then one JSON object on the last line when `json`.
void PrintPipeline(const PipelineOptions& options, const PipelineResult& result, bool json);

}  // namespace sealane::bench
