#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::cli {

// What `sealane server-config` is asked for. Empty and 0 mean: as it was before, or the default.
struct ServerConfigRequest {
  std::string directory;
  std::string listen_host;
  int listen_port = 0;
  int monitor_port = 0;
  std::string store_dir;
  std::string server_name;
  std::vector<std::string> clusters;         // to add
  std::vector<std::string> platforms;        // to add
  std::vector<std::string> remove_clusters;  // their logins stop working
};

struct ServerConfigOutcome {
  std::string config_path;
  std::vector<std::string> new_logins;  // user names
  std::vector<std::string> removed_logins;
  int clusters = 0;
  int platforms = 0;
};

// Writes into the directory:
//   nats-server.conf   the server's configuration
//   passwords/USER     one file per login: "sealane" (the services), "cluster-...", "platform-..."
//   fleet.json         what was asked for so far, so that the next run only needs what is new
// Passwords that exist are kept. `new_password` makes one. Everything is readable by the owner
// only.
[[nodiscard]] absl::Status WriteServerDirectory(const ServerConfigRequest& request,
                                                const std::function<std::string()>& new_password,
                                                ServerConfigOutcome* outcome);

// The password of a login in a directory that WriteServerDirectory wrote; NOT_FOUND without it.
[[nodiscard]] absl::StatusOr<std::string> PasswordOf(const std::string& directory,
                                                     const std::string& user);

// Tells the nats-server that runs with the directory's configuration on this machine to read it
// again: SIGHUP, twice, `wait` lets half a second pass between (the source says why). False when
// none runs here.
[[nodiscard]] absl::StatusOr<bool> ReloadServer(const std::string& directory,
                                                const std::function<void(absl::Duration)>& wait);

// 256 bits from the kernel, in letters and digits.
[[nodiscard]] std::string RandomPassword();

}  // namespace sealane::cli
