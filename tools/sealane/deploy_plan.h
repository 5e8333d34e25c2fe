#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sealane/v1/deploy.pb.h"
#include "tools/sealane/input.h"

namespace sealane::cli {

struct DeployPlanOptions {
  bool deleting = false;
  bool dry_run = false;
  bool all_or_nothing = false;
  std::string publisher;
  size_t max_event_bytes = 900 * 1024;  // below the bus' limit for one message
};

// The deploy events that carry the documents, in order; ids are set by the caller. Several when
// they do not fit into one message: INVALID_ARGUMENT then when all_or_nothing was asked for. A
// document too large for any message is named with its size.
[[nodiscard]] absl::StatusOr<std::vector<v1::DeployEvent>> PlanDeploy(
    const std::vector<Document>& documents, const DeployPlanOptions& options);

}  // namespace sealane::cli
