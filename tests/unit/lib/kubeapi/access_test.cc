#include "lib/kubeapi/access.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Attributes Of(const char* method, const char* path) {
  return AttributesOf(method, http::ParseTarget(path));
}

TEST(AccessTest, AttributesSayWhatARequestWants) {
  const Attributes list = Of("GET", "/api/v1/namespaces/y/pods");
  EXPECT_TRUE(list.resource_request);
  EXPECT_EQ(list.verb, "list");
  EXPECT_EQ(list.ns, "y");
  EXPECT_EQ(list.resource, "pods");
  EXPECT_EQ(Of("GET", "/api/v1/pods?watch=1").verb, "watch");
  EXPECT_EQ(Of("GET", "/api/v1/pods?watch=false").verb, "list");
  EXPECT_EQ(Of("GET", "/api/v1/namespaces/y/pods/p?watch=1").verb, "get");
  EXPECT_EQ(Of("HEAD", "/api/v1/namespaces/y/pods/p").verb, "get");
  const Attributes scale = Of("PATCH", "/apis/apps/v1/namespaces/y/deployments/d/scale");
  EXPECT_EQ(scale.verb, "patch");
  EXPECT_EQ(scale.group, "apps");
  EXPECT_EQ(scale.subresource, "scale");
  EXPECT_EQ(scale.name, "d");
  EXPECT_EQ(Of("DELETE", "/api/v1/namespaces/y/pods").verb, "deletecollection");
  EXPECT_EQ(Of("DELETE", "/api/v1/namespaces/y").verb, "delete");
  EXPECT_EQ(Of("DELETE", "/api/v1/namespaces/y").ns, "y");
  const Attributes metrics = Of("GET", "/metrics?x=1");
  EXPECT_FALSE(metrics.resource_request);
  EXPECT_EQ(metrics.verb, "get");
  EXPECT_EQ(metrics.path, "/metrics");
}

TEST(AccessTest, ForbiddenIsWordedAsKubernetesDoes) {
  const auto message = [](const char* method, const char* path) {
    return std::string(Forbidden({"x", "", {}}, Of(method, path)).message());
  };
  EXPECT_EQ(message("GET", "/api/v1/namespaces/y/pods"),
            "pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" in the "
            "namespace \"y\"");
  EXPECT_EQ(
      message("GET", "/api/v1/namespaces/y/pods/p/log"),
      "pods \"p\" is forbidden: User \"x\" cannot get resource \"pods/log\" in API group \"\" "
      "in the namespace \"y\"");
  EXPECT_EQ(message("GET", "/apis/apps/v1/deployments"),
            "deployments.apps is forbidden: User \"x\" cannot list resource \"deployments\" in API "
            "group \"apps\" at the cluster scope");
  EXPECT_EQ(message("GET", "/metrics"), "forbidden: User \"x\" cannot get path \"/metrics\"");
}

TEST(AccessTest, PathsThatCouldMeanTwoThingsAreFound) {
  for (const char* bad : {"/api/v1/namespaces/a/configmaps/%2e%2e", "/api/v1/../x", "/a/%2E/b",
                          "/api/v1/namespaces/a%2fsecrets/b", "/a%5Cb", "/a%00", "/.."}) {
    EXPECT_TRUE(AmbiguousPath(bad)) << bad;
  }
  for (const char* good : {"/api/v1/namespaces/a/configmaps/a..b", "/a?x=%2e%2e/..", "/", "/.x"}) {
    EXPECT_FALSE(AmbiguousPath(good)) << good;
  }
}

// Tokens are the names of users; ann may everything except what is about secrets, bob only reads.
class GuardedServerTest : public ::testing::Test {
 protected:
  ApiServerOptions Guarded() {
    ApiServerOptions options;
    options.access.authenticate = [](const http::HttpRequest& request) -> std::optional<UserInfo> {
      const std::string_view value = request.headers.Get("Authorization");
      if (value == "Bearer ann") return UserInfo{"ann", "1", {"admins"}};
      if (value == "Bearer bob") return UserInfo{"bob", "", {}};
      if (value == "Bearer pat") return UserInfo{"pat", "", {}};
      return std::nullopt;
    };
    options.access.authorize = [](const UserInfo& user, const Attributes& want) {
      if (want.resource == "secrets") return false;
      if (user.name == "ann") return true;
      return want.verb == "get" || want.verb == "list" ||
             (user.name == "pat" && (want.verb == "patch" || want.verb == "update"));
    };
    options.access.audit = [this](const AuditRecord& record) {
      audit_.push_back(StrCat(record.user.name, " ", record.attributes.verb, " ",
                              record.attributes.resource, "/", record.attributes.name, " ",
                              record.code));
    };
    return options;
  }
  ApiAnswer As(const std::string& user, const std::string& method, const std::string& path,
               const Json& body = Json(), const std::string& type = "application/json") {
    return api_.Call(method, path, body, type, "application/json", user);
  }

