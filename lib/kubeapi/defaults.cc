#include "lib/kubeapi/defaults.h"

#include <string>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/custom.h"

namespace sealane::kubeapi {
namespace {

// Sets a field that is absent. `object` must be an object.
void Default(Json& object, const char* field, const Json& value) {
  if (!object.contains(field)) object[field] = value;
}

Json* MemberOf(Json& object, const char* field) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(field);
  return it == object.end() ? nullptr : &*it;
}

template <typename Fn>
void ForEach(Json& object, const char* field, Fn fn) {
  Json* list = MemberOf(object, field);
  if (list == nullptr || !list->is_array()) return;
  for (Json& item : *list) {
    if (item.is_object()) fn(item);
  }
}

void DefaultHttpGet(Json& handler) {
  if (Json* http = MemberOf(handler, "httpGet")) {
    Default(*http, "path", "/");
    Default(*http, "scheme", "HTTP");
  }
}

void DefaultProbe(Json& container, const char* field) {
  Json* probe = MemberOf(container, field);
  if (probe == nullptr) return;
  Default(*probe, "timeoutSeconds", 1);
  Default(*probe, "periodSeconds", 10);
  Default(*probe, "successThreshold", 1);
  Default(*probe, "failureThreshold", 3);
  DefaultHttpGet(*probe);
  if (Json* grpc = MemberOf(*probe, "grpc")) Default(*grpc, "service", "");
}

// The tag decides the pull policy: none or "latest" means Always.
bool PullsAlways(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return false;
  const size_t colon = image.rfind(':');
  const size_t slash = image.rfind('/');
  if (colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash)) {
    return true;
  }
  return image.substr(colon + 1) == "latest";
}

void DefaultContainer(Json& container) {
  Default(container, "imagePullPolicy",
          PullsAlways(container.value("image", "")) ? "Always" : "IfNotPresent");
  Default(container, "terminationMessagePath", "/dev/termination-log");
  Default(container, "terminationMessagePolicy", "File");
  Default(container, "resources", Json::object());
  ForEach(container, "ports", [](Json& port) { Default(port, "protocol", "TCP"); });
  ForEach(container, "env", [](Json& env) {
    if (Json* from = MemberOf(env, "valueFrom")) {
      if (Json* field = MemberOf(*from, "fieldRef")) Default(*field, "apiVersion", "v1");
    }
  });
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    DefaultProbe(container, probe);
  }
  if (Json* lifecycle = MemberOf(container, "lifecycle")) {
    for (const char* hook : {"postStart", "preStop"}) {
      if (Json* handler = MemberOf(*lifecycle, hook)) DefaultHttpGet(*handler);
    }
  }
}

void DefaultVolume(Json& volume) {
  if (volume.size() <= 1) volume["emptyDir"] = Json::object();
  for (const char* source : {"secret", "configMap", "downwardAPI", "projected"}) {
    if (Json* found = MemberOf(volume, source)) Default(*found, "defaultMode", 420);
  }
  if (Json* host = MemberOf(volume, "hostPath")) Default(*host, "type", "");
  const auto field_refs = [](Json& owner) {
    ForEach(owner, "items", [](Json& item) {
      if (Json* field = MemberOf(item, "fieldRef")) Default(*field, "apiVersion", "v1");
    });
  };
  if (Json* downward = MemberOf(volume, "downwardAPI")) field_refs(*downward);
  if (Json* projected = MemberOf(volume, "projected")) {
    ForEach(*projected, "sources", [&](Json& source) {
      if (Json* token = MemberOf(source, "serviceAccountToken")) {
        Default(*token, "expirationSeconds", 3600);
      }
      if (Json* downward = MemberOf(source, "downwardAPI")) field_refs(*downward);
    });
  }
}

