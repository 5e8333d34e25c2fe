#include "tools/sealane/server_directory.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "absl/strings/str_split.h"
#include "lib/bus/server_config.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHubUser = "sealane";
constexpr std::string_view kConfigFile = "nats-server.conf";
// nats-server 2.9 binds what a new account imports to the accounts of before the reload: messages
// of the new login reach nobody until the configuration is read once more.
constexpr int kReloads = 2;
constexpr absl::Duration kBetweenReloads = absl::Milliseconds(500);

// fleet.json; an absent file is an empty fleet.
struct Fleet {
  std::string listen_host = "127.0.0.1";
  int listen_port = 4222;
  int monitor_port = 0;
  std::string store_dir;
  std::string server_name;
  std::set<std::string> clusters;
  std::set<std::string> platforms;
};

absl::StatusOr<Fleet> LoadFleet(const std::string& path) {
  Fleet fleet;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return fleet;
  SEALANE_RETURN_IF_ERROR(text.status());
  try {
    const Json json = Json::parse(*text);
    fleet.listen_host = json.at("listenHost").get<std::string>();
    fleet.listen_port = json.at("listenPort").get<int>();
    fleet.monitor_port = json.at("monitorPort").get<int>();
    fleet.store_dir = json.at("storeDirectory").get<std::string>();
    fleet.server_name = json.at("serverName").get<std::string>();
    fleet.clusters = json.at("clusters").get<std::set<std::string>>();
    fleet.platforms = json.at("platforms").get<std::set<std::string>>();
  } catch (const Json::exception& e) {
    return InvalidArgument(StrCat(path, ": ", e.what()));
  }
  return fleet;
}

std::string FleetText(const Fleet& fleet) {
  const Json json = {{"listenHost", fleet.listen_host},   {"listenPort", fleet.listen_port},
                     {"monitorPort", fleet.monitor_port}, {"storeDirectory", fleet.store_dir},
                     {"serverName", fleet.server_name},   {"clusters", fleet.clusters},
                     {"platforms", fleet.platforms}};
  return json.dump(2) + "\n";
}

absl::Status Update(const ServerConfigRequest& request, Fleet& fleet) {
  if (!request.listen_host.empty()) fleet.listen_host = request.listen_host;
  if (request.listen_port != 0) fleet.listen_port = request.listen_port;
  if (request.monitor_port != 0) fleet.monitor_port = request.monitor_port;
  if (!request.store_dir.empty()) fleet.store_dir = request.store_dir;
  if (!request.server_name.empty()) fleet.server_name = request.server_name;
  if (fleet.store_dir.empty()) {
    fleet.store_dir = (fs::path(request.directory) / "jetstream").string();
  }
  fleet.store_dir = fs::absolute(fleet.store_dir).string();
  fleet.clusters.insert(request.clusters.begin(), request.clusters.end());
  fleet.platforms.insert(request.platforms.begin(), request.platforms.end());
  for (const std::string& cluster : request.remove_clusters) {
    if (fleet.clusters.erase(cluster) == 0) {
      std::string known = StrJoin(fleet.clusters, ", ");
      return NotFound(StrCat("there is no cluster ", cluster, " to remove; there is: ", known));
    }
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return FailedPrecondition(StrCat(path.string(), ": ", error.message()));
  fs::permissions(path, fs::perms::owner_all, error);
  if (error) return FailedPrecondition(StrCat(path.string(), ": ", error.message()));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
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
    absl::StatusOr<std::string> known = ReadPassword(path);
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

// The nats-server of this machine that was started with this configuration; 0: there is none.
pid_t ServerOf(const fs::path& config) {
  std::error_code error;
  const fs::path wanted = fs::canonical(config, error);
  if (error) return 0;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const fs::path process = it->path();
    const pid_t pid = static_cast<pid_t>(std::atol(process.filename().c_str()));
    const absl::StatusOr<std::string> name = ReadFile((process / "comm").string());
    if (pid <= 1 || !name.ok() || !name->starts_with("nats-server")) continue;
    const std::string line = ReadFile((process / "cmdline").string()).value_or("");
    std::error_code unreadable;
    const fs::path cwd = fs::read_symlink(process / "cwd", unreadable);
    for (const auto argument : absl::StrSplit(line, '\0')) {
      const std::string_view text = ToStd(argument);
      const size_t equals = text.find('=');
      const fs::path named(equals == std::string_view::npos ? text : text.substr(equals + 1));
      if (named.filename() != wanted.filename()) continue;
      if (fs::canonical(cwd / named, unreadable) == wanted) return pid;
    }
  }
  return 0;
}

}  // namespace