  void MakeDefault() {
    ASSERT_EQ(As("ann", "POST", "/api/v1/namespaces",
                 {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "default"}}}})
                  .status,
              201);
  }

  std::vector<std::string> audit_;
  ApiHarness api_{Guarded()};
};

constexpr char kDefaultMaps[] = "/api/v1/namespaces/default/configmaps";

TEST_F(GuardedServerTest, StrangersAre401AndDeniedUsers403) {
  for (const char* path : {kDefaultMaps, "/apis", "/version", "/healthz", "/nothing"}) {
    EXPECT_EQ(As("", "GET", path).status, 401) << path;
    EXPECT_EQ(As("mallory", "GET", path).status, 401) << path;
  }
  EXPECT_EQ(As("bob", "GET", kDefaultMaps).status, 200);
  const ApiAnswer denied = As("bob", "POST", kDefaultMaps, ConfigMap("m"));
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(denied.body["reason"], "Forbidden");
  EXPECT_EQ(denied.body["message"],
            "configmaps is forbidden: User \"bob\" cannot create resource \"configmaps\" in API "
            "group \"\" in the namespace \"default\"");
  EXPECT_EQ(As("bob", "GET", StrCat(kDefaultMaps, "?watch=1")).status, 403);
  EXPECT_EQ(As("ann", "GET", "/api/v1/secrets").status, 403);
}

TEST_F(GuardedServerTest, PathsAndHeadersThatPretendAreRefused) {
  EXPECT_EQ(As("ann", "GET", StrCat(kDefaultMaps, "/%2e%2e/secrets")).status, 400);
  EXPECT_EQ(As("ann", "GET", "/api/v1/namespaces/default%2fsecrets/configmaps").status, 400);
  http::HttpRequest request{
      "GET", kDefaultMaps, {{"Authorization", "Bearer ann"}, {"impersonate-user", "root"}}, ""};
  int status = 0;
  api_.transport.Send(std::move(request),
                      [&](const absl::StatusOr<http::HttpResponse>& answer) {
                        if (answer.ok()) status = answer->status;
                      },
                      {});
  api_.sim.RunFor(absl::Seconds(1));
  EXPECT_EQ(status, 403);
}

TEST_F(GuardedServerTest, MakingAnObjectByPatchNeedsTheRightToCreate) {
  MakeDefault();
  const Json map = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "m"}}}};
  const std::string path = StrCat(kDefaultMaps, "/m?fieldManager=t");
  constexpr char kApply[] = "application/apply-patch+yaml";
  const ApiAnswer denied = As("pat", "PATCH", path, map, kApply);
  EXPECT_EQ(denied.status, 403) << denied.text;
  ASSERT_EQ(As("ann", "PATCH", path, map, kApply).status, 201);
  EXPECT_EQ(As("pat", "PATCH", path, map, kApply).status, 200);
}

TEST_F(GuardedServerTest, TheAuditIsToldOfWritesAndDenials) {
  MakeDefault();
  audit_.clear();
  As("ann", "GET", kDefaultMaps);
  EXPECT_THAT(audit_, IsEmpty());
  As("ann", "POST", kDefaultMaps, ConfigMap("m"));
  As("bob", "DELETE", StrCat(kDefaultMaps, "/m"));
  As("mallory", "GET", kDefaultMaps);
  As("ann", "GET", "/api/v1/secrets");
  EXPECT_THAT(audit_, ElementsAre("ann create configmaps/m 201", "bob delete configmaps/m 403",
                                  " list configmaps/ 401", "ann list secrets/ 403"));
}

TEST_F(GuardedServerTest, ReviewsAnswerForTheUser) {
  constexpr char kSelf[] = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const auto can = [&](const char* verb, const char* resource) {
    return As("ann", "POST", kSelf,
              {{"spec", {{"resourceAttributes", {{"verb", verb}, {"resource", resource}}}}}})
        .body["status"]["allowed"];
  };
  EXPECT_EQ(can("list", "pods"), true);
  EXPECT_EQ(can("list", "secrets"), false);
  EXPECT_EQ(As("ann", "POST", kSelf, {{"spec", Json::object()}}).status, 400);
  const ApiAnswer other =
      As("ann", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
         {{"spec",
           {{"user", "bob"}, {"resourceAttributes", {{"verb", "delete"}, {"resource", "pods"}}}}}});
  EXPECT_EQ(other.status, 201);
  EXPECT_EQ(other.body["status"]["allowed"], false);
  const ApiAnswer self =
      As("ann", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", Json::object());
  EXPECT_EQ(self.status, 201) << self.text;
  EXPECT_EQ(self.body["status"]["userInfo"]["username"], "ann");
  EXPECT_EQ(self.body["status"]["userInfo"]["groups"], Json({"admins"}));
}

}  // namespace
}  // namespace sealane::kubeapi
