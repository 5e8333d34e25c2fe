#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::cli {

// Tells the nats-server that runs with the directory's configuration on this machine to read it
// again: SIGHUP, twice, `wait` lets half a second pass between (the source says why). False when
// none runs here. FAILED_PRECONDITION: it may not be signalled.
[[nodiscard]] absl::StatusOr<bool> ReloadServer(const std::string& directory,
                                                const std::function<void(absl::Duration)>& wait);

}  // namespace sealane::cli
