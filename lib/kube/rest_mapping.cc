#include "lib/kube/rest_mapping.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/message.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

void SetVerbs(const Json* verbs, ResourceType& type) {
  if (verbs == nullptr || !verbs->is_array()) return;
  bool list = false;
  bool watch = false;
  for (const Json& verb : *verbs) {
    if (verb == "list") list = true;
    if (verb == "watch") watch = true;
    if (verb == "patch") type.can_patch = true;
    if (verb == "delete") type.can_delete = true;
  }
  type.can_list = list && watch;
}

std::pair<std::string_view, std::string_view> SplitGroupVersion(std::string_view group_version) {
  const size_t slash = group_version.find('/');
  if (slash == std::string_view::npos) return {std::string_view(), group_version};
  return {group_version.substr(0, slash), group_version.substr(slash + 1)};
}

}  // namespace

std::string ApiVersionOf(const ResourceType& type) {
  return type.group.empty() ? type.version : StrCat(type.group, "/", type.version);
}

std::string CollectionPath(const ResourceType& type, std::string_view ns) {
  std::string path = type.group.empty() ? StrCat("/api/", type.version)
                                        : StrCat("/apis/", type.group, "/", type.version);
  if (type.namespaced && !ns.empty()) path += StrCat("/namespaces/", http::PercentEncode(ns));
  return StrCat(path, "/", type.plural);
}

std::string ObjectPath(const ResourceType& type, std::string_view ns, std::string_view name) {
  return StrCat(CollectionPath(type, ns), "/", http::PercentEncode(name));
}

void ApiCatalog::Add(ResourceType type) {
  std::string api_version = ApiVersionOf(type);
  std::string kind = type.kind;
  types_.insert_or_assign({std::move(api_version), std::move(kind)}, std::move(type));
}

const ResourceType* ApiCatalog::Find(std::string_view api_version, std::string_view kind) const {
  const auto it = types_.find({std::string(api_version), std::string(kind)});
  return it == types_.end() ? nullptr : &it->second;
}

absl::StatusOr<std::vector<std::string>> ParseGroupVersions(const Json& document) {
  std::vector<std::string> out;
  const std::string_view kind = GetString(document, {"kind"});
  if (kind == "APIVersions") {
    if (const Json* versions = Find(document, {"versions"}); versions && versions->is_array()) {
      for (const Json& version : *versions) {
        if (version.is_string()) out.push_back(version.get<std::string>());
      }
    }
    return out;
  }
  if (kind != "APIGroupList") {
    return InvalidArgument(StrCat("discovery: unexpected document of kind \"", kind, "\""));
  }
  const Json* groups = Find(document, {"groups"});
  if (groups == nullptr || !groups->is_array()) return out;
  for (const Json& group : *groups) {
    const Json* versions = Find(group, {"versions"});
    if (versions == nullptr || !versions->is_array()) continue;
    for (const Json& version : *versions) {
      const std::string_view name = GetString(version, {"groupVersion"});
      if (!name.empty()) out.emplace_back(name);
    }
  }
  return out;
}

absl::Status AddResourceList(const Json& document, ApiCatalog& catalog) {
  if (GetString(document, {"kind"}) != "APIResourceList") {
    return InvalidArgument("discovery: not an APIResourceList");
  }
  const auto [group, version] = SplitGroupVersion(GetString(document, {"groupVersion"}));
  const Json* resources = Find(document, {"resources"});
  if (resources == nullptr || !resources->is_array()) return absl::OkStatus();
  for (const Json& resource : *resources) {
    const std::string_view name = GetString(resource, {"name"});
    if (name.empty() || name.find('/') != std::string_view::npos) continue;
    ResourceType type;
    type.group = group;
    type.version = version;
    type.kind = GetString(resource, {"kind"});
    type.plural = name;
    type.namespaced = GetBool(resource, {"namespaced"});
    SetVerbs(Find(resource, {"verbs"}), type);
    catalog.Add(std::move(type));
  }
  return absl::OkStatus();
}

absl::Status AddAggregated(const Json& document, ApiCatalog& catalog) {
  if (GetString(document, {"kind"}) != "APIGroupDiscoveryList") {
    return InvalidArgument("discovery: not an APIGroupDiscoveryList");
  }
  const Json* groups = Find(document, {"items"});
  if (groups == nullptr || !groups->is_array()) return absl::OkStatus();
  for (const Json& group : *groups) {
    const std::string_view group_name = GetString(group, {"metadata", "name"});
    const Json* versions = Find(group, {"versions"});
    if (versions == nullptr || !versions->is_array()) continue;
    for (const Json& version : *versions) {
      // Stale: the aggregated API server behind it does not answer.
      if (GetString(version, {"freshness"}) == "Stale") catalog.complete = false;
      const Json* resources = Find(version, {"resources"});
      if (resources == nullptr || !resources->is_array()) continue;
      for (const Json& resource : *resources) {
        ResourceType type;
        type.group = group_name;
        type.version = GetString(version, {"version"});
        type.kind = GetString(resource, {"responseKind", "kind"});
        type.plural = GetString(resource, {"resource"});
        type.namespaced = GetString(resource, {"scope"}) == "Namespaced";
        SetVerbs(Find(resource, {"verbs"}), type);
        if (!type.kind.empty() && !type.plural.empty()) catalog.Add(std::move(type));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace sealane::kube
