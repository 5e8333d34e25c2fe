#include "lib/kube/policy_admission.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/expansion.h"
#include "lib/kube/json_access.h"
#include "lib/kube/json_path.h"
#include "lib/kube/manifest.h"
#include "lib/kube/own_annotations.h"
#include "lib/kube/policy_checks.h"
#include "lib/kube/policy_schema.h"
#include "lib/model/cluster_match.h"
#include "lib/model/field_errors.h"
#include "lib/model/label_syntax.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::kube {
namespace {

using Errors = FieldErrors;

bool IsPropagation(std::string_view kind) {
  return kind == "PropagationPolicy" || kind == "ClusterPropagationPolicy";
}

// --- Defaults
// ----------------------------------------------------------------------------------------

void DefaultSelectors(Json& spec, const std::string& ns) {
  const auto selectors = spec.find("resourceSelectors");
  if (selectors == spec.end() || !selectors->is_array()) return;
  for (Json& selector : *selectors) {
    if (!selector.is_object()) continue;
    Json& own = selector["namespace"];
    if (own.is_null() || own == Json("")) own = ns;
  }
}

void DefaultPlacement(Json& placement) {
  if (const auto constraints = placement.find("spreadConstraints");
      constraints != placement.end() && constraints->is_array()) {
    for (Json& constraint : *constraints) {
      if (!constraint.is_object()) continue;
      if (GetString(constraint, {"spreadByField"}).empty() &&
          GetString(constraint, {"spreadByLabel"}).empty()) {
        constraint["spreadByField"] = "cluster";
      }
      if (GetInt(constraint, {"minGroups"}) == 0) constraint["minGroups"] = 1;
    }
  }
  if (const auto scheduling = placement.find("replicaScheduling");
      scheduling != placement.end() && scheduling->is_object() &&
      GetString(*scheduling, {"replicaSchedulingType"}) == "Divided" &&
      GetString(*scheduling, {"replicaDivisionPreference"}).empty()) {
    (*scheduling)["replicaDivisionPreference"] = "Weighted";
  }
}

void DefaultPropagation(Json& spec) {
  if (const auto placement = spec.find("placement");
      placement != spec.end() && placement->is_object()) {
    DefaultPlacement(*placement);
  }
  if (const auto selectors = spec.find("resourceSelectors");
      selectors != spec.end() && selectors->is_array()) {
    for (const Json& selector : *selectors) {
      if (GetString(selector, {"kind"}) == "ServiceImport" &&
          GetString(selector, {"apiVersion"}) == "multicluster.x-k8s.io/v1alpha1") {
        spec["propagateDeps"] = true;
      }
    }
  }
  const Json* application = Find(spec, {"failover", "application"});
  if (application != nullptr && application->is_object() &&
      GetString(*application, {"purgeMode"}) == "Gracefully" &&
      Get(application, "gracePeriodSeconds") == nullptr) {
    spec["failover"]["application"]["gracePeriodSeconds"] = 600;
  }
}

// --- What the webhooks check
// -----------------------------------------------------------------------------

bool SelectsNothing(const Json& affinity) {
  return Get(&affinity, "labelSelector") == nullptr && Get(&affinity, "fieldSelector") == nullptr &&
         !NonEmpty(&affinity, "clusterNames") && !NonEmpty(&affinity, "exclude");
}

bool OverflowAllowed(const Json& placement) {
  if (GetString(placement, {"replicaScheduling", "replicaSchedulingType"}) != "Divided") {
    return false;
  }
  const std::string_view preference =
      GetString(placement, {"replicaScheduling", "replicaDivisionPreference"});
  return preference == "Aggregated" ||
         (preference == "Weighted" &&
          !GetString(placement, {"replicaScheduling", "weightPreference", "dynamicWeight"})
               .empty());
}

void CheckOverflow(const Json& term, bool allowed, const std::string& path, Errors* errors) {
  if (!NonEmpty(&term, "overflowAffinities")) return;
  const std::string field = path + ".overflowAffinities";
  if (!allowed) {
    AddFieldError(errors, field, "Invalid",
                  "overflowAffinities need dynamic weight or aggregated scheduling");
  }
  if (SelectsNothing(term)) {
    AddFieldError(errors, field, "Invalid", "overflowAffinities need a term that selects clusters");
  }
  std::set<std::string> names = {std::string(GetString(term, {"affinityName"}))};
  const Json& list = Items(&term, "overflowAffinities");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string at = StrCat(field, "[", i, "]");
    const std::string name(GetString(list[i], {"affinityName"}));
    if (const std::string problem = CheckLabelKey(name); !problem.empty()) {
      AddFieldError(errors, at + ".affinityName", "Invalid", problem);
    }
    if (!names.insert(name).second) {
      AddFieldError(errors, at + ".affinityName", "Duplicate",
                    StrCat("the name \"", name, "\" is used twice in this term"));
    }
    CheckFieldSelector(&list[i], at, errors);
  }
}

