#include "services/policy/policy_spec.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/expansion.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/kube/own_annotations.h"
#include "lib/kube/policy_admission.h"
#include "lib/model/placement_json.h"
#include "services/policy/override_rules.h"

namespace sealane::policy {
namespace {

using kube::Find;
using kube::GetBool;
using kube::GetInt;
using kube::GetString;

// The labels of a manifest in the form of a map, for LabelsView.
class ManifestLabels {
 public:
  // Stands for an iterator: what LabelsView needs of one.
  struct Entry {
    const std::string* text;
    struct Pair {
      const std::string& second;
      const Pair* operator->() const { return this; }
    };
    Pair operator->() const { return Pair{*text}; }
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  explicit ManifestLabels(const Json& manifest) : labels_(Find(manifest, {"metadata", "labels"})) {}
  [[nodiscard]] Entry find(std::string_view key) const {
    if (labels_ == nullptr || !labels_->is_object()) return end();
    const auto it = labels_->find(key);
    if (it == labels_->end() || !it->is_string()) return end();
    return Entry{it->get_ptr<const std::string*>()};
  }
  [[nodiscard]] static Entry end() { return Entry{nullptr}; }

 private:
  const Json* labels_;
};

MatchStrength StrengthOf(const ResourceSelector& selector, const ObjectView& object) {
  const v1::ObjectRef& ref = object.ref;
  if (ref.api_version() != selector.api_version || ref.kind() != selector.kind ||
      (!selector.ns.empty() && ref.namespace_() != selector.ns)) {
    return MatchStrength::kNone;
  }
  if (!selector.name.empty()) {
    return selector.name == ref.name() ? MatchStrength::kName : MatchStrength::kNone;
  }
  if (!selector.has_label_selector) return MatchStrength::kAll;
  const ManifestLabels labels(object.manifest);
  const bool matches = selector.valid && selector.label_selector.Matches(labels);
  return matches ? MatchStrength::kLabel : MatchStrength::kNone;
}

ResourceSelector ReadSelector(const Json& json) {
  ResourceSelector selector;
  selector.api_version = GetString(json, {"apiVersion"});
  selector.kind = GetString(json, {"kind"});
  selector.ns = GetString(json, {"namespace"});
  selector.name = GetString(json, {"name"});
  const Json* labels = Find(json, {"labelSelector"});
  if (labels == nullptr || labels->is_null()) return selector;
  selector.has_label_selector = true;
  v1::LabelSelector message;
  selector.valid = MessageFromJson(*labels, &message).ok();
  if (!selector.valid) return selector;
  auto compiled = Selector::Compile(message);
  selector.valid = compiled.ok();
  if (compiled.ok()) selector.label_selector = *std::move(compiled);
  return selector;
}

std::vector<ResourceSelector> ReadSelectors(const Json& spec) {
  std::vector<ResourceSelector> selectors;
  const Json* list = Find(spec, {"resourceSelectors"});
  if (list == nullptr || !list->is_array()) return selectors;
  for (const Json& item : *list) selectors.push_back(ReadSelector(item));
  return selectors;
}

std::string_view Annotation(const Json& manifest, std::string_view name) {
  return GetString(manifest, {"metadata", "annotations", name});
}

// Reads a part of the spec when it is there.
template <typename Message>
absl::Status ReadPart(const Json& spec, std::string_view name, Message* (v1::Binding::*part)(),
                      v1::Binding* binding) {
  const Json* json = Find(spec, {name});
  if (json == nullptr || json->is_null()) return absl::OkStatus();
  return Annotate(MessageFromJson(*json, (binding->*part)()), StrCat("spec.", name));
}

absl::StatusOr<OverrideRule> ReadRule(const Json& json) {
  OverrideRule rule;
  const Json* target = Find(json, {"targetCluster"});
  if (target != nullptr && !target->is_null()) {
    v1::ClusterAffinity affinity;
    SEALANE_RETURN_IF_ERROR(Annotate(MessageFromJson(*target, &affinity), "targetCluster"));
    rule.every_cluster = false;
    rule.target = AffinityMatcher(affinity);
  }
  const Json* overriders = Find(json, {"overriders"});
  rule.overriders = overriders != nullptr && overriders->is_object() ? *overriders : Json::object();
  return rule;
}

// The order in which policies come to claim an object, first comes first.
auto ClaimOrder(const PropagationPolicy& policy, MatchStrength strength) {
  return std::tuple(policy.cluster_wide(), -static_cast<int64_t>(policy.priority),
                    -static_cast<int>(strength), std::string_view(policy.ref.name()));
}

// Adds the labels that the rule may change.
void AddRelabels(const OverrideRule& rule, std::set<std::string, std::less<>>* labels) {
  if (const Json* list = Find(rule.overriders, {"labelsOverrider"});
      list != nullptr && list->is_array()) {
    for (const Json& overrider : *list) {
      const Json* values = Find(overrider, {"value"});
      if (values == nullptr || !values->is_object()) continue;
      for (const auto& [key, value] : values->items()) labels->insert(key);
    }
  }
  if (const Json* list = Find(rule.overriders, {"plaintext"});
      list != nullptr && list->is_array()) {
    for (const Json& patch : *list) {
      const std::string_view path = GetString(patch, {"path"});
      constexpr std::string_view kLabels = "/metadata/labels";
      if (path.starts_with(kLabels) || kLabels.starts_with(path)) labels->insert("");
    }
  }
}

}  // namespace

MatchStrength Matches(const std::vector<ResourceSelector>& selectors, const ObjectView& object) {
  MatchStrength best = MatchStrength::kNone;
  for (const ResourceSelector& selector : selectors) {
    best = std::max(best, StrengthOf(selector, object));
    if (best == MatchStrength::kName) break;
  }
  return best;
}

absl::StatusOr<PropagationPolicy> ParsePropagationPolicy(const Json& manifest) {
  const Json* spec = Find(manifest, {"spec"});
  if (spec == nullptr || !spec->is_object()) return InvalidArgument("spec is missing");
  PropagationPolicy policy;
  policy.ref = kube::RefOf(manifest);
  policy.priority = static_cast<int32_t>(GetInt(*spec, {"priority"}));
  policy.preempts = GetString(*spec, {"preemption"}) == "Always";
  policy.lazy = GetString(*spec, {"activationPreference"}) == "Lazy";
  policy.selectors = ReadSelectors(*spec);
  if (const Json* names = Find(*spec, {"dependentOverrides"});
      names != nullptr && names->is_array()) {
    for (const Json& name : *names) {
      if (name.is_string()) policy.dependent_overrides.push_back(name.get<std::string>());
    }
  }
  v1::Binding& defaults = policy.defaults;
  defaults.mutable_placement();  // an absent placement is the empty one: every cluster
  SEALANE_RETURN_IF_ERROR(ReadPart(*spec, "placement", &v1::Binding::mutable_placement, &defaults));
  SEALANE_RETURN_IF_ERROR(ReadPart(*spec, "failover", &v1::Binding::mutable_failover, &defaults));
  SEALANE_RETURN_IF_ERROR(
      ReadPart(*spec, "suspension", &v1::Binding::mutable_suspension, &defaults));
  defaults.set_conflict_resolution(std::string(GetString(*spec, {"conflictResolution"})));
  defaults.set_preserve_resources_on_deletion(GetBool(*spec, {"preserveResourcesOnDeletion"}));
  defaults.set_propagate_deps(GetBool(*spec, {"propagateDeps"}));
  defaults.set_scheduler_name(std::string(GetString(*spec, {"schedulerName"})));
  const Json* annotations = Find(manifest, {"metadata", "annotations"});
  if (annotations != nullptr && annotations->is_object()) {
    for (const auto& [name, value] : annotations->items()) {
      if (name.starts_with("sealane.io/") && value.is_string()) {
        (*defaults.mutable_options())[name] = value.get<std::string>();
      }
    }
  }
  policy.priority_class = GetString(*spec, {"schedulePriority", "priorityClassName"});
  return policy;
}

std::vector<std::string> PropagationPolicy::DependentOverrideKeys() const {
  std::vector<std::string> keys;
  keys.reserve(dependent_overrides.size());
  for (const std::string& name : dependent_overrides) {
    keys.push_back(RowKey(ObjectKey{std::string(kube::kPolicyGroup),
                                    cluster_wide() ? "ClusterOverridePolicy" : "OverridePolicy",
                                    ref.namespace_(), name}));
  }
  return keys;
}

const PropagationPolicy* SelectPolicy(const ObjectView& object,
                                      const std::vector<const PropagationPolicy*>& candidates) {
  const PropagationPolicy* best = nullptr;
  MatchStrength best_strength = MatchStrength::kNone;
  for (const PropagationPolicy* policy : candidates) {
    if (policy->deleting ||
        (!policy->cluster_wide() && policy->ref.namespace_() != object.ref.namespace_())) {
      continue;
    }
    const MatchStrength strength = Matches(policy->selectors, object);
    if (strength == MatchStrength::kNone) continue;
    if (best == nullptr || ClaimOrder(*policy, strength) < ClaimOrder(*best, best_strength)) {
      best = policy;
      best_strength = strength;
    }
  }
  return best;
}

std::string_view StrengthName(MatchStrength strength) {
  switch (strength) {
    case MatchStrength::kName:
      return "by name";
    case MatchStrength::kLabel:
      return "by labels";
    case MatchStrength::kAll:
      return "all of the kind";
    case MatchStrength::kNone:
      break;
  }
  return "no";
}

std::string WhyAfter(const PropagationPolicy& policy, const PropagationPolicy& first,
                     const ObjectView& object) {
  const MatchStrength strength = Matches(policy.selectors, object);
  const MatchStrength other = Matches(first.selectors, object);
  if (ClaimOrder(policy, strength) < ClaimOrder(first, other)) return "";
  if (policy.cluster_wide() != first.cluster_wide()) {
    return "policies of the object's namespace come first";
  }
  if (policy.priority != first.priority) {
    return StrCat("its priority is lower (", policy.priority, ", not ", first.priority, ")");
  }
  if (strength != other) {
    return StrCat("it matches less closely (", StrengthName(strength), ", not ",
                  StrengthName(other), ")");
  }
  return "its name comes later";
}

bool Preempts(const PropagationPolicy& challenger, const PropagationPolicy& holder) {
  if (!challenger.preempts || challenger.deleting) return false;
  if (challenger.cluster_wide() != holder.cluster_wide()) return holder.cluster_wide();
  return challenger.priority > holder.priority;
}

absl::StatusOr<OverridePolicy> ParseOverridePolicy(const Json& manifest) {
  const Json* spec = Find(manifest, {"spec"});
  if (spec == nullptr || !spec->is_object()) return InvalidArgument("spec is missing");
  OverridePolicy policy;
  policy.ref = kube::RefOf(manifest);
  policy.selectors = ReadSelectors(*spec);
  auto rules = std::make_shared<OverrideRules>();
  rules->all_containers = Annotation(manifest, kube::kContainersAnnotation) == "All";
  rules->expand = Annotation(manifest, kube::kExpandAnnotation) == "true";
  const Json* list = Find(*spec, {"overrideRules"});
  if (list != nullptr && list->is_array() && !list->empty()) {
    for (const Json& json : *list) {
      SEALANE_ASSIGN_OR_RETURN(OverrideRule rule, ReadRule(json));
      rules->rules.push_back(std::move(rule));
    }
  } else {
    // The deprecated form: one rule, in the spec itself.
    SEALANE_ASSIGN_OR_RETURN(OverrideRule rule, ReadRule(*spec));
    rules->rules.push_back(std::move(rule));
  }
  for (const OverrideRule& rule : rules->rules) AddRelabels(rule, &rules->relabels);
  if (rules->expand) {
    for (OverrideRule& rule : rules->rules) rule.references = kube::ReferencesIn(rule.overriders);
  }
  policy.rules = std::move(rules);
  return policy;
}

std::vector<const OverridePolicy*> RelevantOverrides(
    const ObjectView& object, const std::vector<const OverridePolicy*>& candidates) {
  using Order = std::tuple<bool, MatchStrength, std::string_view>;
  std::vector<std::pair<Order, const OverridePolicy*>> entries;
  for (const OverridePolicy* policy : candidates) {
    if (!policy->cluster_wide() && policy->ref.namespace_() != object.ref.namespace_()) continue;
    const MatchStrength strength =
        policy->selectors.empty() ? MatchStrength::kAll : Matches(policy->selectors, object);
    if (strength == MatchStrength::kNone) continue;
    entries.emplace_back(Order(!policy->cluster_wide(), strength, policy->ref.name()), policy);
  }
  std::sort(entries.begin(), entries.end());
  std::vector<const OverridePolicy*> ordered;
  ordered.reserve(entries.size());
  for (const auto& [order, policy] : entries) ordered.push_back(policy);
  return ordered;
}

std::vector<const OverridePolicy*> PossibleOverrides(
    const ObjectView& object, const std::vector<const OverridePolicy*>& candidates) {
  std::vector<const OverridePolicy*> possible = RelevantOverrides(object, candidates);
  if (possible.empty() || !possible.front()->cluster_wide()) return possible;
  std::erase_if(possible, [](const OverridePolicy* policy) { return !policy->cluster_wide(); });
  for (const OverridePolicy* policy : candidates) {
    if (!policy->cluster_wide()) possible.push_back(policy);
  }
  return possible;
}

}  // namespace sealane::policy
