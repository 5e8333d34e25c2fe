#include "lib/kube/credentials.h"

#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "lib/core/child.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

constexpr absl::Duration kTokenFileAge = absl::Minutes(1);
// A plugin's token is renewed this long before its end.
constexpr absl::Duration kExpiryMargin = absl::Seconds(30);
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

class ExecPluginCredentials final : public Credentials {
 public:
  ExecPluginCredentials(Env env, ExecPlugin plugin,
                        std::function<void(const ExecCredential&)> on_new)
      : env_(env), plugin_(std::move(plugin)), on_new_(std::move(on_new)) {}

  void Authorize(Callback callback) override {
    if (fresh_ && env_.clock.Now() + kExpiryMargin < expires_) return callback(header_);
    waiting_.push_back(std::move(callback));
    if (child_ == nullptr) Run();
  }
  void Invalidate() override { fresh_ = false; }

 private:
  void Run() {
    ChildOptions options;
    options.argv = plugin_.argv;
    options.environment = plugin_.environment;
    options.inherits = true;
    options.timeout = plugin_.timeout;
    options.max_output = kMaxPluginOutput;
    const Json info = {{"apiVersion", plugin_.api_version},
                       {"kind", "ExecCredential"},
                       {"spec", {{"interactive", false}}}};
    options.environment["KUBERNETES_EXEC_INFO"] = info.dump();
    child_ = std::make_unique<Child>(env_, std::move(options), [this](const ChildResult& result) {
      Finish(CredentialOf(result));
    });
  }

  [[nodiscard]] absl::StatusOr<ExecCredential> CredentialOf(const ChildResult& result) const {
    const auto fail = [](const std::string& why) {
      return absl::UnauthenticatedError(ToAbsl(why));
    };
    const std::string name = StrCat("credential plugin ", plugin_.argv[0]);
    if (absl::IsDeadlineExceeded(result.status))
      return fail(StrCat(name, " did not finish in time"));
    if (absl::IsUnavailable(result.status)) {
      const std::string_view hint = plugin_.install_hint;
      return fail(StrCat(ToStd(result.status.message()), hint.empty() ? "" : "; ", hint));
    }
    if (!result.status.ok()) return fail(StrCat(name, ": ", ToStd(result.status.message())));
    if (result.exit_code != 0) {
      return fail(StrCat(name, " exited with ", result.exit_code, ": ",
                         std::string_view(result.errors).substr(0, 500)));
    }
    return ParseExecCredential(result.output);
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
