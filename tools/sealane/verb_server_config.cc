// sealane server-config: what nats-server needs to serve a fleet.
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/address.h"
#include "tools/sealane/command.h"
#include "tools/sealane/server_directory.h"
#include "tools/sealane/server_update.h"

namespace sealane::cli {
namespace {

absl::StatusOr<ServerConfigRequest> ParseRequest(const Args& args) {
  ServerConfigRequest request;
  request.directory = args.Get("directory");
  if (request.directory.empty() || !args.positional().empty()) {
    return InvalidArgument("give the directory to write to with --directory DIR");
  }
  request.store_dir = args.Get("store");
  request.server_name = args.Get("server-name");
  request.leaf_listen = args.Get("leaf-listen");
  request.operator_name = args.Get("operator");
  request.tls_cert = args.Get("tls-cert");
  request.tls_key = args.Get("tls-key");
  request.tls_client_ca = args.Get("tls-client-ca");
  request.clusters = args.All("cluster");
  request.platforms = args.All("platform");
  request.remove_clusters = args.All("remove-cluster");
  if (args.Has("listen")) {
    SEALANE_RETURN_IF_ERROR(
        ParseAddress("listen", args.Get("listen"), &request.listen_host, &request.listen_port));
  }
  if (args.Has("monitor")) {
    std::string ignored;  // the server's endpoints are on the host it listens on
    SEALANE_RETURN_IF_ERROR(
        ParseAddress("monitor", args.Get("monitor"), &ignored, &request.monitor_port));
  }
  return request;
}

int ServerConfig(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto request = ParseRequest(invocation.args);
  if (!request.ok()) return Fail(terminal, request.status());
  const auto lock = LockDirectory(request->directory, terminal);
  if (!lock.ok() && !absl::IsNotFound(lock.status())) return Fail(terminal, lock.status());
  ServerConfigOutcome outcome;
  const absl::Status status = WriteServerDirectory(*request, SystemDirectoryEnv(), &outcome);
  if (!status.ok()) return Fail(terminal, status);
  terminal.out << outcome.config_path << "  clusters: " << outcome.clusters
               << "  platforms: " << outcome.platforms << "\n";
  for (const std::string& user : outcome.new_logins) {
    terminal.out << "new login " << user << ", in " << request->directory
                 << (outcome.with_operator ? "/creds/" : "/passwords/") << user
                 << (outcome.with_operator ? ".creds" : "") << "\n";
  }
  for (const std::string& user : outcome.removed_logins) {
    terminal.out << "removed login " << user << "\n";
  }
  terminal.out << "Start: nats-server -c " << outcome.config_path
               << (outcome.with_operator
                       ? "   (`sealane join` tells a running one of a new cluster)\n"
                       : "   (a running one takes the change on SIGHUP, twice)\n");
  return kOk;
}

}  // namespace

Command ServerConfigCommand() {
  return {"server-config",
          "--directory DIR [--cluster NAME]... [--platform NAME]...",
          "Write the NATS server's configuration: accounts, logins, passwords",
          "May be run again: clusters and platforms add to those there are, logins stay.\n"
          "docs/bus.md tells of accounts, TLS, operator mode, rotation and leaf nodes.\n\n"
          "  sealane server-config --directory bus --cluster aws-virginia --platform paas\n"
          "  nats-server -c bus/nats-server.conf\n"
          "  sealane server-config --directory bus --cluster tencent-shanghai\n"
          "  kill -HUP PID; sleep 1; kill -HUP PID   # `sealane join` does all this\n",
          {{"directory", 'd', "DIR", "where to write nats-server.conf and passwords/"},
           {"cluster", 0, "NAME", "a member cluster: an account for its agent", true},
           {"platform", 0, "NAME", "a publishing platform: an account for it", true},
           {"remove-cluster", 0, "NAME", "take a cluster's account away", true},
           {"listen", 0, "HOST:PORT", "where the server listens (default 127.0.0.1:4222)"},
           {"leaf-listen", 0, "HOST:PORT", "where leaf nodes of tenants connect (default nowhere)"},
           {"tls-cert", 0, "FILE", "PEM of the server's certificate: clients must use TLS then"},
           {"tls-key", 0, "FILE", "PEM of its private key"},
           {"tls-client-ca", 0, "FILE", "clients must show a certificate of this authority, too"},
           {"operator", 0, "NAME",
            "accounts as signed JWTs (operator mode): clusters come and go without a reload"},
           {"monitor", 0, "HOST:PORT", "the server's HTTP endpoints (default none)"},
           {"store", 0, "DIR", "JetStream's files (default DIR/jetstream)"},
           {"server-name", 0, "NAME", "the server's name"}},
          false,
          ServerConfig};
}

}  // namespace sealane::cli
