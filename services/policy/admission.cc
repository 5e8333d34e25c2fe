#include "services/policy/admission.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/dependencies.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/kube/object_marks.h"
#include "lib/kube/policy_admission.h"
#include "lib/kube/replicas.h"
#include "lib/model/cluster_json.h"
#include "lib/model/field_errors.h"
#include "lib/model/identity.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::policy {
namespace {

void AdmitPolicy(Json& object, Admission* admission) {
  kube::DefaultPolicy(object);
  admission->errors = kube::ValidatePolicy(object);
  const Json* association = kube::Find(object, {"spec", "association"});
  if (association != nullptr) {
    admission->warnings.emplace_back("spec.association is deprecated: use propagateDeps");
  }
  const std::string_view kind = kube::GetString(object, {"kind"});
  if (kind.ends_with("OverridePolicy") && !kube::Find(object, {"spec", "overrideRules"})) {
    admission->warnings.emplace_back(
        "spec.overriders and spec.targetCluster are deprecated: use overrideRules");
  }
}

void AdmitCluster(Json& object, Admission* admission) {
  DefaultClusterManifest(object, 0);
  admission->errors = ValidateCluster(object);
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
  if (const auto count = kube::CountReplicas(object, &ignored); !count.ok()) {
    add(count.status());
  } else if (const auto found = kube::FindDependencies(object); !found.ok()) {
    add(found.status());
  }
  const Json* spec = kube::Find(object, {"spec"});
  if (!kube::PodSpecPointer(kube::GetString(object, {"kind"})).empty() &&
      (spec == nullptr || !spec->is_object()) &&
      kube::ScopeOf(GroupOf(kube::GetString(object, {"apiVersion"})),
                    kube::GetString(object, {"kind"})) != kube::Scope::kUnknown) {
    AddFieldError(&admission->errors, "spec", "Required", "spec is missing");
  }
}

}  // namespace

Admission Admit(Json& object) {
  Admission admission;
  const std::string_view group = GroupOf(kube::GetString(object, {"apiVersion"}));
  const std::string_view kind = kube::GetString(object, {"kind"});
  const std::string_view version = kube::GetString(object, {"apiVersion"});
  if (group == kube::kPolicyGroup && kube::IsPolicyKind(kind)) {
    if (version != kube::kPolicyApiVersion) {
      AddFieldError(&admission.errors, "apiVersion", "NotSupported",
                    StrCat("must be ", kube::kPolicyApiVersion));
    } else {
      AdmitPolicy(object, &admission);
    }
  } else if (group == "cluster.karmada.io" && kind == "Cluster") {
    AdmitCluster(object, &admission);
  } else if (kube::IsControlGroup(group)) {
    if (group != "apps.karmada.io" || kind != "WorkloadRebalancer") {
      AddFieldError(&admission.errors, "kind", "NotSupported",
                    StrCat("Sealane does not know the kind ", kind, " of ", version));
    }
  } else {
    AdmitWorkload(object, &admission);
    kube::CheckMarks(object, &admission.errors, &admission.warnings);
  }
  return admission;
}

}  // namespace sealane::policy
