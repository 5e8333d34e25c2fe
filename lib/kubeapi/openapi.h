#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// The OpenAPI documents of a registry. They state what the verbs accept, which is how kubectl
// learns that a dry run is possible. Version 3 describes the types (kubectl explain); version 2
// describes none, so that kubectl before 1.27 leaves validation to the server.

// /openapi/v3: the index, and the document of one group version; null when there is none.
[[nodiscard]] Json OpenApiIndex(const Registry& registry);
[[nodiscard]] Json OpenApiDocument(const Registry& registry, std::string_view path);

// /openapi/v2, which kubectl before 1.27 asks for, in protobuf only.
inline constexpr std::string_view kOpenApiV2Protobuf =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
[[nodiscard]] Json OpenApiV2(const Registry& registry);
[[nodiscard]] std::string OpenApiV2Protobuf(const Registry& registry);

}  // namespace sealane::kubeapi
