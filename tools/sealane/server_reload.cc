#include "tools/sealane/server_reload.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_split.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/files.h"
#include "tools/sealane/server_directory.h"

namespace sealane::cli {
namespace {

namespace fs = std::filesystem;

// nats-server 2.9 binds what a new account imports to the accounts of before the reload: messages
// of the new login reach nobody until the configuration is read once more.
constexpr int kReloads = 2;
constexpr absl::Duration kBetweenReloads = absl::Milliseconds(500);

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

absl::StatusOr<bool> ReloadServer(const std::string& directory,
                                  const std::function<void(absl::Duration)>& wait) {
  const pid_t pid = ServerOf(fs::path(directory) / kServerConfigFile);
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

}  // namespace sealane::cli
