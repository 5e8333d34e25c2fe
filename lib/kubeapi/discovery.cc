#include "lib/kubeapi/discovery.h"

#include <set>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

std::string GroupVersion(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : StrCat(group, "/", version);
}

Json GroupEntry(const Registry& registry, const std::string& group) {
  Json versions = Json::array();
  for (const std::string& version : registry.Versions(group)) {
    versions.push_back({{"groupVersion", GroupVersion(group, version)}, {"version", version}});
  }
  Json entry = {{"name", group}, {"versions", versions}};
  if (!versions.empty()) entry["preferredVersion"] = versions.front();
  return entry;
}

Json Kind(const Resource& resource, std::string_view group, std::string_view version,
          const std::string& kind) {
  const bool same = group == resource.group && version == resource.version;
  return {{"group", same ? "" : std::string(group)},
          {"version", same ? "" : std::string(version)},
          {"kind", kind}};
}

Json AggregatedResource(const Resource& resource) {
  Json out = {{"resource", resource.plural},
              {"responseKind", Kind(resource, resource.group, resource.version, resource.kind)},
              {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
              {"singularResource", resource.singular},
              {"verbs", resource.verbs}};
  if (!resource.short_names.empty()) out["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) out["categories"] = resource.categories;
  Json subresources = Json::array();
  for (const ResourceFacts& sub : resource.subresources) {
    subresources.push_back(
        {{"subresource", sub.name},
         {"responseKind", Kind(resource, sub.kind_group, sub.kind_version, sub.kind)},
         {"verbs", sub.verbs}});
  }
  if (!subresources.empty()) out["subresources"] = subresources;
  return out;
}

}  // namespace

Json RootPaths(const Registry& registry) {
  std::set<std::string> paths = {"/api",        "/apis",       "/healthz", "/livez",
                                 "/openapi/v2", "/openapi/v3", "/readyz",  "/version"};
  for (const std::string& group : registry.Groups()) {
    const std::string base = group.empty() ? "/api" : StrCat("/apis/", group);
    paths.insert(base);
    for (const std::string& version : registry.Versions(group)) {
      paths.insert(StrCat(base, "/", version));
    }
  }
  return {{"paths", paths}};
}

Json VersionDocument() {
  return {{"major", "1"},
          {"minor", "36"},
          {"emulationMajor", "1"},
          {"emulationMinor", "36"},
          {"minCompatibilityMajor", "1"},
          {"minCompatibilityMinor", "35"},
          {"gitVersion", "v1.36.0-sealane"},
          {"gitCommit", ""},
          {"gitTreeState", ""},
          {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", ""},
          {"compiler", ""},
          {"platform", "linux/amd64"}};
}

Json CoreVersions(std::string_view server_address) {
  return {{"kind", "APIVersions"},
          {"versions", {"v1"}},
          {"serverAddressByClientCIDRs",
           {{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}}}};
}

Json GroupList(const Registry& registry) {
  Json groups = Json::array();
  for (const std::string& group : registry.Groups()) {
    if (!group.empty()) groups.push_back(GroupEntry(registry, group));
  }
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", groups}};
}

Json GroupDocument(const Registry& registry, std::string_view group) {
  if (registry.Versions(group).empty()) return nullptr;
  Json out = GroupEntry(registry, std::string(group));
  out["kind"] = "APIGroup";
  out["apiVersion"] = "v1";
  return out;
}

Json ResourceList(const Registry& registry, std::string_view group, std::string_view version) {
  if (!registry.HasGroupVersion(group, version)) return nullptr;
  Json resources = Json::array();
  for (const Resource* resource : registry.InGroupVersion(group, version)) {
    Json entry = {{"name", resource->plural},
                  {"singularName", resource->singular},
                  {"namespaced", resource->namespaced},
                  {"kind", resource->kind},
                  {"verbs", resource->verbs}};
    if (!resource->short_names.empty()) entry["shortNames"] = resource->short_names;
    if (!resource->categories.empty()) entry["categories"] = resource->categories;
    resources.push_back(std::move(entry));
    for (const ResourceFacts& sub : resource->subresources) {
      Json item = {{"name", StrCat(resource->plural, "/", sub.name)},
                   {"singularName", ""},
                   {"namespaced", resource->namespaced},
                   {"kind", sub.kind},
                   {"verbs", sub.verbs}};
      if (sub.kind_group != resource->group || sub.kind_version != resource->version) {
        item["group"] = sub.kind_group;
        item["version"] = sub.kind_version;
      }
      resources.push_back(std::move(item));
    }
  }
  Json out = {{"kind", "APIResourceList"},
              {"groupVersion", GroupVersion(group, version)},
              {"resources", resources}};
  if (!group.empty()) out["apiVersion"] = "v1";
  return out;
}

Json AggregatedDiscovery(const Registry& registry, bool core) {
  Json items = Json::array();
  for (const std::string& group : registry.Groups()) {
    if (group.empty() != core) continue;
    Json versions = Json::array();
    for (const std::string& version : registry.Versions(group)) {
      Json resources = Json::array();
      for (const Resource* resource : registry.InGroupVersion(group, version)) {
        resources.push_back(AggregatedResource(*resource));
      }
      versions.push_back(
          {{"version", version}, {"resources", resources}, {"freshness", "Current"}});
    }
    Json metadata = Json::object();
    if (!group.empty()) metadata["name"] = group;
    items.push_back({{"metadata", metadata}, {"versions", versions}});
  }
  return {{"kind", "APIGroupDiscoveryList"},
          {"apiVersion", "apidiscovery.k8s.io/v2"},
          {"metadata", Json::object()},
          {"items", items}};
}

}  // namespace sealane::kubeapi
