#pragma once

namespace sealane::cli {

// deploy/agent/rbac.yaml, agent.yaml and cluster-scoped.yaml, as they are in the repository.
extern const char kAgentRights[];
extern const char kAgentDeployment[];
extern const char kAgentClusterScoped[];

}  // namespace sealane::cli
