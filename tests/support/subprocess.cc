#include "tests/support/subprocess.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

// Forks and executes; in the child, stdin/stdout/stderr become the given descriptors.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& argv, int in, int out,
                            const std::map<std::string, std::string>& env) {
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return Internal("fork failed");
  if (pid == 0) {
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (const auto& [name, value] : env) setenv(name.c_str(), value.c_str(), 1);
    execvp(args[0], args.data());
    _exit(127);
  }
  return pid;
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

absl::StatusOr<ProcessResult> RunProcess(const std::vector<std::string>& argv,
                                         absl::Duration timeout, const std::string& input,
                                         const std::map<std::string, std::string>& env) {
  // Standard input comes from an unlinked temporary file: no pipe to fill, no deadlock.
  std::FILE* in = std::tmpfile();
  if (in == nullptr) return Internal("cannot create a temporary file");
  std::fwrite(input.data(), 1, input.size(), in);
  std::rewind(in);
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return Internal("pipe failed");
  auto pid = Spawn(argv, fileno(in), pipe_fds[1], env);
  close(pipe_fds[1]);
  std::fclose(in);
  if (!pid.ok()) return pid.status();
  ProcessResult result;
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout);
  char buffer[65536];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd fd{pipe_fds[0], POLLIN, 0};
    if (left.count() <= 0 || poll(&fd, 1, static_cast<int>(left.count())) <= 0) {
      kill(*pid, SIGKILL);
      waitpid(*pid, nullptr, 0);
      close(pipe_fds[0]);
      return absl::DeadlineExceededError(
          ToAbsl(StrCat(argv[0], " did not end in time; output: ", result.output)));
    }
    const ssize_t n = read(pipe_fds[0], buffer, sizeof(buffer));
    if (n <= 0) break;
    result.output.append(buffer, static_cast<size_t>(n));
  }
  close(pipe_fds[0]);
  int status = 0;
  waitpid(*pid, &status, 0);
  result.exit_code = ExitCode(status);
  return result;
}

absl::StatusOr<Subprocess> Subprocess::Start(const std::vector<std::string>& argv,
                                             const std::string& log_path,
                                             const std::map<std::string, std::string>& env) {
  const std::string path = log_path.empty() ? "/dev/null" : log_path;
  const int out = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) return Internal(StrCat("cannot open ", path));
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  auto pid = Spawn(argv, in, out, env);
  close(in);
  close(out);
  if (!pid.ok()) return pid.status();
  return Subprocess(*pid);
}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    Kill(SIGKILL);
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

int Subprocess::Kill(int signal) {
  if (pid_ <= 0) return -1;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return ExitCode(status);
}

void Subprocess::Signal(int signal) const {
  if (pid_ <= 0 || kill(pid_, signal) != 0 || signal != SIGSTOP) return;
  // Its threads stop one after the other, after kill has returned.
  siginfo_t info = {};
  waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
}

bool Subprocess::Running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sealane-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  int port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

}  // namespace sealane
