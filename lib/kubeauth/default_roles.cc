#include "lib/kubeauth/default_roles.h"

#include <initializer_list>
#include <map>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeauth/rbac.h"

namespace sealane::kubeauth {
namespace {

using kubeapi::ObjectKey;

const Json& Read() {
  static const Json* const verbs = new Json({"get", "list", "watch"});
  return *verbs;
}
const Json& Change() {
  static const Json* const verbs =
      new Json({"create", "delete", "deletecollection", "patch", "update"});
  return *verbs;
}
const Json& ReadAndChange() {
  static const Json* const verbs =
      new Json({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"});
  return *verbs;
}

Json Rule(const char* group, std::initializer_list<const char*> resources, const Json& verbs) {
  Json names = Json::array();
  for (const char* resource : resources) names.push_back(resource);
  return {{"apiGroups", {group}}, {"resources", names}, {"verbs", verbs}};
}

// What may be looked at in a namespace: everything but secrets and rights.
Json ViewRules() {
  return Json::array(
      {Rule("",
            {"configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status",
             "pods", "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts",
             "services", "services/status"},
            Read()),
       Rule("",
            {"bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status",
             "replicationcontrollers/status", "resourcequotas", "resourcequotas/status"},
            Read()),
       Rule("", {"namespaces"}, Read()), Rule("discovery.k8s.io", {"endpointslices"}, Read()),
       Rule("apps",
            {"controllerrevisions", "daemonsets", "daemonsets/status", "deployments",
             "deployments/scale", "deployments/status", "replicasets", "replicasets/scale",
             "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status"},
            Read()),
       Rule("autoscaling", {"horizontalpodautoscalers", "horizontalpodautoscalers/status"}, Read()),
       Rule("batch", {"cronjobs", "cronjobs/status", "jobs", "jobs/status"}, Read()),
       Rule("policy", {"poddisruptionbudgets", "poddisruptionbudgets/status"}, Read()),
       Rule("networking.k8s.io", {"ingresses", "ingresses/status", "networkpolicies"}, Read())});
}

// What may be changed there, and what of it needs more care to look at.
Json EditRules() {
  return Json::array(
      {Rule("",
            {"pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets",
             "services/proxy"},
            Read()),
       Rule("", {"pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"}, Change()),
       Rule("", {"pods/eviction"}, {"create"}),
       Rule("",
            {"configmaps", "events", "persistentvolumeclaims", "replicationcontrollers",
             "replicationcontrollers/scale", "secrets", "serviceaccounts", "services",
             "services/proxy"},
            Change()),
       Rule("", {"serviceaccounts/token"}, {"create"}),
       Rule("apps",
            {"daemonsets", "deployments", "deployments/rollback", "deployments/scale",
             "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"},
            Change()),
       Rule("autoscaling", {"horizontalpodautoscalers"}, Change()),
       Rule("batch", {"cronjobs", "jobs"}, Change()),
       Rule("policy", {"poddisruptionbudgets"}, Change()),
       Rule("networking.k8s.io", {"ingresses", "networkpolicies"}, Change()),
       Rule("coordination.k8s.io", {"leases"}, ReadAndChange())});
}

Json AdminRules() {
  return Json::array({Rule("authorization.k8s.io", {"localsubjectaccessreviews"}, {"create"}),
                      Rule(kRbacGroup, {"rolebindings", "roles"}, ReadAndChange())});
}

// The fleet's own kinds that have namespaces.
Json FleetRules(const Json& verbs, bool decisions) {
  Json rules =
      Json::array({Rule("policy.karmada.io", {"overridepolicies", "propagationpolicies"}, verbs)});
  if (decisions) {
    rules.push_back(
        Rule("work.karmada.io", {"resourcebindings", "resourcebindings/status"}, verbs));
  }
  return rules;
}

Json AllRules() {
  Json everything = Rule("*", {"*"}, {"*"});
  return Json::array({std::move(everything), {{"nonResourceURLs", {"*"}}, {"verbs", {"*"}}}});
}

Json Together(std::initializer_list<Json> lists) {
  Json out = Json::array();
  for (const Json& list : lists) out.insert(out.end(), list.begin(), list.end());
  return out;
}

// `part_of`: the role that gathers its rules, or "". `gathers`: it has the rules of the roles that
// are labelled with its name; `rules` then only tells them.
struct Role {
  const char* name;
  const char* part_of;
  bool gathers;
  Json rules;
};

const std::vector<Role>& Roles() {
  static const auto* const roles = [] {
    const Json view = Together({FleetRules(Read(), true), ViewRules()});
    const Json edit = Together({EditRules(), FleetRules(Change(), false), view});
    return new std::vector<Role>{
        {"admin", "", true, Together({AdminRules(), edit})},
        {"cluster-admin", "", false, AllRules()},
        {"edit", "admin", true, edit},
        {"karmada-edit", "edit", false, FleetRules(Change(), false)},
        {"karmada-view", "view", false, FleetRules(Read(), true)},
        {"system:aggregate-to-admin", "admin", false, AdminRules()},
        {"system:aggregate-to-edit", "edit", false, EditRules()},
        {"system:aggregate-to-view", "view", false, ViewRules()},
        {"view", "edit", true, view},
    };
  }();
  return *roles;
}

Json Labels(const Role& role) {
  Json labels = {{"kubernetes.io/bootstrapping", "rbac-defaults"}};
  if (*role.part_of != '\0') labels[StrCat(kRbacGroup, "/aggregate-to-", role.part_of)] = "true";
  return labels;
}

Json Metadata(const ObjectKey& key, absl::Time since, Json labels) {
  const std::string id = StrCat(key.resource, " ", key.name);
  return {{"name", key.name},
          {"uid", UuidFrom(Fnv1a64(id), Fnv1a64(StrCat("default ", id)))},
          {"creationTimestamp", FormatKubeTime(since)},
          {"annotations", {{"rbac.authorization.kubernetes.io/autoupdate", "true"}}},
          {"labels", std::move(labels)}};
}

}  // namespace

const std::vector<ObjectKey>& DefaultRbacKeys() {
  static const auto* const keys = [] {
    auto* const out = new std::vector<ObjectKey>();
    for (const Role& role : Roles()) out->push_back({kClusterRoles, "", role.name});
    out->push_back({kClusterRoleBindings, "", "cluster-admin"});
    return out;
  }();
  return *keys;
}

Json DefaultRbacObject(const ObjectKey& key, absl::Time since) {
  if (key.resource == kClusterRoleBindings && key.name == "cluster-admin") {
    return {
        {"metadata", Metadata(key, since, {{"kubernetes.io/bootstrapping", "rbac-defaults"}})},
        {"roleRef", {{"apiGroup", kRbacGroup}, {"kind", "ClusterRole"}, {"name", "cluster-admin"}}},
        {"subjects", {{{"apiGroup", kRbacGroup}, {"kind", "Group"}, {"name", "system:masters"}}}}};
  }
  if (key.resource != kClusterRoles) return nullptr;
  for (const Role& role : Roles()) {
    if (key.name != role.name) continue;
    Json object = {{"metadata", Metadata(key, since, Labels(role))}, {"rules", role.rules}};
    if (role.gathers) {
      const Json selector = {
          {"matchLabels", {{StrCat(kRbacGroup, "/aggregate-to-", role.name), "true"}}}};
      object["aggregationRule"] = {{"clusterRoleSelectors", Json::array({selector})}};
    }
    return object;
  }
  return nullptr;
}

}  // namespace sealane::kubeauth
