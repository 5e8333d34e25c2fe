#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/policy/policy_spec.h"

namespace sealane::policy {

// The policies of the fleet, parsed once, found by what they may concern. Thread rule: executor
// thread; pointers are valid until the next Set.
class PolicyIndex {
 public:
  // True for the four kinds of policy.karmada.io that this index keeps.
  [[nodiscard]] static bool IsPolicy(const v1::ObjectRef& ref);

  // What a change of one policy concerns: the selectors it had and has.
  struct Change {
    std::vector<ResourceSelector> selectors;
    bool everything = false;  // an override policy without selectors, before or after
    std::string ns;           // of a namespaced policy
    bool propagation = false;
    bool unparsed = false;  // a row that should have been refused at intake: ignored
  };
  // What a policy that has not changed concerns.
  [[nodiscard]] static Change ChangeOf(const PropagationPolicy& policy);
  // `row` nullptr: the policy is gone.
  Change Set(const std::string& row_key, const v1::ObjectRef& ref, const v1::StoredObject* row);

  [[nodiscard]] const PropagationPolicy* FindPropagation(std::string_view row_key) const;
  [[nodiscard]] const OverridePolicy* FindOverride(std::string_view row_key) const;
  // Propagation policies that wait for, or take a number from, the row: an override policy they
  // depend on, or their PriorityClass.
  [[nodiscard]] std::vector<const PropagationPolicy*> DependentsOf(std::string_view row_key) const;
  // Policies whose namespace and kind may claim the object.
  [[nodiscard]] std::vector<const PropagationPolicy*> PropagationFor(
      const v1::ObjectRef& ref) const;
  [[nodiscard]] std::vector<const OverridePolicy*> OverridesFor(const v1::ObjectRef& ref) const;

 private:
  template <typename Policy>
  struct Shelf {
    std::map<std::string, std::unique_ptr<Policy>, std::less<>> by_key;
    // "<namespace>/<apiVersion>/<kind>", or "<namespace>/*": row keys.
    std::map<std::string, std::set<std::string>, std::less<>> by_target;
  };
  void NoteNeeds(const std::string& row_key, bool present);
  template <typename Policy>
  static void Unshelve(Shelf<Policy>& shelf, const std::string& row_key, Change& change);
  template <typename Policy>
  static void Put(Shelf<Policy>& shelf, const std::string& row_key, Policy policy, Change& change);
  template <typename Policy>
  static std::vector<const Policy*> For(const Shelf<Policy>& shelf, const v1::ObjectRef& ref);

  Shelf<PropagationPolicy> propagation_;
  Shelf<OverridePolicy> overrides_;
  // Row key of what propagation policies need -> their row keys.
  std::map<std::string, std::set<std::string>, std::less<>> dependents_;
};

// The row key of a PriorityClass.
[[nodiscard]] std::string PriorityClassKey(std::string_view name);

}  // namespace sealane::policy
