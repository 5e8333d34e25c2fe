#include "lib/kube/prune.h"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

Json* At(Json& object, std::initializer_list<std::string_view> path) {
  return const_cast<Json*>(Find(object, path));  // NOLINT: the object is not const
}

void Erase(Json& object, std::initializer_list<std::string_view> parent, std::string_view key) {
  if (Json* map = At(object, parent); map != nullptr && map->is_object()) {
    if (const auto it = map->find(key); it != map->end()) map->erase(it);
  }
}

absl::Status EraseLabels(Json& object, std::initializer_list<std::string_view> path,
                         std::initializer_list<std::string_view> keys) {
  Json* labels = At(object, path);
  if (labels == nullptr) return absl::OkStatus();
  if (!labels->is_object()) return InvalidArgument(StrCat(StrJoin(path, "."), ": must be a map"));
  for (const Json& value : *labels) {
    if (!value.is_string()) {
      return InvalidArgument(StrCat(StrJoin(path, "."), ": must be a map of strings"));
    }
  }
  for (const std::string_view key : keys) {
    if (const auto it = labels->find(key); it != labels->end()) labels->erase(it);
  }
  return absl::OkStatus();
}

absl::Status PruneJob(Json& object) {
  const Json* manual = Find(object, {"spec", "manualSelector"});
  if (manual != nullptr && !manual->is_null() && !manual->is_boolean()) {
    return InvalidArgument("spec.manualSelector: must be true or false");
  }
  if (GetBool(object, {"spec", "manualSelector"})) return absl::OkStatus();
  SEALANE_RETURN_IF_ERROR(EraseLabels(object, {"spec", "selector", "matchLabels"},
                                      {"controller-uid", "batch.kubernetes.io/controller-uid"}));
  return EraseLabels(object, {"spec", "template", "metadata", "labels"},
                     {"controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
                      "batch.kubernetes.io/job-name"});
}

void PruneServiceAccount(Json& object) {
  Json* secrets = At(object, {"secrets"});
  if (secrets == nullptr || !secrets->is_array()) return;
  const std::string prefix = StrCat(GetString(object, {"metadata", "name"}), "-token-");
  Json kept = Json::array();
  for (Json& secret : *secrets) {
    if (!GetString(secret, {"name"}).starts_with(prefix)) kept.push_back(std::move(secret));
  }
  *secrets = std::move(kept);
}

}  // namespace

absl::Status Prune(Json& object) {
  for (const std::string_view field :
       {"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
        "managedFields", "resourceVersion", "selfLink", "uid", "ownerReferences", "finalizers"}) {
    Erase(object, {"metadata"}, field);
  }
  Erase(object, {}, "status");
  const std::string kind(GetString(object, {"kind"}));
  if (kind == "Deployment") {
    Erase(object, {"metadata", "annotations"}, "deployment.kubernetes.io/revision");
    Erase(object, {"metadata", "annotations"}, "deployment.kubernetes.io/revision-history");
  } else if (kind == "Job") {
    return PruneJob(object);
  } else if (kind == "ServiceAccount") {
    PruneServiceAccount(object);
  } else if (kind == "Service") {
    const Json* ip = Find(object, {"spec", "clusterIP"});
    if (ip != nullptr && ip->is_string() && *ip != "None") {
      Erase(object, {"spec"}, "clusterIP");
      Erase(object, {"spec"}, "clusterIPs");
    }
  } else if (kind == "Secret") {
    if (GetString(object, {"type"}) == "kubernetes.io/service-account-token") {
      Erase(object, {"metadata", "annotations"}, "kubernetes.io/service-account.uid");
      Erase(object, {}, "data");
    }
  } else if (kind == "PersistentVolumeClaim") {
    Erase(object, {"metadata", "annotations"}, "volume.kubernetes.io/selected-node");
  }
  return absl::OkStatus();
}

}  // namespace sealane::kube
