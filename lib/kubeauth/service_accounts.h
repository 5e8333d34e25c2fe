#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeapi/store.h"
#include "lib/kubeauth/authenticators.h"
#include "lib/kubeauth/jwt.h"

namespace sealane::kubeauth {

// Tokens of service accounts: given out on request (TokenRequest), signed with a key of this
// server, bound to the account's uid. One is good until it expires or its account is gone.
//
// Thread rule: the thread of the store.
class ServiceAccounts {
 public:
  static constexpr absl::Duration kDefaultLife = absl::Hours(1);
  static constexpr absl::Duration kLongestLife = absl::Hours(24);
  static constexpr absl::Duration kShortestLife = absl::Minutes(10);
  static constexpr char kIssuer[] = "https://kubernetes.default.svc";

  // `store` and `clock` must outlive it.
  ServiceAccounts(Key key, const kubeapi::Store& store, const Clock& clock);

  // The answer to a TokenRequest for an account: the request with its token. 422 when what it asks
  // for is wrong (an audience other than ours, a life outside the bounds above).
  [[nodiscard]] absl::StatusOr<Json> Issue(const kubeapi::StoredObject& account,
                                           const Json& request) const;
  // The account whose token that is.
  [[nodiscard]] std::optional<kubeapi::UserInfo> UserOf(std::string_view token) const;

 private:
  Key key_;
  KeySet keys_;
  const kubeapi::Store& store_;
  const Clock& clock_;
};

// The status of a TokenReview: who `token` is to `authenticate`.
[[nodiscard]] Json ReviewToken(const Authenticator& authenticate, std::string_view token);

}  // namespace sealane::kubeauth
