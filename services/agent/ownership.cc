#include "services/agent/ownership.h"

#include <algorithm>
#include <vector>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetString;

const Json* ManagedFields(const Json& object) {
  const Json* fields = Find(object, {"metadata", "managedFields"});
  return fields != nullptr && fields->is_array() ? fields : nullptr;
}

bool IsOurs(const Json& entry) {
  return GetString(entry, {"manager"}) == kFieldManager &&
         GetString(entry, {"operation"}) == "Apply" && GetString(entry, {"subresource"}).empty();
}

// Another manager than us owns spec.replicas of the live object.
bool OthersOwnReplicas(const Json& live) {
  const Json* fields = ManagedFields(live);
  if (fields == nullptr) return false;
  return std::any_of(fields->begin(), fields->end(), [](const Json& entry) {
    return !IsOurs(entry) && Find(entry, {"fieldsV1", "f:spec", "f:replicas"}) != nullptr;
  });
}

void RetainReplicas(const Json& live, Json& manifest) {
  if (Find(manifest, {"spec", "replicas"}) == nullptr) return;
  const Json* replicas = Find(live, {"spec", "replicas"});
  if (OthersOwnReplicas(live) || replicas == nullptr) {
    manifest["spec"].erase("replicas");
  } else {
    // Ours alone so far: giving it up would reset it to the default of 1.
    manifest["spec"]["replicas"] = *replicas;
  }
}

bool IsBookkeeping(std::string_view path) {
  static constexpr std::string_view kPaths[] = {
      "metadata.managedFields", "metadata.resourceVersion",   "metadata.generation",
      "metadata.uid",           "metadata.creationTimestamp", "status"};
  return std::find(std::begin(kPaths), std::end(kPaths), path) != std::end(kPaths);
}

std::string Shorten(const Json* value) {
  if (value == nullptr) return "(absent)";
  std::string text = WriteJson(*value);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

void Compare(const std::string& path, const Json* from, const Json* to,
             std::vector<std::string>& out) {
  if (IsBookkeeping(path)) return;
  if (from != nullptr && to != nullptr) {
    if (*from == *to) return;
    if (from->is_object() && to->is_object()) {
      const std::string prefix = path.empty() ? "" : path + ".";
      for (const auto& entry : from->items()) {
        Compare(prefix + entry.key(), &entry.value(), Find(*to, {entry.key()}), out);
      }
      for (const auto& entry : to->items()) {
        if (!from->contains(entry.key())) {
          Compare(prefix + entry.key(), nullptr, &entry.value(), out);
        }
      }
      return;
    }
    if (from->is_array() && to->is_array() && from->size() == to->size()) {
      for (size_t i = 0; i < from->size(); ++i) {
        Compare(StrCat(path, "[", i, "]"), &(*from)[i], &(*to)[i], out);
      }
      return;
    }
  }
  out.push_back(StrCat(path, ": ", Shorten(from), " -> ", Shorten(to)));
}

}  // namespace

uint64_t OwnedFieldsHash(const Json& object) {
  const Json* fields = ManagedFields(object);
  if (fields == nullptr) return 0;
  std::string owned;
  for (const Json& entry : *fields) {
    if (!IsOurs(entry)) continue;
    const Json* set = Find(entry, {"fieldsV1"});
    if (set != nullptr) owned += WriteJson(*set);
  }
  if (owned.empty()) return 0;
  const uint64_t hash = Fnv1a64(owned);
  return hash == 0 ? 1 : hash;
}

bool HasOtherMaker(const Json& object) {
  const Json* fields = ManagedFields(object);
  if (fields == nullptr) return false;
  return std::any_of(fields->begin(), fields->end(), [](const Json& entry) {
    return !IsOurs(entry) && GetString(entry, {"subresource"}).empty();
  });
}

bool IsManaged(const Json& object) {
  return GetString(object, {"metadata", "labels", kManagedLabel}) == "true" &&
         OwnedFieldsHash(object) != 0;
}

std::string DescribeOwner(const Json& object) {
  const std::string_view release =
      GetString(object, {"metadata", "annotations", "meta.helm.sh/release-name"});
  if (!release.empty()) return StrCat("Helm (release ", release, ")");
  const Json* owners = Find(object, {"metadata", "ownerReferences"});
  if (owners != nullptr && owners->is_array() && !owners->empty()) {
    return StrCat(GetString(owners->front(), {"kind"}), " ", GetString(owners->front(), {"name"}));
  }
  std::vector<std::string> managers;
  if (const Json* fields = ManagedFields(object); fields != nullptr) {
    for (const Json& entry : *fields) {
      if (!GetString(entry, {"subresource"}).empty()) continue;
      std::string manager(GetString(entry, {"manager"}));
      if (!manager.empty() &&
          std::find(managers.begin(), managers.end(), manager) == managers.end()) {
        managers.push_back(std::move(manager));
      }
    }
  }
  if (!managers.empty()) return StrJoin(managers, ", ");
  const std::string_view by =
      GetString(object, {"metadata", "labels", "app.kubernetes.io/managed-by"});
  return by.empty() ? "someone unknown" : std::string(by);
}

uint64_t ResourceVersionOf(const Json& object) {
  const std::string_view text = GetString(object, {"metadata", "resourceVersion"});
  if (text.empty() || text.size() > 19) return 0;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

absl::StatusOr<PreparedManifest> PrepareManifest(std::string_view manifest,
                                                 std::string_view cluster, const Json* live) {
  Json json = Json::parse(manifest, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidArgument("the work's manifest is not a JSON object");
  Json& metadata = json["metadata"];
  if (!metadata.is_object()) return InvalidArgument("metadata: not an object");
  PreparedManifest prepared;
  prepared.recreate = GetString(metadata, {"annotations", kRecreateAnnotation}) == "true";
  prepared.report_drift = GetString(metadata, {"annotations", kDriftAnnotation}) == "Report";
  prepared.retain_replicas = GetString(metadata, {"labels", kRetainReplicasLabel}) == "true";
  Json& labels = metadata["labels"];
  if (labels.is_null()) labels = Json::object();
  if (!labels.is_object()) return InvalidArgument("metadata.labels: not an object");
  labels[kManagedLabel] = "true";
  Json& annotations = metadata["annotations"];
  if (annotations.is_null()) annotations = Json::object();
  if (!annotations.is_object()) return InvalidArgument("metadata.annotations: not an object");
  annotations[kClusterAnnotation] = cluster;
  // What the API server writes may not be in an apply.
  for (const char* field :
       {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}) {
    metadata.erase(field);
  }
  json.erase("status");
  if (prepared.retain_replicas && live != nullptr) RetainReplicas(*live, json);
  prepared.body = WriteJson(json);
  return prepared;
}

std::string DescribeDifference(const Json& from, const Json& to, size_t limit) {
  std::vector<std::string> differences;
  Compare("", &from, &to, differences);
  std::string text = StrJoin(differences, "; ");
  if (text.size() > limit) text = text.substr(0, limit > 3 ? limit - 3 : 0) + "...";
  return text;
}

}  // namespace sealane::agent
