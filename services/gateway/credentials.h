#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/server.h"
#include "lib/kubeapi/store.h"
#include "lib/kubeauth/authenticators.h"
#include "lib/kubeauth/jwt.h"
#include "lib/kubeauth/service_accounts.h"
#include "lib/kubeauth/static_tokens.h"
#include "lib/telemetry/metrics.h"
#include "services/gateway/key_fetcher.h"
#include "services/gateway/options.h"

namespace sealane::gateway {

// By what users are known, and by what the gateway is: the files that say it, read again when they
// change (looked at every ten seconds). A new file that is wrong is told and counted, and the old
// one stays in force. Thread rule: the executor thread.
class Credentials {
 public:
  struct Metrics {
    Counter& reloaded;
    Counter& failed;
    Gauge& certificate_expiry;  // Unix time; 0: not known
  };
  // Reads the files that the options name. Errors name the flag.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Credentials>> Load(Env env,
                                                                         const Options& options,
                                                                         Metrics metrics);
  // Tokens alone, for a gateway without files.
  Credentials(Env env, kubeauth::StaticTokens tokens, Metrics metrics);

  // Sets certificate, key and client authority as the files have them.
  void SetTls(http::HttpServerOptions& server) const;
  // The users of `store`'s service accounts are known from now on. Borrowed.
  void UseStore(const kubeapi::Store& store);
  // Looks at the files from now on; a new certificate goes to `server`, which may be nullptr.
  void Start(http::HttpServer* server);

  [[nodiscard]] kubeauth::Authenticator authenticator() const;
  // nullptr: no tokens are given out.
  [[nodiscard]] const std::shared_ptr<const kubeauth::ServiceAccounts>& service_accounts() const {
    return service_accounts_;
  }
  // Looks at the files now.
  void LookAgain();

 private:
  // Files that count together.
  struct Files {
    std::vector<std::pair<std::string, std::string>> paths;  // flag, file
    std::string stamp;                                       // of what was read last
    [[nodiscard]] std::string Stamp() const;                 // of what is there now
    // Takes their texts, in the same order.
    std::function<absl::Status(const std::vector<std::string>&)> take;
  };

  void Add(std::vector<std::pair<std::string, std::string>> paths,
           std::function<absl::Status(const std::vector<std::string>&)> take);
  absl::Status Read(Files& files);
  void LookLater();
  absl::Status AddKeys(const Options& options);

  Env env_;
  Metrics metrics_;
  kubeauth::OidcOptions oidc_;
  std::vector<Files> files_;
  // What users are known by now; authenticators look here.
  struct Known {
    kubeauth::StaticTokens tokens;
    std::shared_ptr<const kubeauth::KeySet> keys;  // of a file
    std::shared_ptr<const kubeauth::ServiceAccounts> accounts;
  };
  std::shared_ptr<Known> known_ = std::make_shared<Known>();
  std::optional<kubeauth::Key> account_key_;
  std::shared_ptr<const kubeauth::ServiceAccounts> service_accounts_;
  std::shared_ptr<KeyFetcher> fetcher_;
  std::string certificate_;
  std::string key_;
  std::string client_ca_;
  http::HttpServer* server_ = nullptr;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway
