#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"
#include "lib/kubeapi/validate_util.h"

namespace sealane::kubeapi {

// The rules of Kubernetes' own kinds, as kube-apiserver 1.36 has them. Internal to lib/kubeapi.
// They refuse nothing that it accepts: where it is lenient, or where a rule depends on what this
// server does not do, there is no rule here. `before` is the version that an update replaces, null
// for a creation. Fields are named as it names them, its slips included.

// A pod; `in_template` if it is one that a workload makes.
void CheckPodSpec(const Json& spec, bool in_template, const FieldPath& path, FieldErrors& errors);
void CheckPodTemplate(const Json& pod_template, const FieldPath& path, FieldErrors& errors);
// Of a Pod's spec only a few fields may change.
void CheckPodUpdate(const Json& spec, const Json& before, FieldErrors& errors);

// What containers of one pod share.
struct PodContext {
  std::set<std::string_view> volumes;     // names
  std::set<std::string_view> containers;  // names so far
  std::set<std::string> host_ports;       // "TCP//8080" so far
  int64_t grace_seconds = 30;
  bool in_template = false;
};
void CheckContainer(const Json& container, bool init, PodContext& pod, const FieldPath& path,
                    FieldErrors& errors);
// Requests and limits; `of_container` if only what containers can ask for may be named.
void CheckResources(const Json& resources, bool of_container, const FieldPath& path,
                    FieldErrors& errors);
// Adds the names of `volumes` to `names`.
void CheckVolumes(const Json& volumes, std::set<std::string_view>& names, const FieldPath& path,
                  FieldErrors& errors);
void CheckClaim(const Json& spec, const Json& before, FieldErrors& errors);
// Affinity, tolerations, spreading and the node selector of a pod.
void CheckScheduling(const Json& spec, const FieldPath& path, FieldErrors& errors);

// Deployments, ReplicaSets, StatefulSets and DaemonSets.
void CheckApps(const std::string& kind, const Json& spec, const Json& before, FieldErrors& errors);
void CheckJob(const Json& spec, const Json& before, FieldErrors& errors);
void CheckCronJob(const Json& object, const Json& before, FieldErrors& errors);

void CheckConfigMap(const Json& object, const Json& before, FieldErrors& errors);
void CheckSecret(const Json& object, const Json& before, FieldErrors& errors);

void CheckService(const Json& spec, const Json& before, FieldErrors& errors);
void CheckIngress(const Json& spec, FieldErrors& errors);
void CheckNetworkPolicy(const Json& spec, FieldErrors& errors);

void CheckDisruptionBudget(const Json& spec, FieldErrors& errors);
void CheckAutoscaler(const Json& spec, FieldErrors& errors);
void CheckLease(const Json& spec, FieldErrors& errors);
// Roles, ClusterRoles and their bindings.
void CheckRbac(const Resource& resource, const Json& object, const Json& before,
               FieldErrors& errors);

}  // namespace sealane::kubeapi
