// The parts of Writer that know particular endpoints and kinds: scale, deletion, versions,
// generated names and the addresses of Services.

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/conversion.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/writer.h"
#include "lib/kubeapi/writer_util.h"

namespace sealane::kubeapi {
namespace {

// The JSON patch of a dotted CRD path (".spec.replicas").
Json::json_pointer Pointer(std::string path) {
  for (char& c : path) {
    if (c == '.') c = '/';
  }
  return Json::json_pointer(path);
}

}  // namespace

const Json& MetadataOf(const Json& object) {
  static const Json* const empty = new Json(Json::object());
  const auto it = object.find("metadata");
  return it == object.end() || !it->is_object() ? *empty : *it;
}

bool IsCrd(const Resource& resource) {
  return resource.builtin && resource.kind == "CustomResourceDefinition";
}

void Copy(const Json& from, Json& to, const char* field) {
  if (const auto it = from.find(field); it != from.end()) {
    to[field] = *it;
  } else {
    to.erase(field);
  }
}

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

absl::Status Writer::CheckDefinition(const Resource& resource) const {
  if (resource.builtin) return absl::OkStatus();
  const ObjectPtr crd = store_.Get({kCrds, "", StrCat(resource.plural, ".", resource.group)});
  if (crd == nullptr || !MetadataOf(crd->value()).contains("deletionTimestamp") ||
      !registry_.Defines(crd->value())) {
    return absl::OkStatus();
  }
  return ApiError(405, "MethodNotAllowed",
                  "create not allowed while custom resource definition is terminating");
}

absl::StatusOr<WriteTarget> Writer::ToStorage(const WriteTarget& target, Json& object) const {
  WriteTarget stored = target;
  if (target.resource->stored == nullptr) return stored;
  stored.resource = target.resource->stored;
  ToStorageForm(object);
  std::vector<std::string> unknown;
  SEALANE_RETURN_IF_ERROR(Fit(*stored.resource, object, unknown));
  return stored;
}

std::string Writer::GenerateName(const std::string& base) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string name = base.substr(0, 58);
  for (int i = 0; i < 5; ++i) name.push_back(kAlphabet[env_.random.Below(kAlphabet.size())]);
  return name;
}

std::string Writer::UnusedName(const WriteTarget& target, const std::string& base) {
  constexpr int kAttempts = 8;
  ObjectKey key = KeyOf(target);
  for (int i = 0; i < kAttempts; ++i) {
    key.name = GenerateName(base);
    if (store_.Get(key) == nullptr) break;
  }
  return key.name;
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
  if (!spec.contains("ipFamilyPolicy")) spec["ipFamilyPolicy"] = "SingleStack";
  if (!spec.contains("ipFamilies")) spec["ipFamilies"] = {"IPv4"};
  if (type != "NodePort" && type != "LoadBalancer") return absl::OkStatus();
  if (!node_ports_ || !spec.value("allocateLoadBalancerNodePorts", true)) return absl::OkStatus();
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
  const bool is_namespace = resource.kind == "Namespace" && resource.builtin;
  if (is_namespace && std::find(std::begin(kSystemNamespaces), std::end(kSystemNamespaces),
                                target.name) != std::end(kSystemNamespaces)) {
    return ForbiddenError(resource.Target(target.name), "this namespace may not be deleted");
  }
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
  int64_t grace = 0;
  if (resource.kind == "Pod" && resource.builtin) {
    const Json spec = object.value("spec", Json::object());
    const std::string phase = Text(object.value("status", Json::object()), "phase");
    grace = given.value("gracePeriodSeconds", spec.value("terminationGracePeriodSeconds", 30));
    if (Text(spec, "nodeName").empty() || phase == "Succeeded" || phase == "Failed") grace = 0;
  }
  // A definition waits for its objects (Lifecycle).
  if (IsCrd(resource) && registry_.Defines(object) && store_.Count(StorageOfCrd(object), "") != 0) {
    add_finalizer(kCrdCleanup);
    if (!deleting) TerminateCrd(object, env_.clock.Now());
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
