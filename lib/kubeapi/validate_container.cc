// Rules of containers: ports, environment, mounts, probes.

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

std::string WhyNotEnvName(std::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(),
                                [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (good) return "";
  return "a valid environment variable name must consist only of printable ASCII characters other "
         "than '='";
}

// The name of a ConfigMap or Secret.
void CheckRefName(const Json& ref, const FieldPath& path, FieldErrors& errors) {
  const std::string_view name = TextView(ref, "name");
  if (const std::string why = WhyNotDnsSubdomain(name); !why.empty()) {
    errors.push_back(InvalidField(path.Text("name"), name, why));
  }
}

void CheckKeyRef(const Json& ref, const FieldPath& path, FieldErrors& errors) {
  CheckRefName(ref, path, errors);
  const std::string_view key = TextView(ref, "key");
  if (key.empty()) {
    errors.push_back(RequiredField(path.Text("key")));
  } else if (const std::string why = WhyNotConfigKey(key); !why.empty()) {
    errors.push_back(InvalidField(path.Text("key"), key, why));
  }
}

// A field of the pod, as environment variables may have it.
void CheckFieldRef(const Json& ref, const FieldPath& path, FieldErrors& errors) {
  static const std::vector<std::string> supported = {"metadata.name",
                                                     "metadata.namespace",
                                                     "metadata.uid",
                                                     "spec.nodeName",
                                                     "spec.serviceAccountName",
                                                     "status.hostIP",
                                                     "status.hostIPs",
                                                     "status.podIP",
                                                     "status.podIPs"};
  static const std::set<std::string_view> elsewhere = {"metadata.annotations", "metadata.labels",
                                                       "spec.restartPolicy", "spec.schedulerName",
                                                       "status.phase"};
  const std::string_view field = TextView(ref, "fieldPath");
  if (field.empty()) {
    errors.push_back(RequiredField(path.Text("fieldPath")));
    return;
  }
  if (field == "spec.host" || field.back() == ']' ||
      std::find(supported.begin(), supported.end(), field) != supported.end()) {
    return;
  }
  if (elsewhere.count(field) != 0) {
    errors.push_back(UnsupportedField(path.Text("fieldPath"), field, supported));
  } else {
    errors.push_back(
        InvalidField(path.Text("fieldPath"), field,
                     StrCat("error converting fieldPath: field label not supported: ", field)));
  }
}

void CheckResourceRef(const Json& ref, const FieldPath& path, FieldErrors& errors) {
  const std::string_view resource = TextView(ref, "resource");
  if (resource.empty()) {
    errors.push_back(RequiredField(path.Text("resource")));
    return;
  }
  for (const std::string_view prefix : {"limits.", "requests."}) {
    if (resource.substr(0, prefix.size()) != prefix) continue;
    const std::string_view name = resource.substr(prefix.size());
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
        name.substr(0, 10) == "hugepages-") {
      return;
    }
  }
  errors.push_back(
      UnsupportedField(path.Text("resource"), resource,
                       {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
                        "requests.ephemeral-storage", "requests.memory"}));
}

void CheckValueFrom(const Json& variable, const FieldPath& path, FieldErrors& errors) {
  const Json& from = At(variable, "valueFrom");
  if (!from.is_object()) return;
  if (from.empty()) {
    errors.push_back(InvalidField(path.Text(), "",
                                  "must specify one of: `fieldRef`, `resourceFieldRef`, "
                                  "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"));
  } else if (!TextView(variable, "value").empty()) {
    errors.push_back(
        InvalidField(path.Text(), "", "may not be specified when `value` is not empty"));
  } else if (from.size() > 1) {
    errors.push_back(
        InvalidField(path.Text(), "", "may not have more than one field specified at a time"));
  }
  if (const Json& ref = At(from, "fieldRef"); !ref.is_null()) {
    CheckFieldRef(ref, path.Child("fieldRef"), errors);
  }
  if (const Json& ref = At(from, "resourceFieldRef"); !ref.is_null()) {
    CheckResourceRef(ref, path.Child("resourceFieldRef"), errors);
  }
  for (const char* kind : {"configMapKeyRef", "secretKeyRef"}) {
    if (const Json& ref = At(from, kind); !ref.is_null()) {
      CheckKeyRef(ref, path.Child(kind), errors);
    }
  }
}