void DefaultPodSpec(Json& spec) {
  Default(spec, "restartPolicy", "Always");
  Default(spec, "terminationGracePeriodSeconds", 30);
  Default(spec, "dnsPolicy", "ClusterFirst");
  Default(spec, "securityContext", Json::object());
  Default(spec, "schedulerName", "default-scheduler");
  if (spec.contains("serviceAccountName")) {
    spec["serviceAccount"] = spec["serviceAccountName"];
  } else if (spec.contains("serviceAccount")) {
    spec["serviceAccountName"] = spec["serviceAccount"];
  }
  ForEach(spec, "containers", DefaultContainer);
  ForEach(spec, "initContainers", DefaultContainer);
  ForEach(spec, "ephemeralContainers", DefaultContainer);
  ForEach(spec, "volumes", DefaultVolume);
  if (spec.value("hostNetwork", false)) {
    ForEach(spec, "containers", [](Json& container) {
      ForEach(container, "ports", [](Json& port) {
        if (port.contains("containerPort")) Default(port, "hostPort", port["containerPort"]);
      });
    });
  }
}

void DefaultTemplate(Json& spec) {
  if (Json* pod_template = MemberOf(spec, "template")) {
    if (Json* pod = MemberOf(*pod_template, "spec")) DefaultPodSpec(*pod);
  }
}

// requests of a Pod follow its limits.
void DefaultRequests(Json& pod_spec) {
  for (const char* list : {"containers", "initContainers"}) {
    ForEach(pod_spec, list, [](Json& container) {
      Json& resources = container["resources"];
      Json* limits = MemberOf(resources, "limits");
      if (limits == nullptr) return;
      for (const auto& [name, quantity] : limits->items()) {
        Json& requests = resources["requests"];
        if (!requests.is_object()) requests = Json::object();
        if (!requests.contains(name)) requests[name] = quantity;
      }
    });
  }
}

void DefaultService(Json& spec) {
  Default(spec, "sessionAffinity", "None");
  Default(spec, "type", "ClusterIP");
  const std::string type = spec.value("type", "");
  if (spec.value("sessionAffinity", "") == "ClientIP") {
    Default(spec, "sessionAffinityConfig", {{"clientIP", {{"timeoutSeconds", 10800}}}});
  }
  ForEach(spec, "ports", [](Json& port) {
    Default(port, "protocol", "TCP");
    if (port.contains("port") && (!port.contains("targetPort") || port["targetPort"] == 0)) {
      port["targetPort"] = port["port"];
    }
  });
  if (type == "ExternalName") return;
  Default(spec, "internalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer")
    Default(spec, "externalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") Default(spec, "allocateLoadBalancerNodePorts", true);
}

void DefaultJobSpec(Json& spec) {
  DefaultTemplate(spec);
  Default(spec, "parallelism", 1);
  if (!spec.contains("completions") && spec["parallelism"] == 1) spec["completions"] = 1;
  Default(spec, "backoffLimit", 6);
  Default(spec, "completionMode", "NonIndexed");
  Default(spec, "suspend", false);
  Default(spec, "podReplacementPolicy", "TerminatingOrFailed");
}

void DefaultApps(const std::string& kind, Json& spec) {
  if (kind == "ControllerRevision") return;
  DefaultTemplate(spec);
  if (kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet") {
    Default(spec, "replicas", 1);
  }
  if (kind == "Deployment") {
    Json& strategy = spec["strategy"];
    if (!strategy.is_object()) strategy = Json::object();
    Default(strategy, "type", "RollingUpdate");
    if (strategy["type"] == "RollingUpdate") {
      Default(strategy, "rollingUpdate", Json::object());
      Default(strategy["rollingUpdate"], "maxUnavailable", "25%");
      Default(strategy["rollingUpdate"], "maxSurge", "25%");
    }
    Default(spec, "revisionHistoryLimit", 10);
    Default(spec, "progressDeadlineSeconds", 600);
  } else if (kind == "StatefulSet") {
    Default(spec, "podManagementPolicy", "OrderedReady");
    Json& strategy = spec["updateStrategy"];
    if (!strategy.is_object()) strategy = Json::object();
    Default(strategy, "type", "RollingUpdate");
    if (strategy["type"] == "RollingUpdate") {
      Default(strategy, "rollingUpdate", Json::object());
      Default(strategy["rollingUpdate"], "partition", 0);
    }
    Default(spec, "revisionHistoryLimit", 10);
    Default(spec, "persistentVolumeClaimRetentionPolicy", Json::object());
    Default(spec["persistentVolumeClaimRetentionPolicy"], "whenDeleted", "Retain");
    Default(spec["persistentVolumeClaimRetentionPolicy"], "whenScaled", "Retain");
    ForEach(spec, "volumeClaimTemplates", [](Json& claim) {
      claim["kind"] = "PersistentVolumeClaim";
      claim["apiVersion"] = "v1";
      Default(claim["spec"], "volumeMode", "Filesystem");
      claim["status"]["phase"] = "Pending";
    });
  } else if (kind == "DaemonSet") {
    Json& strategy = spec["updateStrategy"];
    if (!strategy.is_object()) strategy = Json::object();
    Default(strategy, "type", "RollingUpdate");
    if (strategy["type"] == "RollingUpdate") {
      Default(strategy, "rollingUpdate", Json::object());
      Default(strategy["rollingUpdate"], "maxUnavailable", 1);
      Default(strategy["rollingUpdate"], "maxSurge", 0);
    }
    Default(spec, "revisionHistoryLimit", 10);
  }
}

