#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeauth/authenticators.h"
#include "lib/kubeauth/jwt.h"

namespace sealane::kubeauth {

// Whose ID tokens are believed and what they become: kube-apiserver's --oidc-* flags.
struct OidcOptions {
  std::string issuer;     // "iss" must be this
  std::string client_id;  // "aud" must be or contain this
  std::string username_claim = "sub";
  // Put before the name; "-": nothing. Empty: nothing for "email", else "<issuer>#".
  std::string username_prefix;
  std::string groups_claim;  // empty: no groups
  std::string groups_prefix;
};

// What clocks may differ by.
inline constexpr absl::Duration kClockLeeway = absl::Seconds(10);

// When a token is valid: exp is required; nbf and iat must not be in the future. UNAUTHENTICATED.
[[nodiscard]] absl::Status CheckTimes(const Json& claims, absl::Time now);
// UNAUTHENTICATED unless "iss" is `issuer` and "aud" is or contains `audience`.
[[nodiscard]] absl::Status CheckOrigin(const Json& claims, std::string_view issuer,
                                       std::string_view audience);

// The user of an ID token whose signature is right. UNAUTHENTICATED says what is wrong, for logs.
// No user and no group of the names that Kubernetes keeps for itself ("system:...") comes from
// outside: such a user is refused, such a group is left out. Pure.
[[nodiscard]] absl::StatusOr<kubeapi::UserInfo> UserOfClaims(const Json& claims,
                                                             const OidcOptions& options,
                                                             absl::Time now);

// The keys of now, and a place to ask for new ones when a token names one that is not there.
struct KeySource {
  std::function<std::shared_ptr<const KeySet>()> keys;
  std::function<void()> missing;  // may be empty
};

// Users by ID tokens. `clock` must outlive it.
[[nodiscard]] Authenticator ByOidc(OidcOptions options, KeySource keys, const Clock& clock);

}  // namespace sealane::kubeauth
