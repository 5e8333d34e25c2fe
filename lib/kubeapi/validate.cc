#include "lib/kubeapi/validate.h"

#include <cctype>
#include <set>
#include <string>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

using Errors = std::vector<FieldError>;

const Json& At(const Json& object, const char* field) {
  static const Json* const null = new Json();
  if (!object.is_object()) return *null;
  const auto it = object.find(field);
  return it == object.end() ? *null : *it;
}

std::string Text(const Json& object, const char* field) {
  const Json& value = At(object, field);
  return value.is_string() ? value.get<std::string>() : "";
}

void CheckName(const Resource& resource, const Json& metadata, Errors& errors) {
  const std::string name = Text(metadata, "name");
  if (name.empty()) {
    errors.push_back(RequiredField("metadata.name", "name or generateName is required"));
    return;
  }
  std::string why;
  if (resource.kind == "Namespace" || resource.kind == "Service") {
    why = WhyNotDnsLabel(name);
  } else if (resource.group == "rbac.authorization.k8s.io") {
    why = WhyNotPathSegment(name);
  } else {
    why = WhyNotDnsSubdomain(name);
  }
  if (!why.empty()) errors.push_back(InvalidField("metadata.name", name, why));
}

void CheckNonNegative(const Json& spec, const char* field, std::string_view path, Errors& errors) {
  const Json& value = At(spec, field);
  if (value.is_number() && value < 0) {
    errors.push_back(
        InvalidField(StrCat(path, ".", field), value, "must be greater than or equal to 0"));
  }
}

void CheckPort(const Json& value, const std::string& path, Errors& errors) {
  if (!value.is_number_integer() || value < 1 || value > 65535) {
    errors.push_back(InvalidField(path, value.is_null() ? Json(0) : value,
                                  "must be between 1 and 65535, inclusive"));
  }
}

void CheckResources(const Json& resources, const std::string& path, Errors& errors) {
  for (const char* list : {"limits", "requests"}) {
    const Json& quantities = At(resources, list);
    if (!quantities.is_object()) continue;
    for (const auto& [name, quantity] : quantities.items()) {
      if (quantity.is_string() && quantity.get_ref<const std::string&>().substr(0, 1) == "-") {
        errors.push_back(InvalidField(StrCat(path, ".", list, "[", name, "]"), quantity,
                                      "must be greater than or equal to 0"));
      }
    }
  }
}

void CheckContainer(const Json& container, const std::string& path, std::set<std::string>& names,
                    Errors& errors) {
  const std::string name = Text(container, "name");
  if (name.empty()) {
    errors.push_back(RequiredField(StrCat(path, ".name")));
  } else if (const std::string why = WhyNotDnsLabel(name); !why.empty()) {
    errors.push_back(InvalidField(StrCat(path, ".name"), name, why));
  } else if (!names.insert(name).second) {
    errors.push_back(DuplicateField(StrCat(path, ".name"), name));
  }
  if (Text(container, "image").empty()) errors.push_back(RequiredField(StrCat(path, ".image")));
  const std::string policy = Text(container, "imagePullPolicy");
  if (policy != "Always" && policy != "IfNotPresent" && policy != "Never") {
    errors.push_back(UnsupportedField(StrCat(path, ".imagePullPolicy"), policy,
                                      {"Always", "IfNotPresent", "Never"}));
  }
  const Json& ports = At(container, "ports");
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string port_path = StrCat(path, ".ports[", i, "]");
    CheckPort(At(ports[i], "containerPort"), StrCat(port_path, ".containerPort"), errors);
    const std::string protocol = Text(ports[i], "protocol");
    if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP") {
      errors.push_back(
          UnsupportedField(StrCat(port_path, ".protocol"), protocol, {"SCTP", "TCP", "UDP"}));
    }
  }
  const Json& env = At(container, "env");
  for (size_t i = 0; i < env.size(); ++i) {
    if (Text(env[i], "name").empty()) {
      errors.push_back(RequiredField(StrCat(path, ".env[", i, "].name")));
    }
  }
  CheckResources(At(container, "resources"), StrCat(path, ".resources"), errors);
}