// RFC 4648, as Secrets carry their data.
std::string Base64(std::string_view text) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(i + j > text.size() ? '=' : kAlphabet[bits >> (18 - 6 * j) & 63]);
    }
  }
  return out;
}

void DefaultSecret(Json& secret) {
  Default(secret, "type", "Opaque");
  if (Json* plain = MemberOf(secret, "stringData")) {
    for (const auto& [key, value] : plain->items()) {
      secret["data"][key] = Base64(value.get<std::string>());
    }
    secret.erase("stringData");
  }
}

void DefaultRbac(const std::string& kind, Json& object) {
  if (kind != "RoleBinding" && kind != "ClusterRoleBinding") return;
  if (Json* ref = MemberOf(object, "roleRef"))
    Default(*ref, "apiGroup", "rbac.authorization.k8s.io");
  ForEach(object, "subjects", [](Json& subject) {
    const std::string subject_kind = subject.value("kind", "");
    if (subject_kind == "User" || subject_kind == "Group") {
      Default(subject, "apiGroup", "rbac.authorization.k8s.io");
    }
  });
}

void DefaultNetworkPolicy(Json& spec) {
  for (const char* direction : {"ingress", "egress"}) {
    ForEach(spec, direction, [](Json& rule) {
      ForEach(rule, "ports", [](Json& port) { Default(port, "protocol", "TCP"); });
    });
  }
  if (spec.contains("policyTypes")) return;
  spec["policyTypes"] = {"Ingress"};
  if (spec.contains("egress")) spec["policyTypes"].push_back("Egress");
}

void DefaultAutoscaler(Json& spec) {
  Default(spec, "minReplicas", 1);
  if (!spec.contains("metrics")) {
    spec["metrics"] = Json::array(
        {{{"type", "Resource"},
          {"resource",
           {{"name", "cpu"}, {"target", {{"type", "Utilization"}, {"averageUtilization", 80}}}}}}});
  }
}

}  // namespace

