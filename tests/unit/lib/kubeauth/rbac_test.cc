#include "lib/kubeauth/rbac.h"

#include <set>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeauth/default_roles.h"

namespace sealane::kubeauth {
namespace {

using kubeapi::Attributes;
using kubeapi::UserInfo;

constexpr char kGroup[] = "rbac.authorization.k8s.io/";

Attributes Want(const char* verb, const char* group, const char* resource, const char* ns = "",
                const char* name = "", const char* subresource = "") {
  return {verb, true, group, resource, subresource, ns, name, ""};
}
Attributes WantPath(const char* verb, const char* path) {
  return {verb, false, "", "", "", "", "", path};
}
Json Rule(const Json& verbs, const Json& groups, const Json& resources) {
  return {{"verbs", verbs}, {"apiGroups", groups}, {"resources", resources}};
}
UserInfo User(const char* name, std::vector<std::string> groups = {}) { return {name, "", groups}; }

class RbacTest : public ::testing::Test {
 protected:
  void Put(const char* resource, const char* ns, const char* name, Json object) {
    object["metadata"]["name"] = name;
    if (*ns != '\0') object["metadata"]["namespace"] = ns;
    const kubeapi::ObjectKey key{StrCat(kGroup, resource), ns, name};
    const auto now = store_.Get(key);
    store_.Put(key, object, now ? now->revision() : 0,
               [](const auto& written) { ASSERT_TRUE(written.ok()); });
  }
  void Remove(const char* resource, const char* ns, const char* name) {
    const kubeapi::ObjectKey key{StrCat(kGroup, resource), ns, name};
    store_.Remove(key, store_.Get(key)->revision(),
                  [](const auto& removed) { ASSERT_TRUE(removed.ok()); });
  }
  static Json Bind(const char* kind, const char* role, const Json& subject) {
    return {{"roleRef", {{"kind", kind}, {"name", role}}}, {"subjects", {subject}}};
  }

  kubeapi::MemoryStore store_;
  Rbac rbac_{store_};
};

TEST(RuleTest, ResourcesSubresourcesNamesAndUrls) {
  const PolicyRule pods{{"get", "list"}, {""}, {"pods", "*/scale"}, {}, {}};
  EXPECT_TRUE(RuleAllows(pods, Want("get", "", "pods", "a", "p")));
  EXPECT_FALSE(RuleAllows(pods, Want("delete", "", "pods", "a", "p")));
  EXPECT_FALSE(RuleAllows(pods, Want("get", "apps", "pods", "a", "p")));
  EXPECT_FALSE(RuleAllows(pods, Want("get", "", "pods", "a", "p", "log")));
  EXPECT_TRUE(RuleAllows(pods, Want("get", "", "deployments", "a", "d", "scale")));
  const PolicyRule named{{"*"}, {"*"}, {"*"}, {"only"}, {}};
  EXPECT_TRUE(RuleAllows(named, Want("update", "apps", "x", "a", "only")));
  EXPECT_FALSE(RuleAllows(named, Want("update", "apps", "x", "a", "other")));
  EXPECT_FALSE(RuleAllows(named, Want("list", "apps", "x", "a")));
  EXPECT_FALSE(RuleAllows(named, WantPath("get", "/metrics")));
  const PolicyRule urls{{"get"}, {}, {}, {}, {"/logs/*"}};
  EXPECT_TRUE(RuleAllows(urls, WantPath("get", "/logs/a/b")));
  EXPECT_FALSE(RuleAllows(urls, WantPath("get", "/log")));
  EXPECT_FALSE(RuleAllows(urls, Want("get", "", "logs")));
}

TEST_F(RbacTest, NothingIsAllowedThatNobodyGave) {
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "", "pods", "a", "p")));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), WantPath("get", "/version")));
  const UserInfo known = User("ann", {"system:authenticated"});
  EXPECT_TRUE(rbac_.Allowed(known, WantPath("get", "/version")));
  EXPECT_FALSE(rbac_.Allowed(known, WantPath("get", "/metrics")));
  EXPECT_TRUE(
      rbac_.Allowed(known, Want("create", "authorization.k8s.io", "selfsubjectaccessreviews")));
  EXPECT_FALSE(
      rbac_.Allowed(known, Want("create", "authorization.k8s.io", "subjectaccessreviews")));
  EXPECT_TRUE(rbac_.Allowed(User("root", {"system:masters"}), Want("delete", "x", "y", "z", "n")));
}

