#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::cli {

// The configuration's name in its directory.
inline constexpr char kServerConfigFile[] = "nats-server.conf";

// What `sealane server-config` is asked for. Empty and 0 mean: as it was before, or the default.
struct ServerConfigRequest {
  std::string directory;
  std::string listen_host;
  int listen_port = 0;
  int monitor_port = 0;
  std::string leaf_listen;
  std::string store_dir;
  std::string server_name;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string operator_name;                 // only for a directory that is new
  std::vector<std::string> clusters;         // to add
  std::vector<std::string> platforms;        // to add
  std::vector<std::string> remove_clusters;  // their logins stop working
  std::vector<std::string> renew_clusters;   // get a second login beside the one they have
  std::vector<std::string> retire_clusters;  // keep only their newest login
};

// What a running server with an operator is told: everything, each time, so that nothing stays
// untold when telling it failed once.
struct AccountClaims {
  std::vector<std::string> accounts;  // JWTs, in the order in which they are to be sent
  std::string deletion;               // a deletion JWT; empty: no account goes
  std::vector<std::string> spent;     // files to remove when the server has taken the deletion
};

struct ServerConfigOutcome {
  std::string config_path;
  bool with_operator = false;
  std::vector<std::string> new_logins;  // user names
  std::vector<std::string> removed_logins;
  int clusters = 0;
  int platforms = 0;
  AccountClaims claims;
};

// The outside world of a server directory.
struct ServerDirectoryEnv {
  std::function<std::string()> new_password;
  std::function<absl::Time()> now;
};

// Writes into the directory:
//   nats-server.conf   the server's configuration
//   fleet.json         what was asked for so far, so that the next run only needs what is new
//   passwords/USER     one file per login: "sealane" (the services), "cluster-...", "platform-..."
// and with an operator, instead of the passwords:
//   creds/USER.creds   one file per login, and "system"
//   keys/NAME.seed     the secret keys of the operator and of every account: they stay here
//   accounts/KEY.jwt   the accounts' claims, from where the server takes them
// Logins that exist are kept. Everything is readable by the owner only.
[[nodiscard]] absl::Status WriteServerDirectory(const ServerConfigRequest& request,
                                                const ServerDirectoryEnv& env,
                                                ServerConfigOutcome* outcome);

// How a member cluster's agent logs in: with user and password, or with a credentials file.
struct ClusterLogin {
  std::string user;
  std::string password;
  std::string creds;  // the file's text; empty: by password
};

// The newest login of a cluster in a directory that WriteServerDirectory wrote; NOT_FOUND without
// it.
[[nodiscard]] absl::StatusOr<ClusterLogin> LoginOf(const std::string& directory,
                                                   const std::string& cluster);

// The real world: RandomPassword and the system's clock.
[[nodiscard]] ServerDirectoryEnv SystemDirectoryEnv();

// 256 bits from the kernel, as letters and digits.
[[nodiscard]] std::string RandomPassword();

}  // namespace sealane::cli