void CheckEnv(const Json& container, const FieldPath& path, FieldErrors& errors) {
  const Json& env = ListAt(container, "env");
  for (size_t i = 0; i < env.size(); ++i) {
    const FieldPath at = path.Child("env", i);
    const std::string_view name = TextView(env[i], "name");
    if (name.empty()) {
      errors.push_back(RequiredField(at.Text("name")));
    } else if (const std::string why = WhyNotEnvName(name); !why.empty()) {
      errors.push_back(InvalidField(at.Text("name"), name, why));
    }
    CheckValueFrom(env[i], at.Child("valueFrom"), errors);
  }
  const Json& from = ListAt(container, "envFrom");
  for (size_t i = 0; i < from.size(); ++i) {
    const FieldPath at = path.Child("envFrom", i);
    const std::string_view prefix = TextView(from[i], "prefix");
    if (const std::string why = WhyNotEnvName(prefix); !why.empty()) {
      errors.push_back(InvalidField(at.Text("prefix"), prefix, why));
    }
    int sources = 0;
    for (const char* kind : {"configMapRef", "secretRef"}) {
      const Json& ref = At(from[i], kind);
      if (ref.is_null()) continue;
      ++sources;
      const FieldPath ref_path = at.Child(kind);
      if (TextView(ref, "name").empty()) {
        errors.push_back(RequiredField(ref_path.Text("name")));
      } else {
        CheckRefName(ref, ref_path, errors);
      }
    }
    if (sources == 0) {
      errors.push_back(InvalidField(path.Text("envFrom"), "",
                                    "must specify one of: `configMapRef` or `secretRef`"));
    } else if (sources > 1) {
      errors.push_back(InvalidField(path.Text("envFrom"), "",
                                    "may not have more than one field specified at a time"));
    }
  }
}

void CheckPorts(const Json& container, PodContext& pod, const FieldPath& path,
                FieldErrors& errors) {
  const Json& ports = ListAt(container, "ports");
  std::set<std::string_view> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const FieldPath at = path.Child("ports", i);
    if (const std::string_view name = TextView(ports[i], "name"); !name.empty()) {
      if (const std::string why = WhyNotPortName(name); !why.empty()) {
        errors.push_back(InvalidField(at.Text("name"), name, why));
      } else if (!names.insert(name).second) {
        errors.push_back(DuplicateField(at.Text("name"), name));
      }
    }
    if (IntAt(ports[i], "containerPort").value_or(0) == 0) {
      errors.push_back(RequiredField(at.Text("containerPort")));
    } else {
      CheckPortNumber(ports[i], "containerPort", at, errors);
    }
    CheckOneOf(ports[i], "protocol", {"SCTP", "TCP", "UDP"}, at, errors);
    const int64_t host_port = IntAt(ports[i], "hostPort").value_or(0);
    if (host_port == 0) continue;
    CheckPortNumber(ports[i], "hostPort", at, errors);
    std::string key =
        StrCat(TextView(ports[i], "protocol"), "/", TextView(ports[i], "hostIP"), "/", host_port);
    if (const auto [it, added] = pod.host_ports.insert(std::move(key)); !added) {
      errors.push_back(DuplicateField(at.Text("hostPort"), *it));
    }
  }
}

