// Rules of roles and their bindings.

#include "lib/core/json.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

constexpr char kGroup[] = "rbac.authorization.k8s.io";

void CheckRule(const Json& rule, bool namespaced, const FieldPath& path, FieldErrors& errors) {
  if (ListAt(rule, "verbs").empty()) {
    errors.push_back(RequiredField(path.Text("verbs"), "verbs must contain at least one value"));
  }
  const Json& urls = ListAt(rule, "nonResourceURLs");
  const Json& resources = ListAt(rule, "resources");
  const Json& names = ListAt(rule, "resourceNames");
  const bool groups = !ListAt(rule, "apiGroups").empty();
  if (!urls.empty()) {
    if (namespaced) {
      errors.push_back(InvalidField(path.Text("nonResourceURLs"), urls,
                                    "namespaced rules cannot apply to non-resource URLs"));
    }
    if (groups || !resources.empty() || !names.empty()) {
      errors.push_back(
          InvalidField(path.Text("nonResourceURLs"), urls,
                       "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return;
  }
  if (!groups) {
    errors.push_back(
        RequiredField(path.Text("apiGroups"), "resource rules must supply at least one api group"));
  }
  if (resources.empty()) {
    errors.push_back(
        RequiredField(path.Text("resources"), "resource rules must supply at least one resource"));
  }
}

void CheckSubject(const Json& subject, bool namespaced, const FieldPath& path,
                  FieldErrors& errors) {
  const std::string_view kind = TextView(subject, "kind");
  const std::string_view name = TextView(subject, "name");
  const std::string_view group = TextView(subject, "apiGroup");
  if (name.empty()) errors.push_back(RequiredField(path.Text("name")));
  if (kind == "ServiceAccount") {
    if (const std::string why = WhyNotDnsSubdomain(name); !name.empty() && !why.empty()) {
      errors.push_back(InvalidField(path.Text("name"), name, why));
    }
    if (!group.empty()) errors.push_back(UnsupportedField(path.Text("apiGroup"), group, {""}));
    if (!namespaced) CheckRequired(subject, "namespace", path, errors);
  } else if (kind == "User" || kind == "Group") {
    if (group != kGroup) {
      errors.push_back(UnsupportedField(path.Text("apiGroup"), group, {kGroup}));
    }
  } else {
    errors.push_back(
        UnsupportedField(path.Text("kind"), kind, {"ServiceAccount", "User", "Group"}));
  }
}

void CheckBinding(const Json& object, bool namespaced, FieldErrors& errors) {
  const FieldPath path("roleRef");
  const Json& ref = At(object, "roleRef");
  if (TextView(ref, "apiGroup") != kGroup) {
    errors.push_back(UnsupportedField(path.Text("apiGroup"), TextView(ref, "apiGroup"), {kGroup}));
  }
  const std::string_view kind = TextView(ref, "kind");
  if (kind != "ClusterRole" && !(namespaced && kind == "Role")) {
    errors.push_back(namespaced ? UnsupportedField(path.Text("kind"), kind, {"Role", "ClusterRole"})
                                : UnsupportedField(path.Text("kind"), kind, {"ClusterRole"}));
  }
  const std::string_view name = TextView(ref, "name");
  if (name.empty()) {
    errors.push_back(RequiredField(path.Text("name")));
  } else if (const std::string why = WhyNotPathSegment(name); !why.empty()) {
    errors.push_back(InvalidField(path.Text("name"), name, why));
  }
  const Json& subjects = ListAt(object, "subjects");
  for (size_t i = 0; i < subjects.size(); ++i) {
    CheckSubject(subjects[i], namespaced, FieldPath("subjects", i), errors);
  }
}

}  // namespace

void CheckRbac(const Resource& resource, const Json& object, const Json& before,
               FieldErrors& errors) {
  const bool namespaced = resource.namespaced;
  if (resource.kind == "Role" || resource.kind == "ClusterRole") {
    const Json& rules = ListAt(object, "rules");
    for (size_t i = 0; i < rules.size(); ++i) {
      CheckRule(rules[i], namespaced, FieldPath("rules", i), errors);
    }
    return;
  }
  if (resource.kind != "RoleBinding" && resource.kind != "ClusterRoleBinding") return;
  CheckBinding(object, namespaced, errors);
  if (!before.is_null() && At(object, "roleRef") != At(before, "roleRef")) {
    errors.push_back(InvalidField("roleRef", At(object, "roleRef"), "cannot change roleRef"));
  }
}

}  // namespace sealane::kubeapi
