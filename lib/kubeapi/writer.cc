#include "lib/kubeapi/writer.h"

#include <set>
#include <utility>

#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/defaults.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/managed_fields.h"
#include "lib/kubeapi/patch.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/typed.h"
#include "lib/kubeapi/validate.h"

namespace sealane::kubeapi {
namespace {

std::string Text(const Json& object, const char* field) {
  const auto it = object.is_object() ? object.find(field) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const Json& MetadataOf(const Json& object) {
  static const Json* const empty = new Json(Json::object());
  const auto it = object.find("metadata");
  return it == object.end() || !it->is_object() ? *empty : *it;
}

// `spec` as changes of it count for the generation: everything but metadata (and status).
Json SpecPart(const Resource& resource, Json object) {
  object.erase("metadata");
  object.erase("apiVersion");
  object.erase("kind");
  if (resource.builtin || resource.HasStatus()) object.erase("status");
  return object;
}

void Copy(const Json& from, Json& to, const char* field) {
  if (const auto it = from.find(field); it != from.end()) {
    to[field] = *it;
  } else {
    to.erase(field);
  }
}

FieldSet ResetPaths(const WriteTarget& target) {
  FieldSet out;
  if (target.subresource == "status") {
    out.Insert({"f:spec"});
  } else if (target.resource->HasStatus()) {
    out.Insert({"f:status"});
  }
  return out;
}

// The JSON patch of a dotted CRD path (".spec.replicas").
Json::json_pointer Pointer(std::string path) {
  for (char& c : path) {
    if (c == '.') c = '/';
  }
  return Json::json_pointer(path);
}

}  // namespace

Writer::Writer(Env env, Store& store, const Registry& registry)
    : env_(env), store_(store), registry_(registry) {}

ObjectKey Writer::KeyOf(const WriteTarget& target) const {
  return {target.resource->StorageName(), target.ns, target.name};
}

absl::Status Writer::Fit(const Resource& resource, Json& object,
                         std::vector<std::string>& unknown) const {
  if (resource.builtin) {
    SEALANE_ASSIGN_OR_RETURN(object, FitBuiltin(*resource.type, object, unknown));
    DefaultBuiltin(resource, object);
    return absl::OkStatus();
  }
  std::vector<std::string> unknown_meta;
  SEALANE_ASSIGN_OR_RETURN(Json metadata, FitBuiltin(*registry_.schema().object_meta(),
                                                     MetadataOf(object), unknown_meta));
  object["metadata"] = std::move(metadata);
  for (const std::string& path : unknown_meta) unknown.push_back(StrCat("metadata.", path));
  const Json schema = resource.crd_version->value("schema", Json::object())
                          .value("openAPIV3Schema", Json::object());
  PruneCustom(schema, object, unknown);
  DefaultCustom(schema, object);
  return absl::OkStatus();
}

absl::StatusOr<Json> Writer::Decode(const Resource& resource, const Json& raw,
                                    const WriteOptions& options,
                                    std::vector<std::string>& warnings) const {
  if (!raw.is_object()) {
    return BadRequest(StrCat("the object provided is unrecognized (must be of type ", resource.kind,
                             "): couldn't get version/kind; json parse error"));
  }
  const std::string kind = Text(raw, "kind").empty() ? resource.kind : Text(raw, "kind");
  const std::string version =
      Text(raw, "apiVersion").empty() ? resource.ApiVersion() : Text(raw, "apiVersion");
  if (kind != resource.kind) {
    return BadRequest(StrCat(kind, " in version \"", version, "\" cannot be handled as a ",
                             resource.kind, ": converting (", version, ".", kind, ") to (",
                             resource.group.empty() ? "core" : resource.group, ".", resource.kind,
                             "): unknown conversion"));
  }
  if (version != resource.ApiVersion()) {
    return BadRequest(StrCat("the API version in the data (", version,
                             ") does not match the expected API version (", resource.ApiVersion(),
                             ")"));
  }
  Json object = raw;
  object["kind"] = kind;
  object["apiVersion"] = version;
  std::vector<std::string> unknown;
  const std::string prefix =
      StrCat(kind, " in version \"", resource.version, "\" cannot be handled as a ", kind, ": ");
  if (absl::Status status = Fit(resource, object, unknown); !status.ok()) {
    return BadRequest(StrCat(prefix, ToStd(status.message())));
  }
  std::vector<std::string> texts;
  for (const std::string& path : unknown) texts.push_back(StrCat("unknown field \"", path, "\""));
  if (!texts.empty() && options.field_validation == "Strict") {
    return BadRequest(StrCat(prefix, "strict decoding error: ", StrJoin(texts, ", ")));
  }
  if (options.field_validation == "Warn") {
    warnings.insert(warnings.end(), texts.begin(), texts.end());
  }
  return object;
}

absl::Status Writer::CheckNamespace(const WriteTarget& target, std::string_view name) const {
  if (!target.resource->namespaced) return absl::OkStatus();
  const ObjectPtr ns = store_.Get({"namespaces", "", target.ns});
  if (ns == nullptr) return NotFoundError({"", "namespaces", target.ns});
  if (!Text(MetadataOf(ns->value()), "deletionTimestamp").empty()) {
    const Json causes = {{{"reason", "NamespaceTerminating"},
                          {"message", StrCat("namespace ", target.ns, " is being terminated")},
                          {"field", "metadata.namespace"}}};
    Json details = {{"name", name}, {"kind", target.resource->plural}, {"causes", causes}};
    if (!target.resource->group.empty()) details["group"] = target.resource->group;
    const std::string qualified =
        target.resource->group.empty()
            ? target.resource->plural
            : StrCat(target.resource->plural, ".", target.resource->group);
    return ApiError(403, "Forbidden",
                    StrCat(qualified, " \"", name,
                           "\" is forbidden: unable to create new content in namespace ", target.ns,
                           " because it is being terminated"),
                    details);
  }
  return absl::OkStatus();
}

std::string Writer::GenerateName(const std::string& base) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string name = base.substr(0, 58);
  for (int i = 0; i < 5; ++i) name.push_back(kAlphabet[env_.random.Below(kAlphabet.size())]);
  return name;
}

absl::StatusOr<WritePlan> Writer::Create(const WriteTarget& target, const Json& body,
                                         const WriteOptions& options) {
  std::vector<std::string> warnings;
  SEALANE_ASSIGN_OR_RETURN(Json object, Decode(*target.resource, body, options, warnings));
  return FinishCreate(target, std::move(object), options, /*applied=*/false, std::move(warnings));
}

absl::StatusOr<WritePlan> Writer::FinishCreate(const WriteTarget& target, Json object,
                                               const WriteOptions& options, bool applied,
                                               std::vector<std::string> warnings) {
  const Resource& resource = *target.resource;
  Json& metadata = object["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  const std::string body_ns = Text(metadata, "namespace");
  if (resource.namespaced) {
    if (!body_ns.empty() && body_ns != target.ns) {
      return BadRequest(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
    metadata["namespace"] = target.ns;
  } else {
    metadata.erase("namespace");
  }
  const bool generate = Text(metadata, "name").empty() && !Text(metadata, "generateName").empty();
  if (resource.HasStatus() && resource.kind != "Node" && object.contains("status")) {
    object["status"] = Json::object();
  }
  for (const char* field : {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "generation", "selfLink"}) {
    metadata.erase(field);
  }
  if (!applied) {
    Json fields = ManagedFieldsAfterUpdate(
        *resource.type, Json::object(), object,
        {options.manager, resource.ApiVersion(), target.subresource, env_.clock.Now()});
    metadata["managedFields"] = std::move(fields);
  }
  if (metadata["managedFields"].empty()) metadata.erase("managedFields");
  if (generate) metadata["name"] = GenerateName(Text(metadata, "generateName"));
  const std::string name = Text(metadata, "name");
  SEALANE_RETURN_IF_ERROR(CheckNamespace(target, name));
  metadata["uid"] = NewUuid(env_.random);
  metadata["creationTimestamp"] = FormatKubeTime(env_.clock.Now());
  if (resource.has_generation) metadata["generation"] = 1;
  if (resource.builtin) {
    PrepareBuiltinForCreate(resource, object);
  } else if (resource.HasStatus()) {
    object.erase("status");
  }
  if (const auto errors = ValidateObject(resource, object, Json()); !errors.empty()) {
    return InvalidObject(resource.KindTarget(name), errors);
  }
  if (resource.kind == "Service" && resource.group.empty()) {
    SEALANE_RETURN_IF_ERROR(AllocateService(Json(), object));
  }
  WritePlan plan;
  plan.key = {resource.StorageName(), resource.namespaced ? target.ns : "", name};
  if (store_.Get(plan.key) != nullptr) return AlreadyExists(resource.Target(name));
  plan.action = options.dry_run ? WritePlan::Action::kNothing : WritePlan::Action::kPut;
  plan.object = std::make_shared<const Json>(std::move(object));
  plan.created = true;
  plan.warnings = std::move(warnings);
  return plan;
}

absl::Status Writer::CheckUpdate(const WriteTarget& target, const ObjectPtr& before,
                                 const Json& object) const {
  const Resource& resource = *target.resource;
  const Json& metadata = MetadataOf(object);
  const Json& old = MetadataOf(before->value());
  const std::string uid = Text(metadata, "uid");
  if (!uid.empty() && uid != Text(old, "uid")) {
    return ConflictError(resource.Target(target.name),
                         StrCat("Precondition failed: UID in precondition: ", uid,
                                ", UID in object meta: ", Text(old, "uid")));
  }
  const std::string version = Text(metadata, "resourceVersion");
  if (version.empty() && !resource.unconditional_update) {
    return InvalidObject(
        resource.Target(target.name),
        {InvalidField("metadata.resourceVersion", 0, "must be specified for an update")});
  }
  if (!version.empty() && version != Text(old, "resourceVersion")) {
    return ConflictError(resource.Target(target.name),
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
  }
  return absl::OkStatus();
}

namespace {

absl::Status CheckUrl(const WriteTarget& target, const Json& object) {
  const std::string name = Text(MetadataOf(object), "name");
  if (!name.empty() && name != target.name) {
    return BadRequest(StrCat("the name of the object (", name,
                             ") does not match the name on the URL (", target.name, ")"));
  }
  const std::string ns = Text(MetadataOf(object), "namespace");
  if (target.resource->namespaced && !ns.empty() && ns != target.ns) {
    return BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WritePlan> Writer::Update(const WriteTarget& target, const Json& body,
                                         const WriteOptions& options) {
  const ObjectPtr before = store_.Get(KeyOf(target));
  if (target.subresource == "scale") {
    if (before == nullptr) return NotFoundError(target.resource->Target(target.name));
    return UpdateScale(target, before, body, options);
  }
  std::vector<std::string> warnings;
  SEALANE_ASSIGN_OR_RETURN(Json object, Decode(*target.resource, body, options, warnings));
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, object));
  if (before == nullptr) {
    if (!target.resource->create_on_update || !target.subresource.empty()) {
      return NotFoundError(target.resource->Target(target.name));
    }
    object["metadata"]["name"] = target.name;
    return FinishCreate(target, std::move(object), options, false, std::move(warnings));
  }
  SEALANE_RETURN_IF_ERROR(CheckUpdate(target, before, object));
  return FinishUpdate(target, before, std::move(object), options, false, std::move(warnings));
}

absl::StatusOr<WritePlan> Writer::FinishUpdate(const WriteTarget& target, const ObjectPtr& before,
                                               Json object, const WriteOptions& options,
                                               bool applied, std::vector<std::string> warnings) {
  const Resource& resource = *target.resource;
  const Json& old = before->value();
  if (target.subresource == "status") {
    Json only_status = old;
    Copy(object, only_status, "status");
    const Json managed = MetadataOf(object).value("managedFields", Json());
    if (applied) only_status["metadata"]["managedFields"] = managed;
    object = std::move(only_status);
  } else if (resource.HasStatus()) {
    Copy(old, object, "status");
  }
  Json& metadata = object["metadata"];
  const Json& old_metadata = MetadataOf(old);
  for (const char* field :
       {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "generation", "generateName"}) {
    Copy(old_metadata, metadata, field);
  }
  metadata.erase("selfLink");
  const bool deleting = metadata.contains("deletionTimestamp");
  if (!applied) {
    metadata["managedFields"] = ManagedFieldsAfterUpdate(
        *resource.type, old, object,
        {options.manager, resource.ApiVersion(), target.subresource, env_.clock.Now()});
  }
  if (metadata["managedFields"].empty()) metadata.erase("managedFields");
  if (resource.builtin && resource.kind == "Service" && resource.group.empty()) {
    SEALANE_RETURN_IF_ERROR(AllocateService(old, object));
  }
  if (resource.kind == "Namespace" && resource.builtin && target.subresource.empty()) {
    Copy(old, object, "spec");
  }
  if (resource.has_generation && SpecPart(resource, old) != SpecPart(resource, object)) {
    metadata["generation"] = old_metadata.value("generation", 0) + 1;
  }
  std::vector<FieldError> errors = ValidateObject(resource, object, old);
  if (deleting) {
    std::set<std::string> had;
    for (const Json& finalizer : old_metadata.value("finalizers", Json::array())) {
      had.insert(finalizer.get<std::string>());
    }
    for (const Json& finalizer : metadata.value("finalizers", Json::array())) {
      if (had.count(finalizer.get<std::string>()) == 0) {
        errors.push_back(ForbiddenField(
            "metadata.finalizers",
            StrCat("no new finalizers can be added if the object is being deleted, found new "
                   "finalizers []string{\"",
                   finalizer.get<std::string>(), "\"}")));
      }
    }
  }
  if (!errors.empty()) return InvalidObject(resource.KindTarget(target.name), errors);

  WritePlan plan;
  plan.key = before->key();
  plan.expected = before->revision();
  plan.warnings = std::move(warnings);
  if (!DiffersBeyondTimes(old, object)) {
    plan.object = std::make_shared<const Json>(old);
    return plan;
  }
  const bool finalized = metadata.value("finalizers", Json::array()).empty() &&
                         metadata.value("deletionGracePeriodSeconds", 0) == 0 &&
                         !(resource.kind == "Namespace" && resource.builtin);
  plan.action = deleting && finalized ? WritePlan::Action::kRemove : WritePlan::Action::kPut;
  if (options.dry_run) plan.action = WritePlan::Action::kNothing;
  plan.object = std::make_shared<const Json>(std::move(object));
  return plan;
}

absl::StatusOr<WritePlan> Writer::Patch(const WriteTarget& target, std::string_view content_type,
                                        std::string_view body, const WriteOptions& options) {
  const Resource& resource = *target.resource;
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  const ObjectPtr before = store_.Get(KeyOf(target));
  if (type == "application/apply-patch+yaml") return Apply(target, before, body, options);
  const bool json_patch = type == "application/json-patch+json";
  const bool merge = type == "application/merge-patch+json";
  const bool strategic = type == "application/strategic-merge-patch+json";
  if (strategic && !resource.builtin) {
    return ApiError(415, "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types "
                    "include: application/json-patch+json, application/merge-patch+json, "
                    "application/apply-patch+yaml");
  }
  if (!json_patch && !merge && !strategic) {
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", Json::object());
  }
  if (before == nullptr) return NotFoundError(resource.Target(target.name));
  const auto patch = ParseText(body, /*yaml=*/false);
  if (!patch.ok()) {
    return BadRequest(StrCat("error decoding patch: ", ToStd(patch.status().message())));
  }
  const bool scale = target.subresource == "scale";
  const Json current = scale ? ScaleOf(resource, before->value()) : before->value();
  absl::StatusOr<Json> patched = json_patch ? ApplyJsonPatch(current, *patch)
                                 : merge
                                     ? ApplyMergePatch(current, *patch)
                                     : ApplyStrategicMergePatch(*resource.type, current, *patch);
  SEALANE_RETURN_IF_ERROR(patched.status());
  if (!patched->is_object()) return BadRequest("error decoding patch: the result is no object");
  if (scale) return UpdateScale(target, before, *patched, options);
  Json object = *std::move(patched);
  std::vector<std::string> unknown;
  const auto refuse = [&](std::string_view why) {
    return InvalidObject({}, {InvalidField("patch", object, why)});
  };
  if (Text(object, "kind") != resource.kind ||
      Text(object, "apiVersion") != resource.ApiVersion()) {
    return refuse("the kind and apiVersion of an object cannot change");
  }
  Json fitted = object;
  if (absl::Status status = Fit(resource, fitted, unknown); !status.ok()) {
    return refuse(ToStd(status.message()));
  }
  std::vector<std::string> warnings;
  for (const std::string& path : unknown)
    warnings.push_back(StrCat("unknown field \"", path, "\""));
  if (!warnings.empty() && options.field_validation == "Strict") {
    return refuse(StrCat("strict decoding error: ", StrJoin(warnings, ", ")));
  }
  if (options.field_validation != "Warn") warnings.clear();
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, fitted));
  SEALANE_RETURN_IF_ERROR(CheckUpdate(target, before, fitted));
  return FinishUpdate(target, before, std::move(fitted), options, false, std::move(warnings));
}

absl::StatusOr<WritePlan> Writer::Apply(const WriteTarget& target, const ObjectPtr& before,
                                        std::string_view body, const WriteOptions& options) {
  const Resource& resource = *target.resource;
  const auto config = ParseText(body, /*yaml=*/true);
  if (!config.ok() || !config->is_object()) {
    return BadRequest(
        StrCat("error decoding YAML: ", config.ok() ? std::string("not an object")
                                                    : std::string(config.status().message())));
  }
  if (Text(*config, "kind") != resource.kind ||
      Text(*config, "apiVersion") != resource.ApiVersion()) {
    return BadRequest(StrCat("invalid object type: ", Text(*config, "apiVersion"),
                             ", Kind=", Text(*config, "kind"), "; expected ", resource.ApiVersion(),
                             ", Kind=", resource.kind));
  }
  if (target.subresource == "scale" || (before == nullptr && !target.subresource.empty())) {
    return before == nullptr ? NotFoundError(resource.Target(target.name)) : MethodNotAllowed();
  }
  const std::string version = Text(MetadataOf(*config), "resourceVersion");
  if (!version.empty() &&
      (before == nullptr || version != Text(MetadataOf(before->value()), "resourceVersion"))) {
    return ConflictError(resource.Target(target.name),
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
  }
  SEALANE_ASSIGN_OR_RETURN(
      Json object,
      ApplyConfig(*resource.type, before == nullptr ? Json::object() : before->value(), *config,
                  ResetPaths(target),
                  {options.manager, resource.ApiVersion(), target.subresource, env_.clock.Now()},
                  options.force));
  object["kind"] = resource.kind;
  object["apiVersion"] = resource.ApiVersion();
  Json& metadata = object["metadata"];
  if (Text(metadata, "name").empty()) metadata["name"] = target.name;
  std::vector<std::string> unknown;
  if (absl::Status status = Fit(resource, object, unknown); !status.ok()) {
    return BadRequest(StrCat(resource.kind, " in version \"", resource.version,
                             "\" cannot be handled as a ", resource.kind, ": ",
                             ToStd(status.message())));
  }
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, object));
  if (before == nullptr) {
    return FinishCreate(target, std::move(object), options, /*applied=*/true, {});
  }
  SEALANE_RETURN_IF_ERROR(CheckUpdate(target, before, object));
  return FinishUpdate(target, before, std::move(object), options, /*applied=*/true, {});
}

Json Writer::ScaleOf(const Resource& resource, const Json& object) {
  std::string spec_path = "/spec/replicas";
  std::string status_path = "/status/replicas";
  std::string selector;
  if (resource.builtin) {
    const Json labels = object.value("spec", Json::object()).value("selector", Json());
    const auto query = LabelQuery::FromObject(
        resource.kind == "ReplicationController" ? Json{{"matchLabels", labels}} : labels);
    if (query.ok()) selector = query->ToString();
  } else {
    const Json& scale = resource.crd_version->at("subresources").at("scale");
    spec_path = Pointer(scale.value("specReplicasPath", "")).to_string();
    status_path = Pointer(scale.value("statusReplicasPath", "")).to_string();
    if (scale.contains("labelSelectorPath")) {
      selector = FieldText(object, scale.value("labelSelectorPath", "").substr(1));
    }
  }
  const auto number = [&](const std::string& path) {
    const Json::json_pointer pointer(path);
    return object.contains(pointer) && object.at(pointer).is_number_integer() ? object.at(pointer)
                                                                              : Json(0);
  };
  Json metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    Copy(MetadataOf(object), metadata, field);
  }
  Json status = {{"replicas", number(status_path)}};
  if (!selector.empty()) status["selector"] = selector;
  Json spec = Json::object();
  if (const Json replicas = number(spec_path); replicas != 0) spec["replicas"] = replicas;
  return {{"kind", "Scale"},
          {"apiVersion", "autoscaling/v1"},
          {"metadata", metadata},
          {"spec", spec},
          {"status", status}};
}

absl::StatusOr<WritePlan> Writer::UpdateScale(const WriteTarget& target, const ObjectPtr& before,
                                              const Json& scale, const WriteOptions& options) {
  const Resource& resource = *target.resource;
  if (!scale.is_object() || Text(scale, "kind") != "Scale") {
    return BadRequest("the object provided is unrecognized (must be of type Scale)");
  }
  const Json spec = scale.value("spec", Json::object());
  const Json replicas = spec.is_object() ? spec.value("replicas", Json(0)) : Json(0);
  if (!replicas.is_number_integer()) {
    return BadRequest(
        "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas must be "
        "an integer");
  }
  if (replicas < 0) {
    return InvalidObject(
        {"autoscaling", "Scale", target.name},
        {InvalidField("spec.replicas", replicas, "must be greater than or equal to 0")});
  }
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, scale));
  const std::string version = Text(MetadataOf(scale), "resourceVersion");
  if (!version.empty() && version != Text(MetadataOf(before->value()), "resourceVersion")) {
    return ConflictError(resource.Target(target.name),
                         "the object has been modified; please apply your changes to the latest "
                         "version and try again");
  }
  Json object = before->value();
  if (resource.builtin) {
    object["spec"]["replicas"] = replicas;
  } else {
    const Json& paths = resource.crd_version->at("subresources").at("scale");
    object[Pointer(paths.value("specReplicasPath", ""))] = replicas;
  }
  return FinishUpdate(target, before, std::move(object), options, false, {});
}

