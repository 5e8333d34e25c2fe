#include "lib/kubeapi/schema.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/embedded.h"

namespace sealane::kubeapi {
namespace {

std::string ShortName(std::string_view full) {
  return std::string(full.substr(full.rfind('.') + 1));
}

std::vector<std::string> Strings(const Json& object, const char* key) {
  return object.value(key, std::vector<std::string>());
}

Type::Kind ScalarKind(std::string_view type) {
  if (type == "string") return Type::Kind::kString;
  if (type == "integer") return Type::Kind::kInteger;
  if (type == "number") return Type::Kind::kNumber;
  if (type == "boolean") return Type::Kind::kBoolean;
  return Type::Kind::kAny;
}

// Struct fields held by value in the Go types of the kinds people use most. Everything else of
// struct type is a pointer there.
bool AlwaysThere(std::string_view owner, std::string_view field, bool has_kind) {
  if (has_kind && (field == "metadata" || field == "spec" || field == "status")) return true;
  if (owner == "PodTemplateSpec") return field == "metadata" || field == "spec";
  if (field == "template" || field == "jobTemplate") {
    return owner.substr(0, 10) == "Deployment" || owner.substr(0, 10) == "ReplicaSet" ||
           owner.substr(0, 9) == "DaemonSet" || owner.substr(0, 11) == "StatefulSet" ||
           owner.substr(0, 3) == "Job" || owner.substr(0, 7) == "CronJob";
  }
  if (owner == "JobTemplateSpec") return field == "metadata" || field == "spec";
  if (owner == "DeploymentSpec") return field == "strategy";
  if (owner == "StatefulSetSpec" || owner == "DaemonSetSpec") return field == "updateStrategy";
  if (owner == "Container" || owner == "EphemeralContainer") return field == "resources";
  if (owner == "PersistentVolumeClaimSpec") return field == "resources";
  if (owner == "ServiceStatus" || owner == "IngressStatus") return field == "loadBalancer";
  if (owner == "CustomResourceDefinitionSpec") return field == "names";
  if (owner == "CustomResourceDefinitionStatus") return field == "acceptedNames";
  if (owner == "NodeStatus") return field == "daemonEndpoints" || field == "nodeInfo";
  if (owner == "NetworkPolicySpec") return field == "podSelector";
  if (owner == "HorizontalPodAutoscalerSpec") return field == "scaleTargetRef";
  return false;
}

}  // namespace

const Field* Type::Find(std::string_view field) const {
  const auto it = fields.find(field);
  return it == fields.end() ? nullptr : &it->second;
}

const Json* ListKeyDefault(std::string_view key) {
  static const Json* const tcp = new Json("TCP");
  return key == "protocol" ? tcp : nullptr;
}

const Type* Schema::Any() {
  static const Type* const any = new Type();
  return any;
}

absl::StatusOr<std::shared_ptr<const Schema>> Schema::Parse(const Json& table) {
  auto schema = std::make_shared<Schema>();
  const Json& definitions = table.at("types");
  std::map<std::string, Type*> mutable_types;
  for (const auto& [name, definition] : definitions.items()) {
    Type& type = schema->types_.emplace_back();
    type.name = ShortName(name);
    mutable_types[name] = &type;
    schema->by_name_[name] = &type;
  }
  std::map<std::string, const Type*> scalars;
  const auto resolve = [&](const std::string& name, const std::string& format) -> const Type* {
    if (const auto it = schema->by_name_.find(name); it != schema->by_name_.end()) {
      return it->second;
    }
    const std::string key = StrCat(name, "/", format);
    if (const auto it = scalars.find(key); it != scalars.end()) return it->second;
    Type& type = schema->types_.emplace_back();
    type.kind = ScalarKind(name);
    type.format = format;
    if (name == "array") {  // the few maps of string lists
      type.kind = Type::Kind::kList;
      type.element = nullptr;
    }
    scalars[key] = &type;
    return &type;
  };
  for (const auto& [name, definition] : definitions.items()) {
    Type& type = *mutable_types[name];
    type.atomic = definition.value("map-type", "") == "atomic";
    const bool has_kind = definition.contains("gvk");
    if (!definition.contains("fields")) {
      const std::string format = definition.value("format", "");
      if (type.name == "Quantity") {
        type.kind = Type::Kind::kQuantity;
      } else if (format == "int-or-string") {
        type.kind = Type::Kind::kIntOrString;
      } else if (definition.value("type", "") == "string") {
        type.kind = Type::Kind::kString;
        type.format = format;
      }
      continue;
    }
    type.kind = Type::Kind::kStruct;
    for (const auto& [field_name, facts] : definition.at("fields").items()) {
      Field& field = type.fields[field_name];
      const std::string strategy = facts.value("patch-strategy", "");
      field.merge_list = strategy.find("merge") != std::string::npos;
      field.retain_keys = strategy.find("retainKeys") != std::string::npos;
      field.merge_key = facts.value("patch-merge-key", "");
      const std::string format = facts.value("format", "");
      const std::string kind = facts.value("type", "");
      if (facts.contains("ref")) {
        field.type = resolve(facts.at("ref"), "");
        if (AlwaysThere(type.name, field_name, has_kind) &&
            !(has_kind && field_name != "metadata" && facts.at("ref") == "")) {
          type.always.push_back(field_name);
        }
        if (facts.value("map-type", "") == "atomic") {
          Type& copy = schema->types_.emplace_back(*field.type);
          copy.atomic = true;
          field.type = &copy;
        }
      } else if (kind == "array" || kind == "object") {
        if (kind == "object" && !facts.contains("of")) {
          field.type = Any();
          continue;
        }
        Type& container = schema->types_.emplace_back();
        container.kind = kind == "array" ? Type::Kind::kList : Type::Kind::kMap;
        container.element = resolve(facts.at("of"), "");
        container.atomic = facts.value("map-type", "") == "atomic";
        const std::string list_type = facts.value("list-type", "");
        if (list_type == "set") container.list_type = Type::ListType::kSet;
        if (list_type == "map") container.list_type = Type::ListType::kMap;
        container.keys = Strings(facts, "map-keys");
        std::sort(container.keys.begin(), container.keys.end());
        field.type = &container;
      } else {
        field.type = resolve(kind, format);
      }
    }
    for (const std::string& required : Strings(definition, "required")) {
      if (auto it = type.fields.find(required); it != type.fields.end()) it->second.required = true;
    }
    for (const Json& gvk : definition.value("gvk", Json::array())) {
      schema->by_kind_[StrCat(gvk.value("group", ""), "/", gvk.value("version", ""), "/",
                              gvk.value("kind", ""))] = &type;
    }
  }
  for (Type& type : schema->types_) {
    if (type.kind == Type::Kind::kList && type.element == nullptr) {
      type.element = resolve("string", "");
    }
  }
  for (const Json& resource : table.at("resources")) {
    ResourceFacts facts;
    const std::string group_version = resource.at("groupVersion");
    const size_t slash = group_version.find('/');
    facts.group = slash == std::string::npos ? "" : group_version.substr(0, slash);
    facts.version = slash == std::string::npos ? group_version : group_version.substr(slash + 1);
    facts.name = resource.at("name");
    facts.kind = resource.at("kind");
    facts.kind_group = resource.value("group", facts.group);
    facts.kind_version = resource.value("version", facts.version);
    facts.singular = resource.value("singularName", "");
    facts.namespaced = resource.value("namespaced", false);
    facts.verbs = Strings(resource, "verbs");
    facts.short_names = Strings(resource, "shortNames");
    facts.categories = Strings(resource, "categories");
    schema->resources_.push_back(std::move(facts));
  }
  const auto meta = schema->by_name_.find("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
  if (meta == schema->by_name_.end()) return Internal("the schema has no ObjectMeta");
  schema->object_meta_ = meta->second;
  return std::shared_ptr<const Schema>(std::move(schema));
}

std::shared_ptr<const Schema> Schema::Builtin() {
  static const auto* const shared =
      new std::shared_ptr<const Schema>(Parse(EmbeddedSchema()).value());
  return *shared;
}

const Type* Schema::FindKind(std::string_view group, std::string_view version,
                             std::string_view kind) const {
  const auto it = by_kind_.find(StrCat(group, "/", version, "/", kind));
  return it == by_kind_.end() ? nullptr : it->second;
}

namespace {

const Type* BuildCustom(const Json& schema, CustomType& out) {
  if (!schema.is_object()) return Schema::Any();
  if (schema.value("x-kubernetes-int-or-string", false)) {
    Type& type = out.types.emplace_back();
    type.kind = Type::Kind::kIntOrString;
    return &type;
  }
  const std::string kind = schema.value("type", "");
  const bool preserve = schema.value("x-kubernetes-preserve-unknown-fields", false);
  if (kind == "array") {
    Type& type = out.types.emplace_back();
    type.kind = Type::Kind::kList;
    const std::string list_type = schema.value("x-kubernetes-list-type", "");
    if (list_type == "set") type.list_type = Type::ListType::kSet;
    if (list_type == "map") type.list_type = Type::ListType::kMap;
    type.keys = Strings(schema, "x-kubernetes-list-map-keys");
    std::sort(type.keys.begin(), type.keys.end());
    type.element = BuildCustom(schema.value("items", Json::object()), out);
    return &type;
  }
  if (kind == "object") {
    const bool has_properties = schema.contains("properties");
    const auto additional = schema.find("additionalProperties");
    if (!has_properties && additional != schema.end() && additional->is_object()) {
      Type& type = out.types.emplace_back();
      type.kind = Type::Kind::kMap;
      type.atomic = schema.value("x-kubernetes-map-type", "") == "atomic";
      type.element = BuildCustom(*additional, out);
      return &type;
    }
    if (!has_properties && preserve) return Schema::Any();
    Type& type = out.types.emplace_back();
    type.kind = Type::Kind::kStruct;
    type.preserve_unknown = preserve;
    type.atomic = schema.value("x-kubernetes-map-type", "") == "atomic";
    if (has_properties) {
      for (const auto& [name, property] : schema.at("properties").items()) {
        type.fields[name].type = BuildCustom(property, out);
      }
    }
    return &type;
  }
  if (preserve || kind.empty()) return Schema::Any();
  Type& type = out.types.emplace_back();
  type.kind = ScalarKind(kind);
  type.format = schema.value("format", "");
  return &type;
}

}  // namespace

std::shared_ptr<const CustomType> BuildCustomType(const Json& open_api_schema,
                                                  const Type* object_meta, std::string_view kind) {
  auto out = std::make_shared<CustomType>();
  const Type* built = BuildCustom(open_api_schema, *out);
  Type& root = out->types.emplace_back(*built);
  if (root.kind != Type::Kind::kStruct) {
    root.preserve_unknown = root.kind == Type::Kind::kAny;
    root.kind = Type::Kind::kStruct;
  }
  root.name = std::string(kind);
  Type& text = out->types.emplace_back();
  text.kind = Type::Kind::kString;
  root.fields["apiVersion"].type = &text;
  root.fields["kind"].type = &text;
  root.fields["metadata"].type = object_meta;
  root.always = {"metadata"};
  out->root = &root;
  return out;
}

}  // namespace sealane::kubeapi
