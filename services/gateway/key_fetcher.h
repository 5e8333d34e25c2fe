#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/transport.h"
#include "lib/kubeauth/jwt.h"
#include "lib/telemetry/metrics.h"

namespace sealane::gateway {

// Keeps a JSON Web Key Set that is at a URL: fetched at once, every ten minutes, and when a token
// names a key that is not there, though not more often than every ten seconds. What was fetched
// last stays when the issuer does not answer, or answers nonsense. Thread rule: the executor
// thread.
class KeyFetcher {
 public:
  // `transport` reaches the URL's server, `path` is the rest of the URL. `failed` counts.
  KeyFetcher(Env env, std::unique_ptr<http::HttpTransport> transport, std::string path,
             Counter& failed);
  void Start();
  // nullptr: none have come yet.
  [[nodiscard]] const std::shared_ptr<const kubeauth::KeySet>& keys() const { return keys_; }
  // A token names a key that is not among them.
  void Missing();

 private:
  void Fetch();
  void OnAnswer(const absl::StatusOr<http::HttpResponse>& response);

  Env env_;
  std::unique_ptr<http::HttpTransport> transport_;
  const std::string path_;
  Counter& failed_;
  std::shared_ptr<const kubeauth::KeySet> keys_;
  absl::Duration asked_ = -absl::InfiniteDuration();  // monotonic: when it last was
  bool asking_ = false;
  TimerId timer_ = 0;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway
