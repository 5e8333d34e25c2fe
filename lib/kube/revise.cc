#include "lib/kube/revise.h"

#include <string_view>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {

absl::Status ReviseReplicas(Json& manifest, int64_t replicas) {
  const std::string_view version = GetString(manifest, {"apiVersion"});
  const std::string_view kind = GetString(manifest, {"kind"});
  std::string_view field;
  if (version == "apps/v1" &&
      (kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet")) {
    field = "replicas";
  } else if (version == "batch/v1" && kind == "Job") {
    field = "parallelism";
  } else {
    return absl::OkStatus();
  }
  const auto spec = manifest.find("spec");
  if (spec == manifest.end() || spec->is_null()) return absl::OkStatus();
  if (!spec->is_object()) return InvalidArgument("spec: must be an object");
  const auto value = spec->find(field);
  if (value == spec->end()) return absl::OkStatus();
  if (!value->is_number_integer()) {
    return InvalidArgument(StrCat("spec.", field, ": must be an integer"));
  }
  *value = replicas;
  return absl::OkStatus();
}

int64_t CompletionsOf(const Json& manifest) {
  const bool job =
      GetString(manifest, {"apiVersion"}) == "batch/v1" && GetString(manifest, {"kind"}) == "Job";
  return job ? GetInt(manifest, {"spec", "completions"}) : 0;
}

void ReviseCompletions(Json& manifest, int64_t completions) {
  if (CompletionsOf(manifest) > 0) manifest["spec"]["completions"] = completions;
}

}  // namespace sealane::kube
