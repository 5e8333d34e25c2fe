#pragma once

#include <string>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/writer.h"

namespace sealane::kubeapi {

// Shared by the two halves of Writer. Internal to lib/kubeapi.

// The metadata of an object; an empty object when absent.
[[nodiscard]] const Json& MetadataOf(const Json& object);
// Makes `to[field]` what `from[field]` is, also when that is nothing.
void Copy(const Json& from, Json& to, const char* field);
// Whether the body's name and namespace agree with the URL's.
[[nodiscard]] absl::Status CheckUrl(const WriteTarget& target, const Json& object);

// Whether its objects are CustomResourceDefinitions.
[[nodiscard]] bool IsCrd(const Resource& resource);

}  // namespace sealane::kubeapi