TEST_F(RbacTest, BindingsGiveInTheirNamespaceAndFollowChanges) {
  Put("clusterroles", "", "reader", {{"rules", {Rule({"get"}, {""}, {"pods"})}}});
  Put("rolebindings", "a", "b", Bind("ClusterRole", "reader", {{"kind", "User"}, {"name", "ann"}}));
  EXPECT_TRUE(rbac_.Allowed(User("ann"), Want("get", "", "pods", "a", "p")));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "", "pods", "b", "p")));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "", "pods")));
  EXPECT_FALSE(rbac_.Allowed(User("bob"), Want("get", "", "pods", "a", "p")));
  // A group of the user's name is not the user.
  EXPECT_FALSE(rbac_.Allowed(User("bob", {"ann"}), Want("get", "", "pods", "a", "p")));
  Put("clusterrolebindings", "", "b",
      Bind("ClusterRole", "reader", {{"kind", "Group"}, {"name", "ops"}}));
  EXPECT_TRUE(rbac_.Allowed(User("bob", {"ops"}), Want("get", "", "pods", "b", "p")));
  Put("rolebindings", "a", "robot",
      Bind("ClusterRole", "reader", {{"kind", "ServiceAccount"}, {"name", "ci"}}));
  EXPECT_TRUE(rbac_.Allowed(User("system:serviceaccount:a:ci"), Want("get", "", "pods", "a", "p")));
  // A Role of one namespace is not one of another.
  Put("roles", "a", "local", {{"rules", {Rule({"*"}, {"*"}, {"*"})}}});
  Put("rolebindings", "b", "x", Bind("Role", "local", {{"kind", "User"}, {"name", "eve"}}));
  EXPECT_FALSE(rbac_.Allowed(User("eve"), Want("get", "", "pods", "b", "p")));
  // Rights end with the rule, with the subject, with the binding.
  Put("rolebindings", "a", "b",
      Bind("ClusterRole", "reader", {{"kind", "User"}, {"name", "carl"}}));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "", "pods", "a", "p")));
  EXPECT_TRUE(rbac_.Allowed(User("carl"), Want("get", "", "pods", "a", "p")));
  Remove("rolebindings", "a", "b");
  EXPECT_FALSE(rbac_.Allowed(User("carl"), Want("get", "", "pods", "a", "p")));
  Put("clusterroles", "", "reader", {{"rules", Json::array()}});
  EXPECT_FALSE(rbac_.Allowed(User("bob", {"ops"}), Want("get", "", "pods", "b", "p")));
  // An index made later is the same.
  EXPECT_FALSE(Rbac(store_).Allowed(User("carl"), Want("get", "", "pods", "a", "p")));
}

TEST_F(RbacTest, AggregatingRolesHaveTheRulesOfTheSelected) {
  Put("clusterroles", "", "all",
      {{"aggregationRule", {{"clusterRoleSelectors", {{{"matchLabels", {{"to", "all"}}}}}}}}});
  Put("clusterrolebindings", "", "b",
      Bind("ClusterRole", "all", {{"kind", "User"}, {"name", "ann"}}));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "x.io", "things")));
  Put("clusterroles", "", "things",
      {{"metadata", {{"labels", {{"to", "all"}}}}},
       {"rules", {Rule({"get"}, {"x.io"}, {"things"})}}});
  EXPECT_TRUE(rbac_.Allowed(User("ann"), Want("get", "x.io", "things")));
  EXPECT_FALSE(rbac_.Allowed(User("ann"), Want("get", "x.io", "others")));
}

TEST_F(RbacTest, AggregatingRolesSelectByExpressionsToo) {
  const auto select = [&](const Json& selectors) {
    Put("clusterroles", "", "all",
        {{"aggregationRule", {{"clusterRoleSelectors", selectors}}},
         {"rules", {Rule({"get"}, {"x.io"}, {"own"})}}});
  };
  const auto may = [&](const char* what) {
    return rbac_.Allowed(User("ann"), Want("get", "x.io", what));
  };
  Put("clusterrolebindings", "", "b",
      Bind("ClusterRole", "all", {{"kind", "User"}, {"name", "ann"}}));
  for (const char* to : {"one", "two", "three"}) {
    Put("clusterroles", "", to,
        {{"metadata", {{"labels", {{"to", to}, {"by", "us"}}}}},
         {"rules", {Rule({"get"}, {"x.io"}, {to})}}});
  }
  const Json in = {{"key", "to"}, {"operator", "In"}, {"values", {"one", "two"}}};
  select({{{"matchExpressions", {in}}}});
  EXPECT_TRUE(may("one") && may("two"));
  EXPECT_FALSE(may("three") || may("own"));
  // Labels and expressions of one selector count together, selectors beside each other.
  select({{{"matchLabels", {{"by", "them"}}}, {"matchExpressions", {in}}},
          {{"matchExpressions",
            {{{"key", "to"}, {"operator", "NotIn"}, {"values", {"one", "two"}}},
             {{"key", "by"}, {"operator", "Exists"}}}}}});
  EXPECT_TRUE(may("three"));
  EXPECT_FALSE(may("one") || may("two"));
  // What is malformed selects nothing, and does not bring the role's own rules back.
  for (const Json& bad :
       {Json({{"matchExpressions", {{{"key", "to"}, {"operator", "Like"}}}}}),
        Json({{"matchExpressions", {{{"key", 7}, {"operator", 7}}}}}),
        Json({{"matchExpressions", {{{"key", "to"}, {"operator", "In"}, {"values", {7}}}}}}),
        Json({{"matchExpressions", "all"}}), Json({{"matchLabels", {"a"}}}), Json("all"), Json()}) {
    select(Json::array({bad}));
    EXPECT_FALSE(may("one") || may("two") || may("three") || may("own")) << bad.dump();
  }
}

