#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane::cli {

// What each cluster has of its own: for every cluster, the fields whose value is not the same in
// all of `manifests` (cluster -> manifest), in the order of their paths, in words for people:
//   "label region=cn-beijing", "web: REGION=cn-beijing", "web: args --timezone=Asia/Shanghai",
//   "spec.strategy.type=Recreate".
// Lists of named elements are compared by name, lists of plain values by their values. Replicas and
// images are left out: they have columns of their own. One cluster alone differs from nobody.
[[nodiscard]] std::map<std::string, std::vector<std::string>> Differences(
    const std::map<std::string, Json>& manifests);

// "web: registry.example.com/web:1" per container, sorted as in the manifest; without the
// container's name when there is one only. Empty for objects without a pod template.
[[nodiscard]] std::vector<std::string> Images(const Json& manifest);

// A text as it is, anything else as JSON.
[[nodiscard]] std::string PlainText(const Json& value);

}  // namespace sealane::cli
