#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/reflector.h"
#include "lib/kube/rest_mapping.h"
#include "lib/model/quantity.h"
#include "services/agent/agent_metrics.h"

namespace sealane::v1 {
class Heartbeat;
}  // namespace sealane::v1

namespace sealane::agent {

// Amounts by resource name.
using Resources = std::map<std::string, Quantity, std::less<>>;

// What a pod asks of its node: the containers' requests together, or the largest init container if
// that is more, plus the overhead; restartable init containers count as containers.
[[nodiscard]] Resources PodRequests(const Json& pod);

// What is kept of a node.
struct NodeFacts {
  bool ready = false;
  bool schedulable = true;
  Resources allocatable;
  Resources requested;  // by the pods on it; pods counts them
  std::map<std::string, std::string> labels;
  struct Taint {
    std::string key;
    std::string value;
    std::string effect;
  };
  std::vector<Taint> taints;
};

// Follows nodes and pods and keeps sums of them: a node's few facts, and some bytes for each pod.
// Thread rule: the executor thread.
class ClusterFacts {
 public:
  struct Hooks {
    std::function<void()> on_change;
    std::function<void(std::string_view ns)> on_pod_trouble;
  };
  ClusterFacts(kube::KubeClient& client, AgentMetrics& metrics, Hooks hooks);
  void Start();
  // Asks for the version and the id of the cluster (again).
  void Refresh();

  // Fills version, cluster id, node and resource summaries, and the shapes of nodes.
  void Fill(v1::Heartbeat& heartbeat) const;
  // Nodes and pods have been listed completely, or the server refuses to list them.
  [[nodiscard]] bool known() const;
  [[nodiscard]] const std::map<std::string, NodeFacts, std::less<>>& nodes() const {
    return nodes_;
  }

 private:
  struct PodRecord {
    uint32_t profile = 0;
    uint32_t node = 0;   // index into node_names_; 0: none yet
    uint32_t round = 0;  // of the last list that held it
  };

  void OnNode(const Json& node);
  void OnPod(const Json& pod);
  void DropPod(uint64_t id);
  void Count(const PodRecord& record, int sign);
  uint32_t ProfileOf(const Resources& requests);
  uint32_t NodeIndex(std::string_view name);
  void Changed();

  kube::KubeClient& client_;
  AgentMetrics& metrics_;
  Hooks hooks_;
  std::string version_;
  std::string cluster_id_;
  std::map<std::string, NodeFacts, std::less<>> nodes_;
  std::vector<std::string> node_names_{""};
  StringMap<uint32_t> node_index_;
  std::vector<Resources> profiles_;  // pods with equal requests share one
  StringMap<uint32_t> profile_index_;
  absl::flat_hash_map<uint64_t, PodRecord> pods_;  // by hash of the uid
  std::set<std::string> listed_nodes_;             // while listing
  uint32_t pod_round_ = 0;
  Resources allocated_;
  Resources allocating_;
  bool nodes_refused_ = false;
  bool pods_refused_ = false;
  std::unique_ptr<kube::Reflector> node_reflector_;
  std::unique_ptr<kube::Reflector> pod_reflector_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
