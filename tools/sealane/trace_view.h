#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// The way of what one deploy event brought, from its acceptance to health in each cluster.
struct TraceDetails {
  std::string id;                          // the trace id
  std::optional<v1::DeployResult> result;  // kept for a day
  std::vector<v1::AppStatus> apps;         // whose newest generation came with it
  std::vector<v1::AppStatus> overtaken;    // named by `result`, with a newer generation by now
  v1::QueryReply works;                    // of `apps`: what was rendered and is not applied yet
  std::vector<v1::Event> events;           // what the services told about it, oldest first
};

// Pure, as views.h.
[[nodiscard]] std::string FormatTrace(const TraceDetails& trace, const ViewOptions& options);
// The same for programs: times in microseconds since the Unix epoch, 0 for what has not happened.
[[nodiscard]] Json TraceToJson(const TraceDetails& trace);

// "+0.8ms", "+12ms", "+1.25s", "+3m20s"; "-" when it has not happened (0).
[[nodiscard]] std::string FormatOffset(int64_t from_micros, int64_t to_micros);

}  // namespace sealane::cli
