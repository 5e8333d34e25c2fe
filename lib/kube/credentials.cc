#include "lib/kube/credentials.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it undeclared

namespace sealane::kube {
namespace {

constexpr absl::Duration kTokenFileAge = absl::Minutes(1);
// A plugin's token is renewed this long before its end.
constexpr absl::Duration kExpiryMargin = absl::Seconds(30);
constexpr absl::Duration kPluginPoll = absl::Milliseconds(20);
constexpr size_t kMaxPluginOutput = 1 << 20;

class FixedHeader final : public Credentials {
 public:
  explicit FixedHeader(std::string header) : header_(std::move(header)) {}
  void Authorize(Callback callback) override { callback(header_); }
  void Invalidate() override {}

 private:
  std::string header_;
};

class TokenFile final : public Credentials {
 public:
  TokenFile(Env env, std::string path) : env_(env), path_(std::move(path)) {}

  void Authorize(Callback callback) override {
    const absl::Duration now = env_.clock.Monotonic();
    if (!header_.empty() && now - read_at_ < kTokenFileAge) return callback(header_);
    std::ifstream file(path_);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    const std::string token(absl::StripAsciiWhitespace(text));
    if (token.empty()) {
      // A token that can not be read now may come back; meanwhile the last one may still be valid.
      if (!header_.empty()) return callback(header_);
      return callback(absl::UnauthenticatedError(
          ToAbsl(StrCat("token file ", path_, " is missing, unreadable or empty"))));
    }
    header_ = BearerHeader(token);
    read_at_ = now;
    callback(header_);
  }
  void Invalidate() override { read_at_ = -kTokenFileAge; }

 private:
  Env env_;
  std::string path_;
  std::string header_;
  absl::Duration read_at_ = -kTokenFileAge;
};

// A child process whose output is collected without blocking.
class Child {
 public:
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }

  absl::Status Start(const std::vector<std::string>& argv,
                     const std::map<std::string, std::string>& added) {
    int out[2];
    int err[2];
    if (pipe2(out, O_CLOEXEC) != 0) return Unavailable("pipe failed");
    if (pipe2(err, O_CLOEXEC) != 0) {
      close(out[0]);
      close(out[1]);
      return Unavailable("pipe failed");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    std::vector<std::string> environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      if (!added.contains(std::string(text.substr(0, text.find('=')))))
        environment.emplace_back(text);
    }
    for (const auto& entry : added) environment.push_back(StrCat(entry.first, "=", entry.second));
    const std::vector<char*> arguments = Pointers(argv);
    const std::vector<char*> variables = Pointers(environment);
    const int error =
        posix_spawnp(&pid_, argv[0].c_str(), &actions, nullptr, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    fds_[0] = out[0];
    fds_[1] = err[0];
    for (const int fd : fds_) fcntl(fd, F_SETFL, O_NONBLOCK);
    if (error != 0) {
      pid_ = -1;
      return Unavailable(StrCat("cannot run ", argv[0], ": ", std::strerror(error)));
    }
    return absl::OkStatus();
  }

  // True when the process has ended; its exit code is then in exit_code().
  bool Poll() {
    Read(0);
    Read(1);
    if (pid_ <= 0) return true;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    pid_ = -1;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    Read(0);
    Read(1);
    return true;
  }
  [[nodiscard]] int exit_code() const { return exit_code_; }
  [[nodiscard]] const std::string& output() const { return text_[0]; }
  [[nodiscard]] const std::string& errors() const { return text_[1]; }

 private:
  static std::vector<char*> Pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
    out.push_back(nullptr);
    return out;
  }
  void Read(int index) {
    char buffer[4096];
    while (text_[index].size() < kMaxPluginOutput) {
      const ssize_t n = read(fds_[index], buffer, sizeof(buffer));
      if (n <= 0) return;
      text_[index].append(buffer, static_cast<size_t>(n));
    }
  }

  pid_t pid_ = -1;
  int fds_[2] = {-1, -1};
  int exit_code_ = -1;
  std::string text_[2];
};

class ExecPluginCredentials final : public Credentials {
 public:
  ExecPluginCredentials(Env env, ExecPlugin plugin,
                        std::function<void(const ExecCredential&)> on_new)
      : env_(env),
        plugin_(std::move(plugin)),
        on_new_(std::move(on_new)),
        executor_(env.executor) {}

  void Authorize(Callback callback) override {
    if (fresh_ && env_.clock.Now() + kExpiryMargin < expires_) return callback(header_);
    waiting_.push_back(std::move(callback));
    if (child_ == nullptr) Run();
  }
  void Invalidate() override { fresh_ = false; }

