#include "services/policy/matcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/time.h"
#include "lib/kube/dependencies.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "services/policy/binding.h"

namespace sealane::policy {
namespace {

constexpr std::string_view kOnDelete = "sealane.io/on-policy-delete";

// The classes that every API server has of itself.
std::optional<int32_t> BuiltinPriority(std::string_view name) {
  if (name == "system-cluster-critical") return 2'000'000'000;
  if (name == "system-node-critical") return 2'000'001'000;
  return std::nullopt;
}

// Whether the policy that claims or claimed it takes along what it placed.
bool Withdraws(const v1::Binding& binding) {
  const auto on_delete = binding.options().find(std::string(kOnDelete));
  return on_delete != binding.options().end() && on_delete->second == "Withdraw";
}

std::string Name(const v1::ObjectRef& ref) { return Describe(KeyOf(ref)); }

}  // namespace

PolicyNeeds NeedsOf(const State& state, const PropagationPolicy& policy) {
  PolicyNeeds needs;
  const std::vector<std::string> overrides = policy.DependentOverrideKeys();
  for (size_t i = 0; i < overrides.size(); ++i) {
    if (state.policies.FindOverride(overrides[i]) != nullptr) continue;
    needs.missing = policy.cluster_wide()
                        ? StrCat("ClusterOverridePolicy ", policy.dependent_overrides[i])
                        : StrCat("OverridePolicy ", policy.ref.namespace_(), "/",
                                 policy.dependent_overrides[i]);
    return needs;
  }
  if (policy.priority_class.empty()) return needs;
  const Row<v1::StoredObject>* row = state.objects.Find(PriorityClassKey(policy.priority_class));
  if (row != nullptr && !row->value.deleting()) {
    const Json manifest = Json::parse(row->value.manifest(), nullptr, false);
    needs.schedule_priority = static_cast<int32_t>(kube::GetInt(manifest, {"value"}));
  } else if (const auto builtin = BuiltinPriority(policy.priority_class)) {
    needs.schedule_priority = *builtin;
  } else {
    needs.missing = StrCat("PriorityClass ", policy.priority_class);
  }
  return needs;
}

Matcher::Matcher(Env env, State& state, EventSink& events, PolicyMetrics& metrics,
                 MatchOptions options)
    : env_(env), state_(state), events_(events), metrics_(metrics), options_(std::move(options)) {}

bool Matcher::NeverPropagated(const v1::ObjectRef& ref) const {
  const std::string_view group = GroupOf(ref.api_version());
  if (kube::IsControlGroup(group)) return true;
  for (const std::string_view pattern : options_.skipped_kinds) {
    const size_t dot = std::min(pattern.find('.'), pattern.size());
    const std::string_view kind = pattern.substr(0, dot);
    const std::string_view of =
        dot == pattern.size() ? std::string_view() : pattern.substr(dot + 1);
    if (of == group && (kind == "*" || kind == ref.kind())) return true;
  }
  const std::string& ns =
      ref.kind() == "Namespace" && ref.namespace_().empty() ? ref.name() : ref.namespace_();
  for (const std::string& pattern : options_.skipped_namespaces) {
    const bool prefix = pattern.ends_with('*');
    if (prefix ? ns.starts_with(pattern.substr(0, pattern.size() - 1)) : ns == pattern) return true;
  }
  return false;
}

void Matcher::LearnDependencies() {
  state_.dependencies = DependencyGraph();
  Affected everything_is_looked_at_anyway;
  for (const auto& [key, row] : state_.bindings.rows()) {
    const v1::Binding binding = row.Parse();
    if (!binding.propagate_deps() || binding.deleting()) continue;
    const std::optional<v1::StoredObject> object = state_.objects.Read(key);
    if (!object.has_value() || object->deleting()) continue;
    const std::shared_ptr<const Json> manifest = state_.manifests.Get(key, *object);
    if (manifest == nullptr) continue;
    SetDependencies(std::string(key), manifest.get(), &binding, &everything_is_looked_at_anyway);
  }
}

absl::Status Matcher::Reconcile(const std::string& key, Affected* affected) {
  const Row<v1::StoredObject>* object = state_.objects.Find(key);
  const Row<v1::Binding>* row = state_.bindings.Find(key);
  const v1::Binding* current = row == nullptr ? nullptr : &row->value;
  if (object == nullptr || object->value.deleting() || NeverPropagated(object->value.ref())) {
    SetDependencies(key, nullptr, nullptr, affected);
    waiting_.erase(key);
    if (current != nullptr && !current->deleting()) {
      v1::Binding binding = *current;
      binding.set_deleting(true);
      if (object != nullptr) binding.set_trace_id(object->value.trace_id());
      Put(key, std::move(binding), current);
    } else if (object != nullptr && object->value.deleting()) {
      ReconcileDeleting(key, *object);
    }
    return absl::OkStatus();
  }
  const std::shared_ptr<const Json> parsed = state_.manifests.Get(key, object->value);
  if (parsed == nullptr) return absl::InternalError("stored manifest is not JSON");
  const Json& manifest = *parsed;
  const ObjectView view{object->value.ref(), manifest};
  const PropagationPolicy* claimer = Claimer(state_.policies, view, current);
  v1::Binding binding;
  // A binding of an object that was deleted and created again begins anew, but its revisions go on.
  const bool continues = current != nullptr && current->uid() == object->value.uid();
  if (continues) binding = *current;
  const bool was_claimed = continues && current->has_policy();
  PolicyNeeds needs;
  if (claimer != nullptr) needs = NeedsOf(state_, *claimer);
  NoteWaiting(key, object->value,
              needs.missing.empty() ? std::string()
                                    : StrCat(Name(claimer->ref), " waits for ", needs.missing));
  // A policy that lost what it needs keeps what it has claimed, as it was; it claims nothing new.
  const bool held = !needs.missing.empty();
  if (held && !(was_claimed && current->policy_uid() == claimer->uid)) claimer = nullptr;
  if (claimer == nullptr && current != nullptr && current->deleting() &&
      state_.dependencies.ParentsOf(key).empty()) {
    SetDependencies(key, nullptr, nullptr, affected);
    return absl::OkStatus();  // on its way out, and still nobody wants it
  }
  binding.set_deleting(false);
  if (!continues) binding.set_created_micros(ToMicros(env_.clock.Now()));
  std::string told;
  if (claimer != nullptr) {
    if (HeldByLazy(*claimer, object->value, continues ? current : nullptr)) {
      *binding.mutable_policy() = claimer->ref;
      binding.set_policy_uid(claimer->uid);
      if (!continues) {
        *binding.mutable_ref() = object->value.ref();
        binding.set_uid(object->value.uid());
        binding.set_object_generation(object->value.generation());
      }
    } else {
      FillFromObject(object->value, manifest, binding);
      if (!held) {
        FillFromPolicy(*claimer, binding);
        binding.set_schedule_priority(needs.schedule_priority);
      }
    }
    if (!was_claimed || current->policy_uid() != claimer->uid) {
      told = StrCat("claimed by ", Name(claimer->ref));
      if (was_claimed) told += StrCat(", before by ", Name(current->policy()));
    }
  } else if (was_claimed || (continues && binding.required_by_size() == 0)) {
    // Unclaimed: what runs stays where it is and follows its object, unless the policy that left
    // said otherwise.
    const bool withdraw = was_claimed && Withdraws(*current) &&
                          state_.policies.FindPropagation(RowKey(current->policy())) == nullptr;
    FillFromObject(object->value, manifest, binding);
    if (withdraw && state_.dependencies.ParentsOf(key).empty()) {
      binding.set_deleting(true);
      Put(key, std::move(binding), current);
      Tell(*current, "Unclaimed", "its policy is gone and withdraws it", true);
      return absl::OkStatus();
    }
    if (was_claimed) {
      told = StrCat("no policy claims it any more; it stays where it is (was: ",
                    Name(current->policy()), ")");
      binding.clear_policy();
      binding.clear_policy_uid();
      binding.clear_policy_generation();
    }
  } else if (!state_.dependencies.ParentsOf(key).empty()) {
    FillFromObject(object->value, manifest, binding);
  } else if (continues && binding.required_by_size() > 0) {
    // Objects that no longer need it took it along. Where a policy had placed it before it left,
    // it stays, unless that policy withdraws what it placed.
    const Row<v1::Placed>* placed = state_.placements.Find(key);
    const bool stays = placed != nullptr && placed->value.uid() == binding.uid() &&
                       placed->value.clusters_size() > 0 && !Withdraws(*current);
    if (!stays) {
      binding.set_deleting(true);
      binding.clear_required_by();
      Put(key, std::move(binding), current);
      return absl::OkStatus();
    }
    FillFromObject(object->value, manifest, binding);
  } else {
    SetDependencies(key, nullptr, nullptr, affected);
    return absl::OkStatus();  // nobody wants it anywhere
  }
  SetRequiredBy(key, binding);
  if (!continues || binding.object_generation() != current->object_generation() ||
      binding.policy_uid() != current->policy_uid() || current->deleting()) {
    binding.set_claimed_micros(ToMicros(env_.clock.Now()));
  }
  SetDependencies(key, &manifest, &binding, affected);
  if (!told.empty()) {
    Tell(binding, binding.has_policy() ? "Claimed" : "Unclaimed", std::move(told),
         !binding.has_policy());
  }
  if (continues && SameButRevision(binding, *current)) return absl::OkStatus();
  Put(key, std::move(binding), current);
  return absl::OkStatus();
}

void Matcher::ReconcileDeleting(const std::string& key, const Row<v1::StoredObject>& object) {
  // The row goes when nothing is left in any cluster and the event that deleted it is acknowledged:
  // an older event that is delivered again must still find it and see that it is stale.
  if (state_.bindings.Find(key) != nullptr || state_.clusters_of.contains(key)) return;
  if (object.value.deploy_sequence() > state_.acknowledged_sequence) return;
  // A cluster goes when everything has been withdrawn from it.
  if (object.value.ref().kind() == "Cluster") {
    const std::string prefix = StrCat(EncodeToken(object.value.ref().name()), ".");
    const auto work = state_.works.rows().lower_bound(prefix);
    if (work != state_.works.rows().end() && work->first.starts_with(prefix)) return;
  }
  state_.objects.Remove(key);
}

const PropagationPolicy* Matcher::Claimer(const PolicyIndex& policies, const ObjectView& object,
                                          const v1::Binding* current) const {
  const std::vector<const PropagationPolicy*> candidates = policies.PropagationFor(object.ref);
  const PropagationPolicy* holder = nullptr;
  if (current != nullptr && current->has_policy() && !current->deleting()) {
    const PropagationPolicy* policy = policies.FindPropagation(RowKey(current->policy()));
    if (policy != nullptr && policy->uid == current->policy_uid() &&
        Matches(policy->selectors, object) != MatchStrength::kNone) {
      holder = policy;
    }
  }
  if (holder == nullptr) return SelectPolicy(object, candidates);
  std::vector<const PropagationPolicy*> challengers;
  for (const PropagationPolicy* policy : candidates) {
    if (policy != holder && policy->preempts &&
        Matches(policy->selectors, object) != MatchStrength::kNone && Preempts(*policy, *holder) &&
        NeedsOf(state_, *policy).missing.empty()) {
      challengers.push_back(policy);
    }
  }
  const PropagationPolicy* best = SelectPolicy(object, challengers);
  return best != nullptr ? best : holder;
}

bool Matcher::HeldByLazy(const PropagationPolicy& policy, const v1::StoredObject& object,
                         const v1::Binding* current) const {
  if (!policy.lazy) return false;
  if (current != nullptr) return current->object_generation() == object.generation();
  // Newly claimed: active at once only when the object came (or changed) after the policy.
  const Row<v1::StoredObject>* row = state_.objects.Find(RowKey(policy.ref));
  return row != nullptr && row->value.deploy_sequence() > object.deploy_sequence();
}

void Matcher::NoteWaiting(const std::string& key, const v1::StoredObject& object,
                          std::string reason) {
  const auto known = waiting_.find(key);
  if (reason.empty()) {
    if (known != waiting_.end()) waiting_.erase(known);
    return;
  }
  if (known != waiting_.end() && known->second == reason) return;
  v1::Binding about;
  *about.mutable_ref() = object.ref();
  about.set_trace_id(object.trace_id());
  waiting_[key] = reason;
  Tell(about, "PolicyWaits", std::move(reason), true);
}

void Matcher::SetRequiredBy(const std::string& key, v1::Binding& binding) const {
  binding.clear_required_by();
  for (const std::string& parent : state_.dependencies.ParentsOf(key)) {
    const Row<v1::Binding>* parent_binding = state_.bindings.Find(parent);
    const Row<v1::Placed>* placed = state_.placements.Find(parent);
    if (parent_binding == nullptr) continue;
    v1::BindingSnapshot& snapshot = *binding.add_required_by();
    *snapshot.mutable_ref() = parent_binding->value.ref();
    if (placed != nullptr && placed->value.uid() == parent_binding->value.uid()) {
      for (const v1::TargetCluster& cluster : placed->value.clusters()) {
        snapshot.add_clusters()->set_name(cluster.name());
      }
    }
    // Parents that disagree: Overwrite beats Abort, preserving beats removing (karmada.md 2.18).
    if (!binding.has_policy()) {
      const bool first = binding.required_by_size() == 1;
      const v1::Binding& p = parent_binding->value;
      if (first || p.conflict_resolution() == "Overwrite") {
        binding.set_conflict_resolution(p.conflict_resolution());
      }
      binding.set_preserve_resources_on_deletion(
          p.preserve_resources_on_deletion() ||
          (!first && binding.preserve_resources_on_deletion()));
    }
  }
}

void Matcher::SetDependencies(const std::string& key, const Json* manifest,
                              const v1::Binding* binding, Affected* affected) {
  std::set<std::string> needed;
  if (binding != nullptr && binding->propagate_deps() && !binding->deleting()) {
    // A manifest that cannot be read there has none; what it refers to by labels only
    // (EndpointSlices of a ServiceImport) lives in the members.
    if (const auto found = kube::FindDependencies(*manifest); found.ok()) {
      for (const kube::Dependency& d : *found) {
        if (d.name.empty()) continue;
        needed.insert(RowKey(ObjectKey{std::string(GroupOf(d.api_version)), d.kind, d.ns, d.name}));
      }
    }
  }
  for (const std::string& changed : state_.dependencies.Set(key, std::move(needed))) {
    affected->insert(changed);
  }
}

void Matcher::Put(const std::string& key, v1::Binding binding, const v1::Binding* current) {
  binding.set_revision(current == nullptr ? 1 : current->revision() + 1);
  metrics_.bindings_written.Increment();
  state_.bindings.Put(key, std::move(binding));
}

void Matcher::Tell(const v1::Binding& binding, std::string_view reason, std::string message,
                   bool warning) {
  v1::Event event;
  event.set_service("policy");
  event.set_type(warning ? "Warning" : "Normal");
  event.set_reason(std::string(reason));
  event.set_message(std::move(message));
  *event.mutable_ref() = binding.ref();
  event.set_trace_id(binding.trace_id());
  events_.Emit(std::move(event));
}

}  // namespace sealane::policy
