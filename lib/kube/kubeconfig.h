#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/env.h"
#include "lib/kube/credentials.h"
#include "lib/kube/tls_source.h"

namespace sealane::kube {

// How to reach one API server, and as whom. Certificates and keys are PEM text; where they came
// from a file, its name is told as well.
struct ClusterAccess {
  std::string server;  // "https://host:port", possibly with a path prefix
  std::string ca_pem;  // empty: the system's authorities
  std::string ca_file;
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;
  std::string proxy_url;
  std::string client_cert_pem;
  std::string client_key_pem;
  std::string client_cert_file;
  std::string client_key_file;
  // At most one of these four is used: plugin, token file, token, user and password.
  std::optional<ExecPlugin> exec;
  std::string token_file;
  std::string token;
  std::string username;
  std::string password;
  std::string default_namespace;
};

// Parses a kubeconfig. `context` empty: current-context. Relative file names are relative to
// `directory` (the kubeconfig's own). INVALID_ARGUMENT names the context, cluster, user or field at
// fault.
[[nodiscard]] absl::StatusOr<ClusterAccess> ParseKubeconfig(std::string_view yaml,
                                                            std::string_view context,
                                                            std::string_view directory);
// Reads the file at `path`.
[[nodiscard]] absl::StatusOr<ClusterAccess> LoadKubeconfig(const std::string& path,
                                                           std::string_view context = {});

// The pod's own service account: KUBERNETES_SERVICE_HOST and _PORT and the files that kubelet puts
// under `directory`. FAILED_PRECONDITION outside a pod.
[[nodiscard]] absl::StatusOr<ClusterAccess> InClusterAccess(
    const std::string& directory = "/var/run/secrets/kubernetes.io/serviceaccount");

// The credentials that `access` describes. `env` must outlive them. A certificate that a plugin
// gives goes to `tls`.
[[nodiscard]] std::unique_ptr<Credentials> MakeCredentials(Env env, const ClusterAccess& access,
                                                           std::shared_ptr<TlsSource> tls);

}  // namespace sealane::kube
