#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// One cluster's part in the status of an object.
struct AggregateItem {
  std::string cluster;
  // As ReflectStatus made it; nullptr or null when the cluster has nothing to say (not applied yet,
  // or lost).
  const Json* status = nullptr;
};

// True for the kinds that AggregateStatus can make one status of.
[[nodiscard]] bool CanAggregate(const Json& object);

// One status out of those of all clusters, per kind as Karmada's native interpreter does, without
// its mistake in StatefulSet (which compared a generation with itself). `object` is the template;
// its `status`, if any, is the previous result. Items are sorted by cluster name.
//
// observedGeneration becomes the template's generation only when every item has applied that
// generation and its controller has seen it; until then the previous value stays.
//
// Returns the new status; the previous one (null when there is none) when nothing changed, or for a
// kind without a rule. `now` stamps the conditions of a finished Job. INVALID_ARGUMENT when an
// item's status is malformed; the message names the cluster.
[[nodiscard]] absl::StatusOr<Json> AggregateStatus(const Json& object,
                                                   const std::vector<AggregateItem>& items,
                                                   absl::Time now);

}  // namespace sealane::kube
