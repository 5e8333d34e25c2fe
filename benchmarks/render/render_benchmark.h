#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sealane::bench {

struct RenderOptions {
  int objects = 10'000;
  int clusters = 10;
  int namespaces = 100;
};

struct RenderBenchmark {
  // Rendering alone: from the stored manifest to the canonical JSON that each cluster gets.
  struct Rate {
    std::string scenario;
    double works_per_second = 0;     // per core
    double distinct_per_second = 0;  // results made; clusters with equal results share one
    double micros_per_work = 0;
    double ratio = 0;  // micros_per_work / reference_micros
  };
  // One policy changed, on the whole service at rest.
  struct Edit {
    std::string what;
    uint64_t objects = 0;  // concerned
    double seconds = 0;    // of processor time, the memory bus included
    uint64_t matched = 0;
    uint64_t rendered = 0;
    uint64_t works_written = 0;
  };
  size_t manifest_bytes = 0;
  double reference_micros = 0;  // parsing and writing the same JSON once
  std::vector<Rate> rates;
  double deploy_seconds = 0;  // all objects through the whole service
  std::vector<Edit> edits;
  // Memory of the service beside the manifests' own bytes.
  double bytes_per_object = 0;  // stored, matched, bound
  double bytes_per_work = 0;    // for each of its clusters
};

[[nodiscard]] RenderBenchmark RunRenderBenchmark(const RenderOptions& options);

}  // namespace sealane::bench
