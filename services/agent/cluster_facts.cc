#include "services/agent/cluster_facts.h"

#include <algorithm>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/kube/json_access.h"
#include "sealane/v1/cluster.pb.h"
#include "services/agent/node_shapes.h"
#include "services/agent/pods.h"

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetBool;
using kube::GetString;

// Pods are large and only passed by: small pages keep the memory small.
constexpr int kFactsPage = 100;

kube::ResourceType CoreType(std::string_view kind, std::string_view plural, bool namespaced) {
  kube::ResourceType type;
  type.version = "v1";
  type.kind = kind;
  type.plural = plural;
  type.namespaced = namespaced;
  type.can_list = true;
  return type;
}

kube::ReflectorOptions SmallPages() {
  kube::ReflectorOptions options;
  options.page_size = kFactsPage;
  return options;
}

void AddQuantities(const Json* map, Resources& out) {
  if (map == nullptr || !map->is_object()) return;
  for (const auto& entry : map->items()) {
    if (!entry.value().is_string()) continue;
    const auto quantity = Quantity::Parse(entry.value().get_ref<const std::string&>());
    if (quantity.ok()) out[entry.key()] += *quantity;
  }
}

void TakeLarger(const Resources& from, Resources& into) {
  for (const auto& entry : from) {
    Quantity& value = into[entry.first];
    if (entry.second > value) value = entry.second;
  }
}

void AddResources(const Resources& from, int sign, Resources& into) {
  for (const auto& entry : from) {
    Quantity& value = into[entry.first];
    if (sign > 0) {
      value += entry.second;
    } else {
      value -= entry.second;
    }
  }
}

bool IsReady(const Json& node) {
  const Json* conditions = Find(node, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& condition) {
    return GetString(condition, {"type"}) == "Ready" && GetString(condition, {"status"}) == "True";
  });
}

bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kPermissionDenied ||
         status.code() == absl::StatusCode::kNotFound;
}

uint64_t IdOf(const Json& object) { return Fnv1a64(GetString(object, {"metadata", "uid"})); }

template <typename Map>
void Export(const Resources& from, Map& to) {
  for (const auto& entry : from) {
    if (!entry.second.IsZero()) to[entry.first] = entry.second.ToString();
  }
}

}  // namespace

Resources PodRequests(const Json& pod) {
  Resources sum;
  if (const Json* containers = Find(pod, {"spec", "containers"});
      containers != nullptr && containers->is_array()) {
    for (const Json& container : *containers) {
      AddQuantities(Find(container, {"resources", "requests"}), sum);
    }
  }
  // Init containers run one after another, beside the restartable ones started before them.
  Resources sidecars;
  Resources peak;
  if (const Json* containers = Find(pod, {"spec", "initContainers"});
      containers != nullptr && containers->is_array()) {
    for (const Json& container : *containers) {
      Resources own = sidecars;
      AddQuantities(Find(container, {"resources", "requests"}), own);
      if (GetString(container, {"restartPolicy"}) == "Always") sidecars = own;
      TakeLarger(own, peak);
    }
  }
  AddResources(sidecars, 1, sum);
  TakeLarger(peak, sum);
  AddQuantities(Find(pod, {"spec", "overhead"}), sum);
  return sum;
}

ClusterFacts::ClusterFacts(kube::KubeClient& client, AgentMetrics& metrics, Hooks hooks)
    : client_(client),
      metrics_(metrics),
      hooks_(std::move(hooks)),
      executor_(client.env().executor) {}

void ClusterFacts::Start() {
  Refresh();
  kube::Reflector::Handler nodes;
  nodes.on_reset = [this](bool) { listed_nodes_.clear(); };
  nodes.on_put = [this](const Json& node) { OnNode(node); };
  nodes.on_delete = [this](const Json& node) {
    const auto it = nodes_.find(GetString(node, {"metadata", "name"}));
    if (it != nodes_.end()) nodes_.erase(it);
    Changed();
  };
  nodes.on_synced = [this] {
    std::erase_if(nodes_, [this](const auto& node) { return !listed_nodes_.contains(node.first); });
    listed_nodes_.clear();
    Changed();
  };
  nodes.on_status = [this](const absl::Status& status) {
    if (!status.ok()) metrics_.watch_failures.Increment();
    nodes_refused_ = IsRefusal(status);
  };
  node_reflector_ = std::make_unique<kube::Reflector>(client_, CoreType("Node", "nodes", false),
                                                      SmallPages(), std::move(nodes));
  node_reflector_->Start();

  kube::Reflector::Handler pods;
  pods.on_reset = [this](bool) { ++pod_round_; };
  pods.on_put = [this](const Json& pod) { OnPod(pod); };
  pods.on_delete = [this](const Json& pod) { DropPod(IdOf(pod)); };
  pods.on_synced = [this] {
    for (auto it = pods_.begin(); it != pods_.end();) {
      const auto pod = it++;
      if (pod->second.round == pod_round_) continue;
      Count(pod->second, -1);
      pods_.erase(pod);
    }
    Changed();
  };
  pods.on_status = [this](const absl::Status& status) {
    if (!status.ok()) metrics_.watch_failures.Increment();
    pods_refused_ = IsRefusal(status);
  };
  pod_reflector_ = std::make_unique<kube::Reflector>(client_, CoreType("Pod", "pods", true),
                                                     SmallPages(), std::move(pods));
  pod_reflector_->Start();
}

