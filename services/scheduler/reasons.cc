#include "services/scheduler/reasons.h"

#include <algorithm>
#include <vector>

#include "lib/core/strings.h"
#include "lib/model/same_message.h"
#include "lib/model/toleration.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {
namespace {

const v1::ClusterAffinityTerm* TermNamed(const v1::Placement& placement, const std::string& name) {
  for (const v1::ClusterAffinityTerm& term : placement.cluster_affinities()) {
    if (term.affinity_name() == name) return &term;
  }
  return nullptr;
}

bool SameTerm(const v1::Placement& a, const v1::Placement& b, const std::string& name) {
  if (a.cluster_affinities().empty() && b.cluster_affinities().empty()) return true;
  const v1::ClusterAffinityTerm* left = TermNamed(a, name);
  const v1::ClusterAffinityTerm* right = TermNamed(b, name);
  return left != nullptr && right != nullptr && SameMessage(*left, *right);
}

template <typename Field>
bool SameList(const google::protobuf::RepeatedPtrField<Field>& a,
              const google::protobuf::RepeatedPtrField<Field>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Field& x, const Field& y) { return SameMessage(x, y); });
}

bool SameOptions(const v1::Binding& binding, const v1::Placed& placed) {
  for (std::string_view option : {kHonourSpreadOption, kRespectCapacityOption}) {
    const std::string key(option);
    const auto now = binding.options().find(key);
    const auto then = placed.observed_options().find(key);
    const std::string a = now == binding.options().end() ? "" : now->second;
    const std::string b = then == placed.observed_options().end() ? "" : then->second;
    if (a != b) return false;
  }
  return true;
}

}  // namespace

const v1::Taint* UntoleratedTaint(const v1::Binding& binding, const ClusterInfo& cluster,
                                  int64_t now_micros, int64_t* again_at) {
  if (binding.explicit_all_clusters()) return nullptr;
  for (const v1::Taint& taint : cluster.taints) {
    if (taint.effect() != "NoExecute") continue;
    const int64_t until = ToleratedUntilMicros(binding, taint);
    if (until <= now_micros) return &taint;
    if (until != kForever) *again_at = std::min(*again_at, until);
  }
  return nullptr;
}

Remaining RemainingPlacement(const Request& request, const AffinityTerm& term,
                             const v1::Placed& placed, const Snapshot& snapshot,
                             const WorkloadGroups* groups, int64_t now_micros) {
  Remaining remaining;
  remaining.previous = Previous(placed.clusters());
  FilterContext context{request, term, groups, now_micros};
  context.in_use = true;
  const Filters filters(context);
  int64_t again_at = kForever;
  std::vector<std::pair<std::string, std::string>> lost;  // cluster, why
  for (const v1::TargetCluster& target : placed.clusters()) {
    const ClusterInfo* cluster = snapshot.Find(target.name());
    if (cluster == nullptr) {
      lost.emplace_back(target.name(), "it is gone");
      continue;
    }
    if (const FilterMask mask = filters.Run(*cluster); mask != 0) {
      lost.emplace_back(target.name(), FilterReasons(context, *cluster, mask).front());
    } else if (const v1::Taint* taint =
                   UntoleratedTaint(*request.binding, *cluster, now_micros, &again_at);
               taint != nullptr) {
      lost.emplace_back(target.name(), StrCat("taint {", sealane::Describe(*taint), "}"));
    }
  }
  std::vector<std::string> texts;
  for (const auto& entry : lost) {
    remaining.previous.Remove(entry.first);
    texts.push_back(StrCat("cluster ", entry.first, ": ", entry.second));
  }
  remaining.lost = StrJoin(texts, "; ");
  remaining.lost_count = static_cast<int64_t>(lost.size());
  remaining.again_at_micros = again_at == kForever ? 0 : again_at;
  return remaining;
}

std::string RulesChanged(const v1::Binding& binding, const v1::Placed& placed) {
  const v1::Placement& now = binding.placement();
  const v1::Placement& then = placed.observed_placement();
  if (!SameMessage(now.cluster_affinity(), then.cluster_affinity()) ||
      now.has_cluster_affinity() != then.has_cluster_affinity() ||
      !SameTerm(now, then, placed.affinity_name())) {
    return "the cluster affinity changed";
  }
  if (!SameList(now.cluster_tolerations(), then.cluster_tolerations())) {
    return "the tolerations changed";
  }
  if (!SameList(now.spread_constraints(), then.spread_constraints())) {
    return "the spread constraints changed";
  }
  if (!SameMessage(now.replica_scheduling(), then.replica_scheduling())) {
    return "the replica scheduling changed";
  }
  if (!SameMessage(now.workload_affinity(), then.workload_affinity())) {
    return "the workload affinity changed";
  }
  return SameOptions(binding, placed) ? "" : "the options of the policy changed";
}

std::string ReplicasChanged(const Request& request, const v1::Placed& placed) {
  if (!request.workload) return "";
  int64_t sum = 0;
  bool same = true;
  for (const v1::TargetCluster& target : placed.clusters()) {
    sum += target.replicas();
    same = same && target.replicas() == request.replicas;
  }
  const bool duplicated = request.strategy == Strategy::kDuplicated;
  if (duplicated ? same : sum == request.replicas) return "";
  if (!duplicated) return StrCat("replicas ", sum, " -> ", request.replicas);
  return StrCat("replicas changed to ", request.replicas);
}

}  // namespace sealane::scheduler