void CheckAffinities(const Json& placement, const std::string& path, Errors* errors) {
  const Json& terms = Items(&placement, "clusterAffinities");
  const bool overflow_allowed = OverflowAllowed(placement);
  std::set<std::string> names;
  for (size_t i = 0; i < terms.size(); ++i) {
    const std::string at = StrCat(path, ".clusterAffinities[", i, "]");
    const std::string name(GetString(terms[i], {"affinityName"}));
    if (const std::string problem = CheckLabelKey(name); !problem.empty()) {
      AddFieldError(errors, at, "Invalid", StrCat("affinityName \"", name, "\": ", problem));
    }
    if (!names.insert(name).second) {
      AddFieldError(errors, path + ".clusterAffinities", "Duplicate",
                    StrCat("two terms have the name \"", name, "\""));
    }
    CheckFieldSelector(&terms[i], at, errors);
    CheckOverflow(terms[i], overflow_allowed, at, errors);
  }
}

void CheckSpread(const Json& placement, const std::string& path, Errors* errors) {
  const Json& constraints = Items(&placement, "spreadConstraints");
  const std::string field = path + ".spreadConstraints";
  std::set<std::string> fields;
  std::set<std::string> reported;
  for (size_t i = 0; i < constraints.size(); ++i) {
    const Json& constraint = constraints[i];
    const std::string at = StrCat(field, "[", i, "]");
    const std::string by_field(GetString(constraint, {"spreadByField"}));
    const int64_t least = GetInt(constraint, {"minGroups"});
    const int64_t most = GetInt(constraint, {"maxGroups"});
    if (!by_field.empty() && !GetString(constraint, {"spreadByLabel"}).empty()) {
      AddFieldError(errors, at, "Invalid", "spreadByField and spreadByLabel exclude each other");
    }
    if (least < 0) AddFieldError(errors, at, "Invalid", "minGroups may not be negative");
    if (most < 0) AddFieldError(errors, at, "Invalid", "maxGroups may not be negative");
    if (most > 0 && most < least) {
      AddFieldError(errors, at, "Invalid", "maxGroups is lower than minGroups");
    }
    if (!by_field.empty() && !fields.insert(by_field).second && reported.insert(by_field).second) {
      AddFieldError(errors, field, "Duplicate", StrCat("several constraints by ", by_field));
    }
  }
  if (!fields.empty() && !fields.contains("cluster")) {
    AddFieldError(errors, field, "Invalid", "a constraint by field needs one by cluster beside it");
  }
}

void CheckWorkloadAffinity(const Json& placement, const std::string& path, Errors* errors) {
  const Json* both = Get(&placement, "workloadAffinity");
  std::vector<std::string> keys;
  for (const std::string name : {"affinity", "antiAffinity"}) {
    const Json* term = Get(both, name);
    if (term == nullptr) continue;
    keys.emplace_back(GetString(*term, {"groupByLabelKey"}));
    if (const std::string problem = CheckLabelKey(keys.back()); !problem.empty()) {
      AddFieldError(errors, StrCat(path, ".workloadAffinity.", name, ".groupByLabelKey"), "Invalid",
                    problem);
    }
  }
  if (keys.size() == 2 && keys[0] == keys[1]) {
    AddFieldError(errors, path + ".workloadAffinity", "Invalid",
                  "affinity and antiAffinity may not use the same groupByLabelKey");
  }
}

void CheckPlacement(const Json& placement, Errors* errors) {
  const std::string path = "spec.placement";
  if (Get(&placement, "clusterAffinity") != nullptr && NonEmpty(&placement, "clusterAffinities")) {
    AddFieldError(errors, path, "Invalid",
                  "clusterAffinity and clusterAffinities exclude each other");
  }
  CheckFieldSelector(Get(&placement, "clusterAffinity"), path + ".clusterAffinity", errors);
  CheckAffinities(placement, path, errors);
  CheckSpread(placement, path, errors);
  CheckWorkloadAffinity(placement, path, errors);
  const Json& tolerations = Items(&placement, "clusterTolerations");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    const std::string_view op = GetString(tolerations[i], {"operator"});
    if (op == "Lt" || op == "Gt") {
      AddFieldError(errors, StrCat(path, ".clusterTolerations[", i, "].operator"), "NotSupported",
                    StrCat("\"", op, "\" is not one of: Exists, Equal"));
    }
  }
}

