#include "lib/kubeapi/resource.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/custom.h"

namespace sealane::kubeapi {
namespace {

std::string Key(std::string_view group, std::string_view version, std::string_view plural) {
  return StrCat(group, "/", version, "/", plural);
}

bool HasGeneration(const ResourceFacts& facts) {
  if (facts.group == "apps") return facts.kind != "ControllerRevision";
  if (facts.group == "batch" || facts.group == "apiextensions.k8s.io") return true;
  static const std::set<std::string> kinds = {"Pod",
                                              "ReplicationController",
                                              "Ingress",
                                              "NetworkPolicy",
                                              "PodDisruptionBudget",
                                              "FlowSchema",
                                              "PriorityLevelConfiguration",
                                              "ValidatingWebhookConfiguration",
                                              "MutatingWebhookConfiguration",
                                              "ValidatingAdmissionPolicy",
                                              "ValidatingAdmissionPolicyBinding"};
  return kinds.count(facts.kind) != 0;
}

std::vector<std::string> FieldSelectors(const ResourceFacts& facts) {
  if (!facts.group.empty()) {
    if (facts.name == "replicasets") return {"status.replicas"};
    if (facts.name == "jobs") return {"status.successful"};
    return {};
  }
  if (facts.name == "pods") {
    return {
        "spec.nodeName",    "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase",       "status.podIP",       "status.nominatedNodeName"};
  }
  if (facts.name == "events") {
    return {"involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type"};
  }
  if (facts.name == "namespaces") return {"status.phase"};
  if (facts.name == "nodes") return {"spec.unschedulable"};
  if (facts.name == "secrets") return {"type"};
  if (facts.name == "services") return {"spec.clusterIP", "spec.type"};
  if (facts.name == "replicationcontrollers") return {"status.replicas"};
  return {};
}

// Events are served in one version only; requests for the other are refused as unknown.
bool Served(const ResourceFacts& facts) { return facts.group != "events.k8s.io"; }

}  // namespace

std::string Resource::ApiVersion() const {
  return group.empty() ? version : StrCat(group, "/", version);
}
std::string Resource::StorageName() const {
  return group.empty() ? plural : StrCat(group, "/", plural);
}
bool Resource::HasVerb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}
const ResourceFacts* Resource::Subresource(std::string_view name) const {
  for (const ResourceFacts& facts : subresources) {
    if (facts.name == name) return &facts;
  }
  return nullptr;
}
ErrorTarget Resource::Target(std::string_view name) const {
  return {group, plural, std::string(name)};
}
ErrorTarget Resource::KindTarget(std::string_view name) const {
  return {group, kind, std::string(name)};
}

Registry::Registry(std::shared_ptr<const Schema> schema) : schema_(std::move(schema)) {
  groups_.push_back({"", {}});
  std::map<std::string, std::shared_ptr<Resource>> found;
  for (const ResourceFacts& facts : schema_->resources()) {
    if (!Served(facts)) continue;
    const size_t slash = facts.name.find('/');
    const std::string plural = facts.name.substr(0, slash);
    const std::string key = Key(facts.group, facts.version, plural);
    if (slash != std::string::npos) {
      if (const auto it = found.find(key); it != found.end()) {
        ResourceFacts sub = facts;
        sub.name = facts.name.substr(slash + 1);
        it->second->subresources.push_back(std::move(sub));
      }
      continue;
    }
    auto resource = std::make_shared<Resource>();
    resource->group = facts.group;
    resource->version = facts.version;
    resource->storage_version = facts.version;
    resource->plural = plural;
    resource->singular = facts.singular;
    resource->kind = facts.kind;
    resource->list_kind = facts.kind + "List";
    resource->namespaced = facts.namespaced;
    resource->verbs = facts.verbs;
    resource->short_names = facts.short_names;
    resource->categories = facts.categories;
    resource->type = schema_->FindKind(facts.kind_group, facts.kind_version, facts.kind);
    if (resource->type == nullptr) continue;
    resource->has_generation = HasGeneration(facts);
    resource->field_selectors = FieldSelectors(facts);
    resource->create_on_update = facts.kind == "Service" || facts.kind == "Lease" ||
                                 facts.kind == "Event" || facts.kind == "Endpoints" ||
                                 facts.group == "rbac.authorization.k8s.io" ||
                                 facts.kind == "LimitRange";
    found[key] = resource;
    reserved_.insert(resource->StorageName());
    Add(resource);
  }
  AddForm("autoscaling", "v1", "horizontalpodautoscalers", "v2", /*hidden=*/false);
  // What kubectl of before 1.21 makes.
  AddForm("batch", "v1beta1", "cronjobs", "v1", /*hidden=*/true);
}