absl::Status WriteServerDirectory(const ServerConfigRequest& request,
                                  const std::function<std::string()>& new_password,
                                  ServerConfigOutcome* outcome) {
  const fs::path directory(request.directory);
  const std::string fleet_path = (directory / "fleet.json").string();
  SEALANE_ASSIGN_OR_RETURN(Fleet fleet, LoadFleet(fleet_path));
  SEALANE_RETURN_IF_ERROR(Update(request, fleet));
  SEALANE_RETURN_IF_ERROR(MakeDirectory(directory));
  SEALANE_RETURN_IF_ERROR(MakeDirectory(directory / "passwords"));

  ServerConfigOptions options;
  options.listen_host = fleet.listen_host;
  options.listen_port = fleet.listen_port;
  options.monitor_port = fleet.monitor_port;
  options.store_dir = fleet.store_dir;
  options.server_name = fleet.server_name;
  options.hub_user = std::string(kHubUser);
  Passwords passwords(directory / "passwords", new_password, outcome->new_logins);
  SEALANE_ASSIGN_OR_RETURN(options.hub_password, passwords.Of(options.hub_user));
  for (const std::string& cluster : fleet.clusters) {
    SEALANE_ASSIGN_OR_RETURN(std::string password, passwords.Of(ClusterUser(cluster)));
    options.clusters.push_back({cluster, std::move(password)});
  }
  for (const std::string& platform : fleet.platforms) {
    SEALANE_ASSIGN_OR_RETURN(std::string password, passwords.Of(PlatformUser(platform)));
    options.platforms.push_back({platform, std::move(password)});
  }
  SEALANE_ASSIGN_OR_RETURN(const std::string config, MakeServerConfig(options));

  outcome->config_path = (directory / kConfigFile).string();
  SEALANE_RETURN_IF_ERROR(WriteFile(outcome->config_path, config, 0600));
  SEALANE_RETURN_IF_ERROR(WriteFile(fleet_path, FleetText(fleet), 0600));
  for (const std::string& cluster : request.remove_clusters) {
    std::error_code ignored;  // absent is what is wanted
    fs::remove(directory / "passwords" / ClusterUser(cluster), ignored);
    outcome->removed_logins.push_back(ClusterUser(cluster));
  }
  outcome->clusters = static_cast<int>(fleet.clusters.size());
  outcome->platforms = static_cast<int>(fleet.platforms.size());
  return absl::OkStatus();
}

absl::StatusOr<std::string> PasswordOf(const std::string& directory, const std::string& user) {
  return ReadPassword((fs::path(directory) / "passwords" / user).string());
}

absl::StatusOr<bool> ReloadServer(const std::string& directory,
                                  const std::function<void(absl::Duration)>& wait) {
  const pid_t pid = ServerOf(fs::path(directory) / kConfigFile);
  if (pid == 0) return false;
  for (int times = 0; times < kReloads; ++times) {
    if (times > 0) wait(kBetweenReloads);
    if (kill(pid, SIGHUP) != 0) {
      return FailedPrecondition(
          StrCat("SIGHUP to nats-server (", pid, "): ", std::generic_category().message(errno)));
    }
  }
  return true;
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
