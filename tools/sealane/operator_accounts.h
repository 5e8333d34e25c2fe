#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/accounts/claims.h"
#include "lib/accounts/nkey.h"
#include "lib/accounts/server_config.h"
#include "tools/sealane/server_directory.h"
#include "tools/sealane/server_fleet.h"

namespace sealane::cli {

// Who speaks to the server's resolver.
inline constexpr char kSystemUser[] = "system";

// DIRECTORY/creds/USER.creds
[[nodiscard]] std::string CredentialsPath(const std::string& directory, const std::string& user);

// The part of a server directory that an operator signs: keys, accounts, credentials. Everything
// is made when it is new and signed again when it says something else; what a running server is to
// be told goes into the outcome.
class OperatorAccounts {
 public:
  OperatorAccounts(std::string directory, absl::Time now, ServerConfigOutcome& outcome)
      : directory_(std::move(directory)), now_(now), outcome_(outcome) {}

  // `retired`: logins of clusters that end; those of a cluster that is no longer in the fleet take
  // its account with them. Writes the revocations into the fleet.
  absl::Status Write(const std::map<std::string, std::set<int>>& retired, ServerFleet& fleet,
                     ServerOperator& config);

 private:
  absl::StatusOr<NKey> Key(NKey::Type type, const std::string& name);
  absl::Status WriteAccount(const AccountLayout& layout, const NKey& oper,
                            const ServerFleet& fleet);
  absl::Status WriteUser(const std::string& user, const AccountLayout& layout);
  absl::Status Revoke(const std::string& cluster, const std::set<int>& generations,
                      ServerFleet& fleet);
  absl::Status Forget(const std::string& cluster, const NKey& oper);
  absl::Status CollectClaims(const NKey& oper);

  const std::string directory_;
  const absl::Time now_;
  ServerConfigOutcome& outcome_;
  std::map<std::string, std::string> jwts_;  // of the accounts there are, by public key
};

}  // namespace sealane::cli