TEST_F(RbacTest, NobodyGivesWhatTheyDoNotHave) {
  Put("clusterroles", "", "reader", {{"rules", {Rule({"get", "list"}, {""}, {"pods"})}}});
  Put("clusterroles", "", "everything", {{"rules", {Rule({"*"}, {"*"}, {"*"})}}});
  Put("rolebindings", "a", "b", Bind("ClusterRole", "reader", {{"kind", "User"}, {"name", "ann"}}));
  const UserInfo ann = User("ann");
  const auto role = [](const Json& rule) -> Json {
    return {{"metadata", {{"name", "new"}}}, {"rules", {rule}}};
  };
  const Json same = role(Rule({"get"}, {""}, {"pods"}));
  EXPECT_TRUE(rbac_.MayWrite(ann, "roles", "a", same).ok());
  EXPECT_FALSE(rbac_.MayWrite(ann, "roles", "b", same).ok());
  EXPECT_FALSE(rbac_.MayWrite(ann, "clusterroles", "", same).ok());
  for (const Json& more :
       {Rule({"get", "delete"}, {""}, {"pods"}), Rule({"*"}, {""}, {"pods"}),
        Rule({"get"}, {"*"}, {"pods"}), Rule({"get"}, {""}, {"*"}),
        Rule({"get"}, {""}, {"pods", "secrets"}), Rule({"get"}, {""}, {"pods/log"})}) {
    EXPECT_FALSE(rbac_.MayWrite(ann, "roles", "a", role(more)).ok()) << more.dump();
  }
  const Json subject = {{"kind", "User"}, {"name", "bob"}};
  EXPECT_TRUE(
      rbac_.MayWrite(ann, "rolebindings", "a", Bind("ClusterRole", "reader", subject)).ok());
  EXPECT_FALSE(
      rbac_.MayWrite(ann, "rolebindings", "a", Bind("ClusterRole", "everything", subject)).ok());
  EXPECT_FALSE(
      rbac_.MayWrite(ann, "clusterrolebindings", "", Bind("ClusterRole", "reader", subject)).ok());
  EXPECT_FALSE(
      rbac_.MayWrite(ann, "rolebindings", "a", Bind("ClusterRole", "yet-to-come", subject)).ok());
  const Json aggregating = {{"metadata", {{"name", "n"}}},
                            {"aggregationRule", {{"clusterRoleSelectors", Json::array()}}}};
  EXPECT_FALSE(rbac_.MayWrite(ann, "clusterroles", "", aggregating).ok());
  EXPECT_TRUE(rbac_.MayWrite(User("r", {"system:masters"}), "clusterroles", "", aggregating).ok());
  // The verbs escalate and bind are the ways around.
  Put("clusterroles", "", "trusted",
      {{"rules",
        {Rule({"bind", "escalate"}, {"rbac.authorization.k8s.io"}, {"clusterroles", "roles"})}}});
  Put("rolebindings", "a", "t",
      Bind("ClusterRole", "trusted", {{"kind", "User"}, {"name", "ann"}}));
  EXPECT_TRUE(
      rbac_.MayWrite(ann, "rolebindings", "a", Bind("ClusterRole", "everything", subject)).ok());
  EXPECT_TRUE(rbac_.MayWrite(ann, "roles", "a", role(Rule({"*"}, {"*"}, {"*"}))).ok());
  EXPECT_FALSE(rbac_.MayWrite(ann, "clusterroles", "", role(Rule({"*"}, {"*"}, {"*"}))).ok());
}

TEST_F(RbacTest, TheRulesReviewListsWhatAUserHas) {
  Put("clusterroles", "", "reader", {{"rules", {Rule({"get"}, {""}, {"pods"})}}});
  Put("rolebindings", "a", "b", Bind("ClusterRole", "reader", {{"kind", "User"}, {"name", "ann"}}));
  const Json here = rbac_.RulesReview(User("ann"), "a");
  EXPECT_EQ(here["resourceRules"], Json::array({Rule({"get"}, {""}, {"pods"})}));
  EXPECT_EQ(rbac_.RulesReview(User("ann"), "b")["resourceRules"], Json::array());
  EXPECT_EQ(rbac_.RulesReview(User("r", {"system:masters"}), "b")["nonResourceRules"][0]["verbs"],
            Json::array({"*"}));
}

