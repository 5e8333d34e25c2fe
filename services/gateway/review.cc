#include "services/gateway/review.h"

#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "services/gateway/object_view.h"

namespace sealane::gateway {

kubeapi::Review ReviewObject(const kubeapi::Resource& resource, const Json& object) {
  const Split split = SplitObject(object, resource.ApiVersion(), resource.kind);
  Json manifest;
  kube::Admission admission = kube::AdmitText(split.manifest, &manifest);
  kubeapi::Review review;
  review.warnings = std::move(admission.warnings);
  for (const v1::FieldError& error : admission.errors) {
    review.errors.push_back(ToFieldError(error));
  }
  return review;
}

kubeapi::FieldError ToFieldError(const v1::FieldError& error) {
  kubeapi::FieldError out;
  out.field = error.field();
  out.message = error.message();
  out.reason = "FieldValueInvalid";
  for (const char* reason : {"Required", "NotSupported", "Forbidden", "Duplicate"}) {
    if (error.reason() == reason) out.reason = StrCat("FieldValue", reason);
  }
  if (error.reason() == "TypeMismatch") out.reason = "FieldValueTypeInvalid";
  return out;
}

}  // namespace sealane::gateway