void Registry::AddForm(std::string_view group, std::string_view version, std::string_view plural,
                       std::string_view stored_version, bool hidden) {
  const Resource* stored = Find(group, stored_version, plural);
  if (stored == nullptr) return;
  const Resource* known = Find(group, version, plural);
  auto form = std::make_shared<Resource>(known == nullptr ? *stored : *known);
  form->version = std::string(version);
  form->storage_version = std::string(stored_version);
  form->stored = stored;
  form->hidden = hidden;
  if (!hidden) form->subresources.clear();  // a status is written as it is stored
  Add(std::move(form));
}

void Registry::Add(std::shared_ptr<const Resource> resource) {
  auto group = std::find_if(groups_.begin(), groups_.end(),
                            [&](const Group& g) { return g.name == resource->group; });
  if (group == groups_.end()) group = groups_.insert(groups_.end(), {resource->group, {}});
  if (!resource->hidden && std::find(group->versions.begin(), group->versions.end(),
                                     resource->version) == group->versions.end()) {
    group->versions.push_back(resource->version);
  }
  auto& slot = resources_[Key(resource->group, resource->version, resource->plural)];
  if (slot != nullptr) retired_.push_back(slot);
  slot = std::move(resource);
}

const Resource* Registry::Find(std::string_view group, std::string_view version,
                               std::string_view plural) const {
  const auto it = resources_.find(Key(group, version, plural));
  return it == resources_.end() ? nullptr : it->second.get();
}

const Resource* Registry::FindKind(std::string_view api_version, std::string_view kind) const {
  for (const auto& entry : resources_) {
    if (entry.second->kind == kind && entry.second->ApiVersion() == api_version) {
      return entry.second.get();
    }
  }
  return nullptr;
}

bool Registry::HasGroupVersion(std::string_view group, std::string_view version) const {
  const std::vector<std::string> versions = Versions(group);
  return std::find(versions.begin(), versions.end(), version) != versions.end() ||
         !InGroupVersion(group, version).empty();
}

std::vector<std::string> Registry::Groups() const {
  std::vector<std::string> out;
  for (const Group& group : groups_) out.push_back(group.name);
  return out;
}

std::vector<std::string> Registry::Versions(std::string_view group) const {
  for (const Group& candidate : groups_) {
    if (candidate.name == group) return candidate.versions;
  }
  return {};
}

std::vector<const Resource*> Registry::InGroupVersion(std::string_view group,
                                                      std::string_view version) const {
  std::vector<const Resource*> out;
  for (const auto& entry : resources_) {
    if (entry.second->group == group && entry.second->version == version) {
      out.push_back(entry.second.get());
    }
  }
  return out;
}

std::vector<const Resource*> Registry::Stored() const {
  std::vector<const Resource*> out;
  for (const auto& entry : resources_) {
    if (entry.second->version == entry.second->storage_version && entry.second->HasVerb("delete")) {
      out.push_back(entry.second.get());
    }
  }
  return out;
}

void Registry::SetCustomResource(const Json& crd) {
  if (Defines(crd)) Serve(crd);
}

