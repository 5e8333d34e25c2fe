#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "sealane/v1/deploy.pb.h"
#include "tools/sealane/command.h"

namespace sealane::cli {

// Who publishes: --publisher, else $USER, else "sealane".
[[nodiscard]] std::string Publisher(const Invocation& invocation);

// Publishes one operation and waits until it is durable. ABORTED names the field and the reason
// when the fleet does not take it.
[[nodiscard]] absl::StatusOr<v1::OperationResult> PublishOne(Fleet& fleet, v1::Operation operation,
                                                             const std::string& publisher,
                                                             absl::Duration timeout);

// Publishes the object with what `change` makes of its manifest, and only if nobody changed it
// meanwhile. `change` returns false when there is nothing to do; so does this function then.
// NOT_FOUND: there is no such object, or it is being removed.
[[nodiscard]] absl::StatusOr<bool> ChangeObject(Fleet& fleet, const v1::ObjectRef& ref,
                                                const std::string& publisher,
                                                absl::Duration timeout,
                                                const std::function<bool(Json& manifest)>& change);

}  // namespace sealane::cli
