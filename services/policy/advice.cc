#include "services/policy/advice.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "lib/core/json.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"

namespace sealane::policy {
namespace {

constexpr size_t kMaxLookedAt = 2000;  // objects whose manifests are read for one policy

bool SelectsSomething(const State& state, const std::vector<const Json*>& beside,
                      const PolicyIndex::Change& concerned) {
  for (const Json* manifest : beside) {
    const v1::ObjectRef ref = kube::RefOf(*manifest);
    if (!concerned.ns.empty() && ref.namespace_() != concerned.ns) continue;
    if (Matches(concerned.selectors, {ref, *manifest}) != MatchStrength::kNone) return true;
  }
  size_t looked_at = 0;
  for (const std::string& key : state.Concerned(concerned)) {
    const v1::StoredObject& object = state.objects.Find(key)->value;
    if (object.deleting()) continue;
    if (++looked_at > kMaxLookedAt) return true;
    const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
    if (manifest.is_discarded()) continue;
    if (Matches(concerned.selectors, {object.ref(), manifest}) != MatchStrength::kNone) return true;
  }
  return false;
}

class ClusterNames {
 public:
  ClusterNames(const State& state, const std::vector<const Json*>& beside) : state_(state) {
    for (const Json* manifest : beside) {
      const ObjectKey key = kube::ManifestKey(*manifest);
      if (key == ClusterObject(key.name)) beside_.insert(key.name);
    }
  }

  // Looks at every list of cluster names below `json`.
  void Check(const Json& json, const std::string& path, std::vector<std::string>* warnings) const {
    if (json.is_array()) {
      for (size_t i = 0; i < json.size(); ++i) {
        Check(json[i], StrCat(path, "[", i, "]"), warnings);
      }
      return;
    }
    if (!json.is_object()) return;
    for (const auto& [field, value] : json.items()) {
      if (field == "overriders") continue;  // what users write into their own objects
      const std::string at = StrCat(path, ".", field);
      if ((field == "clusterNames" || field == "exclude") && value.is_array()) {
        CheckList(value, at, warnings);
      } else {
        Check(value, at, warnings);
      }
    }
  }

 private:
  void CheckList(const Json& names, const std::string& path,
                 std::vector<std::string>* warnings) const {
    for (size_t i = 0; i < names.size(); ++i) {
      const auto* name = names[i].get_ptr<const std::string*>();
      if (name == nullptr || Known(*name)) continue;
      warnings->push_back(
          StrCat(path, "[", i, "]: there is no cluster \"", *name, "\" in the fleet yet"));
    }
  }
  [[nodiscard]] bool Known(const std::string& name) const {
    if (beside_.contains(name) || state_.clusters.Find(EncodeToken(name)) != nullptr) return true;
    const auto* row = state_.objects.Find(RowKey(ClusterObject(name)));
    return row != nullptr && !row->value.deleting();
  }

  const State& state_;
  std::set<std::string, std::less<>> beside_;
};

}  // namespace

std::vector<std::string> AdviseOnPolicy(const State& state, const std::vector<const Json*>& beside,
                                        const Json& policy) {
  std::vector<std::string> warnings;
  PolicyIndex::Change concerned;
  concerned.ns = std::string(kube::GetString(policy, {"metadata", "namespace"}));
  if (kube::GetString(policy, {"kind"}).ends_with("OverridePolicy")) {
    if (auto parsed = ParseOverridePolicy(policy); parsed.ok()) {
      concerned.selectors = std::move(parsed->selectors);
    }
  } else if (auto parsed = ParsePropagationPolicy(policy); parsed.ok()) {
    concerned.selectors = std::move(parsed->selectors);
  }
  // An override policy without selectors concerns everything.
  if (!concerned.selectors.empty() && !SelectsSomething(state, beside, concerned)) {
    warnings.emplace_back(
        "spec.resourceSelectors: no object of the fleet is selected yet; the policy has no effect "
        "until one is");
  }
  if (const Json* spec = kube::Find(policy, {"spec"}); spec != nullptr) {
    ClusterNames(state, beside).Check(*spec, "spec", &warnings);
  }
  return warnings;
}

}  // namespace sealane::policy
