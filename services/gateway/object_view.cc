#include "services/gateway/object_view.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/cluster_json.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::gateway {
namespace {

Json ParseObject(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? std::move(json) : Json::object();
}

// Objects that are mere data have none in Kubernetes, and of the core group hardly any.
bool HasGeneration(const Json& object) {
  const std::string kind = object.value("kind", "");
  if (object.value("apiVersion", "") == "v1") {
    return kind == "Pod" || kind == "ReplicationController";
  }
  return object.contains("spec");
}

// How many replicas may be missing while a Deployment is available, as its strategy says. 25 %
// unless said otherwise, rounded down as Kubernetes does.
int64_t MaxUnavailable(const Json& object, int64_t wanted) {
  const Json::json_pointer path("/spec/strategy/rollingUpdate/maxUnavailable");
  const Json value = object.contains(path) ? object.at(path) : Json("25%");
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return 0;
  return wanted * std::atoi(value.get_ref<const std::string&>().c_str()) / 100;
}

// The conditions of a Deployment over all its clusters; each cluster has its own.
void SetDeploymentConditions(const v1::AppStatus& app, bool everywhere, Json& object) {
  Json& status = object["status"];
  if (status.contains("conditions")) return;
  const int64_t wanted = app.replicas().wanted();
  const int64_t available = app.replicas().available();
  const bool enough = everywhere || available > 0
                          ? available >= wanted - MaxUnavailable(object, wanted)
                          : wanted == 0;
  const bool complete = everywhere && app.replicas().updated() >= wanted && available >= wanted;
  const std::string since = FormatKubeTime(FromMicros(app.phase_since_micros()));
  const auto add = [&](const char* type, bool holds, const char* reason, std::string message) {
    status["conditions"].push_back({{"type", type},
                                    {"status", holds ? "True" : "False"},
                                    {"reason", reason},
                                    {"message", std::move(message)},
                                    {"lastUpdateTime", since},
                                    {"lastTransitionTime", since}});
  };
  add("Available", enough, enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
      StrCat(available, " of ", wanted, " replicas are available in all clusters together"));
  add("Progressing", true, complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
      complete ? "the newest version runs everywhere"
               : "the clusters are being brought up to date");
}

// The fleet's word on a workload. Its generations are those of the row; the API has its own.
void SetStatus(const v1::StoredObject& row, const v1::AppStatus& app, Json& object) {
  if (app.uid() != row.uid() || app.status_json().empty()) return;
  Json status = ParseObject(app.status_json());
  const int64_t shown = object["metadata"].value("generation", row.generation());
  const bool everywhere = app.observed_generation() >= row.generation();
  if (status.contains("observedGeneration")) {
    status["observedGeneration"] =
        everywhere ? shown : std::max<int64_t>(0, std::min(app.observed_generation(), shown - 1));
  }
  object["status"] = std::move(status);
  if (row.ref().kind() == "Deployment") SetDeploymentConditions(app, everywhere, object);
}

void SetNamespacePhase(const Json& metadata, Json& object) {
  object["status"]["phase"] = metadata.contains("deletionTimestamp") ? "Terminating" : "Active";
}

}  // namespace

absl::StatusOr<Json> MakeObject(const v1::StoredObject& row, const v1::AppStatus* app,
                                const v1::ClusterStatus* cluster) {
  Json object = Json::parse(row.manifest(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object["metadata"].is_object()) {
    return InvalidArgument("the row holds no object");
  }
  Json kept = ParseObject(row.api_metadata());
  Json& metadata = object["metadata"];
  if (const auto it = kept.find("metadata"); it != kept.end()) metadata.update(*it);
  metadata["uid"] = row.uid();
  metadata["creationTimestamp"] = FormatKubeTime(FromMicros(row.created_micros()));
  if (!metadata.contains("generation") && HasGeneration(object)) {
    metadata["generation"] = row.generation();
  }
  if (row.deleting()) {
    if (!metadata.contains("deletionTimestamp")) {
      metadata["deletionTimestamp"] = FormatKubeTime(FromMicros(row.updated_micros()));
      metadata["deletionGracePeriodSeconds"] = 0;
    }
    Json& finalizers = metadata["finalizers"];
    if (!finalizers.is_array()) finalizers = Json::array();
    finalizers.push_back(kWithdrawFinalizer);
  }
  if (const auto it = kept.find("status"); it != kept.end()) object["status"] = std::move(*it);
  if (cluster != nullptr) {
    Json told = ClusterToJson(*cluster);
    object["status"] = std::move(told["status"]);
  } else if (app != nullptr) {
    SetStatus(row, *app, object);
  }
  if (row.ref().kind() == "Namespace") SetNamespacePhase(metadata, object);
  return object;
}

Split SplitObject(Json object, std::string_view api_version, std::string_view kind) {
  Json kept = Json::object();
  Json& metadata = object["metadata"];
  for (const char* field :
       {"managedFields", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    if (const auto it = metadata.find(field); it != metadata.end()) {
      kept["metadata"][field] = std::move(*it);
      metadata.erase(field);
    }
  }
  for (const char* field : {"uid", "resourceVersion", "creationTimestamp", "selfLink"}) {
    metadata.erase(field);
  }
  if (const auto it = metadata.find("finalizers"); it != metadata.end() && it->is_array()) {
    it->erase(std::remove(it->begin(), it->end(), Json(kWithdrawFinalizer)), it->end());
    if (it->empty()) metadata.erase("finalizers");
  }
  if (const auto it = object.find("status"); it != object.end()) {
    kept["status"] = std::move(*it);
    object.erase("status");
  }
  object["apiVersion"] = api_version;
  object["kind"] = kind;
  return {WriteJson(object), WriteJson(kept)};
}

Json ImpliedNamespace(std::string_view name, absl::Time since) {
  const std::string uid =
      UuidFrom(Fnv1a64(StrCat("namespace ", name)), Fnv1a64(StrCat(name, " namespace")));
  return {{"metadata",
           {{"name", name},
            {"uid", uid},
            {"labels", {{"kubernetes.io/metadata.name", name}}},
            {"creationTimestamp", FormatKubeTime(since)}}},
          {"spec", {{"finalizers", {"kubernetes"}}}},
          {"status", {{"phase", "Active"}}}};
}

}  // namespace sealane::gateway
