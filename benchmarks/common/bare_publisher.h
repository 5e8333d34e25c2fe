#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/env.h"

namespace sealane::bench {

struct BareResult {
  double seconds = 0;
  uint64_t messages = 0;
  uint64_t bytes = 0;  // of payload
};

struct BareOptions {
  std::string url;  // with user and password of an account that has JetStream
  std::string stream = "bare";
  std::vector<uint32_t> payload_sizes;  // one message each, every message on a subject of its own
  int max_pending = 4096;
};

// The reference of the benchmarks: nothing but the NATS C client, publishing asynchronously into a
// fresh stream with the settings of a table, until every message is acknowledged. The stream is
// deleted afterwards.
[[nodiscard]] absl::StatusOr<BareResult> PublishBare(const BareOptions& options, Clock& clock);

}  // namespace sealane::bench
