#pragma once

#include <string_view>

namespace sealane::kube {

enum class Scope { kNamespaced, kCluster, kUnknown };

// Whether objects of a kind live in a namespace. Knows the built-in kinds of Kubernetes, Karmada's
// policies and clusters; custom kinds are kUnknown: their manifest decides.
[[nodiscard]] Scope ScopeOf(std::string_view group, std::string_view kind);

// How the name of an object of this kind must look.
enum class NameRule {
  kDnsSubdomain,  // most kinds
  kDnsLabel,      // Namespace
  kDns1035Label,  // Service
  kPathSegment,   // RBAC: anything without '/' and '%' that is not "." or ".."
};
[[nodiscard]] NameRule NameRuleOf(std::string_view group, std::string_view kind);

// Kinds that Sealane itself acts on and never sends to a member cluster: policies, clusters and
// everything else of a karmada.io control plane group, and Sealane's own group.
[[nodiscard]] bool IsControlGroup(std::string_view group);

// Where a built-in workload keeps the spec of its pods, as a JSON pointer: "/spec" of a Pod,
// "/spec/template/spec" of a Deployment, "/spec/jobTemplate/spec/template/spec" of a CronJob. ""
// for a kind without pods.
[[nodiscard]] std::string_view PodSpecPointer(std::string_view kind);

}  // namespace sealane::kube
