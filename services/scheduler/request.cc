#include "services/scheduler/request.h"

#include <limits>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/strings.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::scheduler {
namespace {

bool IsOn(const v1::Binding& binding, std::string_view option) {
  auto it = binding.options().find(std::string(option));
  return it != binding.options().end() && it->second == "true";
}

// Source: docs/scheduling.md; Karmada's newAssignState for the four it has.
Strategy StrategyOf(const v1::Placement& placement) {
  if (!placement.has_replica_scheduling()) return Strategy::kDuplicated;
  const v1::ReplicaSchedulingStrategy& rules = placement.replica_scheduling();
  if (rules.replica_scheduling_type() == "Duplicated") return Strategy::kDuplicated;
  if (rules.replica_scheduling_type() != "Divided") return Strategy::kUnsupported;
  if (rules.replica_division_preference() == "Aggregated") return Strategy::kAggregated;
  if (rules.replica_division_preference() != "Weighted") return Strategy::kUnsupported;
  return rules.weight_preference().dynamic_weight().empty() ? Strategy::kStaticWeight
                                                            : Strategy::kDynamicWeight;
}

std::vector<AffinityTerm> TermsOf(const v1::Placement& placement) {
  std::vector<AffinityTerm> terms;
  if (placement.has_cluster_affinity()) {
    terms.push_back({"", ClusterRule(placement.cluster_affinity()), {}});
    return terms;
  }
  for (const v1::ClusterAffinityTerm& term : placement.cluster_affinities()) {
    AffinityTerm& out = terms.emplace_back();
    out.name = term.affinity_name();
    out.primary = ClusterRule(term);
    for (const v1::ClusterAffinity& tier : term.overflow_affinities()) {
      out.overflow.emplace_back(tier);
    }
  }
  if (terms.empty()) terms.emplace_back();  // every cluster
  return terms;
}

std::vector<SpreadRule> SpreadOf(const v1::Placement& placement) {
  std::vector<SpreadRule> rules;
  for (const v1::SpreadConstraint& constraint : placement.spread_constraints()) {
    SpreadRule rule;
    rule.min_groups = constraint.min_groups();
    rule.max_groups =
        constraint.max_groups() > 0 ? constraint.max_groups() : std::numeric_limits<int64_t>::max();
    const std::string& field = constraint.spread_by_field();
    if (!constraint.spread_by_label().empty()) {
      rule.by = SpreadRule::By::kLabel;
      rule.label = constraint.spread_by_label();
    } else if (field == "region") {
      rule.by = SpreadRule::By::kRegion;
    } else if (field == "zone") {
      rule.by = SpreadRule::By::kZone;
    } else if (field == "provider") {
      rule.by = SpreadRule::By::kProvider;
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

// "<namespace>/<key>=<value>" when the object carries the label; else "".
std::string GroupOf(const v1::Binding& binding, const std::string& key) {
  if (key.empty()) return "";
  auto it = binding.labels().find(key);
  if (it == binding.labels().end()) return "";
  return StrCat(binding.ref().namespace_(), "/", key, "=", it->second);
}

// A workload of several templates is placed as a whole when it may run in one cluster only.
bool WantsOneCluster(const std::vector<SpreadRule>& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const SpreadRule& rule) {
    return rule.by == SpreadRule::By::kCluster && rule.min_groups == 1 && rule.max_groups == 1;
  });
}

}  // namespace

std::string_view Name(Strategy strategy) {
  switch (strategy) {
    case Strategy::kDuplicated:
      return "Duplicated";
    case Strategy::kStaticWeight:
      return "StaticWeight";
    case Strategy::kDynamicWeight:
      return "DynamicWeight";
    case Strategy::kAggregated:
      return "Aggregated";
    case Strategy::kUnsupported:
      break;
  }
  return "Unsupported";
}

std::string SpreadRule::Describe() const {
  switch (by) {
    case By::kCluster:
      return "cluster";
    case By::kRegion:
      return "region";
    case By::kZone:
      return "zone";
    case By::kProvider:
      return "provider";
    case By::kLabel:
      break;
  }
  return StrCat("label ", label);
}

Request::Request(const v1::Binding& from)
    : binding(&from),
      api_key(StrCat(from.ref().api_version(), "|", from.ref().kind())),
      replicas(from.replicas()),
      workload((from.replicas() > 0 || from.has_replica_requirements()) &&
               from.components_size() <= 1),
      components(from.components_size() > 0),
      all_clusters(from.explicit_all_clusters()),
      terms(TermsOf(from.placement())),
      spread(SpreadOf(from.placement())),
      strategy(StrategyOf(from.placement())),
      has_requirements(from.has_replica_requirements()),
      request(ParseResources(from.replica_requirements().resource_request())),
      names_descending(!from.uid().empty() && (Fnv1a32(from.uid()) & 1) == 1),
      honour_spread(IsOn(from, kHonourSpreadOption)),
      respect_capacity(IsOn(from, kRespectCapacityOption)) {
  component_sets = components && WantsOneCluster(spread);
  const auto& preference = from.placement().replica_scheduling().weight_preference();
  for (const v1::StaticClusterWeight& rule : preference.static_weight_list()) {
    weights.push_back({ClusterRule(rule.target_cluster()), rule.weight()});
  }
  for (const v1::Component& component : from.components()) {
    component_requests.push_back(
        {component.replicas(),
         ParseResources(component.replica_requirements().resource_request())});
  }
  for (const v1::GracefulEvictionTask& task : from.graceful_eviction_tasks()) {
    evicting.push_back(task.from_cluster());
  }
  std::sort(evicting.begin(), evicting.end());
  const v1::WorkloadAffinity& groups = from.placement().workload_affinity();
  affinity_group = GroupOf(from, groups.affinity().group_by_label_key());
  anti_affinity_group = GroupOf(from, groups.anti_affinity().group_by_label_key());
}

void Request::Evict(const std::vector<std::string>& clusters) {
  evicting.insert(evicting.end(), clusters.begin(), clusters.end());
  std::sort(evicting.begin(), evicting.end());
}

bool Request::CountsCapacity(const v1::Binding& binding) {
  const Strategy strategy = StrategyOf(binding.placement());
  return binding.replicas() > 0 &&
         (strategy == Strategy::kDynamicWeight || strategy == Strategy::kAggregated ||
          (strategy == Strategy::kStaticWeight && IsOn(binding, kRespectCapacityOption)));
}

bool Request::DividesByRoom(const v1::Binding& binding) {
  return CountsCapacity(binding) && StrategyOf(binding.placement()) != Strategy::kDuplicated &&
         binding.components_size() <= 1;
}

bool Request::IgnoresSpread() const {
  if (honour_spread || strategy != Strategy::kStaticWeight) return false;
  // An empty weightPreference is no static weighting yet: Karmada then honours the constraints.
  return !weights.empty() || !binding->placement().replica_scheduling().has_weight_preference();
}

Previous::Previous(const google::protobuf::RepeatedPtrField<v1::TargetCluster>& clusters) {
  entries_.reserve(static_cast<size_t>(clusters.size()));
  for (const v1::TargetCluster& target : clusters) {
    entries_.push_back({target.name(), target.replicas()});
  }
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.cluster < b.cluster; });
}

int64_t Previous::Replicas(std::string_view cluster) const {
  auto it =
      std::lower_bound(entries_.begin(), entries_.end(), cluster,
                       [](const Entry& e, std::string_view name) { return e.cluster < name; });
  return it != entries_.end() && it->cluster == cluster ? it->replicas : -1;
}

void Previous::Reduce(std::string_view cluster, int64_t replicas) {
  for (Entry& entry : entries_) {
    if (entry.cluster == cluster) entry.replicas = std::max<int64_t>(0, entry.replicas - replicas);
  }
}

void Previous::Remove(std::string_view cluster) {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [&](const Entry& e) { return e.cluster == cluster; }),
                 entries_.end());
}

}  // namespace sealane::scheduler
