#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/validate_util.h"

namespace sealane::kubeapi {

// Rules for names, labels and annotations. Each WhyNot gives the reason in the real server's words;
// empty when the text is fine.
[[nodiscard]] std::string WhyNotDnsLabel(std::string_view name);      // RFC 1123, 63 characters
[[nodiscard]] std::string WhyNotDnsSubdomain(std::string_view name);  // RFC 1123, 253 characters
[[nodiscard]] std::string WhyNotDns1035Label(std::string_view name);  // services before 1.34
[[nodiscard]] std::string WhyNotPathSegment(std::string_view name);   // RBAC names
[[nodiscard]] std::string WhyNotLabelKey(std::string_view key);
[[nodiscard]] std::string WhyNotLabelValue(std::string_view value);

// Each of these adds the faults of the value at `path`; what is absent or of another type has none.

// A member of `object` that is a key of a label.
void CheckLabelKey(const Json& object, const char* field, const FieldPath& path,
                   FieldErrors& errors);
void CheckLabels(const Json& labels, const FieldPath& path, FieldErrors& errors);
void CheckAnnotations(const Json& annotations, const FieldPath& path, FieldErrors& errors);
// Labels and annotations of a pod template.
void CheckTemplateMetadata(const Json& pod_template, const FieldPath& path, FieldErrors& errors);
// The values that an operator of a selector's requirement (at `path`) takes. False: it is none of
// In, NotIn, Exists and DoesNotExist.
bool CheckSetOperator(std::string_view op, const Json& values, const FieldPath& path,
                      FieldErrors& errors);
// A LabelSelector.
void CheckLabelSelector(const Json& selector, const FieldPath& path, FieldErrors& errors);
// Metadata itself (labels, annotations, finalizers, ownerReferences), without the name.
void CheckMetadata(const Json& metadata, FieldErrors& errors);

}  // namespace sealane::kubeapi
