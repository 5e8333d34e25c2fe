#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/accounts/layout.h"

namespace sealane {

struct UserLogin {
  std::string user;
  std::string password;  // plain, or a bcrypt hash as the server accepts
};

// The login of one member cluster's agent or one publishing platform.
struct AccountLogin {
  std::string name;      // of the cluster or platform, as in Cluster objects and subjects
  std::string password;  // of ClusterUser(name) or PlatformUser(name); empty: no such user
  std::vector<UserLogin> more = {};  // further users of the account, while a login is replaced
};

struct ServerTls {
  std::string cert_file;  // PEM; empty: no TLS
  std::string key_file;
  std::string client_ca_file;  // with it, clients must show a certificate signed by it
};

// The accounts as operator, account and user JWTs (claims.h) instead of a list in the file.
struct ServerOperator {
  std::string jwt;             // of the operator; empty: the accounts are in the file
  std::string system_account;  // its public key
  std::string system_jwt;
  std::string resolver_dir;  // holds <account's public key>.jwt
};

// What a nats-server for a fleet needs to know.
struct ServerConfigOptions {
  std::string listen_host = "127.0.0.1";
  int listen_port = 4222;
  int monitor_port = 0;        // HTTP endpoints of the server, on listen_host; 0: none
  std::string leaf_listen;     // "0.0.0.0:7422": where leaf nodes connect; empty: none may
  std::string server_name;     // required in a cluster
  std::string store_dir;       // of JetStream; required
  int64_t max_file_store = 0;  // bytes; 0: the server's default
  std::string hub_user = kServicesUser;
  std::string hub_password;            // required without an operator
  std::string gateway_password;        // of kGatewayUser; empty: no such user
  std::string system_password;         // user "system" of the system account; empty: no such user
  std::vector<AccountLogin> clusters;  // their logins; with an operator: unused
  std::vector<AccountLogin> platforms;
  ServerOperator oper;
  int64_t max_payload = 1 << 20;
  ServerTls tls;         // of clients and leaf nodes
  std::string log_file;  // empty: standard error
  std::string pid_file;
  // Several servers as one (replicated streams): all empty for a single server.
  std::string cluster_name;
  std::string cluster_listen;               // "0.0.0.0:6222"
  std::vector<std::string> cluster_routes;  // "nats://host:6222"
};

// The text of the server's configuration file: account HUB with JetStream for the services, one
// account per cluster and per platform that sees exactly its subjects (layout.h), nobody without a
// login. Clusters and platforms may be added later: write the file again and send the server
// SIGHUP, twice (nats-server 2.9 binds a new account's imports at the second). With an operator the
// accounts are not in the file and are pushed to the server instead.
// INVALID_ARGUMENT names the option that is missing, doubled or malformed.
[[nodiscard]] absl::StatusOr<std::string> MakeServerConfig(const ServerConfigOptions& options);

// What a leaf node of a tenant needs: one outgoing connection that has the rights of the cluster's
// login and nothing else; its agent connects to it without a login.
struct LeafConfigOptions {
  std::string listen_host = "127.0.0.1";
  int listen_port = 4222;
  std::string hub_url;  // nats-leaf://host:7422 or tls://host:7422
  std::string user;     // with password, or:
  std::string password;
  std::string creds_file;
  std::string hub_ca_file;  // PEM of the authority of the hub's certificate; empty: the system's
};
// INVALID_ARGUMENT names the option that is missing or malformed.
[[nodiscard]] absl::StatusOr<std::string> MakeLeafConfig(const LeafConfigOptions& options);

}  // namespace sealane
