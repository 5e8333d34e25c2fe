// Rules of pods as a whole.

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

using WhyNot = std::string (*)(std::string_view);

// A name that, when there is one, is well formed.
void CheckOptionalName(const Json& spec, const char* field, WhyNot why_not, const FieldPath& path,
                       FieldErrors& errors) {
  const std::string_view name = TextView(spec, field);
  if (name.empty()) return;
  if (const std::string why = why_not(name); !why.empty()) {
    errors.push_back(InvalidField(path.Text(field), name, why));
  }
}

// On the node's network a port of a container is a port of the node.
void CheckHostPorts(const Json& spec, bool in_template, const FieldPath& path,
                    FieldErrors& errors) {
  if (!BoolAt(spec, "hostNetwork")) return;
  const Json& containers = ListAt(spec, "containers");
  for (size_t i = 0; i < containers.size(); ++i) {
    const FieldPath at = path.Child("containers", i);
    const Json& ports = ListAt(containers[i], "ports");
    for (size_t j = 0; j < ports.size(); ++j) {
      const int64_t port = IntAt(ports[j], "hostPort").value_or(0);
      if ((in_template && port == 0) || port == IntAt(ports[j], "containerPort").value_or(0)) {
        continue;
      }
      errors.push_back(InvalidField(at.Child("ports", j).Text("hostPort"), port,
                                    "must match `containerPort` when `hostNetwork` is true"));
    }
  }
}

}  // namespace

void CheckPodSpec(const Json& spec, bool in_template, const FieldPath& path, FieldErrors& errors) {
  PodContext pod;
  pod.in_template = in_template;
  pod.grace_seconds = IntAt(spec, "terminationGracePeriodSeconds").value_or(30);
  CheckVolumes(ListAt(spec, "volumes"), pod.volumes, path, errors);
  const Json& containers = ListAt(spec, "containers");
  if (containers.empty()) errors.push_back(RequiredField(path.Text("containers")));
  for (size_t i = 0; i < containers.size(); ++i) {
    CheckContainer(containers[i], /*init=*/false, pod, path.Child("containers", i), errors);
  }
  const Json& init = ListAt(spec, "initContainers");
  for (size_t i = 0; i < init.size(); ++i) {
    CheckContainer(init[i], /*init=*/true, pod, path.Child("initContainers", i), errors);
  }
  if (in_template && !ListAt(spec, "ephemeralContainers").empty()) {
    errors.push_back(ForbiddenField(path.Text("ephemeralContainers"),
                                    "ephemeral containers not allowed in pod template"));
  }
  CheckResources(At(spec, "resources"), /*of_container=*/false, path.Child("resources"), errors);
  CheckHostPorts(spec, in_template, path, errors);
  CheckOneOf(spec, "restartPolicy", {"Always", "OnFailure", "Never"}, path, errors);
  CheckOneOf(spec, "dnsPolicy", {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"},
             path, errors);
  CheckScheduling(spec, path, errors);
  CheckOptionalName(spec, "serviceAccountName", &WhyNotDnsSubdomain, path, errors);
  CheckOptionalName(spec, "nodeName", &WhyNotDnsSubdomain, path, errors);
  CheckOptionalName(spec, "hostname", &WhyNotDnsLabel, path, errors);
  CheckOptionalName(spec, "subdomain", &WhyNotDnsLabel, path, errors);
  CheckOptionalName(spec, "priorityClassName", &WhyNotDnsSubdomain, path, errors);
  CheckOptionalName(spec, "runtimeClassName", &WhyNotDnsSubdomain, path, errors);
  const Json& deadline = At(spec, "activeDeadlineSeconds");
  if (deadline.is_number_integer() && (deadline < 1 || deadline > INT32_MAX)) {
    errors.push_back(InvalidField(path.Text("activeDeadlineSeconds"), deadline,
                                  "must be between 1 and 2147483647, inclusive"));
  }
}

void CheckPodTemplate(const Json& pod_template, const FieldPath& path, FieldErrors& errors) {
  CheckTemplateMetadata(pod_template, path, errors);
  CheckPodSpec(At(pod_template, "spec"), /*in_template=*/true, path.Child("spec"), errors);
}

void CheckPodUpdate(const Json& spec, const Json& before, FieldErrors& errors) {
  if (!spec.is_object() || !before.is_object()) return;
  std::set<std::string_view> may_change = {"activeDeadlineSeconds", "terminationGracePeriodSeconds",
                                           "tolerations", "nodeName", "schedulingGates"};
  // What no scheduler has looked at yet may still be told where to run.
  if (!ListAt(before, "schedulingGates").empty()) may_change.insert({"affinity", "nodeSelector"});
  const auto same_containers = [](const Json& list, const Json& old) {
    if (!list.is_array() || !old.is_array() || list.size() != old.size()) return list == old;
    for (size_t i = 0; i < list.size(); ++i) {
      if (!SameExcept(list[i], old[i], {"image"})) return false;
    }
    return true;
  };
  bool same = true;
  for (const char* list : {"containers", "initContainers"}) {
    may_change.insert(list);
    same = same && same_containers(At(spec, list), At(before, list));
  }
  if (same && SameExcept(spec, before, may_change)) return;
  errors.push_back(ForbiddenField(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,"
      "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
      "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
      "set to 1 if it was previously negative)"));
}

}  // namespace sealane::kubeapi
