#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/accounts/layout.h"
#include "lib/accounts/nkey.h"

namespace sealane {

// Claims of an operator-managed nats-server (github.com/nats-io/jwt, version 2), signed with
// Ed25519. `now` is when they are issued; none expires. Errors: INTERNAL when OpenSSL fails.

// The operator's word about itself.
[[nodiscard]] absl::StatusOr<std::string> OperatorJwt(std::string_view name, const NKey& oper,
                                                      std::string_view system_account,
                                                      absl::Time now);

// Users of an account that may no longer connect: public key to the time up to which what was
// issued for them is void; "*" stands for every user.
using Revocations = std::map<std::string, absl::Time>;

// An account with its exports, imports and revoked users, signed by the operator. `key_of` gives
// the public key of an account by its name (HUB's exports and imports name others).
[[nodiscard]] absl::StatusOr<std::string> AccountJwt(
    const AccountLayout& layout, std::string_view account, const NKey& oper,
    const std::function<absl::StatusOr<std::string>(const std::string&)>& key_of,
    const Revocations& revoked, absl::Time now);

// A user of an account, signed by the account.
[[nodiscard]] absl::StatusOr<std::string> UserJwt(std::string_view name, const NKey& user,
                                                  const AccountPermissions& permissions,
                                                  const NKey& account, absl::Time now);

// The request that $SYS.REQ.CLAIMS.DELETE takes: forget these accounts.
[[nodiscard]] absl::StatusOr<std::string> DeletionJwt(const NKey& oper,
                                                      const std::vector<std::string>& accounts,
                                                      absl::Time now);

// Whether two tokens of one issuer say the same, at whatever time. False for what is no token.
[[nodiscard]] bool SameClaims(std::string_view one, std::string_view other);

// The seed in a credentials file. INVALID_ARGUMENT when it has none.
[[nodiscard]] absl::StatusOr<NKey> KeyOfCredentials(std::string_view text);

// The credentials file that NATS clients take: the user's JWT and seed.
[[nodiscard]] std::string CredentialsText(std::string_view jwt, const NKey& user);

}  // namespace sealane
