#include "tools/sealane/operator_accounts.h"

#include <filesystem>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kOperatorKey[] = "operator";

std::string KeyPath(const std::string& directory, const std::string& name) {
  return (fs::path(directory) / "keys" / (name + ".seed")).string();
}

std::string AccountPath(const std::string& directory, const std::string& public_key) {
  return (fs::path(directory) / "accounts" / (public_key + ".jwt")).string();
}

std::vector<std::string> Names(const std::map<std::string, std::set<int>>& clusters) {
  std::vector<std::string> names;
  for (const auto& item : clusters) names.push_back(item.first);
  return names;
}

// Writes a token unless the file already says the same; the token of the file.
absl::StatusOr<std::string> Keep(const std::string& path, std::string jwt) {
  absl::StatusOr<std::string> before = ReadFile(path);
  if (before.ok() && SameClaims(*before, jwt)) return before;
  SEALANE_RETURN_IF_ERROR(WriteFile(path, jwt, 0600));
  return jwt;
}

// A server that finds a directory of an account loads the account at its start (empty ones it
// removes). Without, 2.9 does so for the first connections, and two at once can leave the account
// without JetStream. Where the server is on another machine this means nothing.
void LoadAtStart(const std::string& store_dir, const std::string& account) {
  const fs::path directory = fs::path(store_dir) / "jetstream" / account;
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error) (void)WriteFile((directory / "account").string(), account + "\n", 0600);
}

}  // namespace

std::string CredentialsPath(const std::string& directory, const std::string& user) {
  return (fs::path(directory) / "creds" / (user + ".creds")).string();
}

absl::StatusOr<NKey> OperatorAccounts::Key(NKey::Type type, const std::string& name) {
  const std::string path = KeyPath(directory_, name);
  absl::StatusOr<std::string> seed = ReadFile(path);
  if (seed.ok()) {
    while (!seed->empty() && seed->back() == '\n') seed->pop_back();
    absl::StatusOr<NKey> key = NKey::FromSeed(*seed);
    if (!key.ok()) return Annotate(key.status(), path);
    if (key->type() != type) return InvalidArgument(StrCat(path, ": a key of another kind"));
    return key;
  }
  if (!absl::IsNotFound(seed.status())) return seed.status();
  SEALANE_ASSIGN_OR_RETURN(NKey made, NKey::Generate(type));
  SEALANE_RETURN_IF_ERROR(WriteFile(path, made.seed() + "\n", 0600));
  return made;
}

absl::Status OperatorAccounts::WriteAccount(const AccountLayout& layout, const NKey& oper,
                                            const ServerFleet& fleet) {
  SEALANE_ASSIGN_OR_RETURN(const NKey account, Key(NKey::Type::kAccount, layout.name));
  Revocations revoked;
  if (const auto it = fleet.revoked.find(layout.name); it != fleet.revoked.end()) {
    for (const auto& [user, since] : it->second) revoked[user] = absl::FromUnixSeconds(since);
  }
  const auto key_of = [this](const std::string& name) -> absl::StatusOr<std::string> {
    SEALANE_ASSIGN_OR_RETURN(const NKey key, Key(NKey::Type::kAccount, name));
    return key.public_key();
  };
  SEALANE_ASSIGN_OR_RETURN(std::string jwt,
                           AccountJwt(layout, account.public_key(), oper, key_of, revoked, now_));
  SEALANE_ASSIGN_OR_RETURN(jwts_[account.public_key()],
                           Keep(AccountPath(directory_, account.public_key()), std::move(jwt)));
  return absl::OkStatus();
}

absl::Status OperatorAccounts::WriteUser(const std::string& user, const AccountLayout& layout) {
  const std::string path = CredentialsPath(directory_, user);
  std::error_code error;
  if (fs::exists(path, error)) return absl::OkStatus();
  SEALANE_ASSIGN_OR_RETURN(const NKey account, Key(NKey::Type::kAccount, layout.name));
  SEALANE_ASSIGN_OR_RETURN(const NKey key, NKey::Generate(NKey::Type::kUser));
  SEALANE_ASSIGN_OR_RETURN(const std::string jwt,
                           UserJwt(user, key, layout.permissions, account, now_));
  SEALANE_RETURN_IF_ERROR(WriteFile(path, CredentialsText(jwt, key), 0600));
  outcome_.new_logins.push_back(user);
  return absl::OkStatus();
}

absl::Status OperatorAccounts::Revoke(const std::string& cluster, const std::set<int>& generations,
                                      ServerFleet& fleet) {
  for (const int generation : generations) {
    const std::string path = CredentialsPath(directory_, ClusterUser(cluster, generation));
    SEALANE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    const absl::StatusOr<NKey> key = KeyOfCredentials(text);
    if (!key.ok()) return Annotate(key.status(), path);
    fleet.revoked[ClusterAccount(cluster)][key->public_key()] = absl::ToUnixSeconds(now_);
  }
  return absl::OkStatus();
}

