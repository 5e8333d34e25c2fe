#include "lib/kube/object_marks.h"

#include <cstdint>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/own_annotations.h"
#include "lib/model/field_errors.h"
#include "lib/model/identity.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

bool HasLabel(std::string_view manifest, std::string_view label, std::string_view value) {
  if (manifest.find(label) == std::string_view::npos) return false;
  const Json parsed = Json::parse(manifest, nullptr, /*allow_exceptions=*/false);
  return GetString(parsed, {"metadata", "labels", label}) == value;
}

void WarnOfUnknown(const Json& manifest, std::string_view map, std::string_view name,
                   std::string_view known, std::string_view other_known,
                   std::vector<std::string>* warnings) {
  const std::string_view value = GetString(manifest, {"metadata", map, name});
  if (value.empty() || value == known || value == other_known) return;
  warnings->push_back(StrCat("metadata.", map, "[", name, "]: \"", value, "\" has no effect; known",
                             other_known.empty() ? " is " : " are ", known,
                             other_known.empty() ? "" : " and ", other_known));
}

}  // namespace

bool IsDeletionProtected(std::string_view manifest) {
  return HasLabel(manifest, kDeletionProtectedLabel, "Always");
}

bool SkipsAutoPropagation(std::string_view manifest) {
  return HasLabel(manifest, kSkipAutoPropagationLabel, "true");
}

std::string_view ConflictResolutionOf(const Json& manifest) {
  const std::string_view value =
      GetString(manifest, {"metadata", "annotations", kConflictResolutionAnnotation});
  if (value == "overwrite") return "Overwrite";
  return value == "abort" ? "Abort" : "";
}

void CheckMarks(const Json& manifest, std::vector<v1::FieldError>* errors,
                std::vector<std::string>* warnings) {
  WarnOfUnknown(manifest, "labels", kDeletionProtectedLabel, "Always", "", warnings);
  WarnOfUnknown(manifest, "annotations", kConflictResolutionAnnotation, "overwrite", "abort",
                warnings);
  WarnOfAnnotations(manifest, warnings);
  if (GetString(manifest, {"kind"}) != "PriorityClass" ||
      GroupOf(GetString(manifest, {"apiVersion"})) != "scheduling.k8s.io") {
    return;
  }
  const Json* value = Find(manifest, {"value"});
  if (value == nullptr || value->is_null()) {
    AddFieldError(errors, "value", "Required", "a PriorityClass needs a value");
  } else if (!value->is_number_integer() || value->get<int64_t>() < INT32_MIN ||
             value->get<int64_t>() > INT32_MAX) {
    AddFieldError(errors, "value", "Invalid", "must be an integer of 32 bits");
  }
}

}  // namespace sealane::kube
