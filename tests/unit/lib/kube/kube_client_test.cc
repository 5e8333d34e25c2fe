#include "lib/kube/kube_client.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kube/discovery.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/kube/fake_transport.h"

namespace sealane::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

ResourceType Deployments() {
  ResourceType type;
  type.group = "apps";
  type.version = "v1";
  type.kind = "Deployment";
  type.plural = "deployments";
  type.namespaced = true;
  return type;
}

class KubeClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<KubeClient> Make(KubeClientOptions options = {}) {
    return std::make_unique<KubeClient>(sim_.env(), transport_, StaticCredentials("Bearer t"),
                                        options);
  }
  SimExecutor sim_{1};
  FakeTransport transport_{sim_.env()};
};

TEST_F(KubeClientTest, ApplyIsAServerSideApplyPatch) {
  transport_.answer = [](const http::HttpRequest&) { return JsonResponse(200, R"({"kind":"x"})"); };
  auto client = Make();
  absl::Status status = absl::UnknownError("no answer");
  client->Apply(Deployments(), "a", "web", "{}", {.force = true},
                [&](const absl::Status& s, const Json* object, bool created) {
                  status = s;
                  ASSERT_NE(object, nullptr);
                  EXPECT_EQ((*object)["kind"], "x");
                  EXPECT_FALSE(created);
                });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_OK(status);
  ASSERT_EQ(transport_.requests.size(), 1U);
  const http::HttpRequest& request = transport_.requests[0];
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.path,
            "/apis/apps/v1/namespaces/a/deployments/web?fieldManager=sealane&force=true");
  EXPECT_EQ(request.headers.Get("Content-Type"), "application/apply-patch+yaml");
  EXPECT_EQ(request.headers.Get("Authorization"), "Bearer t");
}

TEST_F(KubeClientTest, DeleteCarriesThePreconditionAndThePropagation) {
  transport_.answer = [](const http::HttpRequest&) {
    return JsonResponse(200, R"({"kind":"Status"})");
  };
  auto client = Make();
  client->Delete(Deployments(), "a", "web", {.uid = "u1"}, [](const absl::Status&, const Json*) {});
  sim_.RunFor(absl::Seconds(1));
  const Json body = Json::parse(transport_.requests.at(0).body);
  EXPECT_EQ(body["preconditions"]["uid"], "u1");
  EXPECT_EQ(body["propagationPolicy"], "Background");
}

TEST_F(KubeClientTest, ErrorsCarryTheServersWords) {
  transport_.answer = [](const http::HttpRequest&) {
    return JsonResponse(409, R"({"kind":"Status","reason":"Conflict","message":"not yours",
      "details":{"kind":"deployments","name":"web","causes":[{"reason":"FieldManagerConflict"}]}})");
  };
  auto client = Make();
  absl::Status status;
  client->Get(Deployments(), "a", "web", [&](const absl::Status& s, const Json* object) {
    status = s;
    EXPECT_EQ(object, nullptr);
  });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, "not yours"));
  const auto error = ApiErrorOf(status);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->http_status, 409);
  EXPECT_EQ(error->reason, "Conflict");
  EXPECT_EQ(error->detail_kind, "deployments");
  EXPECT_EQ(error->cause, "FieldManagerConflict");
  EXPECT_FALSE(IsTransient(status));
}

TEST_F(KubeClientTest, AnAnswerThatIsNotAStatusStillGivesAnError) {
  transport_.answer = [](const http::HttpRequest&) { return JsonResponse(502, "bad gateway"); };
  auto client = Make();
  absl::Status status;
  client->GetPath("/version", "", [&](const absl::Status& s, const Json*) { status = s; });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal, HasSubstr("bad gateway")));
  EXPECT_TRUE(IsTransient(status));
}

TEST_F(KubeClientTest, RequestsAboveTheLimitWaitTheirTurn) {
  transport_.answer = [](const http::HttpRequest&) { return JsonResponse(200, "{}"); };
  auto client = Make({.max_in_flight = 2});
  int answers = 0;
  for (int i = 0; i < 5; ++i) {
    client->GetPath(StrCat("/", i), "", [&](const absl::Status&, const Json*) { ++answers; });
  }
  EXPECT_EQ(client->stats().in_flight, 2U);
  EXPECT_EQ(client->stats().waiting, 3U);
  sim_.RunFor(absl::Milliseconds(1));
  EXPECT_EQ(answers, 2);
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(answers, 5);
  EXPECT_EQ(transport_.requests.back().path, "/4");
}

