// Rules of the workloads that keep pods running.

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

void CheckSelector(const std::string& kind, const Json& spec, FieldErrors& errors) {
  const Json& selector = At(spec, "selector");
  if (selector.is_null()) {
    errors.push_back(RequiredField("spec.selector"));
    return;
  }
  CheckLabelSelector(selector, kSpec.Child("selector"), errors);
  const auto query = LabelQuery::FromObject(selector);
  if (!query.ok()) return;
  if (query->empty()) {
    const char* name = kind == "StatefulSet" ? "statefulset"
                       : kind == "DaemonSet" ? "daemonset"
                                             : "deployment";
    errors.push_back(
        InvalidField("spec.selector", selector, StrCat("empty selector is invalid for ", name)));
    return;
  }
  const Json& labels = At(At(At(spec, "template"), "metadata"), "labels");
  if (!query->Matches(labels)) {
    errors.push_back(InvalidField("spec.template.metadata.labels",
                                  labels.is_null() ? Json::object() : labels,
                                  "`selector` does not match template `labels`"));
  }
}

void CheckTemplate(const std::string& kind, const Json& spec, FieldErrors& errors) {
  const Json& pod_template = At(spec, "template");
  const FieldPath path = kSpec.Child("template");
  // The real server does not look at the pods of a StatefulSet: their mounts may name claims.
  if (kind == "StatefulSet") {
    CheckTemplateMetadata(pod_template, path, errors);
  } else {
    CheckPodTemplate(pod_template, path, errors);
  }
  const Json& pod = At(pod_template, "spec");
  const std::string_view policy = TextView(pod, "restartPolicy");
  if (!policy.empty() && policy != "Always") {
    errors.push_back(UnsupportedField("spec.template.spec.restartPolicy", policy, {"Always"}));
  }
  if (Has(pod, "activeDeadlineSeconds")) {
    errors.push_back(
        ForbiddenField("spec.template.spec.activeDeadlineSeconds",
                       StrCat("activeDeadlineSeconds in ",
                              kind == "Deployment" ? "ReplicaSet" : kind, " is not Supported")));
  }
}

void CheckDeployment(const Json& spec, FieldErrors& errors) {
  const Json& strategy = At(spec, "strategy");
  const FieldPath path = kSpec.Child("strategy");
  const std::string_view type = TextView(strategy, "type");
  const Json& rolling = At(strategy, "rollingUpdate");
  if (type != "Recreate" && type != "RollingUpdate") {
    errors.push_back(UnsupportedField("spec.strategy.type", type, {"Recreate", "RollingUpdate"}));
  } else if (type == "Recreate" && !rolling.is_null()) {
    errors.push_back(ForbiddenField("spec.strategy.rollingUpdate",
                                    "may not be specified when strategy `type` is 'Recreate'"));
  } else if (type == "RollingUpdate") {
    const FieldPath at = path.Child("rollingUpdate");
    CheckIntOrPercent(rolling, "maxUnavailable", /*at_most_100=*/true, at, errors);
    CheckIntOrPercent(rolling, "maxSurge", /*at_most_100=*/false, at, errors);
    if (IntOrPercent(At(rolling, "maxSurge")) == 0 &&
        IntOrPercent(At(rolling, "maxUnavailable")) == 0) {
      errors.push_back(InvalidField(at.Text("maxUnavailable"), At(rolling, "maxUnavailable"),
                                    "may not be 0 when `maxSurge` is 0"));
    }
  }
  CheckNonNegative(spec, "progressDeadlineSeconds", kSpec, errors);
  const auto deadline = IntAt(spec, "progressDeadlineSeconds");
  if (deadline && *deadline <= IntAt(spec, "minReadySeconds").value_or(0)) {
    errors.push_back(InvalidField("spec.progressDeadlineSeconds", *deadline,
                                  "must be greater than minReadySeconds"));
  }
}

