#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/sealane/server_directory.h"

namespace sealane::cli {

// What an agent needs to join a fleet from within its cluster.
struct AgentManifestOptions {
  std::string cluster;
  std::string bus_url;  // as the agent reaches it
  ClusterLogin login;
  std::string bus_ca_pem;  // empty: the system's authorities, or no TLS
  std::string image = "sealane:latest";
  // What people at the control plane may do there (the agent's --member-api). "none": the rights
  // that reads need are left out, too.
  std::string member_api = "read";
  bool cluster_scoped = false;  // also the rights to deliver CRDs, roles and storage classes
};

// The manifests of deploy/agent, filled in, as YAML that `kubectl apply -f` takes: namespace,
// rights, login, Deployment. INTERNAL when the templates do not have what is to be filled in.
[[nodiscard]] absl::StatusOr<std::string> AgentManifest(const AgentManifestOptions& options);

// The Secret of these manifests alone, with another login: applied, a running agent takes it.
[[nodiscard]] absl::StatusOr<std::string> AgentSecret(const ClusterLogin& login);

}  // namespace sealane::cli
