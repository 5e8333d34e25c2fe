#include "services/gateway/kinds.h"

#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/schema.h"
#include "services/gateway/binding_views.h"

namespace sealane::gateway {

Json MakeDefinition(const char* group, const char* version, const char* plural, const char* kind,
                    bool namespaced, const char* short_name,
                    const std::vector<KindColumn>& columns) {
  Json open = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  Json entry = {{"name", version},
                {"served", true},
                {"storage", true},
                {"subresources", {{"status", Json::object()}}},
                {"schema",
                 {{"openAPIV3Schema",
                   {{"type", "object"}, {"properties", {{"spec", open}, {"status", open}}}}}}}};
  for (const KindColumn& column : columns) {
    entry["additionalPrinterColumns"].push_back(
        {{"name", column.name}, {"type", column.type}, {"jsonPath", column.path}});
  }
  std::string singular(kind);
  for (char& c : singular) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  Json names = {{"plural", plural}, {"singular", singular}, {"kind", kind}};
  names["listKind"] = StrCat(kind, "List");
  names["categories"] = {"sealane"};
  if (*short_name != '\0') names["shortNames"] = {short_name};
  return {{"metadata", {{"name", StrCat(plural, ".", group)}}},
          {"spec",
           {{"group", group},
            {"scope", namespaced ? "Namespaced" : "Cluster"},
            {"names", names},
            {"versions", {entry}}}}};
}

namespace {

Json MakeDefinitions() {
  constexpr char kPolicy[] = "policy.karmada.io";
  const KindColumn age = {"Age", "date", ".metadata.creationTimestamp"};
  const std::vector<KindColumn> policy = {
      {"Conflict-Resolution", "string", ".spec.conflictResolution"},
      {"Priority", "string", ".spec.priority"},
      age};
  const std::vector<KindColumn> plain = {age};
  Json all = Json::array();
  all.push_back(MakeDefinition(kPolicy, "v1alpha1", "propagationpolicies", "PropagationPolicy",
                               true, "pp", policy));
  all.push_back(MakeDefinition(kPolicy, "v1alpha1", "clusterpropagationpolicies",
                               "ClusterPropagationPolicy", false, "cpp", policy));
  all.push_back(
      MakeDefinition(kPolicy, "v1alpha1", "overridepolicies", "OverridePolicy", true, "op", plain));
  all.push_back(MakeDefinition(kPolicy, "v1alpha1", "clusteroverridepolicies",
                               "ClusterOverridePolicy", false, "cop", plain));
  all.push_back(MakeDefinition(kPolicy, "v1alpha1", "clustertaintpolicies", "ClusterTaintPolicy",
                               false, "ctp", plain));
  all.push_back(
      MakeDefinition("cluster.karmada.io", "v1alpha1", "clusters", "Cluster", false, "",
                     {{"Provider", "string", ".spec.provider"},
                      {"Region", "string", ".spec.region"},
                      {"Version", "string", ".status.kubernetesVersion"},
                      {"Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status"},
                      age}));
  all.push_back(MakeDefinition("apps.karmada.io", "v1alpha1", "workloadrebalancers",
                               "WorkloadRebalancer", false, "", plain));
  all.push_back(MakeDefinition("sealane.io", "v1alpha1", "gitsources", "GitSource", false, "",
                               {{"Repository", "string", ".spec.url"},
                                {"Branch", "string", ".spec.branch"},
                                {"Path", "string", ".spec.path"},
                                age}));
  return all;
}

}  // namespace

std::shared_ptr<const Json> Kinds::FleetDefinitions() {
  Json all = MakeDefinitions();
  for (Json& view : BindingViews::Definitions()) all.push_back(std::move(view));
  return std::make_shared<const Json>(std::move(all));
}

Kinds::Kinds() {
  for (const kubeapi::ResourceFacts& facts : kubeapi::Schema::Builtin()->resources()) {
    if (facts.name.find('/') != std::string::npos) continue;
    // What the API server serves of several versions, and what it never stores.
    if (facts.group == "autoscaling" && facts.version == "v1") continue;
    if (facts.group == "events.k8s.io") continue;
    Add(facts.group, facts.version, facts.name, facts.kind);
  }
  for (const Json& crd : MakeDefinitions()) Define(crd);
  for (const auto& entry : by_storage_) own_.insert(entry.first);
  for (const Json& view : BindingViews::Definitions()) own_.insert(kubeapi::StorageOfCrd(view));
}

void Kinds::Add(std::string_view group, std::string_view version, std::string_view plural,
                std::string_view kind) {
  Kind entry;
  entry.storage_name = group.empty() ? std::string(plural) : StrCat(group, "/", plural);
  entry.api_version = group.empty() ? std::string(version) : StrCat(group, "/", version);
  entry.kind = std::string(kind);
  const std::pair<std::string, std::string> id(group, kind);
  by_storage_[entry.storage_name] = id;
  by_kind_[id] = std::move(entry);
}

const Kind* Kinds::Of(std::string_view group, std::string_view kind) const {
  const auto it = by_kind_.find({std::string(group), std::string(kind)});
  return it == by_kind_.end() ? nullptr : &it->second;
}

const Kind* Kinds::Stored(std::string_view storage_name) const {
  const auto it = by_storage_.find(storage_name);
  return it == by_storage_.end() ? nullptr : &by_kind_.at(it->second);
}

bool Kinds::Define(const Json& crd) {
  const Json spec = crd.value("spec", Json::object());
  const Json names = spec.value("names", Json::object());
  const std::string kind = names.value("kind", "");
  const std::string plural = names.value("plural", "");
  if (kind.empty() || plural.empty() || own_.contains(kubeapi::StorageOfCrd(crd))) return false;
  for (const Json& version : spec.value("versions", Json::array())) {
    if (!version.value("storage", false)) continue;
    Add(spec.value("group", ""), version.value("name", ""), plural, kind);
    return true;
  }
  return false;
}

}  // namespace sealane::gateway
