#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealane::agent {

// What a cluster's owner lets the control plane's users do in the cluster through the agent,
// besides what the agent's own account may. Each includes those before it.
enum class MemberAccess {
  kNone,
  kRead,     // get, list, watch and logs of everything but Secrets
  kSecrets,  // also read Secrets
  kWrite,    // also create, change and delete
};

// none, read, read-secrets or write; INVALID_ARGUMENT otherwise.
[[nodiscard]] absl::StatusOr<MemberAccess> ParseMemberAccess(std::string_view text);

// Whether such a request may go to the API server. INVALID_ARGUMENT: a target that could be read in
// two ways; UNIMPLEMENTED: exec, attach, portforward and proxy; PERMISSION_DENIED otherwise.
// `target` is the path with its query. Pure.
[[nodiscard]] absl::Status MayAskMember(MemberAccess access, std::string_view method,
                                        std::string_view target);

}  // namespace sealane::agent
