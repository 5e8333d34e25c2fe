#include "tests/conformance/ops_policy.h"

#include <string>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/kube/dependencies.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/kube/policy_admission.h"
#include "lib/kube/prune.h"
#include "lib/kube/replicas.h"
#include "lib/kube/revise.h"
#include "lib/model/cluster_json.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"
#include "services/policy/overrides.h"
#include "services/policy/policy_spec.h"

namespace sealane::conformance {
absl::StatusOr<Json> RunAdmit(const Json& in) {
  Json policy = in.at("object");
  kube::DefaultNamespace(policy);
  kube::DefaultPolicy(policy);
  const std::vector<v1::FieldError> errors = kube::ValidatePolicy(policy);
  if (errors.empty()) return Json{{"allowed", true}, {"spec", policy["spec"]}};
  Json fields = Json::array();
  for (const v1::FieldError& error : errors) fields.push_back(error.field());
  return Json{{"allowed", false}, {"fields", std::move(fields)}};
}

absl::StatusOr<Json> RunSelectPolicy(const Json& in) {
  std::vector<policy::PropagationPolicy> policies;
  for (const Json& manifest : in.at("policies")) {
    SEALANE_ASSIGN_OR_RETURN(auto parsed, policy::ParsePropagationPolicy(manifest));
    policies.push_back(std::move(parsed));
  }
  std::vector<const policy::PropagationPolicy*> candidates;
  for (const auto& parsed : policies) candidates.push_back(&parsed);
  const Json& object = in.at("object");
  const v1::ObjectRef ref = kube::RefOf(object);
  const auto* chosen = policy::SelectPolicy({ref, object}, candidates);
  if (chosen == nullptr) return Json{{"kind", ""}, {"name", ""}};
  return Json{{"kind", chosen->ref.kind()}, {"name", chosen->ref.name()}};
}

absl::StatusOr<Json> RunOverride(const Json& in) {
  std::vector<policy::OverridePolicy> policies;
  for (const Json& manifest : in.at("policies")) {
    SEALANE_ASSIGN_OR_RETURN(auto parsed, policy::ParseOverridePolicy(manifest));
    policies.push_back(std::move(parsed));
  }
  std::vector<const policy::OverridePolicy*> candidates;
  for (const auto& parsed : policies) candidates.push_back(&parsed);
  Json object = in.at("object");
  const v1::ObjectRef ref = kube::RefOf(object);
  std::vector<v1::FieldError> ignored;
  const v1::ClusterStatus cluster = ClusterFromJson(in.at("cluster"), &ignored);
  std::vector<v1::AppliedOverride> applied;
  SEALANE_RETURN_IF_ERROR(policy::ApplyOverrides(
      policy::PossibleOverrides({ref, object}, candidates), cluster, object, &applied));
  return Json{{"object", std::move(object)}};
}

absl::StatusOr<Json> RunReplicas(const Json& in) {
  v1::ReplicaRequirements requirements;
  SEALANE_ASSIGN_OR_RETURN(const kube::ReplicaCount count,
                           kube::CountReplicas(in.at("object"), &requirements));
  return Json{
      {"replicas", count.replicas},
      {"requirements", count.has_requirements ? RequirementsToJson(requirements) : Json(nullptr)}};
}

absl::StatusOr<Json> RunReviseReplica(const Json& in) {
  Json object = in.at("object");
  SEALANE_RETURN_IF_ERROR(kube::ReviseReplicas(object, in.at("replicas").get<int64_t>()));
  return Json{{"object", std::move(object)}};
}

absl::StatusOr<Json> RunDependencies(const Json& in) {
  SEALANE_ASSIGN_OR_RETURN(const auto found, kube::FindDependencies(in.at("object")));
  Json list = Json::array();
  for (const kube::Dependency& dependency : found) {
    Json entry = {{"apiVersion", dependency.api_version},
                  {"kind", dependency.kind},
                  {"namespace", dependency.ns}};
    if (!dependency.name.empty()) entry["name"] = dependency.name;
    if (!dependency.label_key.empty()) {
      entry["labelSelector"]["matchLabels"][dependency.label_key] = dependency.label_value;
    }
    list.push_back(std::move(entry));
  }
  return Json{{"dependencies", std::move(list)}};
}

absl::StatusOr<Json> RunPrune(const Json& in) {
  Json object = in.at("object");
  SEALANE_RETURN_IF_ERROR(kube::Prune(object));
  return Json{{"object", std::move(object)}};
}

}  // namespace sealane::conformance
