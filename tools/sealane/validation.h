#pragma once

#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/deploy.pb.h"
#include "tools/sealane/input.h"

namespace sealane::cli {

// Holds every document to the admission of the policy service, without a server. The result has the
// form of an answer to a deploy event. `manifests`, if given, gets every document's manifest with
// the defaults of its kind, in the same order (null where it could not be read).
[[nodiscard]] v1::DeployResult Validate(const std::vector<Document>& documents,
                                        std::vector<Json>* manifests = nullptr);

}  // namespace sealane::cli