void CheckStatePreservation(const Json* failover, const std::string& path, Errors* errors) {
  const Json& rules = Items(Get(failover, "statePreservation"), "rules");
  for (size_t i = 0; i < rules.size(); ++i) {
    if (const std::string problem = CheckLabelKey(GetString(rules[i], {"aliasLabelName"}));
        !problem.empty()) {
      AddFieldError(errors, StrCat(path, ".statePreservation.rules[", i, "].aliasLabelName"),
                    "Invalid", problem);
    }
    const auto json_path = JsonPath::Parse(GetString(rules[i], {"jsonPath"}));
    if (!json_path.ok()) {
      AddFieldError(errors, StrCat(path, ".statePreservation.rules[", i, "].jsonPath"), "Invalid",
                    ToStd(json_path.status().message()));
    }
  }
}

void CheckFailover(const Json& spec, Errors* errors) {
  const std::string path = "spec.failover.application";
  const Json* application = Find(spec, {"failover", "application"});
  if (application != nullptr && application->is_object()) {
    if (!GetBool(spec, {"propagateDeps"})) {
      AddFieldError(errors, "spec.propagateDeps", "Invalid",
                    "must be true when application failover is set");
    }
    if (GetInt(*application, {"decisionConditions", "tolerationSeconds"}) < 0) {
      AddFieldError(errors, path + ".decisionConditions.tolerationSeconds", "Invalid",
                    "may not be negative");
    }
    const bool gracefully = GetString(*application, {"purgeMode"}) == "Gracefully";
    const Json* grace = Get(application, "gracePeriodSeconds");
    if (grace != nullptr && !gracefully) {
      AddFieldError(errors, path + ".gracePeriodSeconds", "Invalid",
                    "takes effect only with purgeMode Gracefully");
    }
    if (grace != nullptr && GetInt(*application, {"gracePeriodSeconds"}) <= 0) {
      AddFieldError(errors, path + ".gracePeriodSeconds", "Invalid", "must be greater than 0");
    }
    CheckStatePreservation(application, path, errors);
  }
  const Json* cluster = Find(spec, {"failover", "cluster"});
  CheckStatePreservation(cluster, "spec.failover.cluster", errors);
}

// `ns`: of the policy; empty for cluster-wide policies, which may select anywhere.
void CheckSelectors(const Json& spec, const std::string& ns, Errors* errors) {
  const Json& selectors = Items(&spec, "resourceSelectors");
  const bool preempts = GetString(spec, {"preemption"}) == "Always";
  for (size_t i = 0; i < selectors.size(); ++i) {
    const std::string at = StrCat("spec.resourceSelectors[", i, "]");
    if (!ns.empty() && GetString(selectors[i], {"namespace"}) != ns) {
      AddFieldError(errors, at + ".namespace", "Invalid",
                    StrCat("must be the policy's own namespace, ", ns));
    }
    if (preempts && GetString(selectors[i], {"name"}).empty()) {
      AddFieldError(errors, at + ".name", "Invalid",
                    "preemption Always needs selectors by name: an empty name would take over "
                    "more than was meant");
    }
  }
}

void CheckSuspension(const Json& spec, Errors* errors) {
  const Json* suspension = Get(&spec, "suspension");
  if (suspension != nullptr && GetBool(*suspension, {"dispatching"}) &&
      NonEmpty(Get(suspension, "dispatchingOnClusters"), "clusterNames")) {
    AddFieldError(errors, "spec.suspension.suspension", "Invalid",
                  "dispatching and dispatchingOnClusters.clusterNames exclude each other");
  }
}

