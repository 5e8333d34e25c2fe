#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/http/transport.h"
#include "lib/kube/credentials.h"
#include "lib/runtime/memory_keeper.h"
#include "lib/runtime/service.h"
#include "services/agent/member_access.h"
#include "services/agent/state_store.h"

namespace sealane::agent {

struct AgentOptions {
  std::string cluster;
  absl::Duration heartbeat_interval = absl::Seconds(10);
  int max_concurrent_requests = 32;
  absl::Duration request_timeout = absl::Seconds(30);
  std::string version = "0.1.0";
  // What people at the control plane may do in the cluster.
  MemberAccess member_access = MemberAccess::kRead;
};

// What the agent talks to besides the bus.
struct AgentParts {
  std::unique_ptr<http::HttpTransport> transport;  // to the cluster's API server
  std::unique_ptr<kube::Credentials> credentials;
  std::unique_ptr<StateStore> store;
  // Of a process that is an agent and nothing else; may be nullptr.
  std::unique_ptr<MemoryKeeper> memory;
};

// The agent of one member cluster: pull → apply → observe → report. See docs/agent.md.
[[nodiscard]] std::unique_ptr<Service> MakeAgent(ServiceContext context, AgentOptions options,
                                                 AgentParts parts);

// The process: flags and how they become an agent.
[[nodiscard]] ServiceDefinition AgentDefinition();

}  // namespace sealane::agent
