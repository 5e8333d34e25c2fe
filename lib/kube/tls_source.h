#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/http/curl_transport.h"

namespace sealane::kube {

struct ClusterAccess;

// The authorities and the client certificate for connections to an API server, as they are now:
// files that others renew are read again when they changed (looked at every ten seconds at most),
// and a certificate that a credential plugin gave comes before one that the kubeconfig names. Files
// that cannot be read, or a certificate without its key, leave what was there before.
//
// Thread rule: the executor thread.
class TlsSource {
 public:
  // `env` must outlive it.
  TlsSource(Env env, const ClusterAccess& access);
  [[nodiscard]] std::shared_ptr<const http::TlsMaterial> Current();
  // PEM texts; both empty: the plugin has none.
  void SetPluginCertificate(std::string certificate, std::string key);

 private:
  // Changes whenever the file does: inode, size, time of change.
  using Mark = std::array<int64_t, 4>;
  struct File {
    std::string path;
    Mark mark = {};
  };

  static Mark MarkOf(const std::string& path);
  void ReadAgain();

  Env env_;
  File ca_;
  File certificate_;
  File key_;
  absl::Duration looked_;  // monotonic
  std::shared_ptr<const http::TlsMaterial> files_;
  std::pair<std::string, std::string> plugin_;
  std::shared_ptr<const http::TlsMaterial> current_;
};

}  // namespace sealane::kube
