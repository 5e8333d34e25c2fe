#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// The Table form of objects (what `kubectl get` shows): the columns of the real server for the
// common kinds, the CRD's additionalPrinterColumns for custom ones, name and age otherwise.
[[nodiscard]] Json TableColumns(const Resource& resource);
// One row: its cells, and the object as `includeObject` asks ("Metadata", "Object", "None").
[[nodiscard]] Json TableRow(const Resource& resource, const Json& object, absl::Time now,
                            const std::string& include_object);

// "5s", "3m20s", "4d": how long ago, as kubectl writes it.
[[nodiscard]] std::string HumanDuration(absl::Duration duration);

// metadata only, as kind PartialObjectMetadata.
[[nodiscard]] Json PartialMetadata(const Json& object);

}  // namespace sealane::kubeapi
