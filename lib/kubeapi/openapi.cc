#include "lib/kubeapi/openapi.h"

#include <initializer_list>
#include <vector>

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/openapi_types.h"

namespace sealane::kubeapi {
namespace {

constexpr const char* kVersion = "v1.36.0-sealane";
constexpr std::initializer_list<const char*> kWriteParameters = {"dryRun", "fieldManager",
                                                                 "fieldValidation"};

// A field of a protobuf message whose value is bytes: a text or a message.
std::string Bytes(int number, std::string_view bytes) {
  std::string out;
  const auto varint = [&out](uint64_t value) {
    for (; value >= 128; value >>= 7) out += static_cast<char>((value & 127) | 128);
    out += static_cast<char>(value);
  };
  varint(static_cast<uint64_t>(number) << 3 | 2);
  varint(bytes.size());
  out += bytes;
  return out;
}

std::string PathOf(const Resource& resource) {
  return StrCat(resource.group.empty() ? StrCat("/api/", resource.version)
                                       : StrCat("/apis/", resource.group, "/", resource.version),
                resource.namespaced ? "/namespaces/{namespace}/" : "/", resource.plural, "/{name}");
}

// The resources that can be patched, in a fixed order.
std::vector<const Resource*> Patchable(const Registry& registry) {
  std::vector<const Resource*> found;
  for (const std::string& group : registry.Groups()) {
    for (const std::string& version : registry.Versions(group)) {
      for (const Resource* resource : registry.InGroupVersion(group, version)) {
        if (resource->HasVerb("patch")) found.push_back(resource);
      }
    }
  }
  return found;
}

}  // namespace

Json OpenApiIndex(const Registry& registry) {
  Json paths = Json::object();
  for (const std::string& group : registry.Groups()) {
    for (const std::string& version : registry.Versions(group)) {
      const std::string path =
          group.empty() ? StrCat("api/", version) : StrCat("apis/", group, "/", version);
      // Clients keep a document for as long as its hash is the same.
      std::string described = "types 1";
      for (const Resource* resource : registry.InGroupVersion(group, version)) {
        described += resource->plural;
        if (resource->crd_version != nullptr) described += resource->crd_version->dump();
      }
      paths[path] = {
          {"serverRelativeURL", StrCat("/openapi/v3/", path, "?hash=", Hex64(Fnv1a64(described)))}};
    }
  }
  return {{"paths", paths}};
}

Json OpenApiDocument(const Registry& registry, std::string_view path) {
  std::string_view group;
  std::string_view version;
  if (path.substr(0, 4) == "api/") {
    version = path.substr(4);
  } else if (path.substr(0, 5) == "apis/") {
    const std::string_view rest = path.substr(5);
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return nullptr;
    group = rest.substr(0, slash);
    version = rest.substr(slash + 1);
  }
  if (!registry.HasGroupVersion(group, version)) return nullptr;
  Json paths = Json::object();
  OpenApiTypes types;
  const auto parameter = [](const char* name) {
    return Json{{"name", name}, {"in", "query"}, {"schema", {{"type", "string"}}}};
  };
  for (const Resource* resource : registry.InGroupVersion(group, version)) {
    const Json gvk = {
        {"group", resource->group}, {"version", resource->version}, {"kind", resource->kind}};
    types.Add(*resource);
    const std::string base = StrCat(
        "/", path, resource->namespaced ? "/namespaces/{namespace}/" : "/", resource->plural);
    const Json parameters = {parameter("dryRun"), parameter("fieldManager"),
                             parameter("fieldValidation")};
    if (resource->HasVerb("patch")) {
      paths[base + "/{name}"]["patch"] = {{"x-kubernetes-action", "patch"},
                                          {"x-kubernetes-group-version-kind", gvk},
                                          {"parameters", parameters},
                                          {"responses", Json::object()}};
    }
    if (resource->HasVerb("create")) {
      paths[base]["post"] = {{"x-kubernetes-action", "post"},
                             {"x-kubernetes-group-version-kind", gvk},
                             {"parameters", parameters},
                             {"responses", Json::object()}};
    }
  }
  return {{"openapi", "3.0.0"},
          {"info", {{"title", "Kubernetes"}, {"version", kVersion}}},
          {"paths", paths},
          {"components", {{"schemas", types.Schemas()}}}};
}

Json OpenApiV2(const Registry& registry) {
  Json paths = Json::object();
  for (const Resource* resource : Patchable(registry)) {
    Json parameters = Json::array();
    for (const char* name : kWriteParameters) {
      parameters.push_back({{"name", name}, {"in", "query"}, {"type", "string"}});
    }
    paths[PathOf(*resource)]["patch"] = {
        {"parameters", parameters},
        {"responses", Json::object()},
        {"x-kubernetes-action", "patch"},
        {"x-kubernetes-group-version-kind", GroupVersionKind(*resource)}};
  }
  return {{"swagger", "2.0"},
          {"info", {{"title", "Kubernetes"}, {"version", kVersion}}},
          {"paths", paths},
          {"definitions", Json::object()}};
}

// The numbers are those of openapi.v2.Document in OpenAPIv2.proto of github.com/google/gnostic.
std::string OpenApiV2Protobuf(const Registry& registry) {
  std::string parameters;
  for (const char* name : kWriteParameters) {
    // Operation.parameters > ParametersItem.parameter > Parameter.non_body_parameter >
    // NonBodyParameter.query_parameter_sub_schema { in, name, type }
    const std::string query = Bytes(2, "query") + Bytes(4, name) + Bytes(6, "string");
    parameters += Bytes(8, Bytes(1, Bytes(2, Bytes(3, query))));
  }
  std::string paths;
  for (const Resource* resource : Patchable(registry)) {
    // Operation.vendor_extension > NamedAny { name, value > Any.yaml }; JSON is YAML.
    const std::string kind = Bytes(1, "x-kubernetes-group-version-kind") +
                             Bytes(2, Bytes(2, StrCat(GroupVersionKind(*resource).dump(), "\n")));
    const std::string patch = parameters + Bytes(13, kind);
    // Paths.path > NamedPathItem { name, value > PathItem.patch }
    paths += Bytes(2, Bytes(1, PathOf(*resource)) + Bytes(2, Bytes(8, patch)));
  }
  return Bytes(1, "2.0") + Bytes(2, Bytes(1, "Kubernetes") + Bytes(2, kVersion)) + Bytes(8, paths) +
         Bytes(9, "");
}

}  // namespace sealane::kubeapi
