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

// Runs the plugin when a token is needed and keeps the token until shortly before it expires. The
// plugin runs beside the event loop; requests that need its token wait for it. Errors:
// UNAUTHENTICATED with what the plugin wrote to standard error.
[[nodiscard]] std::unique_ptr<Credentials> ExecCredentials(Env env, ExecPlugin plugin);

// Reads an ExecCredential. Pure; for ExecCredentials and its tests.
struct ExecToken {
  std::string token;
  absl::Time expires = absl::InfiniteFuture();
};
[[nodiscard]] absl::StatusOr<ExecToken> ParseExecCredential(std::string_view output);

}  // namespace sealane::kube
