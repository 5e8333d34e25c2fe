#pragma once

namespace sealane::cli {

// deploy/agent/rbac.yaml, agent.yaml, cluster-scoped.yaml and member-api.yaml, as they are in the
// repository.
extern const char kAgentRights[];
extern const char kAgentDeployment[];
extern const char kAgentClusterScoped[];
extern const char kAgentMemberApi[];

}  // namespace sealane::cli
