#include "services/policy/policy_index.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/policy_admission.h"

namespace sealane::policy {
namespace {

bool IsPropagation(std::string_view kind) {
  return kind == "PropagationPolicy" || kind == "ClusterPropagationPolicy";
}
bool IsOverride(std::string_view kind) {
  return kind == "OverridePolicy" || kind == "ClusterOverridePolicy";
}

std::set<std::string> TargetsOf(const v1::ObjectRef& ref,
                                const std::vector<ResourceSelector>& selectors) {
  std::set<std::string> targets;
  if (selectors.empty()) targets.insert(StrCat(ref.namespace_(), "/*"));
  for (const ResourceSelector& s : selectors) {
    targets.insert(StrCat(ref.namespace_(), "/", s.api_version, "/", s.kind));
  }
  return targets;
}

}  // namespace

bool PolicyIndex::IsPolicy(const v1::ObjectRef& ref) {
  return GroupOf(ref.api_version()) == kube::kPolicyGroup &&
         (IsPropagation(ref.kind()) || IsOverride(ref.kind()));
}

template <typename Policy>
void PolicyIndex::Unshelve(Shelf<Policy>& shelf, const std::string& row_key, Change& change) {
  const auto old = shelf.by_key.find(row_key);
  if (old == shelf.by_key.end()) return;
  const Policy& policy = *old->second;
  for (const std::string& target : TargetsOf(policy.ref, policy.selectors)) {
    const auto it = shelf.by_target.find(target);
    it->second.erase(row_key);
    if (it->second.empty()) shelf.by_target.erase(it);
  }
  change.everything |= policy.selectors.empty();
  change.selectors.insert(change.selectors.end(), policy.selectors.begin(), policy.selectors.end());
  shelf.by_key.erase(old);
}

template <typename Policy>
void PolicyIndex::Put(Shelf<Policy>& shelf, const std::string& row_key, Policy policy,
                      Change& change) {
  for (const std::string& target : TargetsOf(policy.ref, policy.selectors)) {
    shelf.by_target[target].insert(row_key);
  }
  change.everything |= policy.selectors.empty();
  change.selectors.insert(change.selectors.end(), policy.selectors.begin(), policy.selectors.end());
  shelf.by_key[row_key] = std::make_unique<Policy>(std::move(policy));
}

std::string PriorityClassKey(std::string_view name) {
  return RowKey(ObjectKey{"scheduling.k8s.io", "PriorityClass", "", std::string(name)});
}

void PolicyIndex::NoteNeeds(const std::string& row_key, bool present) {
  const PropagationPolicy* policy = FindPropagation(row_key);
  if (policy == nullptr) return;
  std::vector<std::string> needs = policy->DependentOverrideKeys();
  if (!policy->priority_class.empty()) needs.push_back(PriorityClassKey(policy->priority_class));
  for (const std::string& need : needs) {
    if (present) {
      dependents_[need].insert(row_key);
    } else if (const auto it = dependents_.find(need); it != dependents_.end()) {
      it->second.erase(row_key);
      if (it->second.empty()) dependents_.erase(it);
    }
  }
}

PolicyIndex::Change PolicyIndex::ChangeOf(const PropagationPolicy& policy) {
  Change change;
  change.selectors = policy.selectors;
  change.ns = policy.ref.namespace_();
  change.propagation = true;
  return change;
}

PolicyIndex::Change PolicyIndex::Set(const std::string& row_key, const v1::ObjectRef& ref,
                                     const v1::StoredObject* row) {
  Change change;
  change.ns = ref.namespace_();
  change.propagation = IsPropagation(ref.kind());
  if (change.propagation) {
    NoteNeeds(row_key, false);
    Unshelve(propagation_, row_key, change);
  } else {
    Unshelve(overrides_, row_key, change);
  }
  if (row == nullptr || row->deleting()) return change;
  const Json manifest = Json::parse(row->manifest(), nullptr, /*allow_exceptions=*/false);
  if (change.propagation) {
    auto policy = ParsePropagationPolicy(manifest);
    change.unparsed = !policy.ok();
    if (policy.ok()) {
      policy->uid = row->uid();
      policy->generation = row->generation();
      Put(propagation_, row_key, *std::move(policy), change);
      NoteNeeds(row_key, true);
    }
  } else {
    auto policy = ParseOverridePolicy(manifest);
    change.unparsed = !policy.ok();
    if (policy.ok()) {
      policy->generation = row->generation();
      Put(overrides_, row_key, *std::move(policy), change);
    }
  }
  return change;
}

template <typename Policy>
std::vector<const Policy*> PolicyIndex::For(const Shelf<Policy>& shelf, const v1::ObjectRef& ref) {
  std::set<std::string> keys;
  const auto add = [&](const std::string& target) {
    const auto it = shelf.by_target.find(target);
    if (it != shelf.by_target.end()) keys.insert(it->second.begin(), it->second.end());
  };
  for (const std::string& ns : std::set<std::string>{ref.namespace_(), ""}) {
    add(StrCat(ns, "/", ref.api_version(), "/", ref.kind()));
    add(StrCat(ns, "/*"));
  }
  std::vector<const Policy*> found;
  found.reserve(keys.size());
  for (const std::string& key : keys) found.push_back(shelf.by_key.at(key).get());
  return found;
}

const PropagationPolicy* PolicyIndex::FindPropagation(std::string_view row_key) const {
  const auto it = propagation_.by_key.find(row_key);
  return it == propagation_.by_key.end() ? nullptr : it->second.get();
}

const OverridePolicy* PolicyIndex::FindOverride(std::string_view row_key) const {
  const auto it = overrides_.by_key.find(row_key);
  return it == overrides_.by_key.end() ? nullptr : it->second.get();
}

std::vector<const PropagationPolicy*> PolicyIndex::DependentsOf(std::string_view row_key) const {
  std::vector<const PropagationPolicy*> found;
  if (const auto it = dependents_.find(row_key); it != dependents_.end()) {
    for (const std::string& key : it->second) found.push_back(FindPropagation(key));
  }
  return found;
}

std::vector<const PropagationPolicy*> PolicyIndex::PropagationFor(const v1::ObjectRef& ref) const {
  return For(propagation_, ref);
}

std::vector<const OverridePolicy*> PolicyIndex::OverridesFor(const v1::ObjectRef& ref) const {
  return For(overrides_, ref);
}

}  // namespace sealane::policy
