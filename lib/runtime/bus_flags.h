#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/bus/nats_bus.h"
#include "lib/runtime/flags.h"

namespace sealane {

// How a process says where its message bus is and who it is there: --bus-url, --bus-user, ... Also
// for tools.
[[nodiscard]] std::vector<Flag> BusFlags();

// INVALID_ARGUMENT names the flag: a file that cannot be read, a certificate without its key.
[[nodiscard]] absl::StatusOr<NatsOptions> BusOptionsOf(const Flags& flags);

}  // namespace sealane