// Of the object around `spec`: the CRDs have no status, and an ObjectMeta no other fields.
void CheckKnownFields(const Json& policy, Errors* errors) {
  static constexpr std::array<std::string_view, 4> kTop = {"apiVersion", "kind", "metadata",
                                                           "spec"};
  static constexpr std::array<std::string_view, 15> kMetadata = {"annotations",
                                                                 "creationTimestamp",
                                                                 "deletionGracePeriodSeconds",
                                                                 "deletionTimestamp",
                                                                 "finalizers",
                                                                 "generateName",
                                                                 "generation",
                                                                 "labels",
                                                                 "managedFields",
                                                                 "name",
                                                                 "namespace",
                                                                 "ownerReferences",
                                                                 "resourceVersion",
                                                                 "selfLink",
                                                                 "uid"};
  const auto check = [&](const Json* object, std::string_view path, const auto& known) {
    if (object == nullptr || !object->is_object()) return;
    for (const auto& [name, unused] : object->items()) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      AddFieldError(errors, StrCat(path, name), "UnknownField",
                    StrCat("unknown field \"", name, "\""));
    }
  };
  check(&policy, "", kTop);
  check(Get(&policy, "metadata"), "metadata.", kMetadata);
}

// What is checked of every kind of policy; its spec, or nullptr when there is none.
const Json* CheckForm(const Json& policy, const FieldSchema& schema, Errors* errors) {
  ValidateIdentity(policy, errors);
  CheckKnownFields(policy, errors);
  const Json* spec = Get(&policy, "spec");
  if (spec == nullptr) {
    AddFieldError(errors, "spec", "Required", "spec is missing");
  } else {
    CheckSchema(schema, *spec, "spec", errors);
  }
  return spec;
}

}  // namespace

bool IsPolicyKind(std::string_view kind) {
  return IsPropagation(kind) || kind == "OverridePolicy" || kind == "ClusterOverridePolicy";
}

void DefaultPolicy(Json& policy) {
  const auto spec = policy.find("spec");
  if (spec == policy.end() || !spec->is_object()) return;
  const std::string kind(GetString(policy, {"kind"}));
  const std::string ns(GetString(policy, {"metadata", "namespace"}));
  const FieldSchema& schema = IsPropagation(kind) ? PropagationSpecSchema() : OverrideSpecSchema();
  ApplyDefaults(schema, *spec);
  // A ClusterOverridePolicy passes no webhook that rewrites it.
  if (kind != "ClusterOverridePolicy") RoundTrip(schema, *spec);
  if (!ns.empty()) DefaultSelectors(*spec, ns);
  if (IsPropagation(kind)) DefaultPropagation(*spec);
}

std::vector<v1::FieldError> ValidatePolicy(const Json& policy) {
  Errors errors;
  const bool propagation = IsPropagation(GetString(policy, {"kind"}));
  const Json* spec =
      CheckForm(policy, propagation ? PropagationSpecSchema() : OverrideSpecSchema(), &errors);
  if (spec == nullptr) return errors;
  CheckPolicyAnnotations(policy, &errors);
  if (!errors.empty()) return errors;  // the rest relies on the right types
  const std::string ns(GetString(policy, {"metadata", "namespace"}));
  CheckSelectors(*spec, ns, &errors);
  if (propagation) {
    if (const Json* placement = Get(spec, "placement")) CheckPlacement(*placement, &errors);
    CheckFailover(*spec, &errors);
    CheckSuspension(*spec, &errors);
  } else {
    const bool expand = GetString(policy, {"metadata", "annotations", kExpandAnnotation}) == "true";
    CheckOverrideSpec(*spec, expand, &errors);
    if (expand) CheckExpansions(*spec, "spec", &errors);
  }
  return errors;
}

std::vector<v1::FieldError> ValidateTaintPolicy(const Json& policy) {
  Errors errors;
  const Json* spec = CheckForm(policy, TaintPolicySpecSchema(), &errors);
  if (!errors.empty()) return errors;  // the rest relies on the right types
  if (const Json* target = Get(spec, "targetClusters"); target != nullptr) {
    CheckFieldSelector(target, "spec.targetClusters", &errors);
    v1::ClusterAffinity affinity;
    absl::Status status = MessageFromJson(*target, &affinity);
    if (status.ok()) status = AffinityMatcher(affinity).status();
    if (errors.empty() && !status.ok()) {
      AddFieldError(&errors, "spec.targetClusters", "Invalid", ToStd(status.message()));
    }
  }
  std::set<std::string> taints;
  const Json& list = Items(spec, "taints");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string taint =
        StrCat(GetString(list[i], {"key"}), ":", GetString(list[i], {"effect"}));
    if (!taints.insert(taint).second) {
      AddFieldError(&errors, StrCat("spec.taints[", i, "]"), "Duplicate",
                    StrCat("the taint ", taint, " is there already"));
    }
  }
  return errors;
}

}  // namespace sealane::kube