TEST_F(KubeClientTest, TooManyRequestsPausesEverythingForAsLongAsAsked) {
  int asked = 0;
  transport_.answer = [&](const http::HttpRequest&) {
    if (++asked > 1) return JsonResponse(200, "{}");
    http::HttpResponse response = JsonResponse(429, "slow down");
    response.headers.Set("Retry-After", "3");
    return response;
  };
  auto client = Make();
  absl::Status first;
  client->GetPath("/a", "", [&](const absl::Status& s, const Json*) { first = s; });
  sim_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(first, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("slow down")));
  EXPECT_EQ(ApiErrorOf(first)->retry_after, absl::Seconds(3));
  bool second = false;
  client->GetPath("/b", "", [&](const absl::Status&, const Json*) { second = true; });
  sim_.RunFor(absl::Milliseconds(2900));
  EXPECT_EQ(transport_.requests.size(), 1U);
  EXPECT_FALSE(second);
  sim_.RunFor(absl::Milliseconds(200));
  EXPECT_TRUE(second);
  EXPECT_EQ(client->stats().throttled, 1U);
}

TEST_F(KubeClientTest, AnExpiredTokenIsRenewedAndTheRequestRepeatedOnce) {
  struct Rotating final : Credentials {
    int generation = 1;
    void Authorize(Callback callback) override { callback(StrCat("Bearer t", generation)); }
    void Invalidate() override { ++generation; }
  };
  auto credentials = std::make_unique<Rotating>();
  transport_.answer = [](const http::HttpRequest& request) {
    return request.headers.Get("Authorization") == "Bearer t2" ? JsonResponse(200, "{}")
                                                               : JsonResponse(401, "");
  };
  KubeClient client(sim_.env(), transport_, std::move(credentials));
  absl::Status status = absl::UnknownError("no answer");
  client.GetPath("/a", "", [&](const absl::Status& s, const Json*) { status = s; });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_OK(status);
  EXPECT_EQ(transport_.requests.size(), 2U);

  // Refused for good: told, not repeated for ever.
  transport_.answer = [](const http::HttpRequest&) { return JsonResponse(401, ""); };
  client.GetPath("/b", "", [&](const absl::Status& s, const Json*) { status = s; });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnauthenticated, ::testing::_));
  EXPECT_EQ(transport_.requests.size(), 4U);
}

TEST_F(KubeClientTest, AProbeDoesNotWaitBehindHungRequests) {
  transport_.hang = true;
  auto client = Make({.max_in_flight = 1, .timeout = absl::Seconds(30)});
  client->GetPath("/slow", "", [](const absl::Status&, const Json*) {});
  absl::Status status;
  client->Probe("/readyz", absl::Seconds(5),
                [&](const absl::Status& s, const Json*) { status = s; });
  sim_.RunFor(absl::Seconds(6));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, ::testing::_));
}

TEST_F(KubeClientTest, NoCallbackRunsAfterTheClientIsGone) {
  transport_.answer = [](const http::HttpRequest&) { return JsonResponse(200, "{}"); };
  auto client = Make();
  bool told = false;
  client->GetPath("/a", "", [&](const absl::Status&, const Json*) { told = true; });
  client.reset();
  sim_.RunFor(absl::Seconds(1));
  EXPECT_FALSE(told);
}

// --- Discovery
// -------------------------------------------------------------------------------------

class DiscoveryTest : public KubeClientTest {
 protected:
  absl::StatusOr<ApiCatalog> Run() {
    auto client = Make();
    Discovery discovery(*client);
    absl::StatusOr<ApiCatalog> result = absl::UnknownError("no answer");
    discovery.Refresh([&](absl::StatusOr<ApiCatalog> catalog) { result = std::move(catalog); });
    sim_.RunFor(absl::Seconds(1));
    return result;
  }
};

