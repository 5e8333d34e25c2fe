#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/curl_transport.h"
#include "lib/kube/kubeconfig.h"
#include "services/agent/agent_service.h"

namespace sealane::agent {
namespace {

std::vector<Flag> AgentFlags() {
  return {
      {"cluster", "Name of the cluster, as it is registered.", ""},
      {"kubeconfig", "File that says how to reach the API server; empty: the pod's own account.",
       ""},
      {"context", "Context of the kubeconfig; empty: its current-context.", ""},
      {"state-dir", "Directory that keeps works and inventory over restarts; empty: memory only.",
       ""},
      {"api-concurrency", "Requests to the API server at once.", "32"},
      {"api-timeout", "Time limit of one request to the API server.", "30s"},
      {"member-api",
       "What users of the control plane's Kubernetes API may do in this cluster: none, read, "
       "read-secrets or write.",
       "read"},
      {"heartbeat-interval", "How often the agent says that it is there.", "10s"},
  };
}

absl::StatusOr<std::unique_ptr<http::HttpTransport>> MakeTransport(
    const kube::ClusterAccess& access, std::shared_ptr<kube::TlsSource> tls, int concurrency,
    Executor& executor) {
  http::CurlTransportOptions options;
  options.base_url = access.server;
  options.tls = [tls = std::move(tls)] { return tls->Current(); };
  options.insecure_skip_verify = access.insecure_skip_tls_verify;
  options.tls_server_name = access.tls_server_name;
  options.proxy = access.proxy_url;
  options.user_agent = "sealane-agent";
  // Probes pass by the client's own limit.
  options.max_concurrent = static_cast<size_t>(concurrency) + 4;
  SEALANE_ASSIGN_OR_RETURN(auto transport,
                           http::CurlTransport::Create(std::move(options), executor));
  return std::unique_ptr<http::HttpTransport>(std::move(transport));
}

absl::StatusOr<std::unique_ptr<Service>> FromFlags(const Flags& flags, ServiceContext context) {
  AgentOptions options;
  options.cluster = flags.Get("cluster");
  if (options.cluster.empty()) return InvalidArgument("--cluster is required");
  SEALANE_ASSIGN_OR_RETURN(const int64_t concurrency, flags.GetInt("api-concurrency", 1, 1000));
  options.max_concurrent_requests = static_cast<int>(concurrency);
  SEALANE_ASSIGN_OR_RETURN(options.request_timeout, flags.GetDuration("api-timeout"));
  SEALANE_ASSIGN_OR_RETURN(options.heartbeat_interval, flags.GetDuration("heartbeat-interval"));
  if (options.request_timeout <= absl::ZeroDuration() ||
      options.heartbeat_interval <= absl::ZeroDuration()) {
    return InvalidArgument("--api-timeout and --heartbeat-interval must be positive");
  }
  const absl::StatusOr<MemberAccess> access_of_users = ParseMemberAccess(flags.Get("member-api"));
  if (!access_of_users.ok()) return Annotate(access_of_users.status(), "--member-api");
  options.member_access = *access_of_users;
  const std::string& kubeconfig = flags.Get("kubeconfig");
  SEALANE_ASSIGN_OR_RETURN(const kube::ClusterAccess access,
                           kubeconfig.empty()
                               ? kube::InClusterAccess()
                               : kube::LoadKubeconfig(kubeconfig, flags.Get("context")));
  AgentParts parts;
  const auto tls = std::make_shared<kube::TlsSource>(context.env, access);
  SEALANE_ASSIGN_OR_RETURN(
      parts.transport,
      MakeTransport(access, tls, options.max_concurrent_requests, context.env.executor));
  parts.credentials = kube::MakeCredentials(context.env, access, tls);
  if (flags.Get("state-dir").empty()) {
    parts.store = OpenMemoryStore(std::make_shared<MemoryDisk>());
  } else {
    SEALANE_ASSIGN_OR_RETURN(parts.store, OpenJournalOrMemory(flags.Get("state-dir")));
  }
  parts.memory = std::make_unique<MemoryKeeper>(context.env);
  return MakeAgent(std::move(context), std::move(options), std::move(parts));
}

}  // namespace

ServiceDefinition AgentDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-agent";
  definition.summary = "Keeps one member cluster as the control plane says, and reports on it.";
  definition.flags = AgentFlags();
  definition.make = FromFlags;
  return definition;
}

}  // namespace sealane::agent
