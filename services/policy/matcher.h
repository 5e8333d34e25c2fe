#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "lib/bus/event_sink.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "services/policy/policy_metrics.h"
#include "services/policy/state.h"

namespace sealane::policy {

struct MatchOptions {
  // Namespaces whose objects are never propagated; a trailing * matches any rest.
  std::vector<std::string> skipped_namespaces = {"kube-*", "sealane-system", "karmada-system",
                                                 "karmada-cluster", "karmada-es-*"};
  // Kinds that are never propagated, "Kind.group" or "*.group"; beside the groups of policies.
  std::vector<std::string> skipped_kinds = {"Event", "*.events.k8s.io",
                                            "Lease.coordination.k8s.io"};
};

// What a policy takes from other objects.
struct PolicyNeeds {
  std::string missing;  // "OverridePolicy shop/region": until it is there the policy waits
  int32_t schedule_priority = 0;
};
[[nodiscard]] PolicyNeeds NeedsOf(const State& state, const PropagationPolicy& policy);

// Which policy claims an object: brings the object's binding row to what objects and policies say.
// The claim lives in the binding and is sticky (karmada.md 2.1-2.3). Thread rule: executor thread.
class Matcher {
 public:
  Matcher(Env env, State& state, EventSink& events, PolicyMetrics& metrics, MatchOptions options);

  // Row keys whose bindings must be looked at again because this one changed: what it needs.
  using Affected = std::set<std::string>;
  // Learns which objects need which from the tables, before the first Reconcile: what a parent
  // needs must not look unwanted until the parent is looked at.
  void LearnDependencies();
  // Brings one object's binding up to date. OK also when there is nothing to do.
  absl::Status Reconcile(const std::string& key, Affected* affected);
  // The one of `policies` that shall claim the object, which has the binding `current`, or nullptr.
  const PropagationPolicy* Claimer(const PolicyIndex& policies, const ObjectView& object,
                                   const v1::Binding* current) const;
  [[nodiscard]] bool NeverPropagated(const v1::ObjectRef& ref) const;

 private:
  void ReconcileDeleting(const std::string& key, const Row<v1::StoredObject>& object);
  // A lazy policy does not touch what runs until the user changes the object.
  [[nodiscard]] bool HeldByLazy(const PropagationPolicy& policy, const v1::StoredObject& object,
                                const v1::Binding* current) const;
  // Says once that the object's best policy waits; "" when it no longer does.
  void NoteWaiting(const std::string& key, const v1::StoredObject& object, std::string reason);
  void SetRequiredBy(const std::string& key, v1::Binding& binding) const;
  void SetDependencies(const std::string& key, const Json* manifest, const v1::Binding* binding,
                       Affected* affected);
  void Put(const std::string& key, v1::Binding binding, const v1::Binding* current);
  void Tell(const v1::Binding& binding, std::string_view reason, std::string message,
            bool warning = false);

  Env env_;
  State& state_;
  EventSink& events_;
  PolicyMetrics& metrics_;
  MatchOptions options_;
  StringMap<std::string> waiting_;  // object -> why its policy does not apply yet, as told
};

}  // namespace sealane::policy
