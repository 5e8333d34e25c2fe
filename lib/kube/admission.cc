#include "lib/kube/admission.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kube/dependencies.h"
#include "lib/kube/git_source.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/kube/manifest.h"
#include "lib/kube/object_marks.h"
#include "lib/kube/policy_admission.h"
#include "lib/kube/replicas.h"
#include "lib/model/cluster_json.h"
#include "lib/model/field_errors.h"
#include "lib/model/identity.h"
#include "lib/model/rebalancer.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::kube {
namespace {

void AdmitPolicy(Json& object, Admission* admission) {
  DefaultPolicy(object);
  admission->errors = ValidatePolicy(object);
  const Json* association = Find(object, {"spec", "association"});
  if (association != nullptr) {
    admission->warnings.emplace_back("spec.association is deprecated: use propagateDeps");
  }
  const std::string_view kind = GetString(object, {"kind"});
  if (!kind.ends_with("OverridePolicy")) return;
  if (Find(object, {"spec", "overrideRules"}) &&
      Find(object, {"spec", "overriders", "fieldOverrider"})) {
    admission->warnings.emplace_back(
        "spec.overriders.fieldOverrider has no effect beside overrideRules");
  } else if (!Find(object, {"spec", "overrideRules"})) {
    admission->warnings.emplace_back(
        "spec.overriders and spec.targetCluster are deprecated: use overrideRules");
  }
}

void AdmitTaintPolicy(const Json& object, Admission* admission) {
  admission->errors = ValidateTaintPolicy(object);
  if (Find(object, {"spec", "addOnConditions"}) == nullptr) {
    admission->warnings.emplace_back("without spec.addOnConditions no cluster is tainted");
  }
}

// A Cluster of Karmada's says how to reach it; here its agent comes.
void WarnOfIdleFields(const Json& cluster, Admission* admission) {
  static constexpr std::string_view kUsed[] = {"id",       "provider", "region", "resourceModels",
                                               "syncMode", "taints",   "zone",   "zones"};
  static constexpr std::string_view kReach[] = {"apiEndpoint",
                                                "impersonatorSecretRef",
                                                "insecureSkipTLSVerification",
                                                "proxyHeader",
                                                "proxyURL",
                                                "secretRef"};
  const Json* spec = Find(cluster, {"spec"});
  if (spec == nullptr || !spec->is_object()) return;
  std::string reach;
  for (const auto& [name, value] : spec->items()) {
    if (std::find(std::begin(kUsed), std::end(kUsed), name) != std::end(kUsed)) continue;
    if (std::find(std::begin(kReach), std::end(kReach), name) != std::end(kReach)) {
      reach += StrCat(reach.empty() ? "" : ", ", "spec.", name);
    } else {
      admission->warnings.push_back(StrCat("spec.", name, " is no field of a Cluster"));
    }
  }
  constexpr char kWhy[] = " no effect: an agent in the cluster connects to the bus (sealane join)";
  if (GetString(*spec, {"syncMode"}) == "Push") {
    admission->warnings.push_back(StrCat("spec.syncMode Push has", kWhy));
  }
  if (!reach.empty()) {
    admission->warnings.push_back(
        StrCat(reach, reach.find(',') == std::string::npos ? " has" : " have", kWhy));
  }
}

void AdmitCluster(Json& object, Admission* admission) {
  if (Find(object, {"spec", "zone"}) != nullptr) {
    admission->warnings.emplace_back("spec.zone is deprecated: use zones");
  }
  DefaultClusterManifest(object, 0);
  admission->errors = ValidateCluster(object);
  WarnOfIdleFields(object, admission);
}

// What a platform may not decide: the server's own fields, and status.
void StripServerFields(Json& manifest) {
  const auto metadata = manifest.find("metadata");
  if (metadata == manifest.end() || !metadata->is_object()) return;
  for (const char* field :
       {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    metadata->erase(field);
  }
  // A policy has no status: one that is written there is a mistake, and admission says so.
  if (GroupOf(GetString(manifest, {"apiVersion"})) != kPolicyGroup) manifest.erase("status");
}

// What matching and rendering read of a workload must have its right type.
void AdmitWorkload(const Json& object, Admission* admission) {
  const auto add = [&](const absl::Status& status) {
    std::string_view message = ToStd(status.message());
    const size_t colon = message.find(": ");
    const std::string_view field =
        colon == std::string_view::npos ? std::string_view() : message.substr(0, colon);
    if (!field.empty()) message = message.substr(colon + 2);
    AddFieldError(&admission->errors, field, "Invalid", message);
  };
  v1::ReplicaRequirements ignored;
  if (const auto count = CountReplicas(object, &ignored); !count.ok()) {
    add(count.status());
  } else if (const auto found = FindDependencies(object); !found.ok()) {
    add(found.status());
  }
  const Json* spec = Find(object, {"spec"});
  if (!PodSpecPointer(GetString(object, {"kind"})).empty() &&
      (spec == nullptr || !spec->is_object()) &&
      ScopeOf(GroupOf(GetString(object, {"apiVersion"})), GetString(object, {"kind"})) !=
          Scope::kUnknown) {
    AddFieldError(&admission->errors, "spec", "Required", "spec is missing");
  }
}

}  // namespace

void ReadManifest(std::string_view text, Json* manifest, std::vector<v1::FieldError>* errors) {
  Json parsed;
  if (const absl::Status status = ParseManifest(text, &parsed); !status.ok()) {
    AddFieldError(errors, "", text.size() > kMaxManifestBytes ? "TooLong" : "Malformed",
                  ToStd(status.message()));
    return;
  }
  StripServerFields(parsed);
  DefaultNamespace(parsed);
  ValidateIdentity(parsed, errors);
  *manifest = std::move(parsed);
}

Admission Admit(Json& object) {
  Admission admission;
  const std::string_view group = GroupOf(GetString(object, {"apiVersion"}));
  const std::string_view kind = GetString(object, {"kind"});
  const std::string_view version = GetString(object, {"apiVersion"});
  const bool taints = kind == "ClusterTaintPolicy";
  if (group == kPolicyGroup && (taints || IsPolicyKind(kind))) {
    if (version != kPolicyApiVersion) {
      AddFieldError(&admission.errors, "apiVersion", "NotSupported",
                    StrCat("must be ", kPolicyApiVersion));
    } else if (taints) {
      AdmitTaintPolicy(object, &admission);
    } else {
      AdmitPolicy(object, &admission);
    }
  } else if (group == "cluster.karmada.io" && kind == "Cluster") {
    AdmitCluster(object, &admission);
  } else if (group == kGitSourceGroup && kind == kGitSourceKind) {
    (void)ReadGitSource(object, &admission.errors);
  } else if (IsRebalancer(group, kind)) {
    admission.errors = CheckRebalancer(object);
  } else if (IsControlGroup(group)) {
    AddFieldError(&admission.errors, "kind", "NotSupported",
                  StrCat("Sealane does not know the kind ", kind, " of ", version));
  } else {
    AdmitWorkload(object, &admission);
    CheckMarks(object, &admission.errors, &admission.warnings);
  }
  return admission;
}

std::string CanonicalManifest(const Json& manifest, std::vector<v1::FieldError>* errors) {
  std::string text = WriteJson(manifest);
  if (text.size() > kMaxManifestBytes) {
    AddFieldError(errors, "", "TooLong",
                  StrCat("the manifest has ", text.size(), " bytes; at most ", kMaxManifestBytes,
                         " are allowed"));
  }
  return text;
}

Admission AdmitText(std::string_view text, Json* manifest) {
  Admission admission;
  ReadManifest(text, manifest, &admission.errors);
  if (!admission.errors.empty()) return admission;
  admission = Admit(*manifest);
  if (admission.errors.empty()) (void)CanonicalManifest(*manifest, &admission.errors);
  return admission;
}

}  // namespace sealane::kube
