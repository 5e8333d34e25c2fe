#include "services/gateway/credentials.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/certificate.h"
#include "lib/http/curl_transport.h"
#include "lib/kubeauth/oidc.h"
#include "lib/telemetry/log.h"

namespace sealane::gateway {
namespace {

using Texts = std::vector<std::string>;

constexpr absl::Duration kLook = absl::Seconds(10);
constexpr size_t kMaxKeySet = 1 << 20;

absl::StatusOr<std::string> ReadFile(std::string_view flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return InvalidArgument(StrCat("--", flag, ": cannot read ", path));
  return text.str();
}

// Changes when the file does, also when it is replaced by another (Kubernetes swaps a link).
std::string StampOf(const std::string& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  const auto size = std::filesystem::file_size(path, error);
  const auto real = std::filesystem::canonical(path, error);
  return StrCat(time.time_since_epoch().count(), " ", size, " ", real.string());
}

// "https://host:port" and the rest.
std::pair<std::string, std::string> SplitUrl(const std::string& url) {
  const size_t slash = url.find('/', std::string_view("https://").size());
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

}  // namespace

Credentials::Credentials(Env env, kubeauth::StaticTokens tokens, Metrics metrics)
    : env_(env), metrics_(metrics), executor_(env.executor) {
  known_->tokens = std::move(tokens);
}

std::string Credentials::Files::Stamp() const {
  std::string out;
  for (const auto& [flag, path] : paths) out += StampOf(path) + "\n";
  return out;
}

void Credentials::Add(std::vector<std::pair<std::string, std::string>> paths,
                      std::function<absl::Status(const Texts&)> take) {
  files_.push_back({std::move(paths), "", std::move(take)});
}

absl::Status Credentials::Read(Files& files) {
  // First, so that what is written meanwhile is seen the next time.
  files.stamp = files.Stamp();
  Texts texts;
  for (const auto& [flag, path] : files.paths) {
    SEALANE_ASSIGN_OR_RETURN(texts.emplace_back(), ReadFile(flag, path));
  }
  return Annotate(files.take(texts), StrCat("--", files.paths.front().first));
}

absl::StatusOr<std::unique_ptr<Credentials>> Credentials::Load(Env env, const Options& options,
                                                               Metrics metrics) {
  auto out = std::make_unique<Credentials>(env, kubeauth::StaticTokens(), metrics);
  Credentials& self = *out;
  self.oidc_ = options.oidc;
  self.Add({{"token-file", options.token_file}}, [&self](const Texts& texts) -> absl::Status {
    SEALANE_ASSIGN_OR_RETURN(self.known_->tokens, kubeauth::StaticTokens::Parse(texts[0]));
    return absl::OkStatus();
  });
  std::vector<std::pair<std::string, std::string>> tls = {{"tls-cert", options.tls_certificate},
                                                          {"tls-key", options.tls_key}};
  if (!options.client_ca.empty()) tls.emplace_back("client-ca", options.client_ca);
  self.Add(std::move(tls), [&self](const Texts& texts) -> absl::Status {
    const std::string authority = texts.size() > 2 ? texts[2] : "";
    if (self.server_ != nullptr) {
      SEALANE_RETURN_IF_ERROR(self.server_->SetTls(texts[0], texts[1], authority));
    }
    const auto expiry = http::CertificateExpiry(texts[0]);
    self.metrics_.certificate_expiry.Set(
        expiry.ok() ? static_cast<double>(absl::ToUnixSeconds(*expiry)) : 0);
    self.certificate_ = texts[0];
    self.key_ = texts[1];
    self.client_ca_ = authority;
    return absl::OkStatus();
  });
  SEALANE_RETURN_IF_ERROR(self.AddKeys(options));
  for (Files& files : self.files_) SEALANE_RETURN_IF_ERROR(self.Read(files));
  return out;
}

absl::Status Credentials::AddKeys(const Options& options) {
  if (!options.service_account_key.empty()) {
    // Once: a token of another key would be worth nothing at once.
    SEALANE_ASSIGN_OR_RETURN(const std::string pem,
                             ReadFile("service-account-key", options.service_account_key));
    auto key = kubeauth::ParsePrivateKey(pem);
    if (!key.ok()) return Annotate(key.status(), "--service-account-key");
    account_key_ = *std::move(key);
  }
  if (options.oidc_keys.empty()) return absl::OkStatus();
  if (!options.oidc_keys.starts_with("https://")) {
    Add({{"oidc-jwks", options.oidc_keys}}, [this](const Texts& texts) -> absl::Status {
      SEALANE_ASSIGN_OR_RETURN(kubeauth::KeySet keys, kubeauth::KeySet::Parse(texts[0]));
      known_->keys = std::make_shared<const kubeauth::KeySet>(std::move(keys));
      return absl::OkStatus();
    });
    return absl::OkStatus();
  }
  const auto [server, path] = SplitUrl(options.oidc_keys);
  http::CurlTransportOptions transport;
  transport.base_url = server;
  transport.max_response_bytes = kMaxKeySet;
  if (!options.oidc_ca.empty()) {
    SEALANE_ASSIGN_OR_RETURN(transport.ca_pem, ReadFile("oidc-ca", options.oidc_ca));
  }
  auto made = http::CurlTransport::Create(std::move(transport), env_.executor);
  if (!made.ok()) return Annotate(made.status(), "--oidc-jwks");
  fetcher_ = std::make_shared<KeyFetcher>(env_, *std::move(made), path, metrics_.failed);
  return absl::OkStatus();
}

void Credentials::SetTls(http::HttpServerOptions& server) const {
  server.certificate_pem = certificate_;
  server.private_key_pem = key_;
  server.client_ca_pem = client_ca_;
  server.client_certificate_optional = !client_ca_.empty();
}

void Credentials::UseStore(const kubeapi::Store& store) {
  if (!account_key_.has_value()) return;
  service_accounts_ =
      std::make_shared<const kubeauth::ServiceAccounts>(*account_key_, store, env_.clock);
  known_->accounts = service_accounts_;
}

void Credentials::Start(http::HttpServer* server) {
  server_ = server;
  if (fetcher_ != nullptr) fetcher_->Start();
  LookLater();
}

void Credentials::LookLater() {
  executor_.After(kLook, [this] {
    LookAgain();
    LookLater();
  });
}

void Credentials::LookAgain() {
  for (Files& files : files_) {
    if (files.Stamp() == files.stamp) continue;
    const absl::Status status = Read(files);
    (status.ok() ? metrics_.reloaded : metrics_.failed).Increment();
    if (status.ok()) {
      Logger("gateway").Info("read again", {{"flag", files.paths.front().first}});
    } else {
      Logger("gateway").Error("a new file is wrong; the old one stays in force",
                              {{"error", std::string(ToStd(status.message()))}});
    }
  }
}

kubeauth::Authenticator Credentials::authenticator() const {
  std::vector<kubeauth::Authenticator> all = {
      kubeauth::ByClientCertificate(),
      [known = known_](const http::HttpRequest& request) -> std::optional<kubeapi::UserInfo> {
        const std::string_view token = kubeauth::BearerToken(request);
        if (token.empty()) return std::nullopt;
        if (auto user = known->tokens.Find(token)) return user;
        return known->accounts == nullptr ? std::nullopt : known->accounts->UserOf(token);
      }};
  if (!oidc_.issuer.empty()) {
    kubeauth::KeySource source;
    source.keys = [known = known_, fetcher = fetcher_] {
      return fetcher == nullptr ? known->keys : fetcher->keys();
    };
    source.missing = [fetcher = fetcher_] {
      if (fetcher != nullptr) fetcher->Missing();
    };
    all.push_back(kubeauth::ByOidc(oidc_, std::move(source), env_.clock));
  }
  return kubeauth::FirstOf(std::move(all));
}

}  // namespace sealane::gateway
