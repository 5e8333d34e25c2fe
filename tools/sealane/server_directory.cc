#include "tools/sealane/server_directory.h"

#include <sys/random.h>

#include <array>
#include <filesystem>

#include "lib/accounts/server_config.h"
#include "lib/core/event_loop.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"
#include "tools/sealane/operator_accounts.h"
#include "tools/sealane/server_fleet.h"

namespace sealane::cli {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::set<int>*> GenerationsOf(const std::string& cluster, ServerFleet& fleet) {
  const auto it = fleet.clusters.find(cluster);
  if (it != fleet.clusters.end()) return &it->second;
  std::vector<std::string> known;
  for (const auto& item : fleet.clusters) known.push_back(item.first);
  return NotFound(StrCat("there is no cluster ", cluster, "; there is: ", StrJoin(known, ", ")));
}

// The generations that end, of every cluster.
using Retired = std::map<std::string, std::set<int>>;

absl::Status UpdateClusters(const ServerConfigRequest& request, ServerFleet& fleet,
                            Retired& retired) {
  for (const std::string& cluster : request.clusters) {
    fleet.clusters.emplace(cluster, std::set<int>{1});
  }
  for (const std::string& cluster : request.renew_clusters) {
    SEALANE_ASSIGN_OR_RETURN(std::set<int>* const generations, GenerationsOf(cluster, fleet));
    if (generations->size() > 1) {
      return FailedPrecondition(
          StrCat("cluster ", cluster, " has two logins already; retire the old one first"));
    }
    generations->insert(*generations->rbegin() + 1);
  }
  for (const std::string& cluster : request.retire_clusters) {
    SEALANE_ASSIGN_OR_RETURN(std::set<int>* const generations, GenerationsOf(cluster, fleet));
    const int newest = *generations->rbegin();
    generations->erase(newest);
    retired[cluster].swap(*generations);
    *generations = {newest};
  }
  for (const std::string& cluster : request.remove_clusters) {
    SEALANE_ASSIGN_OR_RETURN(std::set<int>* const generations, GenerationsOf(cluster, fleet));
    retired[cluster] = *generations;
    fleet.clusters.erase(cluster);
  }
  return absl::OkStatus();
}

absl::Status Update(const ServerConfigRequest& request, bool is_new, ServerFleet& fleet,
                    Retired& retired) {
  const auto set = [](std::string& value, const std::string& wanted) {
    if (!wanted.empty()) value = wanted;
  };
  const auto set_path = [&](std::string& value, const std::string& wanted) {
    if (!wanted.empty()) value = fs::absolute(wanted).string();
  };
  if (!request.operator_name.empty() && request.operator_name != fleet.operator_name) {
    if (!is_new) {
      return FailedPrecondition(
          StrCat(request.directory, " has its accounts ",
                 fleet.operator_name.empty() ? std::string("in the configuration file")
                                             : StrCat("under operator ", fleet.operator_name),
                 "; that is chosen when the directory is made. Take a new directory"));
    }
    fleet.operator_name = request.operator_name;
  }
  set(fleet.listen_host, request.listen_host);
  if (request.listen_port != 0) fleet.listen_port = request.listen_port;
  if (request.monitor_port != 0) fleet.monitor_port = request.monitor_port;
  set(fleet.leaf_listen, request.leaf_listen);
  set(fleet.server_name, request.server_name);
  set_path(fleet.tls_cert, request.tls_cert);
  set_path(fleet.tls_key, request.tls_key);
  set_path(fleet.tls_client_ca, request.tls_client_ca);
  set(fleet.store_dir, request.store_dir);
  if (fleet.store_dir.empty()) {
    fleet.store_dir = (fs::path(request.directory) / "jetstream").string();
  }
  fleet.store_dir = fs::absolute(fleet.store_dir).string();
  fleet.platforms.insert(request.platforms.begin(), request.platforms.end());
  return UpdateClusters(request, fleet, retired);
}

absl::StatusOr<std::string> ReadStoredPassword(const std::string& path) {
  SEALANE_ASSIGN_OR_RETURN(std::string password, ReadFile(path));
  while (!password.empty() && password.back() == '\n') password.pop_back();
  if (password.empty()) return InvalidArgument(StrCat(path, ": the password file is empty"));
  return password;
}

// The logins' passwords, made when they are new.
class Passwords {
 public:
  Passwords(fs::path directory, const std::function<std::string()>& make,
            std::vector<std::string>& made)
      : directory_(std::move(directory)), make_(make), made_(made) {}

  absl::StatusOr<std::string> Of(const std::string& user) {
    const std::string path = (directory_ / user).string();
    absl::StatusOr<std::string> known = ReadStoredPassword(path);
    if (known.ok() || !absl::IsNotFound(known.status())) return known;
    std::string password = make_();
    SEALANE_RETURN_IF_ERROR(WriteFile(path, password + "\n", 0600));
    made_.push_back(user);
    return password;
  }

