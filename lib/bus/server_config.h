#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sealane {

// The login of one member cluster's agent or one publishing platform.
struct AccountLogin {
  std::string name;      // of the cluster or platform, as in Cluster objects and deploy subjects
  std::string password;  // plain, or a bcrypt hash as the server accepts
};

struct ServerTls {
  std::string cert_file;
  std::string key_file;
  std::string ca_file;  // with it, clients must show a certificate signed by it
};

// What a nats-server for a fleet needs to know.
struct ServerConfigOptions {
  std::string listen_host = "127.0.0.1";
  int listen_port = 4222;
  int monitor_port = 0;        // HTTP endpoints of the server, on listen_host; 0: none
  std::string server_name;     // required in a cluster
  std::string store_dir;       // of JetStream; required
  int64_t max_file_store = 0;  // bytes; 0: the server's default
  std::string hub_user = "sealane";
  std::string hub_password;             // required
  std::string system_password;          // user "system" of the system account; empty: no such user
  std::vector<AccountLogin> clusters;   // user name: "cluster-<token>", see ClusterUser
  std::vector<AccountLogin> platforms;  // user name: "platform-<token>"
  int64_t max_payload = 1 << 20;
  ServerTls tls;         // empty cert_file: no TLS
  std::string log_file;  // empty: standard error
  std::string pid_file;
  // Several servers as one (replicated streams): all empty for a single server.
  std::string cluster_name;
  std::string cluster_listen;               // "0.0.0.0:6222"
  std::vector<std::string> cluster_routes;  // "nats://host:6222"
};

// User names of the logins: "cluster-<EncodeToken(name)>", "platform-<EncodeToken(name)>".
[[nodiscard]] std::string ClusterUser(std::string_view cluster);
[[nodiscard]] std::string PlatformUser(std::string_view platform);
// Account names: "CL_<EncodeToken(name)>", "PL_<EncodeToken(name)>".
[[nodiscard]] std::string ClusterAccount(std::string_view cluster);
[[nodiscard]] std::string PlatformAccount(std::string_view platform);

// The text of the server's configuration file: account HUB with JetStream for the services, one
// account per cluster and per platform that sees exactly its subjects (lib/bus/subjects.h), nobody
// without a login. Clusters and platforms may be added later: write the file again and send the
// server SIGHUP, twice (nats-server 2.9 binds a new account's imports at the second).
// INVALID_ARGUMENT names the option that is missing, doubled or malformed.
[[nodiscard]] absl::StatusOr<std::string> MakeServerConfig(const ServerConfigOptions& options);

}  // namespace sealane