void CheckPodSpec(const Json& spec, const std::string& path, Errors& errors) {
  std::set<std::string> volumes;
  const Json& volume_list = At(spec, "volumes");
  for (size_t i = 0; i < volume_list.size(); ++i) {
    const std::string volume_path = StrCat(path, ".volumes[", i, "].name");
    const std::string name = Text(volume_list[i], "name");
    if (name.empty()) {
      errors.push_back(RequiredField(volume_path));
    } else if (!volumes.insert(name).second) {
      errors.push_back(DuplicateField(volume_path, name));
    }
  }
  std::set<std::string> names;
  for (const char* list : {"initContainers", "containers"}) {
    const Json& containers = At(spec, list);
    for (size_t i = 0; i < containers.size(); ++i) {
      const std::string container_path = StrCat(path, ".", list, "[", i, "]");
      CheckContainer(containers[i], container_path, names, errors);
      const Json& mounts = At(containers[i], "volumeMounts");
      for (size_t j = 0; j < mounts.size(); ++j) {
        const std::string mount_path = StrCat(container_path, ".volumeMounts[", j, "]");
        const std::string volume = Text(mounts[j], "name");
        if (volume.empty()) {
          errors.push_back(RequiredField(StrCat(mount_path, ".name")));
        } else if (volumes.count(volume) == 0) {
          errors.push_back({"FieldValueNotFound", StrCat(mount_path, ".name"),
                            StrCat("Not found: \"", volume, "\"")});
        }
        if (Text(mounts[j], "mountPath").empty()) {
          errors.push_back(RequiredField(StrCat(mount_path, ".mountPath")));
        }
      }
    }
  }
  if (At(spec, "containers").empty()) errors.push_back(RequiredField(StrCat(path, ".containers")));
  const std::string restart = Text(spec, "restartPolicy");
  if (restart != "Always" && restart != "OnFailure" && restart != "Never") {
    errors.push_back(UnsupportedField(StrCat(path, ".restartPolicy"), restart,
                                      {"Always", "OnFailure", "Never"}));
  }
}

void CheckTemplate(const Json& spec, const std::vector<std::string>& restart_policies,
                   Errors& errors) {
  const Json& pod_template = At(spec, "template");
  CheckLabels(At(At(pod_template, "metadata"), "labels"), "spec.template.labels", errors);
  const Json& pod = At(pod_template, "spec");
  CheckPodSpec(pod, "spec.template.spec", errors);
  const std::string policy = Text(pod, "restartPolicy");
  bool allowed = policy.empty();
  for (const std::string& candidate : restart_policies) allowed = allowed || policy == candidate;
  if (!allowed) {
    errors.push_back(
        UnsupportedField("spec.template.spec.restartPolicy", policy, restart_policies));
  }
}

void CheckWorkloadSelector(const Json& spec, Errors& errors) {
  const Json& selector = At(spec, "selector");
  const auto query = LabelQuery::FromObject(selector);
  if (selector.is_null()) {
    errors.push_back(RequiredField("spec.selector"));
    return;
  }
  if (!query.ok()) {
    errors.push_back(InvalidField("spec.selector", selector, ToStd(query.status().message())));
    return;
  }
  if (query->empty()) {
    errors.push_back(
        InvalidField("spec.selector", selector, "empty selector is invalid for deployment"));
    return;
  }
  const Json& labels = At(At(At(spec, "template"), "metadata"), "labels");
  if (!query->Matches(labels)) {
    errors.push_back(InvalidField("spec.template.metadata.labels",
                                  labels.is_null() ? Json::object() : labels,
                                  "`selector` does not match template `labels`"));
  }
}

void CheckImmutable(const Json& spec, const Json& before, const char* field, Errors& errors) {
  if (At(spec, field) != At(before, field)) {
    errors.push_back(InvalidField(StrCat("spec.", field), At(spec, field), "field is immutable"));
  }
}

