#include "lib/kubeapi/validate.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/defaults.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"
#include "lib/kubeapi/validate_util.h"

namespace sealane::kubeapi {
namespace {

std::string WhyNotName(const Resource& resource, std::string_view name) {
  const std::string_view kind = resource.kind;
  if (!resource.builtin) return WhyNotDnsSubdomain(name);
  if (kind == "Namespace" || kind == "Service" || kind == "StatefulSet") {
    return WhyNotDnsLabel(name);
  }
  // Of these the real server asks no more than that they fit into a path.
  static constexpr std::array<std::string_view, 6> kFree = {
      "CertificateSigningRequest", "ClusterTrustBundle", "Event", "IPAddress", "LeaseCandidate",
      "PodDisruptionBudget"};
  if (resource.group == "rbac.authorization.k8s.io" ||
      std::find(kFree.begin(), kFree.end(), kind) != kFree.end()) {
    return WhyNotPathSegment(name);
  }
  return WhyNotDnsSubdomain(name);
}

void CheckName(const Resource& resource, const Json& metadata, FieldErrors& errors) {
  const std::string_view name = TextView(metadata, "name");
  if (name.empty()) {
    errors.push_back(RequiredField("metadata.name", "name or generateName is required"));
  } else if (const std::string why = WhyNotName(resource, name); !why.empty()) {
    errors.push_back(InvalidField("metadata.name", name, why));
  }
}

// Kinds of the core group.
void CheckCore(const std::string& kind, const Json& object, const Json& before,
               FieldErrors& errors) {
  const Json& spec = At(object, "spec");
  const Json& old_spec = At(before, "spec");
  if (kind == "Pod") {
    CheckPodSpec(spec, /*in_template=*/false, kSpec, errors);
    CheckPodUpdate(spec, old_spec, errors);
  } else if (kind == "PodTemplate") {
    CheckPodTemplate(At(object, "template"), FieldPath("template"), errors);
  } else if (kind == "ReplicationController") {
    CheckNonNegative(spec, "replicas", kSpec, errors);
    CheckNonNegative(spec, "minReadySeconds", kSpec, errors);
    CheckPodTemplate(At(spec, "template"), kSpec.Child("template"), errors);
  } else if (kind == "Service") {
    CheckService(spec, old_spec, errors);
  } else if (kind == "ConfigMap") {
    CheckConfigMap(object, before, errors);
  } else if (kind == "Secret") {
    CheckSecret(object, before, errors);
  } else if (kind == "PersistentVolumeClaim") {
    CheckClaim(spec, old_spec, errors);
  }
}

void CheckBuiltin(const Resource& resource, const Json& object, const Json& before,
                  FieldErrors& errors) {
  const Json& spec = At(object, "spec");
  const Json& old_spec = At(before, "spec");
  const std::string& kind = resource.kind;
  if (resource.group.empty()) {
    CheckCore(kind, object, before, errors);
  } else if (resource.group == "apps") {
    if (kind != "ControllerRevision") CheckApps(kind, spec, old_spec, errors);
  } else if (kind == "Job") {
    CheckJob(spec, old_spec, errors);
  } else if (kind == "CronJob") {
    CheckCronJob(object, before, errors);
  } else if (kind == "Ingress") {
    CheckIngress(spec, errors);
  } else if (kind == "NetworkPolicy") {
    CheckNetworkPolicy(spec, errors);
  } else if (kind == "PodDisruptionBudget") {
    CheckDisruptionBudget(spec, errors);
  } else if (kind == "HorizontalPodAutoscaler") {
    CheckAutoscaler(spec, errors);
  } else if (kind == "Lease") {
    CheckLease(spec, errors);
  } else if (resource.group == "rbac.authorization.k8s.io") {
    CheckRbac(resource, object, before, errors);
  } else if (kind == "CustomResourceDefinition") {
    for (FieldError& error : ValidateCrd(object)) errors.push_back(std::move(error));
    if (before.is_null()) return;
    CheckImmutable(spec, old_spec, "scope", kSpec, errors);
    CheckImmutable(spec, old_spec, "group", kSpec, errors);
  }
}

FieldErrors Check(const Resource& resource, const Json& object, const Json& before) {
  FieldErrors errors;
  const Json& metadata = At(object, "metadata");
  if (before.is_null()) CheckName(resource, metadata, errors);
  CheckMetadata(metadata, errors);
  if (resource.builtin) {
    // Most updates are of the status, or of metadata.
    const bool same_spec =
        !before.is_null() && Has(object, "spec") && At(object, "spec") == At(before, "spec");
    if (!same_spec) CheckBuiltin(resource, object, before, errors);
    return errors;
  }
  const Json& schema = At(*resource.crd_version, "schema");
  for (FieldError& error : ValidateCustom(At(schema, "openAPIV3Schema"), object)) {
    errors.push_back(std::move(error));
  }
  return errors;
}

// `before` as it would be had it come through this server: what others stored lacks the defaults.
Json Completed(const Resource& resource, const Json& before) {
  if (!resource.builtin || resource.type == nullptr) return before;
  std::vector<std::string> unknown;
  auto fitted = FitBuiltin(*resource.type, before, unknown);
  if (!fitted.ok()) return before;
  DefaultBuiltin(resource, *fitted);
  return *std::move(fitted);
}

// A field without the positions of list items, which may have moved.
std::string Place(const FieldError& error) {
  std::string out;
  bool skip = false;
  for (const char c : error.field) {
    if (c == '[') skip = true;
    if (!skip) out.push_back(c);
    if (c == ']') skip = false;
  }
  return StrCat(out, ": ", error.message);
}

}  // namespace

std::vector<FieldError> ValidateObject(const Resource& resource, const Json& object,
                                       const Json& before) {
  FieldErrors errors = Check(resource, object, before);
  if (errors.empty() || before.is_null()) return errors;
  const Json old = Completed(resource, before);
  errors = Check(resource, object, old);
  // Faults that were there before the update are not its own: rules are younger than some objects,
  // and whoever removes a finalizer or scales need not mend them.
  std::vector<std::string> known;
  for (const FieldError& error : Check(resource, old, Json())) known.push_back(Place(error));
  std::erase_if(errors, [&known](const FieldError& error) {
    const auto found = std::find(known.begin(), known.end(), Place(error));
    if (found == known.end()) return false;
    known.erase(found);
    return true;
  });
  return errors;
}

}  // namespace sealane::kubeapi