TEST_F(RbacTest, DefaultRolesGiveWhatTheyGiveInEveryCluster) {
  for (const kubeapi::ObjectKey& key : DefaultRbacKeys()) {
    store_.Put(key, DefaultRbacObject(key, absl::UnixEpoch()), 0,
               [](const auto& written) { ASSERT_TRUE(written.ok()); });
  }
  EXPECT_TRUE(
      DefaultRbacObject({"rbac.authorization.k8s.io/clusterroles", "", "x"}, absl::UnixEpoch())
          .is_null());
  for (const char* role : {"admin", "edit", "view"}) {
    Put("rolebindings", "shop", role,
        Bind("ClusterRole", role, {{"kind", "User"}, {"name", role}}));
  }
  Put("clusterrolebindings", "", "root",
      Bind("ClusterRole", "cluster-admin", {{"kind", "User"}, {"name", "root"}}));
  const auto may = [&](const char* user, const Attributes& what) {
    return rbac_.Allowed(User(user), what);
  };
  EXPECT_TRUE(may("view", Want("list", "apps", "deployments", "shop")));
  EXPECT_FALSE(may("view", Want("list", "apps", "deployments", "other")));
  EXPECT_FALSE(may("view", Want("get", "", "secrets", "shop", "s")));
  EXPECT_FALSE(may("view", Want("create", "apps", "deployments", "shop")));
  EXPECT_TRUE(may("view", Want("get", "policy.karmada.io", "propagationpolicies", "shop", "p")));
  EXPECT_TRUE(may("edit", Want("create", "apps", "deployments", "shop")));
  EXPECT_TRUE(may("edit", Want("get", "", "secrets", "shop", "s")));
  EXPECT_TRUE(may("edit", Want("list", "apps", "deployments", "shop")));
  EXPECT_TRUE(may("edit", Want("patch", "policy.karmada.io", "overridepolicies", "shop", "p")));
  EXPECT_FALSE(may("edit", Want("create", "rbac.authorization.k8s.io", "roles", "shop")));
  EXPECT_TRUE(may("admin", Want("create", "rbac.authorization.k8s.io", "roles", "shop")));
  EXPECT_TRUE(may("admin", Want("delete", "apps", "deployments", "shop", "d")));
  EXPECT_FALSE(may("admin", Want("get", "", "nodes", "", "n")));
  EXPECT_TRUE(may("root", Want("get", "", "nodes", "", "n")));
  EXPECT_TRUE(may("root", WantPath("get", "/metrics")));
  // What the gathering roles tell is what they give.
  for (const char* name : {"admin", "edit", "view"}) {
    const Json role =
        DefaultRbacObject({"rbac.authorization.k8s.io/clusterroles", "", name}, absl::UnixEpoch());
    Put("roles", "told", name, {{"rules", role["rules"]}});
    Put("rolebindings", "told", name, Bind("Role", name, {{"kind", "User"}, {"name", "told"}}));
    const auto order = [](const Json& review) {
      std::set<std::string> out;
      for (const Json& rule : review["resourceRules"]) out.insert(rule.dump());
      return out;
    };
    EXPECT_EQ(order(rbac_.RulesReview(User("told"), "told")),
              order(rbac_.RulesReview(User(name), "shop")));
    Remove("rolebindings", "told", name);
  }
  // An admin gives others what he has, and not more.
  const auto gives = [&](const char* role) {
    return rbac_
        .MayWrite(User("admin"), "rolebindings", "shop",
                  Bind("ClusterRole", role, {{"kind", "User"}, {"name", "x"}}))
        .ok();
  };
  EXPECT_TRUE(gives("admin"));
  EXPECT_TRUE(gives("view"));
  EXPECT_FALSE(gives("cluster-admin"));
  EXPECT_FALSE(rbac_
                   .MayWrite(User("edit"), "rolebindings", "shop",
                             Bind("ClusterRole", "admin", {{"kind", "User"}, {"name", "x"}}))
                   .ok());
  // A role that is labelled for it is gathered, too.
  Json widgets = {{"rules", {Rule({"get"}, {"example.com"}, {"widgets"})}}};
  widgets["metadata"]["labels"] = {{"rbac.authorization.k8s.io/aggregate-to-view", "true"}};
  Put("clusterroles", "", "widgets", widgets);
  EXPECT_TRUE(may("view", Want("get", "example.com", "widgets", "shop", "w")));
  EXPECT_TRUE(may("admin", Want("get", "example.com", "widgets", "shop", "w")));
}

}  // namespace
}  // namespace sealane::kubeauth
