#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/field_set.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {

// metadata.managedFields: who owns which field, and server-side apply on top of it. Objects go in
// and come out as complete API objects; all functions are pure.

// Who writes.
struct Manager {
  std::string name;
  std::string api_version;
  std::string subresource;
  absl::Time now;
};

// The managedFields array that `after` should carry when `manager` changed `before` (an empty JSON
// object for a creation) into `after` by create, update or patch. Entries that `after` itself
// carries are honoured, as the real server does.
[[nodiscard]] Json ManagedFieldsAfterUpdate(const Type& type, const Json& before, const Json& after,
                                            const Manager& manager);

// `live` (an empty JSON object when there is none) after `manager` applied `config`, with its
// managedFields. `reset` are paths that this endpoint does not let anyone set (status on the main
// resource). Errors: 409 with FieldManagerConflict causes unless `force`, 500 for a config that
// does not fit the type, 400 for managedFields in the config.
[[nodiscard]] absl::StatusOr<Json> ApplyConfig(const Type& type, const Json& live,
                                               const Json& config, const FieldSet& reset,
                                               const Manager& manager, bool force);

// Whether two versions of an object differ in more than the times of their managedFields.
[[nodiscard]] bool DiffersBeyondTimes(const Json& before, const Json& after);

}  // namespace sealane::kubeapi
