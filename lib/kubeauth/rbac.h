#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeapi/selector.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubeauth {

// The objects of RBAC, as the store names them.
inline constexpr char kRbacGroup[] = "rbac.authorization.k8s.io";
inline constexpr char kRoles[] = "rbac.authorization.k8s.io/roles";
inline constexpr char kClusterRoles[] = "rbac.authorization.k8s.io/clusterroles";
inline constexpr char kRoleBindings[] = "rbac.authorization.k8s.io/rolebindings";
inline constexpr char kClusterRoleBindings[] = "rbac.authorization.k8s.io/clusterrolebindings";

// One rule of a Role or ClusterRole. A plain value type.
struct PolicyRule {
  std::vector<std::string> verbs;
  std::vector<std::string> api_groups;
  std::vector<std::string> resources;  // "pods", "pods/log", "*/scale", "*"
  std::vector<std::string> resource_names;
  std::vector<std::string> non_resource_urls;  // "/metrics", "/logs/*", "*"
};

// The rules of a role object; what has another shape than it should gives no right.
[[nodiscard]] std::vector<PolicyRule> RulesOfRole(const Json& role);
// Whether a rule allows that.
[[nodiscard]] bool RuleAllows(const PolicyRule& rule, const kubeapi::Attributes& attributes);

// Kubernetes' RBAC over the Roles, ClusterRoles and their bindings in a store, of which it keeps an
// index. The group system:masters may everything; system:authenticated may read the discovery
// paths and ask what it may itself. Everything else needs a binding.
//
// Thread rule: the store's.
class Rbac {
 public:
  // `store` must outlive it.
  explicit Rbac(kubeapi::Store& store);
  ~Rbac();
  Rbac(const Rbac&) = delete;
  Rbac& operator=(const Rbac&) = delete;

  [[nodiscard]] bool Allowed(const kubeapi::UserInfo& user,
                             const kubeapi::Attributes& attributes) const;
  // The status of a SelfSubjectRulesReview.
  [[nodiscard]] Json RulesReview(const kubeapi::UserInfo& user, std::string_view ns) const;
  // Whether a user may write that Role, ClusterRole or binding (`resource` is its plural): only
  // with every right that it gives, or with the verb escalate (roles) or bind (bindings). The
  // status is PermissionDenied and says why, for the message of a 403. Other resources are OK.
  [[nodiscard]] absl::Status MayWrite(const kubeapi::UserInfo& user, std::string_view resource,
                                      std::string_view ns, const Json& object) const;

 private:
  using Key = std::pair<std::string, std::string>;  // namespace ("": cluster-wide) and name
  struct Binding {
    std::vector<std::string> subjects;  // "u:name", "g:group"
    Key role;
  };

  void OnChange(const kubeapi::Change& change);
  void Set(const kubeapi::StoredObject& object);
  void Drop(const kubeapi::ObjectKey& key);
  // Adds the rules of a role; those of an aggregating one are the rules of the roles it selects.
  void AddRules(const Key& role, std::set<Key>& seen, std::vector<PolicyRule>& out) const;
  // What a user has in a namespace, and cluster-wide.
  [[nodiscard]] std::vector<PolicyRule> RulesFor(const kubeapi::UserInfo& user,
                                                 std::string_view ns) const;

  struct Role {
    std::vector<PolicyRule> rules;
    std::shared_ptr<const Json> labels;
    bool aggregates = false;                   // its own rules do not count then
    std::vector<kubeapi::LabelQuery> selects;  // roles whose rules it has
  };

  kubeapi::Store& store_;
  uint64_t subscription_ = 0;
  std::map<Key, Role> roles_;
  std::map<Key, Binding> bindings_;
  std::map<std::string, std::set<Key>, std::less<>> by_subject_;  // subject -> bindings
};

}  // namespace sealane::kubeauth
