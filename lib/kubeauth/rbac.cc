#include "lib/kubeauth/rbac.h"

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"

namespace sealane::kubeauth {
namespace {

using kubeapi::Attributes;
using kubeapi::Text;
using kubeapi::UserInfo;

bool Has(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}
bool HasOrAll(const std::vector<std::string>& list, std::string_view value) {
  return Has(list, "*") || Has(list, value);
}

std::vector<std::string> Strings(const Json& object, const char* field) {
  std::vector<std::string> out;
  const auto it = object.find(field);
  if (it == object.end() || !it->is_array()) return out;
  for (const Json& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

bool UrlMatches(std::string_view pattern, std::string_view path) {
  if (pattern == "*" || pattern == path) return true;
  if (pattern.empty() || pattern.back() != '*') return false;
  pattern.remove_suffix(1);
  return path.substr(0, pattern.size()) == pattern;
}

// "system:masters" of Kubernetes: above every rule.
bool IsMaster(const UserInfo& user) { return Has(user.groups, "system:masters"); }

// What everybody who is known may do.
const std::vector<PolicyRule>& BasicRules() {
  static const std::vector<PolicyRule> rules = {
      {{"get", "head"},
       {},
       {},
       {},
       {"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
        "/readyz", "/version", "/version/"}},
      {{"create"},
       {"authorization.k8s.io"},
       {"selfsubjectaccessreviews", "selfsubjectrulesreviews"},
       {},
       {}},
      {{"create"}, {"authentication.k8s.io"}, {"selfsubjectreviews"}, {}, {}},
  };
  return rules;
}

// Whether `owned` together allow everything that `wanted` gives. A "*" is only held by a "*".
bool Covers(const std::vector<PolicyRule>& owned, const PolicyRule& wanted) {
  const auto some = [&](const auto& test) { return std::any_of(owned.begin(), owned.end(), test); };
  for (const std::string& verb : wanted.verbs) {
    for (const std::string& url : wanted.non_resource_urls) {
      const auto holds = [&](const PolicyRule& rule) {
        return HasOrAll(rule.verbs, verb) &&
               std::any_of(rule.non_resource_urls.begin(), rule.non_resource_urls.end(),
                           [&](const std::string& pattern) { return UrlMatches(pattern, url); });
      };
      if (!some(holds)) return false;
    }
    for (const std::string& group : wanted.api_groups) {
      for (const std::string& resource : wanted.resources) {
        const size_t slash = resource.find('/');
        const auto holds = [&](const PolicyRule& rule, const std::string* name) {
          return HasOrAll(rule.verbs, verb) && HasOrAll(rule.api_groups, group) &&
                 (HasOrAll(rule.resources, resource) ||
                  (slash != std::string::npos &&
                   Has(rule.resources, StrCat("*", resource.substr(slash))))) &&
                 (rule.resource_names.empty() ||
                  (name != nullptr && Has(rule.resource_names, *name)));
        };
        if (wanted.resource_names.empty()) {
          if (!some([&](const PolicyRule& rule) { return holds(rule, nullptr); })) return false;
        }
        for (const std::string& name : wanted.resource_names) {
          if (!some([&](const PolicyRule& rule) { return holds(rule, &name); })) return false;
        }
      }
    }
  }
  return true;
}

Json RuleJson(const PolicyRule& rule) {
  Json out = {{"verbs", rule.verbs}};
  if (!rule.non_resource_urls.empty()) {
    out["nonResourceURLs"] = rule.non_resource_urls;
    return out;
  }
  out["apiGroups"] = rule.api_groups;
  out["resources"] = rule.resources;
  if (!rule.resource_names.empty()) out["resourceNames"] = rule.resource_names;
  return out;
}

absl::Status Denied(const std::string& why) { return absl::PermissionDeniedError(why); }

}  // namespace

std::vector<PolicyRule> RulesOfRole(const Json& role) {
  std::vector<PolicyRule> out;
  const auto rules = role.find("rules");
  if (rules == role.end() || !rules->is_array()) return out;
  for (const Json& rule : *rules) {
    if (!rule.is_object()) continue;
    out.push_back({Strings(rule, "verbs"), Strings(rule, "apiGroups"), Strings(rule, "resources"),
                   Strings(rule, "resourceNames"), Strings(rule, "nonResourceURLs")});
  }
  return out;
}

bool RuleAllows(const PolicyRule& rule, const Attributes& want) {
  if (!HasOrAll(rule.verbs, want.verb)) return false;
  if (!want.resource_request) {
    return std::any_of(rule.non_resource_urls.begin(), rule.non_resource_urls.end(),
                       [&](const std::string& url) { return UrlMatches(url, want.path); });
  }
  if (!HasOrAll(rule.api_groups, want.group)) return false;
  const bool resource =
      want.subresource.empty()
          ? HasOrAll(rule.resources, want.resource)
          : HasOrAll(rule.resources, StrCat(want.resource, "/", want.subresource)) ||
                Has(rule.resources, StrCat("*/", want.subresource));
  if (!resource) return false;
  return rule.resource_names.empty() || (!want.name.empty() && Has(rule.resource_names, want.name));
}

Rbac::Rbac(kubeapi::Store& store) : store_(store) {
  for (const char* resource : {kRoles, kClusterRoles, kRoleBindings, kClusterRoleBindings}) {
    store_.ForEach(resource, "", {}, [this](const kubeapi::ObjectPtr& object) {
      Set(*object);
      return true;
    });
  }
  subscription_ = store_.Subscribe([this](const kubeapi::Change& change) { OnChange(change); });
}

Rbac::~Rbac() { store_.Unsubscribe(subscription_); }

void Rbac::OnChange(const kubeapi::Change& change) {
  if (change.object->key().resource.rfind("rbac.authorization.k8s.io/", 0) != 0) return;
  Drop(change.object->key());
  if (change.type != kubeapi::ChangeType::kDeleted) Set(*change.object);
}

void Rbac::Drop(const kubeapi::ObjectKey& key) {
  const Key at{key.ns, key.name};
  if (key.resource == kRoles || key.resource == kClusterRoles) {
    roles_.erase(at);
  } else if (const auto it = bindings_.find(at); it != bindings_.end()) {
    for (const std::string& subject : it->second.subjects) {
      const auto of = by_subject_.find(subject);
      if (of == by_subject_.end()) continue;
      of->second.erase(at);
      if (of->second.empty()) by_subject_.erase(of);
    }
    bindings_.erase(it);
  }
}

void Rbac::Set(const kubeapi::StoredObject& object) {
  const Json& value = object.value();
  const Key at{object.key().ns, object.key().name};
  if (object.key().resource == kRoles || object.key().resource == kClusterRoles) {
    Role role;
    role.rules = RulesOfRole(value);
    const auto labels = value["metadata"].find("labels");
    role.labels =
        std::make_shared<const Json>(labels == value["metadata"].end() ? Json() : *labels);
    if (const auto rule = value.find("aggregationRule"); rule != value.end() && rule->is_object()) {
      const auto list = rule->find("clusterRoleSelectors");
      role.aggregates = list != rule->end() && list->is_array() && !list->empty();
      for (size_t i = 0; role.aggregates && i < list->size(); ++i) {
        // One that is malformed selects nothing.
        auto query = kubeapi::LabelQuery::FromObject((*list)[i]);
        if (query.ok()) role.selects.push_back(*std::move(query));
      }
    }
    roles_[at] = std::move(role);
    return;
  }
  if (object.key().resource != kRoleBindings && object.key().resource != kClusterRoleBindings) {
    return;
  }
  Binding binding;
  if (const auto ref = value.find("roleRef"); ref != value.end() && ref->is_object()) {
    const bool in_namespace = Text(*ref, "kind") == "Role" && !at.first.empty();
    if (!in_namespace && Text(*ref, "kind") != "ClusterRole") return;
    binding.role = {in_namespace ? at.first : "", Text(*ref, "name")};
  }
  if (const auto subjects = value.find("subjects");
      subjects != value.end() && subjects->is_array()) {
    for (const Json& subject : *subjects) {
      if (!subject.is_object()) continue;
      const std::string kind = Text(subject, "kind");
      const std::string name = Text(subject, "name");
      if (kind == "User") binding.subjects.push_back(StrCat("u:", name));
      if (kind == "Group") binding.subjects.push_back(StrCat("g:", name));
      if (kind == "ServiceAccount") {
        const std::string ns = Text(subject, "namespace");
        binding.subjects.push_back(
            StrCat("u:system:serviceaccount:", ns.empty() ? at.first : ns, ":", name));
      }
    }
  }
  for (const std::string& subject : binding.subjects) by_subject_[subject].insert(at);
  bindings_[at] = std::move(binding);
}

void Rbac::AddRules(const Key& role, std::set<Key>& seen, std::vector<PolicyRule>& out) const {
  if (!seen.insert(role).second) return;
  const auto it = roles_.find(role);
  if (it == roles_.end()) return;
  if (!it->second.aggregates) {
    out.insert(out.end(), it->second.rules.begin(), it->second.rules.end());
    return;
  }
  for (const auto& [key, other] : roles_) {
    if (!key.first.empty()) break;  // cluster-wide ones come first
    const bool selected = std::any_of(
        it->second.selects.begin(), it->second.selects.end(),
        [&labels = *other.labels](const auto& selector) { return selector.Matches(labels); });
    if (selected) AddRules(key, seen, out);
  }
}

std::vector<PolicyRule> Rbac::RulesFor(const UserInfo& user, std::string_view ns) const {
  std::vector<PolicyRule> out;
  if (Has(user.groups, "system:authenticated")) out = BasicRules();
  std::set<Key> taken;
  const auto add = [&](const std::string& subject) {
    const auto it = by_subject_.find(subject);
    if (it == by_subject_.end()) return;
    for (const Key& key : it->second) {
      if ((!key.first.empty() && key.first != ns) || !taken.insert(key).second) continue;
      std::set<Key> seen;
      AddRules(bindings_.at(key).role, seen, out);
    }
  };
  add(StrCat("u:", user.name));
  for (const std::string& group : user.groups) add(StrCat("g:", group));
  return out;
}

bool Rbac::Allowed(const UserInfo& user, const Attributes& want) const {
  if (IsMaster(user)) return true;
  const auto rules = RulesFor(user, want.ns);
  return std::any_of(rules.begin(), rules.end(),
                     [&](const PolicyRule& rule) { return RuleAllows(rule, want); });
}

Json Rbac::RulesReview(const UserInfo& user, std::string_view ns) const {
  Json resources = Json::array();
  Json urls = Json::array();
  std::vector<PolicyRule> rules = RulesFor(user, ns);
  if (IsMaster(user)) {
    rules = {{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
  }
  for (const PolicyRule& rule : rules) {
    (rule.non_resource_urls.empty() ? resources : urls).push_back(RuleJson(rule));
  }
  return {{"resourceRules", resources}, {"nonResourceRules", urls}, {"incomplete", false}};
}

absl::Status Rbac::MayWrite(const UserInfo& user, std::string_view resource, std::string_view ns,
                            const Json& object) const {
  const bool role = resource == "roles" || resource == "clusterroles";
  const bool binding = resource == "rolebindings" || resource == "clusterrolebindings";
  if ((!role && !binding) || IsMaster(user)) return absl::OkStatus();
  std::vector<PolicyRule> gives;
  Attributes override_verb;
  override_verb.resource_request = true;
  override_verb.group = kRbacGroup;
  override_verb.ns = std::string(ns);
  if (role) {
    gives = RulesOfRole(object);
    const auto metadata = object.find("metadata");
    override_verb.verb = "escalate";
    override_verb.resource = std::string(resource);
    if (metadata != object.end() && metadata->is_object()) {
      override_verb.name = Text(*metadata, "name");
    }
    if (const auto it = object.find("aggregationRule"); it != object.end() && !it->is_null()) {
      // It will give what roles to come have.
      gives.push_back({{"*"}, {"*"}, {"*"}, {}, {}});
      gives.push_back({{"*"}, {}, {}, {}, {"*"}});
    }
  } else {
    const auto ref = object.find("roleRef");
    if (ref == object.end() || !ref->is_object()) return Denied("the binding names no role");
    const bool in_namespace = Text(*ref, "kind") == "Role" && !ns.empty();
    const Key key{in_namespace ? std::string(ns) : "", Text(*ref, "name")};
    override_verb.verb = "bind";
    override_verb.resource = in_namespace ? "roles" : "clusterroles";
    override_verb.name = key.second;
    if (Allowed(user, override_verb)) return absl::OkStatus();
    if (!roles_.contains(key)) {
      return Denied(StrCat("role \"", key.second,
                           "\" not found, and binding what is yet to come "
                           "needs the verb bind"));
    }
    std::set<Key> seen;
    AddRules(key, seen, gives);
  }
  if (Allowed(user, override_verb)) return absl::OkStatus();
  const auto owned = RulesFor(user, ns);
  for (const PolicyRule& rule : gives) {
    if (!Covers(owned, rule)) {
      return Denied(StrCat("user \"", user.name,
                           "\" is attempting to grant RBAC permissions not currently held: ",
                           RuleJson(rule).dump(-1, ' ', false, Json::error_handler_t::replace)));
    }
  }
  return absl::OkStatus();
}

}  // namespace sealane::kubeauth
