#pragma once

#include <string>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::cli {

// One field in which what a cluster gets differs from what was published, and who made it so.
struct FieldChange {
  std::string
      field;  // JSON pointer, in the manifest of the cluster (in the published one when gone)
  std::string from;  // JSON text, shortened for people; empty: the field is not there
  std::string to;
  std::string
      by;  // "OverridePolicy shop/regions, rule 2, labelsOverrider[0] (add)", "the placement"
};

// What Sealane does to a published manifest for every cluster alike: what only a server sets is
// taken away, and the label by which agents know what is theirs is put on.
[[nodiscard]] Json BaseManifest(const Json& published);

// The fields in which `manifest`, what `work` carries, differs from `base`, sorted as in the
// manifest. Lists of plain values are one field. The last operation of an override policy that
// touched a field set it; replicas without one come from the placement. `last_good`: `work` is the
// last good one of an object that can no longer be rendered; nobody can tell what made it so,
// unless its operations are still known.
[[nodiscard]] std::vector<FieldChange> ChangesOf(const Json& base, const Json& manifest,
                                                 const v1::Work& work, bool last_good = false);

// "OverridePolicy shop/regions, rule 2, labelsOverrider[0] (add)".
[[nodiscard]] std::string FormatOrigin(const v1::AppliedOverride& applied);

}  // namespace sealane::cli