void Registry::RemoveCustomResource(const Json& crd) {
  const Json& spec = crd.at("spec");
  if (Defines(crd)) Drop(spec.value("group", ""), spec.at("names").value("plural", ""));
}

void Registry::ReserveCustomResource(const Json& crd) {
  reserved_.insert(StorageOfCrd(crd));
  Serve(crd);
}

bool Registry::Defines(const Json& crd) const { return reserved_.count(StorageOfCrd(crd)) == 0; }

void Registry::Serve(const Json& crd) {
  const Json& spec = crd.at("spec");
  const std::string group = spec.at("group");
  const Json& names = spec.at("names");
  const std::string plural = names.at("plural");
  Drop(group, plural);
  std::string storage;
  for (const Json& version : spec.at("versions")) {
    if (version.value("storage", false)) storage = version.at("name");
  }
  for (const Json& version : spec.at("versions")) {
    if (!version.value("served", false)) continue;
    if (ConvertsByWebhook(crd) && version.at("name") != storage) continue;
    auto resource = std::make_shared<Resource>();
    resource->builtin = false;
    resource->group = group;
    resource->version = version.at("name");
    resource->storage_version = storage;
    resource->plural = plural;
    resource->kind = names.at("kind");
    resource->singular = names.value("singular", "");
    resource->list_kind = names.value("listKind", resource->kind + "List");
    resource->short_names = names.value("shortNames", std::vector<std::string>());
    resource->categories = names.value("categories", std::vector<std::string>());
    resource->namespaced = spec.value("scope", "") == "Namespaced";
    resource->verbs = {"delete", "deletecollection", "get",    "list",
                       "patch",  "create",           "update", "watch"};
    resource->has_generation = true;
    resource->unconditional_update = false;
    auto copy = std::make_shared<Json>(version);
    const Json schema = version.contains("schema")
                            ? version.at("schema").value("openAPIV3Schema", Json::object())
                            : Json::object();
    resource->custom_type = BuildCustomType(schema, schema_->object_meta(), resource->kind);
    resource->type = resource->custom_type->root;
    const Json subresources = version.value("subresources", Json::object());
    ResourceFacts sub;
    sub.group = group;
    sub.version = resource->version;
    sub.namespaced = resource->namespaced;
    sub.verbs = {"get", "patch", "update"};
    if (subresources.contains("status")) {
      sub.name = "status";
      sub.kind = resource->kind;
      sub.kind_group = group;
      sub.kind_version = resource->version;
      resource->subresources.push_back(sub);
    }
    if (subresources.contains("scale")) {
      sub.name = "scale";
      sub.kind = "Scale";
      sub.kind_group = "autoscaling";
      sub.kind_version = "v1";
      resource->subresources.push_back(sub);
    }
    for (const Json& selectable : version.value("selectableFields", Json::array())) {
      std::string path = selectable.value("jsonPath", "");
      if (!path.empty() && path.front() == '.') path.erase(0, 1);
      resource->field_selectors.push_back(std::move(path));
    }
    resource->crd_version = std::move(copy);
    Add(std::move(resource));
  }
}

void Registry::Drop(std::string_view group, std::string_view plural) {
  for (auto it = resources_.begin(); it != resources_.end();) {
    if (!it->second->builtin && it->second->group == group && it->second->plural == plural) {
      retired_.push_back(it->second);
      it = resources_.erase(it);
    } else {
      ++it;
    }
  }
  // Versions and groups without resources are not shown any more.
  for (auto g = groups_.begin(); g != groups_.end();) {
    auto& versions = g->versions;
    versions.erase(std::remove_if(versions.begin(), versions.end(),
                                  [&](const std::string& version) {
                                    return g->name == group &&
                                           InGroupVersion(group, version).empty();
                                  }),
                   versions.end());
    g = versions.empty() && g->name == group ? groups_.erase(g) : std::next(g);
  }
}

}  // namespace sealane::kubeapi
