#include "lib/kube/kinds.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sealane::kube {
namespace {

using GroupKind = std::pair<std::string_view, std::string_view>;

// From the discovery of kube-apiserver 1.36 and of Karmada; sorted.
constexpr std::array kClusterScoped = std::to_array<GroupKind>({
    {"", "ComponentStatus"},
    {"", "Namespace"},
    {"", "Node"},
    {"", "PersistentVolume"},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicy"},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration"},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicy"},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration"},
    {"apiextensions.k8s.io", "CustomResourceDefinition"},
    {"apiregistration.k8s.io", "APIService"},
    {"apps.karmada.io", "WorkloadRebalancer"},
    {"authentication.k8s.io", "SelfSubjectReview"},
    {"authentication.k8s.io", "TokenReview"},
    {"authorization.k8s.io", "SelfSubjectAccessReview"},
    {"authorization.k8s.io", "SelfSubjectRulesReview"},
    {"authorization.k8s.io", "SubjectAccessReview"},
    {"certificates.k8s.io", "CertificateSigningRequest"},
    {"cluster.karmada.io", "Cluster"},
    {"config.karmada.io", "ResourceInterpreterCustomization"},
    {"config.karmada.io", "ResourceInterpreterWebhookConfiguration"},
    {"flowcontrol.apiserver.k8s.io", "FlowSchema"},
    {"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"},
    {"networking.k8s.io", "IPAddress"},
    {"networking.k8s.io", "IngressClass"},
    {"networking.k8s.io", "ServiceCIDR"},
    {"node.k8s.io", "RuntimeClass"},
    {"policy.karmada.io", "ClusterOverridePolicy"},
    {"policy.karmada.io", "ClusterPropagationPolicy"},
    {"policy.karmada.io", "ClusterTaintPolicy"},
    {"rbac.authorization.k8s.io", "ClusterRole"},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding"},
    {"remedy.karmada.io", "Remedy"},
    {"resource.k8s.io", "DeviceClass"},
    {"resource.k8s.io", "ResourceSlice"},
    {"scheduling.k8s.io", "PriorityClass"},
    {"sealane.io", "GitSource"},
    {"search.karmada.io", "ResourceRegistry"},
    {"storage.k8s.io", "CSIDriver"},
    {"storage.k8s.io", "CSINode"},
    {"storage.k8s.io", "StorageClass"},
    {"storage.k8s.io", "VolumeAttachment"},
    {"storage.k8s.io", "VolumeAttributesClass"},
    {"work.karmada.io", "ClusterResourceBinding"},
});

constexpr std::array kNamespaced = std::to_array<GroupKind>({
    {"", "Binding"},
    {"", "ConfigMap"},
    {"", "Endpoints"},
    {"", "Event"},
    {"", "LimitRange"},
    {"", "PersistentVolumeClaim"},
    {"", "Pod"},
    {"", "PodTemplate"},
    {"", "ReplicationController"},
    {"", "ResourceQuota"},
    {"", "Secret"},
    {"", "Service"},
    {"", "ServiceAccount"},
    {"apps", "ControllerRevision"},
    {"apps", "DaemonSet"},
    {"apps", "Deployment"},
    {"apps", "ReplicaSet"},
    {"apps", "StatefulSet"},
    {"authorization.k8s.io", "LocalSubjectAccessReview"},
    {"autoscaling", "HorizontalPodAutoscaler"},
    {"autoscaling.karmada.io", "CronFederatedHPA"},
    {"autoscaling.karmada.io", "FederatedHPA"},
    {"batch", "CronJob"},
    {"batch", "Job"},
    {"coordination.k8s.io", "Lease"},
    {"discovery.k8s.io", "EndpointSlice"},
    {"events.k8s.io", "Event"},
    {"multicluster.x-k8s.io", "ServiceExport"},
    {"multicluster.x-k8s.io", "ServiceImport"},
    {"networking.k8s.io", "Ingress"},
    {"networking.k8s.io", "NetworkPolicy"},
    {"networking.karmada.io", "MultiClusterIngress"},
    {"networking.karmada.io", "MultiClusterService"},
    {"policy", "PodDisruptionBudget"},
    {"policy.karmada.io", "FederatedResourceQuota"},
    {"policy.karmada.io", "OverridePolicy"},
    {"policy.karmada.io", "PropagationPolicy"},
    {"rbac.authorization.k8s.io", "Role"},
    {"rbac.authorization.k8s.io", "RoleBinding"},
    {"resource.k8s.io", "ResourceClaim"},
    {"resource.k8s.io", "ResourceClaimTemplate"},
    {"storage.k8s.io", "CSIStorageCapacity"},
    {"work.karmada.io", "ResourceBinding"},
    {"work.karmada.io", "Work"},
});

static_assert(std::is_sorted(kClusterScoped.begin(), kClusterScoped.end()));
static_assert(std::is_sorted(kNamespaced.begin(), kNamespaced.end()));

}  // namespace

Scope ScopeOf(std::string_view group, std::string_view kind) {
  const GroupKind key{group, kind};
  if (std::binary_search(kNamespaced.begin(), kNamespaced.end(), key)) return Scope::kNamespaced;
  if (std::binary_search(kClusterScoped.begin(), kClusterScoped.end(), key)) return Scope::kCluster;
  return Scope::kUnknown;
}

NameRule NameRuleOf(std::string_view group, std::string_view kind) {
  if (group == "rbac.authorization.k8s.io") return NameRule::kPathSegment;
  if (group.empty() && kind == "Namespace") return NameRule::kDnsLabel;
  if (group.empty() && kind == "Service") return NameRule::kDns1035Label;
  return NameRule::kDnsSubdomain;
}

bool IsControlGroup(std::string_view group) {
  static constexpr std::array kGroups = std::to_array<std::string_view>(
      {"apps.karmada.io", "autoscaling.karmada.io", "cluster.karmada.io", "config.karmada.io",
       "networking.karmada.io", "policy.karmada.io", "remedy.karmada.io", "sealane.io",
       "work.karmada.io"});
  return std::find(kGroups.begin(), kGroups.end(), group) != kGroups.end();
}

std::string_view PodSpecPointer(std::string_view kind) {
  static constexpr std::array kTemplates = std::to_array<std::string_view>(
      {"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"});
  if (kind == "Pod") return "/spec";
  if (kind == "CronJob") return "/spec/jobTemplate/spec/template/spec";
  if (std::find(kTemplates.begin(), kTemplates.end(), kind) != kTemplates.end()) {
    return "/spec/template/spec";
  }
  return "";
}

}  // namespace sealane::kube