absl::Status Writer::AllocateService(const Json& before, Json& service) {
  Json& spec = service["spec"];
  const std::string type = Text(spec, "type");
  const Json old = before.is_null() ? Json::object() : before.value("spec", Json::object());
  if (type == "ExternalName") {
    for (const char* field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      spec.erase(field);
    }
    return absl::OkStatus();
  }
  std::set<std::string> used_ips;
  std::set<int> used_ports;
  const std::string self =
      StrCat(Text(MetadataOf(service), "namespace"), "/", Text(MetadataOf(service), "name"));
  const bool needs_scan = Text(spec, "clusterIP").empty() || type != "ClusterIP";
  if (needs_scan) {
    store_.ForEach("services", "", {}, [&](const ObjectPtr& other) {
      if (StrCat(other->key().ns, "/", other->key().name) == self) return true;
      const Json other_spec = other->value().value("spec", Json::object());
      used_ips.insert(Text(other_spec, "clusterIP"));
      for (const Json& port : other_spec.value("ports", Json::array())) {
        used_ports.insert(port.value("nodePort", 0));
      }
      return true;
    });
  }
  if (Text(spec, "clusterIP").empty()) {
    std::string ip = Text(old, "clusterIP");
    while (ip.empty() || (ip != Text(old, "clusterIP") && used_ips.count(ip) != 0)) {
      ip = StrCat("10.96.", env_.random.Below(256), ".", 1 + env_.random.Below(254));
    }
    spec["clusterIP"] = ip;
  }
  spec["clusterIPs"] = Json::array({spec["clusterIP"]});
  if (type != "NodePort" && type != "LoadBalancer") return absl::OkStatus();
  if (!spec.value("allocateLoadBalancerNodePorts", true)) return absl::OkStatus();
  for (Json& port : spec["ports"]) {
    if (port.value("nodePort", 0) != 0) {
      used_ports.insert(port.value("nodePort", 0));
      continue;
    }
    for (const Json& old_port : old.value("ports", Json::array())) {
      if (old_port.value("port", 0) == port.value("port", 0) &&
          Text(old_port, "protocol") == Text(port, "protocol") && old_port.contains("nodePort")) {
        port["nodePort"] = old_port["nodePort"];
      }
    }
    while (port.value("nodePort", 0) == 0) {
      const int candidate = 30000 + static_cast<int>(env_.random.Below(2768));
      if (used_ports.insert(candidate).second) port["nodePort"] = candidate;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<WritePlan> Writer::Delete(const WriteTarget& target, const Json& delete_options,
                                         const WriteOptions& options) {
  const Resource& resource = *target.resource;
  const ObjectPtr before = store_.Get(KeyOf(target));
  if (before == nullptr) return NotFoundError(resource.Target(target.name));
  Json object = before->value();
  Json& metadata = object["metadata"];
  const Json given = delete_options.is_object() ? delete_options : Json::object();
  const Json preconditions = given.value("preconditions", Json::object());
  const std::string uid = Text(preconditions, "uid");
  if (!uid.empty() && uid != Text(metadata, "uid")) {
    return ConflictError(
        resource.KindTarget(target.name),
        StrCat("the UID in the precondition (", uid, ") does not match the UID in record (",
               Text(metadata, "uid"), "). The object might have been deleted and then recreated"));
  }
  const std::string version = Text(preconditions, "resourceVersion");
  if (!version.empty() && version != Text(metadata, "resourceVersion")) {
    return ConflictError(
        resource.KindTarget(target.name),
        StrCat("the ResourceVersion in the precondition (", version,
               ") does not match the ResourceVersion in record (",
               Text(metadata, "resourceVersion"), "). The object might have been modified"));
  }
  std::string policy = Text(given, "propagationPolicy");
  if (policy.empty() && given.contains("orphanDependents")) {
    policy = given["orphanDependents"] == true ? "Orphan" : "Background";
  }
  if (!policy.empty() && policy != "Orphan" && policy != "Foreground" && policy != "Background") {
    return InvalidObject(
        {"meta.k8s.io", "DeleteOptions", ""},
        {UnsupportedField("propagationPolicy", policy, {"Background", "Foreground", "Orphan"})});
  }
  WritePlan plan;
  plan.key = before->key();
  plan.expected = before->revision();
  const bool deleting = metadata.contains("deletionTimestamp");
  Json finalizers = metadata.value("finalizers", Json::array());
  const auto add_finalizer = [&](const char* name) {
    for (const Json& finalizer : finalizers) {
      if (finalizer == name) return;
    }
    finalizers.push_back(name);
  };
  if (policy == "Orphan") add_finalizer("orphan");
  if (policy == "Foreground") add_finalizer("foregroundDeletion");
  const bool is_namespace = resource.kind == "Namespace" && resource.builtin;
  int64_t grace = 0;
  if (resource.kind == "Pod" && resource.builtin) {
    const Json spec = object.value("spec", Json::object());
    const std::string phase = Text(object.value("status", Json::object()), "phase");
    grace = given.value("gracePeriodSeconds", spec.value("terminationGracePeriodSeconds", 30));
    if (Text(spec, "nodeName").empty() || phase == "Succeeded" || phase == "Failed") grace = 0;
  }
  if (finalizers.empty() && grace <= 0 && !is_namespace) {
    plan.action = WritePlan::Action::kRemove;
    plan.gone = true;
  } else {
    if (!deleting) {
      metadata["deletionTimestamp"] = FormatKubeTime(env_.clock.Now() + absl::Seconds(grace));
      if (!is_namespace) metadata["deletionGracePeriodSeconds"] = grace;
      if (resource.has_generation) metadata["generation"] = metadata.value("generation", 0) + 1;
    } else if (grace < metadata.value("deletionGracePeriodSeconds", grace)) {
      metadata["deletionGracePeriodSeconds"] = grace;
    }
    if (!finalizers.empty()) metadata["finalizers"] = finalizers;
    if (is_namespace) object["status"]["phase"] = "Terminating";
    if (object != before->value()) plan.action = WritePlan::Action::kPut;
  }
  if (options.dry_run) plan.action = WritePlan::Action::kNothing;
  plan.object = std::make_shared<const Json>(std::move(object));
  return plan;
}

}  // namespace sealane::kubeapi