void ClusterFacts::Refresh() {
  client_.GetPath(
      "/version", "",
      [this, alive = executor_.alive()](const absl::Status& status, const Json* object) {
        if (alive.expired() || !status.ok()) return;
        const std::string_view version = GetString(*object, {"gitVersion"});
        if (version == version_) return;
        version_ = version;
        Changed();
      });
  client_.Get(CoreType("Namespace", "namespaces", false), "", "kube-system",
              [this, alive = executor_.alive()](const absl::Status& status, const Json* object) {
                if (alive.expired() || !status.ok()) return;
                const std::string_view uid = GetString(*object, {"metadata", "uid"});
                if (uid == cluster_id_) return;
                cluster_id_ = uid;
                Changed();
              });
}

bool ClusterFacts::known() const {
  return node_reflector_ != nullptr && (node_reflector_->synced() || nodes_refused_) &&
         (pod_reflector_->synced() || pods_refused_);
}

void ClusterFacts::Changed() { hooks_.on_change(); }

void ClusterFacts::OnNode(const Json& node) {
  const std::string name(GetString(node, {"metadata", "name"}));
  NodeFacts facts;
  facts.ready = IsReady(node);
  facts.schedulable = !GetBool(node, {"spec", "unschedulable"});
  AddQuantities(Find(node, {"status", "allocatable"}), facts.allocatable);
  if (const Json* labels = Find(node, {"metadata", "labels"}); labels && labels->is_object()) {
    for (const auto& label : labels->items()) {
      if (label.value().is_string()) facts.labels[label.key()] = label.value().get<std::string>();
    }
  }
  if (const Json* taints = Find(node, {"spec", "taints"}); taints && taints->is_array()) {
    for (const Json& taint : *taints) {
      facts.taints.push_back({std::string(GetString(taint, {"key"})),
                              std::string(GetString(taint, {"value"})),
                              std::string(GetString(taint, {"effect"}))});
    }
  }
  // What pods ask of it was counted before; pods may have come before their node.
  if (const auto known = nodes_.find(name); known != nodes_.end()) {
    facts.requested = std::move(known->second.requested);
  } else if (const auto index = node_index_.find(name); index != node_index_.end()) {
    for (const auto& pod : pods_) {
      if (pod.second.node != index->second) continue;
      AddResources(profiles_[pod.second.profile], 1, facts.requested);
      facts.requested["pods"] += Quantity::FromValue(1);
    }
  }
  listed_nodes_.insert(name);
  nodes_.insert_or_assign(name, std::move(facts));
  if (node_reflector_->synced()) Changed();
}

uint32_t ClusterFacts::NodeIndex(std::string_view name) {
  if (name.empty()) return 0;
  const auto inserted = node_index_.try_emplace(std::string(name), node_names_.size());
  if (inserted.second) node_names_.emplace_back(name);
  return inserted.first->second;
}

uint32_t ClusterFacts::ProfileOf(const Resources& requests) {
  std::string text;
  for (const auto& entry : requests) text += StrCat(entry.first, "=", entry.second.ToString(), ",");
  const auto inserted = profile_index_.try_emplace(text, profiles_.size());
  if (inserted.second) profiles_.push_back(requests);
  return inserted.first->second;
}

void ClusterFacts::OnPod(const Json& pod) {
  const uint64_t id = IdOf(pod);
  const std::string_view phase = GetString(pod, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") {
    DropPod(id);
  } else {
    PodRecord record;
    record.profile = ProfileOf(PodRequests(pod));
    record.node = NodeIndex(GetString(pod, {"spec", "nodeName"}));
    record.round = pod_round_;
    const auto it = pods_.find(id);
    const bool same =
        it != pods_.end() && it->second.profile == record.profile && it->second.node == record.node;
    if (same) {
      it->second.round = pod_round_;
    } else {
      if (it != pods_.end()) Count(it->second, -1);
      pods_[id] = record;
      Count(record, 1);
      if (pod_reflector_->synced()) Changed();
    }
  }
  if (!TroubleOf(pod).reason.empty()) {
    hooks_.on_pod_trouble(GetString(pod, {"metadata", "namespace"}));
  }
}

void ClusterFacts::DropPod(uint64_t id) {
  const auto it = pods_.find(id);
  if (it == pods_.end()) return;
  Count(it->second, -1);
  pods_.erase(it);
  if (pod_reflector_->synced()) Changed();
}

void ClusterFacts::Count(const PodRecord& record, int sign) {
  const Resources& requests = profiles_[record.profile];
  Resources& sum = record.node == 0 ? allocating_ : allocated_;
  AddResources(requests, sign, sum);
  sum["pods"] += Quantity::FromValue(sign);
  if (record.node == 0) return;
  const auto node = nodes_.find(node_names_[record.node]);
  if (node == nodes_.end()) return;
  AddResources(requests, sign, node->second.requested);
  node->second.requested["pods"] += Quantity::FromValue(sign);
}

void ClusterFacts::Fill(v1::Heartbeat& heartbeat) const {
  heartbeat.set_kubernetes_version(version_);
  heartbeat.set_cluster_id(cluster_id_);
  Resources allocatable;
  int ready = 0;
  for (const auto& entry : nodes_) {
    if (!entry.second.ready) continue;
    ++ready;
    if (entry.second.schedulable) AddResources(entry.second.allocatable, 1, allocatable);
  }
  heartbeat.mutable_node_summary()->set_total_num(static_cast<int32_t>(nodes_.size()));
  heartbeat.mutable_node_summary()->set_ready_num(ready);
  v1::ResourceSummary& summary = *heartbeat.mutable_resource_summary();
  Export(allocatable, *summary.mutable_allocatable());
  Export(allocated_, *summary.mutable_allocated());
  Export(allocating_, *summary.mutable_allocating());
  FillNodeShapes(nodes_, heartbeat);
}

}  // namespace sealane::agent