void CheckMounts(const Json& container, const PodContext& pod, const FieldPath& path,
                 FieldErrors& errors) {
  const Json& mounts = ListAt(container, "volumeMounts");
  std::set<std::string_view> places;
  const auto check_volume = [&](const Json& mount, const FieldPath& at) {
    const std::string_view volume = TextView(mount, "name");
    if (volume.empty()) {
      errors.push_back(RequiredField(at.Text("name")));
    } else if (pod.volumes.count(volume) == 0) {
      errors.push_back(NotFoundField(at.Text("name"), volume));
    }
  };
  for (size_t i = 0; i < mounts.size(); ++i) {
    const FieldPath at = path.Child("volumeMounts", i);
    check_volume(mounts[i], at);
    const std::string_view place = TextView(mounts[i], "mountPath");
    if (place.empty()) {
      errors.push_back(RequiredField(at.Text("mountPath")));
    } else if (!places.insert(place).second) {
      errors.push_back(InvalidField(at.Text("mountPath"), place, "must be unique"));
    }
    for (const char* field : {"subPath", "subPathExpr"}) {
      const std::string_view inner = TextView(mounts[i], field);
      if (const std::string why = WhyNotDescending(inner); !why.empty()) {
        errors.push_back(InvalidField(path.Child("volumeMounts").Text(field), inner, why));
      }
    }
    if (!TextView(mounts[i], "subPath").empty() && !TextView(mounts[i], "subPathExpr").empty()) {
      errors.push_back(InvalidField(at.Text("subPathExpr"), At(mounts[i], "subPathExpr"),
                                    "subPathExpr and subPath are mutually exclusive"));
    }
  }
  const Json& devices = ListAt(container, "volumeDevices");
  for (size_t i = 0; i < devices.size(); ++i) {
    const FieldPath at = path.Child("volumeDevices", i);
    check_volume(devices[i], at);
    CheckRequired(devices[i], "devicePath", at, errors);
  }
}

void CheckHttpGet(const Json& http, const FieldPath& path, FieldErrors& errors) {
  if (!Has(http, "port")) {
    CheckPortNumber(http, "port", path, errors);
  } else {
    CheckPortOrName(http, "port", path, errors);
  }
  CheckOneOf(http, "scheme", {"HTTP", "HTTPS"}, path, errors);
  for (const Json& header : ListAt(http, "httpHeaders")) {
    const std::string_view name = TextView(header, "name");
    const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (good) continue;
    errors.push_back(InvalidField(path.Text("httpHeaders"), name,
                                  "a valid HTTP header must consist of alphanumeric characters or "
                                  "'-' (e.g. 'X-Header-Name', regex used for validation is "
                                  "'[-A-Za-z0-9]+')"));
  }
}

// What a probe or a hook does: exactly one thing.
void CheckHandler(const Json& handler, const PodContext& pod, const FieldPath& path,
                  FieldErrors& errors) {
  bool found = false;
  for (const char* kind : {"exec", "httpGet", "tcpSocket", "grpc", "sleep"}) {
    const Json& action = At(handler, kind);
    if (action.is_null()) continue;
    const FieldPath at = path.Child(kind);
    if (found) {
      errors.push_back(ForbiddenField(at.Text(), "may not specify more than 1 handler type"));
      continue;
    }
    found = true;
    const std::string_view name = kind;
    if (name == "exec") {
      if (ListAt(action, "command").empty()) errors.push_back(RequiredField(at.Text("command")));
    } else if (name == "httpGet") {
      CheckHttpGet(action, at, errors);
    } else if (name == "tcpSocket" && Has(action, "port")) {
      CheckPortOrName(action, "port", at, errors);
    } else if (name == "tcpSocket" || name == "grpc") {
      CheckPortNumber(action, "port", at, errors);
    } else {
      const int64_t seconds = IntAt(action, "seconds").value_or(0);
      if (seconds < 0 || seconds > pod.grace_seconds) {
        errors.push_back(InvalidField(
            at.Text(), seconds,
            StrCat("must be non-negative and less than terminationGracePeriodSeconds (",
                   pod.grace_seconds, ")")));
      }
    }
  }
  if (!found) errors.push_back(RequiredField(path.Text(), "must specify a handler type"));
}