void DefaultBuiltin(const Resource& resource, Json& object) {
  const std::string& kind = resource.kind;
  Json* spec = MemberOf(object, "spec");
  if (resource.group == "apps" && spec != nullptr) {
    DefaultApps(kind, *spec);
  } else if (resource.group == "batch" && spec != nullptr) {
    if (kind == "Job") DefaultJobSpec(*spec);
    if (kind == "CronJob") {
      Default(*spec, "concurrencyPolicy", "Allow");
      Default(*spec, "suspend", false);
      Default(*spec, "successfulJobsHistoryLimit", 3);
      Default(*spec, "failedJobsHistoryLimit", 1);
      if (Json* job = MemberOf(*spec, "jobTemplate")) DefaultTemplate((*job)["spec"]);
    }
  } else if (resource.group == "rbac.authorization.k8s.io") {
    DefaultRbac(kind, object);
  } else if (kind == "NetworkPolicy" && spec != nullptr) {
    DefaultNetworkPolicy(*spec);
  } else if (kind == "HorizontalPodAutoscaler" && spec != nullptr) {
    DefaultAutoscaler(*spec);
  } else if (kind == "StorageClass") {
    Default(object, "reclaimPolicy", "Delete");
    Default(object, "volumeBindingMode", "Immediate");
  } else if (kind == "CustomResourceDefinition") {
    DefaultCrd(object);
  } else if (kind == "PriorityClass") {
    Default(object, "preemptionPolicy", "PreemptLowerPriority");
  } else if (resource.group.empty()) {
    if (kind == "Pod" && spec != nullptr) {
      DefaultPodSpec(*spec);
      DefaultRequests(*spec);
      Default(*spec, "enableServiceLinks", true);
    } else if (kind == "PodTemplate") {
      DefaultTemplate(object);
    } else if (kind == "ReplicationController" && spec != nullptr) {
      DefaultTemplate(*spec);
      Default(*spec, "replicas", 1);
    } else if (kind == "Service" && spec != nullptr) {
      DefaultService(*spec);
    } else if (kind == "Secret") {
      DefaultSecret(object);
    } else if (kind == "PersistentVolumeClaim" && spec != nullptr) {
      Default(*spec, "volumeMode", "Filesystem");
    } else if (kind == "PersistentVolume" && spec != nullptr) {
      Default(*spec, "volumeMode", "Filesystem");
      Default(*spec, "persistentVolumeReclaimPolicy", "Retain");
    } else if (kind == "Namespace") {
      object["metadata"]["labels"]["kubernetes.io/metadata.name"] =
          object["metadata"].value("name", "");
    } else if (kind == "Endpoints") {
      ForEach(object, "subsets", [](Json& subset) {
        ForEach(subset, "ports", [](Json& port) { Default(port, "protocol", "TCP"); });
      });
    }
  }
}

void PrepareBuiltinForCreate(const Resource& resource, Json& object) {
  const std::string& kind = resource.kind;
  // Only nodes may come with a status: the kubelet registers them so.
  if (resource.HasStatus() && kind != "Node" && object.contains("status")) {
    object["status"] = Json::object();
  }
  if (kind == "Namespace") {
    object["spec"]["finalizers"] = {"kubernetes"};
    object["status"]["phase"] = "Active";
  } else if (kind == "Pod" && resource.group.empty()) {
    Json& spec = object["spec"];
    Default(spec, "serviceAccountName", "default");
    spec["serviceAccount"] = spec["serviceAccountName"];
    Default(spec, "priority", 0);
    Default(spec, "preemptionPolicy", "PreemptLowerPriority");
    for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      bool present = false;
      ForEach(spec, "tolerations",
              [&](Json& toleration) { present = present || toleration.value("key", "") == key; });
      if (!present) {
        spec["tolerations"].push_back({{"key", key},
                                       {"operator", "Exists"},
                                       {"effect", "NoExecute"},
                                       {"tolerationSeconds", 300}});
      }
    }
    object["status"] = {{"phase", "Pending"}};
    bool requests = false;
    ForEach(spec, "containers", [&](Json& container) {
      requests =
          requests || (container["resources"].is_object() && !container["resources"].empty());
    });
    object["status"]["qosClass"] = requests ? "Burstable" : "BestEffort";
  } else if (kind == "Service") {
    object["status"] = {{"loadBalancer", Json::object()}};
  } else if (kind == "PersistentVolumeClaim" || kind == "PersistentVolume") {
    object["status"] = {{"phase", "Pending"}};
  } else if (kind == "Job") {
    Json& spec = object["spec"];
    if (!spec.value("manualSelector", false)) {
      const std::string uid = object["metadata"].value("uid", "");
      const std::string name = object["metadata"].value("name", "");
      Json& labels = spec["template"]["metadata"]["labels"];
      labels["batch.kubernetes.io/controller-uid"] = uid;
      labels["batch.kubernetes.io/job-name"] = name;
      labels["controller-uid"] = uid;
      labels["job-name"] = name;
      spec["selector"] = {{"matchLabels", {{"batch.kubernetes.io/controller-uid", uid}}}};
    }
  } else if (kind == "CustomResourceDefinition") {
    Json stored = Json::array();
    for (const Json& version : object["spec"].value("versions", Json::array())) {
      if (version.value("storage", false)) stored.push_back(version.value("name", ""));
    }
    object["status"] = {{"conditions", nullptr},
                        {"acceptedNames", {{"plural", ""}, {"kind", ""}}},
                        {"storedVersions", stored}};
  }
}

}  // namespace sealane::kubeapi
