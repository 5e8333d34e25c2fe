#include "lib/kube/own_annotations.h"

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/model/failback.h"
#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

constexpr std::string_view kPrefix = "sealane.io/";
// The agent writes it into members; who copies an object back from there has it.
constexpr std::string_view kAgentsOwn = "sealane.io/cluster";

enum class Bearer { kPropagationPolicy, kOverridePolicy, kObject };

struct KnownAnnotation {
  std::string_view key;
  Bearer bearer;
  std::vector<std::string_view> allowed;
  bool (*fits)(std::string_view value) = nullptr;  // instead of `allowed`, which then only shows
};

bool IsFailback(std::string_view value) { return !value.empty() && ParseFailback(value).ok(); }

const std::vector<KnownAnnotation>& Known() {
  static const auto& known = *new std::vector<KnownAnnotation>{
      {kContainersAnnotation, Bearer::kOverridePolicy, {"All", "Containers"}},
      {"sealane.io/drift", Bearer::kObject, {"Report", "Repair"}},
      {kExpandAnnotation, Bearer::kOverridePolicy, {"true", "false"}},
      {"sealane.io/failback",
       Bearer::kPropagationPolicy,
       {"Never", "WhenHealthyFor=<duration> (such as 5m)"},
       IsFailback},
      {"sealane.io/failover-scope",
       Bearer::kPropagationPolicy,
       {"SameProvider", "SameRegion", "SameProviderOrRegion", "Any"}},
      {"sealane.io/honour-spread", Bearer::kPropagationPolicy, {"true", "false"}},
      {kOnPolicyDeleteAnnotation, Bearer::kPropagationPolicy, {"Keep", "Withdraw"}},
      {kPruneAnnotation, Bearer::kObject, {"true", "false"}},
      {"sealane.io/rebalance", Bearer::kPropagationPolicy, {"Never", "WhenClustersJoin"}},
      {"sealane.io/recreate", Bearer::kObject, {"true", "false"}},
      {"sealane.io/respect-capacity", Bearer::kPropagationPolicy, {"true", "false"}},
  };
  return known;
}

std::string_view Describe(Bearer bearer) {
  switch (bearer) {
    case Bearer::kPropagationPolicy:
      return "propagation policies";
    case Bearer::kOverridePolicy:
      return "override policies";
    case Bearer::kObject:
      break;
  }
  return "the objects themselves";
}

Bearer BearerOf(const Json& manifest) {
  const std::string_view kind = GetString(manifest, {"kind"});
  return kind.ends_with("PropagationPolicy") ? Bearer::kPropagationPolicy : Bearer::kOverridePolicy;
}

struct Fault {
  std::string_view reason;  // as in v1::FieldError; empty: there is none
  std::string message;
};

Fault FindFault(std::string_view key, std::string_view value, Bearer bearer) {
  const auto& all = Known();
  const auto known = std::find_if(all.begin(), all.end(),
                                  [&](const KnownAnnotation& one) { return one.key == key; });
  if (known == all.end()) {
    std::vector<std::string_view> keys;
    for (const KnownAnnotation& one : all) {
      if (one.bearer == bearer) keys.push_back(one.key);
    }
    return {"UnknownField",
            StrCat("unknown annotation; ", Describe(bearer), " know ", StrJoin(keys, ", "))};
  }
  if (known->bearer != bearer) {
    return {"Forbidden", StrCat("belongs on ", Describe(known->bearer))};
  }
  const bool fits = known->fits != nullptr ? known->fits(value)
                                           : std::find(known->allowed.begin(), known->allowed.end(),
                                                       value) != known->allowed.end();
  if (fits) return {};
  return {"NotSupported", StrCat("\"", value, "\" is not one of: ", StrJoin(known->allowed, ", "))};
}

// Calls `report(key, value)` for each annotation of ours. Values that are no text were reported
// with the manifest's identity.
template <typename Report>
void EachOwn(const Json& manifest, Report report) {
  const Json* annotations = Find(manifest, {"metadata", "annotations"});
  if (annotations == nullptr || !annotations->is_object()) return;
  for (const auto& [key, value] : annotations->items()) {
    if (key.starts_with(kPrefix) && value.is_string()) {
      report(key, std::string_view(value.template get_ref<const std::string&>()));
    }
  }
}

}  // namespace

void CheckPolicyAnnotations(const Json& policy, std::vector<v1::FieldError>* errors) {
  EachOwn(policy, [&](const std::string& key, std::string_view value) {
    const Fault fault = FindFault(key, value, BearerOf(policy));
    if (fault.reason.empty()) return;
    AddFieldError(errors, StrCat("metadata.annotations[", key, "]"), fault.reason, fault.message);
  });
}

void WarnOfAnnotations(const Json& object, std::vector<std::string>* warnings) {
  EachOwn(object, [&](const std::string& key, std::string_view value) {
    const Fault fault = FindFault(key, value, Bearer::kObject);
    if (fault.reason.empty() || key == kAgentsOwn) return;
    warnings->push_back(StrCat("metadata.annotations[", key, "] has no effect: ", fault.message));
  });
}

}  // namespace sealane::kube
