#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"

namespace sealane::kubeapi {

// Rules for names, labels and annotations. Each WhyNot gives the reason in the real server's words;
// empty when the text is fine.
[[nodiscard]] std::string WhyNotDnsLabel(std::string_view name);      // RFC 1123, 63 characters
[[nodiscard]] std::string WhyNotDnsSubdomain(std::string_view name);  // RFC 1123, 253 characters
[[nodiscard]] std::string WhyNotDns1035Label(std::string_view name);  // services before 1.34
[[nodiscard]] std::string WhyNotPathSegment(std::string_view name);   // RBAC names
[[nodiscard]] std::string WhyNotLabelKey(std::string_view key);
[[nodiscard]] std::string WhyNotLabelValue(std::string_view value);

// Faults of metadata.labels-like maps at `path`.
void CheckLabels(const Json& labels, std::string_view path, std::vector<FieldError>& errors);
// Faults of metadata itself (labels, annotations, finalizers, ownerReferences), without the name.
void CheckMetadata(const Json& metadata, std::vector<FieldError>& errors);

}  // namespace sealane::kubeapi