 private:
  fs::path directory_;
  const std::function<std::string()>& make_;
  std::vector<std::string>& made_;
};

absl::Status AddPasswords(const fs::path& directory, const ServerFleet& fleet,
                          const ServerDirectoryEnv& env, ServerConfigOptions& options,
                          ServerConfigOutcome& outcome) {
  SEALANE_RETURN_IF_ERROR(MakeDirectory(directory.string()));
  Passwords passwords(directory, env.new_password, outcome.new_logins);
  SEALANE_ASSIGN_OR_RETURN(options.hub_password, passwords.Of(options.hub_user));
  SEALANE_ASSIGN_OR_RETURN(options.gateway_password, passwords.Of(kGatewayUser));
  for (const auto& [cluster, generations] : fleet.clusters) {
    AccountLogin& login = options.clusters.emplace_back();
    login.name = cluster;
    for (const int generation : generations) {
      const std::string user = ClusterUser(cluster, generation);
      SEALANE_ASSIGN_OR_RETURN(std::string password, passwords.Of(user));
      login.more.push_back({user, std::move(password)});
    }
  }
  for (const std::string& platform : fleet.platforms) {
    SEALANE_ASSIGN_OR_RETURN(std::string password, passwords.Of(PlatformUser(platform)));
    options.platforms.push_back({platform, std::move(password)});
  }
  return absl::OkStatus();
}

ServerConfigOptions OptionsOf(const ServerFleet& fleet) {
  ServerConfigOptions options;
  options.listen_host = fleet.listen_host;
  options.listen_port = fleet.listen_port;
  options.monitor_port = fleet.monitor_port;
  options.leaf_listen = fleet.leaf_listen;
  options.store_dir = fleet.store_dir;
  options.server_name = fleet.server_name;
  options.tls = {fleet.tls_cert, fleet.tls_key, fleet.tls_client_ca};
  return options;
}

}  // namespace

absl::Status WriteServerDirectory(const ServerConfigRequest& request, const ServerDirectoryEnv& env,
                                  ServerConfigOutcome* outcome) {
  const fs::path directory(request.directory);
  const std::string fleet_path = (directory / "fleet.json").string();
  std::error_code error;
  const bool is_new = !fs::exists(fleet_path, error);
  SEALANE_ASSIGN_OR_RETURN(ServerFleet fleet, LoadServerFleet(fleet_path));
  Retired retired;
  SEALANE_RETURN_IF_ERROR(Update(request, is_new, fleet, retired));
  SEALANE_RETURN_IF_ERROR(MakeDirectory(directory.string()));

  ServerConfigOptions options = OptionsOf(fleet);
  outcome->with_operator = !fleet.operator_name.empty();
  for (const auto& [cluster, generations] : retired) {
    for (const int generation : generations) {
      outcome->removed_logins.push_back(ClusterUser(cluster, generation));
    }
  }
  const fs::path passwords = directory / "passwords";
  if (outcome->with_operator) {
    OperatorAccounts accounts(directory.string(), env.now(), *outcome);
    SEALANE_RETURN_IF_ERROR(accounts.Write(retired, fleet, options.oper));
  } else {
    SEALANE_RETURN_IF_ERROR(AddPasswords(passwords, fleet, env, options, *outcome));
  }
  SEALANE_ASSIGN_OR_RETURN(const std::string config, MakeServerConfig(options));
  outcome->config_path = (directory / kServerConfigFile).string();
  SEALANE_RETURN_IF_ERROR(WriteFile(outcome->config_path, config, 0600));
  SEALANE_RETURN_IF_ERROR(WriteFile(fleet_path, ServerFleetText(fleet), 0600));
  for (const std::string& user : outcome->removed_logins) {
    // Absent is what is wanted.
    fs::remove(passwords / user, error);
    fs::remove(CredentialsPath(request.directory, user), error);
  }
  outcome->clusters = static_cast<int>(fleet.clusters.size());
  outcome->platforms = static_cast<int>(fleet.platforms.size());
  return absl::OkStatus();
}

absl::StatusOr<ClusterLogin> LoginOf(const std::string& directory, const std::string& cluster) {
  SEALANE_ASSIGN_OR_RETURN(ServerFleet fleet,
                           LoadServerFleet((fs::path(directory) / "fleet.json").string()));
  SEALANE_ASSIGN_OR_RETURN(std::set<int>* const generations, GenerationsOf(cluster, fleet));
  ClusterLogin login;
  login.user = ClusterUser(cluster, *generations->rbegin());
  if (fleet.operator_name.empty()) {
    SEALANE_ASSIGN_OR_RETURN(
        login.password,
        ReadStoredPassword((fs::path(directory) / "passwords" / login.user).string()));
  } else {
    SEALANE_ASSIGN_OR_RETURN(login.creds, ReadFile(CredentialsPath(directory, login.user)));
  }
  return login;
}

ServerDirectoryEnv SystemDirectoryEnv() {
  return {RandomPassword, [] { return SystemClock().Now(); }};
}

std::string RandomPassword() {
  static constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQR23456789";
  std::array<unsigned char, 64> bytes;
  std::string password;
  while (password.size() < 46) {  // 46 * log2(48) > 256
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      continue;  // interrupted by a signal
    }
    for (const unsigned char byte : bytes) {
      // 240 = 5 * 48: every character is equally likely.
      if (byte < 240 && password.size() < 46) password.push_back(kAlphabet[byte % 48]);
    }
  }
  return password;
}

}  // namespace sealane::cli