constexpr char kCoreList[] = R"({"kind":"APIResourceList","groupVersion":"v1","resources":[
  {"name":"pods","kind":"Pod","namespaced":true,"verbs":["list","watch","patch","delete"]},
  {"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["get"]},
  {"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]}]})";

TEST_F(DiscoveryTest, AsksEachGroupVersionOfAnOldServer) {
  transport_.answer = [](const http::HttpRequest& request) -> absl::StatusOr<http::HttpResponse> {
    if (request.path == "/api")
      return JsonResponse(200, R"({"kind":"APIVersions","versions":["v1"]})");
    if (request.path == "/apis") {
      return JsonResponse(200, R"({"kind":"APIGroupList","groups":[{"name":"apps","versions":[
        {"groupVersion":"apps/v1","version":"v1"}]},{"name":"broken.io","versions":[
        {"groupVersion":"broken.io/v1","version":"v1"}]}]})");
    }
    if (request.path == "/api/v1") return JsonResponse(200, kCoreList);
    if (request.path == "/apis/apps/v1") {
      return JsonResponse(200, R"({"kind":"APIResourceList","groupVersion":"apps/v1","resources":[
        {"name":"deployments","kind":"Deployment","namespaced":true,"verbs":["list","watch"]}]})");
    }
    return JsonResponse(503, "");
  };
  const auto catalog = Run();
  ASSERT_OK(catalog);
  EXPECT_FALSE(catalog->complete);  // broken.io
  ASSERT_NE(catalog->Find("v1", "Pod"), nullptr);
  EXPECT_EQ(catalog->Find("v1", "Pod")->plural, "pods");
  EXPECT_TRUE(catalog->Find("v1", "Pod")->can_list);
  EXPECT_FALSE(catalog->Find("v1", "Binding")->can_list);
  ASSERT_NE(catalog->Find("apps/v1", "Deployment"), nullptr);
  EXPECT_EQ(CollectionPath(*catalog->Find("apps/v1", "Deployment"), ""),
            "/apis/apps/v1/deployments");
  EXPECT_EQ(catalog->Find("apps/v1", "Pod"), nullptr);
}

TEST_F(DiscoveryTest, ReadsAggregatedDiscoveryInTwoRequests) {
  transport_.answer = [](const http::HttpRequest& request) -> absl::StatusOr<http::HttpResponse> {
    if (request.path == "/api") {
      return JsonResponse(200,
                          R"({"kind":"APIGroupDiscoveryList","items":[{"metadata":{},"versions":[
        {"version":"v1","freshness":"Current","resources":[{"resource":"namespaces",
         "responseKind":{"kind":"Namespace"},"scope":"Cluster","verbs":["patch","delete"]}]}]}]})");
    }
    return JsonResponse(200, R"({"kind":"APIGroupDiscoveryList","items":[
      {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1","freshness":"Stale"}]}]})");
  };
  const auto catalog = Run();
  ASSERT_OK(catalog);
  EXPECT_EQ(transport_.requests.size(), 2U);
  ASSERT_NE(catalog->Find("v1", "Namespace"), nullptr);
  EXPECT_FALSE(catalog->Find("v1", "Namespace")->namespaced);
  EXPECT_FALSE(catalog->complete);
}

TEST_F(DiscoveryTest, HalfAnAnswerIsNone) {
  transport_.answer = [](const http::HttpRequest& request) -> absl::StatusOr<http::HttpResponse> {
    if (request.path == "/api") return JsonResponse(200, R"({"kind":"APIVersions","versions":[]})");
    return absl::UnavailableError("connection reset");
  };
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kUnavailable, "connection reset"));
}

TEST(RestMappingTest, PathsAreEncoded) {
  EXPECT_EQ(ObjectPath(Deployments(), "a", "system:node"),
            "/apis/apps/v1/namespaces/a/deployments/system%3Anode");
  ResourceType roles;
  roles.group = "rbac.authorization.k8s.io";
  roles.version = "v1";
  roles.plural = "clusterroles";
  EXPECT_EQ(ObjectPath(roles, "ignored", "view"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/view");
}

TEST(RestMappingTest, MalformedDocumentsAreRefused) {
  ApiCatalog catalog;
  EXPECT_FALSE(AddResourceList(Json::parse(R"({"kind":"Status"})"), catalog).ok());
  EXPECT_FALSE(AddAggregated(Json::array(), catalog).ok());
  EXPECT_FALSE(ParseGroupVersions(Json(1)).ok());
  EXPECT_THAT(catalog.types(), IsEmpty());
}

}  // namespace
}  // namespace sealane::kube