// What is left of an account sees nothing and lets nobody in, until the server has deleted it. The
// key goes: a cluster of that name that comes later gets a new one.
absl::Status OperatorAccounts::Forget(const std::string& cluster, const NKey& oper) {
  AccountLayout empty;
  empty.name = ClusterAccount(cluster);
  SEALANE_ASSIGN_OR_RETURN(const NKey key, Key(NKey::Type::kAccount, empty.name));
  SEALANE_ASSIGN_OR_RETURN(const std::string jwt,
                           AccountJwt(empty, key.public_key(), oper, {}, {{"*", now_}}, now_));
  SEALANE_RETURN_IF_ERROR(WriteFile(AccountPath(directory_, key.public_key()), jwt, 0600));
  std::error_code error;
  fs::remove(KeyPath(directory_, empty.name), error);
  return absl::OkStatus();
}

// Accounts whose key is not among those there are were forgotten.
absl::Status OperatorAccounts::CollectClaims(const NKey& oper) {
  std::vector<std::string> gone;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(directory_) / "accounts", error), end;
       !error && it != end; it.increment(error)) {
    const std::string key = it->path().stem().string();
    if (it->path().extension() == ".jwt" && !jwts_.contains(key)) gone.push_back(key);
  }
  if (error) return FailedPrecondition(StrCat(directory_, "/accounts: ", error.message()));
  for (const std::string& key : gone) {
    outcome_.claims.spent.push_back(AccountPath(directory_, key));
    SEALANE_ASSIGN_OR_RETURN(outcome_.claims.accounts.emplace_back(),
                             ReadFile(AccountPath(directory_, key)));
  }
  if (!gone.empty()) {
    SEALANE_ASSIGN_OR_RETURN(outcome_.claims.deletion, DeletionJwt(oper, gone, now_));
  }
  return absl::OkStatus();
}

absl::Status OperatorAccounts::Write(const std::map<std::string, std::set<int>>& retired,
                                     ServerFleet& fleet, ServerOperator& config) {
  const fs::path directory(directory_);
  for (const char* name : {"keys", "accounts", "creds"}) {
    SEALANE_RETURN_IF_ERROR(MakeDirectory((directory / name).string()));
  }
  SEALANE_ASSIGN_OR_RETURN(const NKey oper, Key(NKey::Type::kOperator, kOperatorKey));
  SEALANE_ASSIGN_OR_RETURN(const NKey system, Key(NKey::Type::kAccount, kSystemAccount));
  SEALANE_ASSIGN_OR_RETURN(std::string jwt,
                           OperatorJwt(fleet.operator_name, oper, system.public_key(), now_));
  SEALANE_ASSIGN_OR_RETURN(config.jwt,
                           Keep((directory / "keys" / "operator.jwt").string(), std::move(jwt)));
  config.system_account = system.public_key();
  config.resolver_dir = fs::absolute(directory / "accounts").string();
  AccountLayout system_layout;
  system_layout.name = kSystemAccount;
  SEALANE_RETURN_IF_ERROR(WriteAccount(system_layout, oper, fleet));
  config.system_jwt = jwts_[system.public_key()];
  SEALANE_RETURN_IF_ERROR(WriteUser(kSystemUser, system_layout));

  for (const auto& [cluster, generations] : retired) {
    if (fleet.clusters.contains(cluster)) {
      SEALANE_RETURN_IF_ERROR(Revoke(cluster, generations, fleet));
    } else {
      fleet.revoked.erase(ClusterAccount(cluster));
      SEALANE_RETURN_IF_ERROR(Forget(cluster, oper));
    }
  }
  for (const auto& [cluster, generations] : fleet.clusters) {
    const AccountLayout layout = ClusterLayout(cluster);
    SEALANE_RETURN_IF_ERROR(WriteAccount(layout, oper, fleet));
    for (const int generation : generations) {
      SEALANE_RETURN_IF_ERROR(WriteUser(ClusterUser(cluster, generation), layout));
    }
  }
  for (const std::string& platform : fleet.platforms) {
    const AccountLayout layout = PlatformLayout(platform);
    SEALANE_RETURN_IF_ERROR(WriteAccount(layout, oper, fleet));
    SEALANE_RETURN_IF_ERROR(WriteUser(PlatformUser(platform), layout));
  }
  const AccountLayout hub = HubLayout(Names(fleet.clusters));
  SEALANE_RETURN_IF_ERROR(WriteAccount(hub, oper, fleet));
  SEALANE_RETURN_IF_ERROR(WriteUser(kServicesUser, hub));
  AccountLayout gateway = hub;
  gateway.permissions = GatewayPermissions();
  SEALANE_RETURN_IF_ERROR(WriteUser(kGatewayUser, gateway));
  SEALANE_RETURN_IF_ERROR(CollectClaims(oper));
  SEALANE_ASSIGN_OR_RETURN(const NKey hub_key, Key(NKey::Type::kAccount, hub.name));
  for (const auto& [key, account] : jwts_) {
    if (key == system.public_key() || key == hub_key.public_key()) continue;
    outcome_.claims.accounts.push_back(account);
  }
  LoadAtStart(fleet.store_dir, hub_key.public_key());
  // Last: whoever it imports from must be known before it.
  outcome_.claims.accounts.push_back(jwts_[hub_key.public_key()]);
  return absl::OkStatus();
}

}  // namespace sealane::cli
