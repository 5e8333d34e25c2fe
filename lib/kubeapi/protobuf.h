#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// Whether a body is in Kubernetes' protobuf form: four magic bytes before a runtime.Unknown.
[[nodiscard]] bool IsProtobuf(std::string_view body);

// Decodes a built-in object sent as application/vnd.kubernetes.protobuf into its JSON form, with
// kind and apiVersion. kubectl sends such bodies for `create` commands. Error: not such a body, or
// a kind without a table.
[[nodiscard]] absl::StatusOr<Json> DecodeProtobuf(std::string_view body);

}  // namespace sealane::kubeapi
