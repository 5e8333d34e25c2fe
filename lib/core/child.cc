#include "lib/core/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it undeclared

namespace sealane {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr size_t kMaxErrors = 64 << 10;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Child::Child(Env env, ChildOptions options, Done done)
    : env_(env),
      options_(std::move(options)),
      done_(std::move(done)),
      started_(env.clock.Monotonic()),
      executor_(env.executor) {
  executor_.Post([this] { Start(); });
}

Child::~Child() {
  Kill();
  for (const int fd : fds_) {
    if (fd >= 0) close(fd);
  }
}

void Child::Start() {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return Finish(Unavailable("pipe failed"));
  if (pipe2(err, O_CLOEXEC) != 0) {
    close(out[0]);
    close(out[1]);
    return Finish(Unavailable("pipe failed"));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, options_.input_file.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  // Neither the connection to the bus nor the listening socket: libraries leave those open over
  // exec.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> environment;
  for (char** entry = environ; options_.inherits && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (!options_.environment.contains(name)) environment.emplace_back(text);
  }
  for (const auto& [key, value] : options_.environment) {
    environment.push_back(StrCat(key, "=", value));
  }
  const std::vector<char*> arguments = Pointers(options_.argv);
  const std::vector<char*> variables = Pointers(environment);
  const int error = posix_spawnp(&pid_, options_.argv[0].c_str(), &actions, &attributes,
                                 arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(out[1]);
  close(err[1]);
  fds_[0] = out[0];
  fds_[1] = err[0];
  for (const int fd : fds_) fcntl(fd, F_SETFL, O_NONBLOCK);
  if (error != 0) {
    pid_ = -1;
    return Finish(Unavailable(StrCat("cannot run ", options_.argv[0], ": ", std::strerror(error))));
  }
  executor_.After(kPoll, [this] { Poll(); });
}

void Child::Poll() {
  Read(0, options_.max_output);
  Read(1, kMaxErrors);
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    // What it started and left behind goes with it.
    kill(-pid_, SIGKILL);
    pid_ = -1;
    Read(0, options_.max_output);
    Read(1, kMaxErrors);
    result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return Finish(too_much_ ? absl::ResourceExhaustedError("it wrote too much") : absl::OkStatus());
  }
  if (too_much_) {
    Kill();
    return Finish(absl::ResourceExhaustedError("it wrote too much"));
  }
  if (env_.clock.Monotonic() - started_ > options_.timeout) {
    Kill();
    return Finish(absl::DeadlineExceededError(ToAbsl(
        StrCat("no end within ", absl::FormatDuration(options_.timeout), "; it was stopped"))));
  }
  executor_.After(kPoll, [this] { Poll(); });
}

void Child::Read(int index, size_t limit) {
  std::string& text = index == 0 ? result_.output : result_.errors;
  char buffer[65536];
  while (true) {
    const ssize_t n = read(fds_[index], buffer, sizeof(buffer));
    if (n <= 0) return;
    if (text.size() + static_cast<size_t>(n) > limit) {
      too_much_ = too_much_ || index == 0;  // words beyond the limit are only left out
      continue;
    }
    text.append(buffer, static_cast<size_t>(n));
  }
}

void Child::Kill() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Child::Finish(absl::Status status) {
  result_.status = std::move(status);
  // The receiver may destroy this object.
  const Done done = std::move(done_);
  done(std::move(result_));
}

}  // namespace sealane