void CheckApps(const std::string& kind, const Json& spec, const Json& before, Errors& errors) {
  CheckNonNegative(spec, "replicas", "spec", errors);
  CheckNonNegative(spec, "minReadySeconds", "spec", errors);
  CheckNonNegative(spec, "revisionHistoryLimit", "spec", errors);
  CheckWorkloadSelector(spec, errors);
  CheckTemplate(spec, {"Always"}, errors);
  if (kind == "Deployment") {
    const Json& strategy = At(spec, "strategy");
    const std::string type = Text(strategy, "type");
    if (type != "Recreate" && type != "RollingUpdate") {
      errors.push_back(UnsupportedField("spec.strategy.type", type, {"Recreate", "RollingUpdate"}));
    } else if (type == "Recreate" && strategy.contains("rollingUpdate")) {
      errors.push_back(ForbiddenField("spec.strategy.rollingUpdate",
                                      "may not be specified when strategy `type` is 'Recreate'"));
    }
    const Json& rolling = At(strategy, "rollingUpdate");
    const auto zero = [](const Json& value) { return value == 0 || value == "0%"; };
    if (type == "RollingUpdate" && zero(At(rolling, "maxSurge")) &&
        zero(At(rolling, "maxUnavailable"))) {
      errors.push_back(InvalidField("spec.strategy.rollingUpdate.maxUnavailable",
                                    At(rolling, "maxUnavailable"),
                                    "may not be 0 when `maxSurge` is 0"));
    }
  }
  if (before.is_null()) return;
  if (kind == "StatefulSet") {
    static const std::set<std::string> mutable_fields = {"replicas",
                                                         "ordinals",
                                                         "template",
                                                         "updateStrategy",
                                                         "revisionHistoryLimit",
                                                         "persistentVolumeClaimRetentionPolicy",
                                                         "minReadySeconds"};
    for (const Json* side : {&spec, &before}) {
      for (const auto& [key, value] : side->items()) {
        if (mutable_fields.count(key) == 0 && At(spec, key.c_str()) != At(before, key.c_str())) {
          errors.push_back(ForbiddenField(
              "spec",
              "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
              "'template', 'updateStrategy', 'revisionHistoryLimit', "
              "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
          return;
        }
      }
    }
    return;
  }
  CheckImmutable(spec, before, "selector", errors);
}

void CheckService(const Json& spec, const Json& before, Errors& errors) {
  const std::string type = Text(spec, "type");
  static const std::set<std::string> types = {"ClusterIP", "ExternalName", "LoadBalancer",
                                              "NodePort"};
  if (types.count(type) == 0) {
    errors.push_back(UnsupportedField("spec.type", type,
                                      {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}));
  }
  const Json& ports = At(spec, "ports");
  const bool headless = Text(spec, "clusterIP") == "None";
  if (ports.empty() && !headless && type != "ExternalName") {
    errors.push_back(RequiredField("spec.ports"));
  }
  if (type == "ExternalName" && Text(spec, "externalName").empty()) {
    errors.push_back(RequiredField("spec.externalName"));
  }
  std::set<std::string> names;
  std::set<std::string> numbers;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string path = StrCat("spec.ports[", i, "]");
    CheckPort(At(ports[i], "port"), StrCat(path, ".port"), errors);
    const std::string name = Text(ports[i], "name");
    if (name.empty() && ports.size() > 1) {
      errors.push_back(RequiredField(StrCat(path, ".name")));
    } else if (!name.empty() && !names.insert(name).second) {
      errors.push_back(DuplicateField(StrCat(path, ".name"), name));
    }
    const Json identity = {{"port", At(ports[i], "port")}, {"protocol", At(ports[i], "protocol")}};
    if (!numbers.insert(identity.dump()).second) errors.push_back(DuplicateField(path, identity));
  }
  if (!before.is_null() && type != "ExternalName" && Text(before, "type") != "ExternalName" &&
      !Text(before, "clusterIP").empty() && Text(spec, "clusterIP") != Text(before, "clusterIP")) {
    errors.push_back(InvalidField("spec.clusterIPs[0]", Json::array({Text(spec, "clusterIP")}),
                                  "may not change once set"));
  }
}

void CheckConfig(const Resource& resource, const Json& object, const Json& before, Errors& errors) {
  for (const char* field : {"data", "binaryData"}) {
    const Json& data = At(object, field);
    if (!data.is_object()) continue;
    for (const auto& [key, value] : data.items()) {
      const bool good = !key.empty() && key.size() <= 253 && key != "." && key != ".." &&
                        key.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-_.") == std::string::npos;
      if (!good) {
        errors.push_back(InvalidField(
            StrCat(field, "[", key, "]"), key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
            "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
            "'[-._a-zA-Z0-9]+')"));
      }
    }
  }
  if (before.is_null()) return;
  if (resource.kind == "Secret" && Text(object, "type") != Text(before, "type")) {
    errors.push_back(InvalidField("type", At(object, "type"), "field is immutable"));
  }
  if (before.value("immutable", false)) {
    if (!object.value("immutable", false)) {
      errors.push_back(ForbiddenField("immutable", "field is immutable when `immutable` is set"));
    }
    for (const char* field : {"data", "binaryData"}) {
      if (At(object, field) != At(before, field)) {
        errors.push_back(ForbiddenField(field, "field is immutable when `immutable` is set"));
      }
    }
  }
}

// Of a Pod's spec only a few fields may change.
void CheckPodUpdate(const Json& spec, const Json& before, Errors& errors) {
  const auto fixed = [](Json value) {
    for (const char* field : {"activeDeadlineSeconds", "terminationGracePeriodSeconds",
                              "tolerations", "nodeName", "schedulingGates"}) {
      value.erase(field);
    }
    for (const char* list : {"containers", "initContainers"}) {
      if (!value.contains(list)) continue;
      for (Json& container : value[list]) container.erase("image");
    }
    return value;
  };
  if (fixed(spec) != fixed(before)) {
    errors.push_back(ForbiddenField(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
        "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
        "set to 1 if it was previously negative)"));
  }
}

void CheckBuiltin(const Resource& resource, const Json& object, const Json& before,
                  Errors& errors) {
  const Json& spec = At(object, "spec");
  const Json& old_spec = At(before, "spec");
  const std::string& kind = resource.kind;
  if (resource.group == "apps" && kind != "ControllerRevision") {
    CheckApps(kind, spec, old_spec, errors);
  } else if (kind == "Job" && resource.group == "batch") {
    CheckNonNegative(spec, "parallelism", "spec", errors);
    CheckNonNegative(spec, "completions", "spec", errors);
    CheckTemplate(spec, {"OnFailure", "Never"}, errors);
    if (!before.is_null()) {
      CheckImmutable(spec, old_spec, "selector", errors);
      CheckImmutable(spec, old_spec, "template", errors);
      CheckImmutable(spec, old_spec, "completions", errors);
    }
  } else if (kind == "CronJob") {
    if (Text(spec, "schedule").empty()) errors.push_back(RequiredField("spec.schedule"));
  } else if (resource.group.empty() && kind == "Pod") {
    CheckPodSpec(spec, "spec", errors);
    if (!before.is_null()) CheckPodUpdate(spec, old_spec, errors);
  } else if (resource.group.empty() && kind == "Service") {
    CheckService(spec, old_spec, errors);
  } else if (resource.group.empty() && (kind == "ConfigMap" || kind == "Secret")) {
    CheckConfig(resource, object, before, errors);
  } else if (kind == "CustomResourceDefinition") {
    for (FieldError& error : ValidateCrd(object)) errors.push_back(std::move(error));
    if (!before.is_null()) {
      CheckImmutable(spec, old_spec, "scope", errors);
      CheckImmutable(spec, old_spec, "group", errors);
    }
  } else if (kind == "RoleBinding" || kind == "ClusterRoleBinding") {
    if (!before.is_null() && At(object, "roleRef") != At(before, "roleRef")) {
      errors.push_back(InvalidField("roleRef", At(object, "roleRef"), "cannot change roleRef"));
    }
  } else if (kind == "PersistentVolumeClaim") {
    if (At(spec, "accessModes").empty()) {
      errors.push_back(RequiredField("spec.accessModes", "at least 1 access mode is required"));
    }
  }
}

}  // namespace

std::vector<FieldError> ValidateObject(const Resource& resource, const Json& object,
                                       const Json& before) {
  Errors errors;
  const Json& metadata = At(object, "metadata");
  if (before.is_null()) CheckName(resource, metadata, errors);
  CheckMetadata(metadata, errors);
  if (resource.builtin) {
    CheckBuiltin(resource, object, before, errors);
  } else {
    const Json schema = At(*resource.crd_version, "schema");
    for (FieldError& error : ValidateCustom(At(schema, "openAPIV3Schema"), object)) {
      errors.push_back(std::move(error));
    }
  }
  return errors;
}

}  // namespace sealane::kubeapi
