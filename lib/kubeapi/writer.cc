#include "lib/kubeapi/writer.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/body.h"
#include "lib/kubeapi/conversion.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/defaults.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/managed_fields.h"
#include "lib/kubeapi/patch.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/typed.h"
#include "lib/kubeapi/validate.h"
#include "lib/kubeapi/writer_util.h"

namespace sealane::kubeapi {
namespace {

// `spec` as changes of it count for the generation: everything but metadata (and status).
Json SpecPart(const Resource& resource, Json object) {
  object.erase("metadata");
  object.erase("apiVersion");
  object.erase("kind");
  if (resource.builtin || resource.HasStatus()) object.erase("status");
  return object;
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

}  // namespace

Writer::Writer(Env env, Store& store, const Registry& registry, Admitter admit, bool node_ports)
    : env_(env),
      store_(store),
      registry_(registry),
      admit_(std::move(admit)),
      node_ports_(node_ports) {}

ObjectKey Writer::KeyOf(const WriteTarget& target) const {
  return {target.resource->StorageName(), target.ns, target.name};
}

absl::Status Writer::Fit(const Resource& resource, Json& object,
                         std::vector<std::string>& unknown) const {
  if (resource.builtin) {
    SEALANE_ASSIGN_OR_RETURN(object, FitBuiltin(*resource.type, object, unknown));
    // Another form gets its defaults in the one that is stored.
    if (resource.stored == nullptr) DefaultBuiltin(resource, object);
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
  texts.insert(texts.end(), options.doubled.begin(), options.doubled.end());
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

absl::StatusOr<WritePlan> Writer::Create(const WriteTarget& target, const Json& body,
                                         const WriteOptions& options) {
  std::vector<std::string> warnings;
  SEALANE_ASSIGN_OR_RETURN(Json object, Decode(*target.resource, body, options, warnings));
  SEALANE_ASSIGN_OR_RETURN(const WriteTarget stored, ToStorage(target, object));
  return FinishCreate(stored, std::move(object), options, /*applied=*/false, std::move(warnings));
}

absl::Status Writer::Admit(const WriteTarget& target, std::string_view name, Json& object,
                           std::vector<std::string>& warnings) const {
  if (IsCrd(*target.resource) && target.subresource.empty()) {
    for (std::string& warning : CrdWarnings(object)) warnings.push_back(std::move(warning));
    if (!registry_.Defines(object)) {
      warnings.push_back(StrCat(StorageOfCrd(object),
                                " is served by this server itself: the definition is kept, and has "
                                "no effect here"));
    }
  }
  if (admit_ == nullptr || target.subresource == "status") return absl::OkStatus();
  Admitted admitted = admit_(*target.resource, object);
  std::move(admitted.warnings.begin(), admitted.warnings.end(), std::back_inserter(warnings));
  if (admitted.errors.empty()) return absl::OkStatus();
  return InvalidObject(target.resource->KindTarget(name), admitted.errors);
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
  if (generate) metadata["name"] = UnusedName(target, Text(metadata, "generateName"));
  const std::string name = Text(metadata, "name");
  SEALANE_RETURN_IF_ERROR(CheckDefinition(resource));
  SEALANE_RETURN_IF_ERROR(CheckNamespace(target, name));
  metadata["uid"] = NewUuid(env_.random);
  metadata["creationTimestamp"] = FormatKubeTime(env_.clock.Now());
  if (resource.has_generation) metadata["generation"] = 1;
  if (resource.builtin) {
    PrepareBuiltinForCreate(resource, object);
  } else if (resource.HasStatus()) {
    object.erase("status");
  }
  SEALANE_RETURN_IF_ERROR(Admit(target, name, object, warnings));
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

absl::StatusOr<WritePlan> Writer::Update(const WriteTarget& target, const Json& body,
                                         const WriteOptions& options) {
  const ObjectPtr before = store_.Get(KeyOf(target));
  if (target.subresource == "scale") {
    if (before == nullptr) return NotFoundError(target.resource->Target(target.name));
    return UpdateScale(target, before, body, options);
  }
  std::vector<std::string> warnings;
  SEALANE_ASSIGN_OR_RETURN(Json object, Decode(*target.resource, body, options, warnings));
  SEALANE_ASSIGN_OR_RETURN(const WriteTarget stored, ToStorage(target, object));
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, object));
  if (before == nullptr) {
    if (!target.resource->create_on_update || !target.subresource.empty()) {
      return NotFoundError(target.resource->Target(target.name));
    }
    object["metadata"]["name"] = target.name;
    return FinishCreate(stored, std::move(object), options, false, std::move(warnings));
  }
  SEALANE_RETURN_IF_ERROR(CheckUpdate(stored, before, object));
  return FinishUpdate(stored, before, std::move(object), options, false, std::move(warnings));
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
  if (!deleting) SEALANE_RETURN_IF_ERROR(Admit(target, target.name, object, warnings));
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
  std::vector<std::string> warnings;
  const auto patch = ParseText(body, /*yaml=*/false, &warnings);
  if (!patch.ok()) {
    return BadRequest(StrCat("error decoding patch: ", ToStd(patch.status().message())));
  }
  const bool scale = target.subresource == "scale";
  const Json current = scale ? ScaleOf(resource, before->value())
                       : resource.stored != nullptr
                           ? FromStorageForm(resource.ApiVersion(), before->value())
                           : before->value();
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
  for (const std::string& path : unknown)
    warnings.push_back(StrCat("unknown field \"", path, "\""));
  if (!warnings.empty() && options.field_validation == "Strict") {
    return refuse(StrCat("strict decoding error: ", StrJoin(warnings, ", ")));
  }
  if (options.field_validation != "Warn") warnings.clear();
  SEALANE_ASSIGN_OR_RETURN(const WriteTarget stored, ToStorage(target, fitted));
  SEALANE_RETURN_IF_ERROR(CheckUrl(target, fitted));
  SEALANE_RETURN_IF_ERROR(CheckUpdate(stored, before, fitted));
  return FinishUpdate(stored, before, std::move(fitted), options, false, std::move(warnings));
}

absl::StatusOr<WritePlan> Writer::Apply(const WriteTarget& target, const ObjectPtr& before,
                                        std::string_view body, const WriteOptions& options) {
  const Resource& resource = *target.resource;
  std::vector<std::string> warnings;
  const auto config = ParseText(body, /*yaml=*/true, &warnings);
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
  if (!warnings.empty() && options.field_validation == "Strict") {
    return BadRequest(StrCat("error strict decoding YAML: ", StrJoin(warnings, ", ")));
  }
  if (options.field_validation != "Warn") warnings.clear();
  if (resource.stored != nullptr) {
    // Fields are owned as they are stored.
    Json stored = *config;
    WriteTarget stored_target = target;
    stored_target.resource = resource.stored;
    ToStorageForm(stored);
    auto plan = Apply(stored_target, before, stored.dump(), options);
    if (plan.ok()) plan->warnings.insert(plan->warnings.end(), warnings.begin(), warnings.end());
    return plan;
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
    return FinishCreate(target, std::move(object), options, /*applied=*/true, std::move(warnings));
  }
  SEALANE_RETURN_IF_ERROR(CheckUpdate(target, before, object));
  return FinishUpdate(target, before, std::move(object), options, /*applied=*/true,
                      std::move(warnings));
}

}  // namespace sealane::kubeapi