 private:
  void Run() {
    child_ = std::make_unique<Child>();
    started_ = env_.clock.Monotonic();
    auto environment = plugin_.environment;
    Json info = {{"apiVersion", plugin_.api_version},
                 {"kind", "ExecCredential"},
                 {"spec", {{"interactive", false}}}};
    environment["KUBERNETES_EXEC_INFO"] = info.dump();
    const absl::Status status = child_->Start(plugin_.argv, environment);
    if (!status.ok()) {
      executor_.Post([this, status] {
        Finish(absl::UnauthenticatedError(
            ToAbsl(plugin_.install_hint.empty()
                       ? std::string(ToStd(status.message()))
                       : StrCat(ToStd(status.message()), "; ", plugin_.install_hint))));
      });
      return;
    }
    executor_.After(kPluginPoll, [this] { Poll(); });
  }

  void Poll() {
    if (!child_->Poll()) {
      if (env_.clock.Monotonic() - started_ > plugin_.timeout) {
        Finish(absl::UnauthenticatedError(
            ToAbsl(StrCat("credential plugin ", plugin_.argv[0], " did not finish in time"))));
        return;
      }
      executor_.After(kPluginPoll, [this] { Poll(); });
      return;
    }
    if (child_->exit_code() != 0) {
      Finish(absl::UnauthenticatedError(
          ToAbsl(StrCat("credential plugin ", plugin_.argv[0], " exited with ", child_->exit_code(),
                        ": ", std::string_view(child_->errors()).substr(0, 500)))));
      return;
    }
    Finish(ParseExecCredential(child_->output()));
  }

  void Finish(absl::StatusOr<ExecCredential> credential) {
    child_.reset();
    absl::StatusOr<std::string> answer = std::string();
    if (credential.ok()) {
      header_ = credential->token.empty() ? std::string() : BearerHeader(credential->token);
      expires_ = credential->expires;
      fresh_ = true;
      if (on_new_) on_new_(*credential);
      answer = header_;
    } else {
      answer = credential.status();
    }
    for (const Callback& callback : std::exchange(waiting_, {})) callback(answer);
  }

  Env env_;
  ExecPlugin plugin_;
  std::function<void(const ExecCredential&)> on_new_;
  std::string header_;
  bool fresh_ = false;  // the plugin gave a credential that was not refused since
  absl::Time expires_ = absl::InfinitePast();
  std::deque<Callback> waiting_;
  std::unique_ptr<Child> child_;
  absl::Duration started_;
  ScopedExecutor executor_;
};

}  // namespace

std::string BearerHeader(std::string_view token) { return StrCat("Bearer ", token); }

std::string BasicHeader(std::string_view user, std::string_view password) {
  std::string encoded;
  absl::Base64Escape(ToAbsl(StrCat(user, ":", password)), &encoded);
  return StrCat("Basic ", encoded);
}

std::unique_ptr<Credentials> StaticCredentials(std::string header) {
  return std::make_unique<FixedHeader>(std::move(header));
}

std::unique_ptr<Credentials> TokenFileCredentials(Env env, std::string path) {
  return std::make_unique<TokenFile>(env, std::move(path));
}

std::unique_ptr<Credentials> ExecCredentials(Env env, ExecPlugin plugin,
                                             std::function<void(const ExecCredential&)> on_new) {
  return std::make_unique<ExecPluginCredentials>(env, std::move(plugin), std::move(on_new));
}

absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view output) {
  const Json json = Json::parse(output, nullptr, false);
  if (!json.is_object() || GetString(json, {"kind"}) != "ExecCredential") {
    return absl::UnauthenticatedError("credential plugin: its output is not an ExecCredential");
  }
  ExecCredential out;
  out.token = GetString(json, {"status", "token"});
  out.certificate_pem = GetString(json, {"status", "clientCertificateData"});
  out.key_pem = GetString(json, {"status", "clientKeyData"});
  if (out.certificate_pem.empty() != out.key_pem.empty()) {
    return absl::UnauthenticatedError(
        "credential plugin: status.clientCertificateData and status.clientKeyData must come "
        "together");
  }
  if (out.token.empty() && out.certificate_pem.empty()) {
    return absl::UnauthenticatedError(
        "credential plugin: neither status.token nor status.clientCertificateData is there");
  }
  const std::string_view expires = GetString(json, {"status", "expirationTimestamp"});
  if (!expires.empty()) {
    const auto time = ParseKubeTime(expires);
    if (!time.ok()) {
      return absl::UnauthenticatedError("credential plugin: malformed status.expirationTimestamp");
    }
    out.expires = *time;
  }
  return out;
}

}  // namespace sealane::kube
