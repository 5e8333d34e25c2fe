#include "lib/kubeapi/openapi_types.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

constexpr const char* kKinds = "x-kubernetes-group-version-kind";

const char* ListTypeName(Type::ListType type) {
  switch (type) {
    case Type::ListType::kSet:
      return "set";
    case Type::ListType::kMap:
      return "map";
    case Type::ListType::kAtomic:
      break;
  }
  return "atomic";
}

}  // namespace

Json GroupVersionKind(const Resource& resource) {
  return {{"group", resource.group}, {"version", resource.version}, {"kind", resource.kind}};
}

void OpenApiTypes::Add(const Resource& resource) {
  if (resource.builtin) {
    if (resource.type == nullptr) return;
    NameOf(resource.type);
    kinds_[resource.type].push_back(GroupVersionKind(resource));
    return;
  }
  if (resource.crd_version == nullptr) return;
  Json described =
      resource.crd_version->value(Json::json_pointer("/schema/openAPIV3Schema"), Json::object());
  described["type"] = "object";
  described["properties"]["apiVersion"] = {{"type", "string"}};
  described["properties"]["kind"] = {{"type", "string"}};
  const Type* metadata = nullptr;
  if (resource.type != nullptr) {
    const Field* field = resource.type->Find("metadata");
    if (field != nullptr) metadata = field->type;
  }
  described["properties"]["metadata"] = Describe(metadata);
  described[kKinds] = {GroupVersionKind(resource)};
  done_.emplace_back(Unique(resource.kind), std::move(described));
}

Json OpenApiTypes::Schemas() {
  while (!pending_.empty()) {
    const Type* type = pending_.back();
    pending_.pop_back();
    Json described = DescribeStruct(*type);
    if (const auto it = kinds_.find(type); it != kinds_.end()) described[kKinds] = it->second;
    done_.emplace_back(names_.at(type), std::move(described));
  }
  Json schemas = Json::object();
  for (auto& [name, schema] : done_) schemas[name] = std::move(schema);
  done_.clear();
  return schemas;
}

Json OpenApiTypes::Describe(const Type* type) {
  if (type == nullptr) return {{"type", "object"}};
  Json out;
  switch (type->kind) {
    case Type::Kind::kAny:
      return {{"x-kubernetes-preserve-unknown-fields", true}};
    case Type::Kind::kString:
      out["type"] = "string";
      break;
    case Type::Kind::kInteger:
      out["type"] = "integer";
      break;
    case Type::Kind::kNumber:
      out["type"] = "number";
      break;
    case Type::Kind::kBoolean:
      out["type"] = "boolean";
      break;
    case Type::Kind::kIntOrString:
      return {{"oneOf", {{{"type", "integer"}}, {{"type", "string"}}}},
              {"format", "int-or-string"}};
    case Type::Kind::kQuantity:
      return {{"oneOf", {{{"type", "string"}}, {{"type", "number"}}}}};
    case Type::Kind::kStruct:
      return {{"$ref", StrCat("#/components/schemas/", NameOf(type))}};
    case Type::Kind::kMap:
      return {{"type", "object"}, {"additionalProperties", Describe(type->element)}};
    case Type::Kind::kList:
      out = {{"type", "array"},
             {"items", Describe(type->element)},
             {"x-kubernetes-list-type", ListTypeName(type->list_type)}};
      if (!type->keys.empty()) out["x-kubernetes-list-map-keys"] = type->keys;
      return out;
  }
  if (!type->format.empty()) out["format"] = type->format;
  return out;
}

Json OpenApiTypes::DescribeStruct(const Type& type) {
  Json out = {{"type", "object"}};
  if (type.preserve_unknown) out["x-kubernetes-preserve-unknown-fields"] = true;
  if (type.atomic) out["x-kubernetes-map-type"] = "atomic";
  for (const auto& [name, field] : type.fields) {
    Json described = Describe(field.type);
    if (!field.merge_key.empty()) described["x-kubernetes-patch-merge-key"] = field.merge_key;
    if (field.merge_list || field.retain_keys) {
      described["x-kubernetes-patch-strategy"] =
          field.merge_list ? (field.retain_keys ? "merge,retainKeys" : "merge") : "retainKeys";
    }
    // Beside a reference nothing else may stand.
    if (described.contains("$ref") && described.size() > 1) {
      described["allOf"] = Json::array({{{"$ref", described["$ref"]}}});
      described.erase("$ref");
    }
    out["properties"][name] = std::move(described);
    if (field.required) out["required"].push_back(name);
  }
  return out;
}

std::string OpenApiTypes::NameOf(const Type* type) {
  const auto it = names_.find(type);
  if (it != names_.end()) return it->second;
  std::string name = Unique(type->name.empty() ? "Object" : type->name);
  names_[type] = name;
  pending_.push_back(type);
  return name;
}

// What comes after the last dot is what clients show.
std::string OpenApiTypes::Unique(const std::string& name) {
  std::string unique = StrCat("sealane.", name);
  for (int i = 2; !taken_.insert(unique).second; ++i) unique = StrCat("sealane.v", i, ".", name);
  return unique;
}

}  // namespace sealane::kubeapi
