#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "benchmarks/pipeline/pipeline.h"

namespace sealane::bench {

// So many applications run in one cluster; it is lost, and all must go to another.
struct RelocationResult {
  uint64_t bindings = 0;
  double placed_seconds = 0;       // the cluster's taint published to the last placement seen
  double works_seconds = 0;        // ... to the last work that the new cluster's agent received
  double bare_placed_seconds = 0;  // a bare client publishes as many messages of the rows' sizes
  double bare_works_seconds = 0;   // ... of the placements' and the works' sizes
  double placed_ratio = 0;         // bare_placed_seconds / placed_seconds
  double works_ratio = 0;          // bare_works_seconds / works_seconds
  double scheduler_cpu_seconds = 0;
};

// Uses bin_dir, log_level and keep of the options.
[[nodiscard]] absl::StatusOr<RelocationResult> RunRelocation(const PipelineOptions& options,
                                                             int applications);

// Lines for people, then one JSON object on the last line when `json`.
void PrintRelocation(const RelocationResult& result, bool json);

}  // namespace sealane::bench
