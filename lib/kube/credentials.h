#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane::kube {

// Where the value of the Authorization header comes from. Thread rule: the executor thread.
class Credentials {
 public:
  using Callback = std::function<void(absl::StatusOr<std::string>)>;
  virtual ~Credentials() = default;
  // Gives "Bearer ..." (empty: no header). May call back at once, when the value is at hand.
  virtual void Authorize(Callback callback) = 0;
  // The server refused the last value (401): the next Authorize gets a fresh one.
  virtual void Invalidate() = 0;
};

// A fixed token or user and password; an empty header means anonymous or a client certificate.
[[nodiscard]] std::unique_ptr<Credentials> StaticCredentials(std::string header);
[[nodiscard]] std::string BearerHeader(std::string_view token);
[[nodiscard]] std::string BasicHeader(std::string_view user, std::string_view password);

// A token in a file that someone else renews (a service account's projected token): read again when
// it is older than a minute, as client-go does.
[[nodiscard]] std::unique_ptr<Credentials> TokenFileCredentials(Env env, std::string path);

// A credential plugin of client.authentication.k8s.io (v1 or v1beta1).
struct ExecPlugin {
  std::string api_version = "client.authentication.k8s.io/v1";
  std::vector<std::string> argv;                   // program, then its arguments
  std::map<std::string, std::string> environment;  // added to this process'
  std::string install_hint;
  absl::Duration timeout = absl::Seconds(30);
};

// What a plugin gave: a token, a client certificate with its key (PEM), or both.
struct ExecCredential {
  std::string token;
  std::string certificate_pem;
  std::string key_pem;
  absl::Time expires = absl::InfiniteFuture();
};

// Runs the plugin when a credential is needed and keeps it until shortly before it expires (one
// that names no time: until the server refuses it). The plugin runs beside the event loop; requests
// that need its credential wait for it. `on_new` (may be empty) is told each new one before a
// request goes out with it. Errors: UNAUTHENTICATED with what the plugin wrote to standard error.
[[nodiscard]] std::unique_ptr<Credentials> ExecCredentials(
    Env env, ExecPlugin plugin, std::function<void(const ExecCredential&)> on_new = {});

// Reads an ExecCredential. Pure; for ExecCredentials and its tests.
[[nodiscard]] absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view output);

}  // namespace sealane::kube