void CheckDaemonSet(const Json& spec, FieldErrors& errors) {
  const Json& strategy = At(spec, "updateStrategy");
  const FieldPath path = kSpec.Child("updateStrategy");
  CheckOneOf(strategy, "type", {"RollingUpdate", "OnDelete"}, path, errors);
  if (TextView(strategy, "type") != "RollingUpdate") return;
  const Json& rolling = At(strategy, "rollingUpdate");
  const FieldPath at = path.Child("rollingUpdate");
  CheckIntOrPercent(rolling, "maxUnavailable", /*at_most_100=*/true, at, errors);
  CheckIntOrPercent(rolling, "maxSurge", /*at_most_100=*/true, at, errors);
  const bool unavailable = IntOrPercent(At(rolling, "maxUnavailable")) != 0;
  const bool surge = IntOrPercent(At(rolling, "maxSurge")) != 0;
  if (unavailable && surge) {
    errors.push_back(InvalidField(at.Text("maxSurge"), At(rolling, "maxSurge"),
                                  "may not be set when maxUnavailable is non-zero"));
  } else if (!unavailable && !surge) {
    errors.push_back(RequiredField(at.Text("maxUnavailable"), "cannot be 0 when maxSurge is 0"));
  }
}

void CheckStatefulSet(const Json& spec, const Json& before, FieldErrors& errors) {
  const std::string_view management = TextView(spec, "podManagementPolicy");
  if (!management.empty() && management != "OrderedReady" && management != "Parallel") {
    errors.push_back(InvalidField("spec.podManagementPolicy", management,
                                  "must be 'OrderedReady' or 'Parallel'"));
  }
  const Json& strategy = At(spec, "updateStrategy");
  const FieldPath path = kSpec.Child("updateStrategy");
  const std::string_view type = TextView(strategy, "type");
  const Json& rolling = At(strategy, "rollingUpdate");
  if (type == "OnDelete" && !rolling.is_null()) {
    errors.push_back(InvalidField(path.Text("rollingUpdate"), rolling,
                                  "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (type == "RollingUpdate") {
    const FieldPath at = path.Child("rollingUpdate");
    CheckNonNegative(rolling, "partition", at, errors);
    CheckIntOrPercent(rolling, "maxUnavailable", /*at_most_100=*/true, at, errors);
  } else if (type != "OnDelete") {
    errors.push_back(InvalidField(path.Text(), strategy, "must be 'RollingUpdate' or 'OnDelete'"));
  }
  const FieldPath retention = kSpec.Child("persistentVolumeClaimRetentionPolicy");
  for (const char* when : {"whenDeleted", "whenScaled"}) {
    CheckOneOf(At(spec, "persistentVolumeClaimRetentionPolicy"), when, {"Retain", "Delete"},
               retention, errors);
  }
  CheckNonNegative(At(spec, "ordinals"), "start", kSpec.Child("ordinals"), errors);
  if (before.is_null()) return;
  static const std::set<std::string_view> may_change = {"replicas",
                                                        "ordinals",
                                                        "template",
                                                        "updateStrategy",
                                                        "revisionHistoryLimit",
                                                        "persistentVolumeClaimRetentionPolicy",
                                                        "minReadySeconds"};
  if (!SameExcept(spec, before, may_change)) {
    errors.push_back(ForbiddenField(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
        "'template', 'updateStrategy', 'revisionHistoryLimit', "
        "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
  }
}

}  // namespace

void CheckApps(const std::string& kind, const Json& spec, const Json& before, FieldErrors& errors) {
  for (const char* field : {"replicas", "minReadySeconds", "revisionHistoryLimit"}) {
    CheckNonNegative(spec, field, kSpec, errors);
  }
  CheckSelector(kind, spec, errors);
  CheckTemplate(kind, spec, errors);
  if (kind == "StatefulSet") {
    CheckStatefulSet(spec, before, errors);
    return;
  }
  if (kind == "Deployment") CheckDeployment(spec, errors);
  if (kind == "DaemonSet") CheckDaemonSet(spec, errors);
  if (!before.is_null()) CheckImmutable(spec, before, "selector", kSpec, errors);
}

}  // namespace sealane::kubeapi
