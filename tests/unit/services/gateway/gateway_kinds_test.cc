// Roles that every cluster has, and what happens to definitions: as the API of a gateway shows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/gateway/gateway_fixture.h"

namespace sealane::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kRoles[] = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
constexpr char kRoleBindings[] = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";
constexpr char kCrds[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
constexpr char kWidgets[] = "/apis/example.com/v1/namespaces/shop/widgets";
constexpr char kEve[] = "fedcba9876543210";

class GatewayKindsTest : public GatewayServiceTest {
 protected:
  GatewayKindsTest() {
    Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  }
  void Bind(const char* role) {
    const char* group = "rbac.authorization.k8s.io";
    Call(201, "POST", kRoleBindings,
         {{"metadata", {{"name", role}}},
          {"roleRef", {{"apiGroup", group}, {"kind", "ClusterRole"}, {"name", role}}},
          {"subjects", {{{"kind", "User"}, {"apiGroup", group}, {"name", "eve"}}}}});
  }
  int CodeOf(const std::string& method, const std::string& path, const Json& body,
             const std::string& token) {
    const auto answer = Ask(method, path, body, 0, token);
    EXPECT_TRUE(sim_.RunUntil([&] { return answer->answer.has_value(); }, absl::Seconds(40)));
    return answer->answer.has_value() ? answer->answer->status : 0;
  }
  void Define() {
    const Json version = {{"name", "v1"},
                          {"served", true},
                          {"storage", true},
                          {"schema", {{"openAPIV3Schema", {{"type", "object"}}}}}};
    Call(201, "POST", kCrds,
         {{"metadata", {{"name", "widgets.example.com"}}},
          {"spec",
           {{"group", "example.com"},
            {"scope", "Namespaced"},
            {"names", {{"plural", "widgets"}, {"kind", "Widget"}}},
            {"versions", Json::array({version})}}}});
    sim_.RunFor(absl::Seconds(2));
  }
};

TEST_F(GatewayKindsTest, DefaultRolesAreThereAndGiveRights) {
  const Json list = Call(200, "GET", kRoles);
  EXPECT_EQ(list["items"].size(), 9U);
  EXPECT_THAT(Call(200, "GET", StrCat(kRoles, "/admin")).dump(), HasSubstr("aggregate-to-admin"));
  EXPECT_EQ(Code(kEve), 403);
  Bind("edit");
  EXPECT_EQ(Code(kEve), 200);
  EXPECT_EQ(CodeOf("POST", kMaps, Map("m", "1"), kEve), 201);
  // He who may edit may not give rights.
  const Json own = Call(200, "GET", StrCat(kRoleBindings, "/edit"));
  EXPECT_EQ(CodeOf("PUT", StrCat(kRoleBindings, "/edit"), own, kEve), 403);
}

TEST_F(GatewayKindsTest, DefaultRolesCannotBeDeletedAndAnOwnOneWins) {
  const std::string view = StrCat(kRoles, "/view");
  const Json refused = Call(403, "DELETE", view);
  EXPECT_THAT(refused["message"], HasSubstr("clusterroles.rbac.authorization.k8s.io \"view\""));
  EXPECT_THAT(refused["message"], HasSubstr("cannot be deleted"));
  Call(403, "DELETE", view, {{"propagationPolicy", "Foreground"}});
  Call(403, "DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/cluster-admin");
  Call(403, "DELETE", "/api/v1/namespaces/default");
  Bind("view");
  EXPECT_EQ(Code(kEve), 200);
  Json mine = Call(200, "GET", view);
  mine.erase("aggregationRule");
  mine["rules"] = Json::array();
  Call(200, "PUT", view, mine);
  EXPECT_EQ(Code(kEve), 403);
  // Without it everything is as it was.
  Call(200, "DELETE", view);
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Code(kEve), 200);
  EXPECT_TRUE(Call(200, "GET", view).contains("aggregationRule"));
  End(0);
  Begin(0);
  EXPECT_EQ(Code(kEve), 200);
}

TEST_F(GatewayKindsTest, ADefinitionGoesAfterItsObjects) {
  Define();
  Json held = {{"metadata", {{"name", "held"}, {"finalizers", {"x.example.com/hold"}}}}};
  Call(201, "POST", kWidgets, held);
  Call(201, "POST", kWidgets, {{"metadata", {{"name", "free"}}}});
  const std::string crd = StrCat(kCrds, "/widgets.example.com");
  Call(200, "DELETE", crd);
  sim_.RunFor(absl::Minutes(1));
  Call(404, "GET", StrCat(kWidgets, "/free"));
  EXPECT_TRUE(Call(200, "GET", crd)["metadata"].contains("deletionTimestamp"));
  EXPECT_TRUE(
      Call(200, "GET", StrCat(kWidgets, "/held"))["metadata"].contains("deletionTimestamp"));
  Call(405, "POST", kWidgets, {{"metadata", {{"name", "late"}}}});
  Call(200, "PATCH", StrCat(kWidgets, "/held"), {{"metadata", {{"finalizers", nullptr}}}});
  sim_.RunFor(absl::Seconds(5));
  Call(404, "GET", crd);
}

TEST_F(GatewayKindsTest, ADefinitionOfAPolicyChangesAndDeletesNothing) {
  const std::string policies = "/apis/policy.karmada.io/v1alpha1/clusterpropagationpolicies";
  Call(201, "POST", policies,
       {{"metadata", {{"name", "p"}}},
        {"spec", {{"resourceSelectors", {{{"apiVersion", "v1"}, {"kind", "ConfigMap"}}}}}}});
  const Json version = {{"name", "v1beta1"},
                        {"served", true},
                        {"storage", true},
                        {"schema", {{"openAPIV3Schema", {{"type", "object"}}}}}};
  Call(201, "POST", kCrds,
       {{"metadata", {{"name", "clusterpropagationpolicies.policy.karmada.io"}}},
        {"spec",
         {{"group", "policy.karmada.io"},
          {"scope", "Cluster"},
          {"names",
           {{"plural", "clusterpropagationpolicies"}, {"kind", "ClusterPropagationPolicy"}}},
          {"versions", Json::array({version})}}}});
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(Call(200, "GET", policies)["items"].size(), 1U);
  Call(200, "DELETE", StrCat(kCrds, "/clusterpropagationpolicies.policy.karmada.io"));
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Call(200, "GET", policies)["items"].size(), 1U);
}

TEST_F(GatewayKindsTest, WithoutAKeyNoTokensAreGiven) {
  End(0);
  options_.service_account_key.clear();
  Begin(0);
  const std::string accounts = "/api/v1/namespaces/shop/serviceaccounts";
  Call(201, "POST", accounts, {{"metadata", {{"name", "robot"}}}});
  const Json refused = Call(405, "POST", StrCat(accounts, "/robot/token"),
                            {{"apiVersion", "authentication.k8s.io/v1"},
                             {"kind", "TokenRequest"},
                             {"spec", Json::object()}});
  EXPECT_THAT(refused["message"], HasSubstr("--service-account-key"));
}

}  // namespace
}  // namespace sealane::gateway
