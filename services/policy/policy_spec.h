#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/model/identity.h"
#include "lib/model/selector.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::policy {

// Which objects a policy speaks about (karmada.md 2.1).
struct ResourceSelector {
  std::string api_version;
  std::string kind;
  std::string ns;    // empty: every namespace
  std::string name;  // set: label_selector is ignored
  bool has_label_selector = false;
  bool valid = true;  // false: a malformed label selector, which matches nothing
  Selector label_selector;
};

// What matching needs to know of an object. Borrowed: valid only during the call it is passed to.
struct ObjectView {
  const v1::ObjectRef& ref;
  const Json& manifest;
};

// How specifically a selector names an object; the best over a policy's selectors counts.
enum class MatchStrength { kNone = 0, kAll = 1, kLabel = 2, kName = 3 };
// "by name", "by labels", "all of the kind", "no".
[[nodiscard]] std::string_view StrengthName(MatchStrength strength);
[[nodiscard]] MatchStrength Matches(const std::vector<ResourceSelector>& selectors,
                                    const ObjectView& object);

// A PropagationPolicy or ClusterPropagationPolicy, parsed once.
struct PropagationPolicy {
  v1::ObjectRef ref;
  std::string uid;
  int64_t generation = 0;
  bool deleting = false;
  int32_t priority = 0;
  bool preempts = false;  // preemption: Always
  bool lazy = false;      // activationPreference: Lazy
  std::vector<ResourceSelector> selectors;
  std::vector<std::string> dependent_overrides;
  std::string priority_class;  // schedulePriority's PriorityClass; empty: none
  // Row keys of the override policies that must be there before this policy applies.
  [[nodiscard]] std::vector<std::string> DependentOverrideKeys() const;
  // Everything of the spec that a binding carries as it is: placement, failover, suspension,
  // conflict_resolution, preserve_resources_on_deletion, propagate_deps, scheduler_name, options
  // (the policy's sealane.io/ annotations). schedule_priority stays 0 here.
  v1::Binding defaults;

  [[nodiscard]] bool cluster_wide() const { return ref.namespace_().empty(); }
};

// Parses an admitted (defaulted) manifest of either kind.
[[nodiscard]] absl::StatusOr<PropagationPolicy> ParsePropagationPolicy(const Json& manifest);

// The policy that claims an object which no policy claims yet, or nullptr: namespaced policies of
// its namespace first, then explicit priority, match strength, smallest name. Policies being
// deleted and those that do not match are ignored.
[[nodiscard]] const PropagationPolicy* SelectPolicy(
    const ObjectView& object, const std::vector<const PropagationPolicy*>& candidates);

// Why `policy` comes after `first` when both match the object, for people: "its priority is lower
// (0, not 5)". "" when it comes before.
[[nodiscard]] std::string WhyAfter(const PropagationPolicy& policy, const PropagationPolicy& first,
                                   const ObjectView& object);

// Whether `challenger` takes the object from `holder`, both matching it (karmada.md 2.2).
[[nodiscard]] bool Preempts(const PropagationPolicy& challenger, const PropagationPolicy& holder);

// An OverridePolicy or ClusterOverridePolicy, parsed once. The rules' contents belong to
// services/policy/overrides.cc.
struct OverrideRules;
struct OverridePolicy {
  v1::ObjectRef ref;
  int64_t generation = 0;
  std::vector<ResourceSelector> selectors;  // empty: every object
  std::shared_ptr<const OverrideRules> rules;

  [[nodiscard]] bool cluster_wide() const { return ref.namespace_().empty(); }
};
[[nodiscard]] absl::StatusOr<OverridePolicy> ParseOverridePolicy(const Json& manifest);

// The override policies that concern an object, in the order they apply: cluster-wide before
// namespaced, within each by match strength ascending, then name; the later wins.
[[nodiscard]] std::vector<const OverridePolicy*> RelevantOverrides(
    const ObjectView& object, const std::vector<const OverridePolicy*>& candidates);

// The override policies that may come to concern an object while it is rendered: those that concern
// it as it is and, where cluster-wide ones change it first, every one of its namespace.
[[nodiscard]] std::vector<const OverridePolicy*> PossibleOverrides(
    const ObjectView& object, const std::vector<const OverridePolicy*>& candidates);

}  // namespace sealane::policy