void CheckProbes(const Json& container, const PodContext& pod, const FieldPath& path,
                 FieldErrors& errors) {
  for (const char* kind : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const Json& probe = At(container, kind);
    if (probe.is_null()) continue;
    const FieldPath at = path.Child(kind);
    CheckHandler(probe, pod, at, errors);
    for (const char* field : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                              "successThreshold", "failureThreshold"}) {
      CheckNonNegative(probe, field, at, errors);
    }
    const Json& grace = At(probe, "terminationGracePeriodSeconds");
    if (std::string_view(kind) == "readinessProbe") {
      if (!grace.is_null()) {
        errors.push_back(InvalidField(at.Text("terminationGracePeriodSeconds"), grace,
                                      "must not be set for readinessProbes"));
      }
      continue;
    }
    if (grace.is_number() && grace <= 0) {
      errors.push_back(
          InvalidField(at.Text("terminationGracePeriodSeconds"), grace, "must be greater than 0"));
    }
    // 0 stands for the default, which is 1.
    if (const int64_t successes = IntAt(probe, "successThreshold").value_or(1);
        successes != 1 && successes != 0) {
      errors.push_back(InvalidField(at.Text("successThreshold"), successes, "must be 1"));
    }
  }
  for (const char* hook : {"postStart", "preStop"}) {
    const Json& lifecycle = At(container, "lifecycle");
    if (!Has(lifecycle, hook)) continue;
    const FieldPath at = path.Child("lifecycle");
    CheckHandler(At(lifecycle, hook), pod, at.Child(hook), errors);
  }
}

void CheckSecurity(const Json& context, const FieldPath& path, FieldErrors& errors) {
  for (const char* field : {"runAsUser", "runAsGroup"}) {
    const Json& id = At(context, field);
    if (id.is_number_integer() && (id < 0 || id > INT32_MAX)) {
      errors.push_back(
          InvalidField(path.Text(field), id, "must be between 0 and 2147483647, inclusive"));
    }
  }
  if (At(context, "allowPrivilegeEscalation") == false && BoolAt(context, "privileged")) {
    errors.push_back(
        InvalidField(path.Text(), context,
                     "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  }
}

}  // namespace

void CheckContainer(const Json& container, bool init, PodContext& pod, const FieldPath& path,
                    FieldErrors& errors) {
  const std::string_view name = TextView(container, "name");
  if (name.empty()) {
    errors.push_back(RequiredField(path.Text("name")));
  } else if (const std::string why = WhyNotDnsLabel(name); !why.empty()) {
    errors.push_back(InvalidField(path.Text("name"), name, why));
  } else if (!pod.containers.insert(name).second) {
    errors.push_back(DuplicateField(path.Text("name"), name));
  }
  const std::string_view image = TextView(container, "image");
  if (image.empty()) {
    errors.push_back(RequiredField(path.Text("image")));
  } else if (!pod.in_template && (std::string_view(" \t\r\n").find(image.front()) != image.npos ||
                                  std::string_view(" \t\r\n").find(image.back()) != image.npos)) {
    errors.push_back(
        InvalidField(path.Text("image"), image, "must not have leading or trailing whitespace"));
  }
  CheckOneOf(container, "terminationMessagePolicy", {"File", "FallbackToLogsOnError"}, path,
             errors);
  if (init) pod.host_ports.clear();  // they run one by one
  CheckPorts(container, pod, path, errors);
  CheckEnv(container, path, errors);
  CheckMounts(container, pod, path, errors);
  CheckOneOf(container, "imagePullPolicy", {"Always", "IfNotPresent", "Never"}, path, errors);
  CheckOneOf(container, "restartPolicy", {"Always", "OnFailure", "Never"}, path, errors);
  CheckResources(At(container, "resources"), /*of_container=*/true, path.Child("resources"),
                 errors);
  CheckSecurity(At(container, "securityContext"), path.Child("securityContext"), errors);
  if (!init || TextView(container, "restartPolicy") == "Always") {
    CheckProbes(container, pod, path, errors);
    return;
  }
  for (const char* field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
    if (Has(container, field)) {
      errors.push_back(ForbiddenField(
          path.Text(field), "may not be set for init containers without restartPolicy=Always"));
    }
  }
}

}  // namespace sealane::kubeapi
