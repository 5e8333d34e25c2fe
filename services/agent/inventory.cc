#include "services/agent/inventory.h"

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/kube/json_access.h"

namespace sealane::agent {

std::string EncodeInventory(const Inventory& inventory) {
  const Json json = {{"apiVersion", inventory.api_version},
                     {"kind", inventory.kind},
                     {"namespace", inventory.ns},
                     {"name", inventory.name},
                     {"uid", inventory.uid},
                     {"created", inventory.created},
                     {"preserve", inventory.preserve},
                     {"fenceUid", inventory.fence_uid},
                     {"fenceVersion", inventory.fence_version},
                     {"objectGeneration", inventory.object_generation},
                     {"manifestHash", static_cast<int64_t>(inventory.manifest_hash)},
                     {"fieldsHash", static_cast<int64_t>(inventory.fields_hash)},
                     {"resourceVersion", static_cast<int64_t>(inventory.resource_version)},
                     {"appliedMicros", inventory.applied_micros},
                     {"driftRepairs", inventory.drift_repairs}};
  return WriteJson(json);
}

absl::StatusOr<Inventory> DecodeInventory(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  Inventory out;
  out.kind = kube::GetString(json, {"kind"});
  out.name = kube::GetString(json, {"name"});
  if (out.kind.empty() || out.name.empty()) return InvalidArgument("malformed inventory entry");
  out.api_version = kube::GetString(json, {"apiVersion"});
  out.ns = kube::GetString(json, {"namespace"});
  out.uid = kube::GetString(json, {"uid"});
  out.created = kube::GetBool(json, {"created"});
  out.preserve = kube::GetBool(json, {"preserve"});
  out.fence_uid = kube::GetString(json, {"fenceUid"});
  out.fence_version = kube::GetInt(json, {"fenceVersion"});
  out.object_generation = kube::GetInt(json, {"objectGeneration"});
  out.manifest_hash = static_cast<uint64_t>(kube::GetInt(json, {"manifestHash"}));
  out.fields_hash = static_cast<uint64_t>(kube::GetInt(json, {"fieldsHash"}));
  out.resource_version = static_cast<uint64_t>(kube::GetInt(json, {"resourceVersion"}));
  out.applied_micros = kube::GetInt(json, {"appliedMicros"});
  out.drift_repairs = kube::GetInt(json, {"driftRepairs"});
  return out;
}

}  // namespace sealane::agent
