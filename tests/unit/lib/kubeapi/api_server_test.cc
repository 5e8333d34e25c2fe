#include "lib/kubeapi/api_server.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using ::testing::ElementsAre;

constexpr char kDeployments[] = "/apis/apps/v1/namespaces/ns/deployments";

class ApiServerTest : public ::testing::Test {
 protected:
  ApiServerTest() { api_.MakeNamespace("ns"); }
  void Make(const std::string& name, const Json& labels = Json::object()) {
    Json object = ConfigMap(name);
    object["metadata"]["labels"] = labels;
    ASSERT_EQ(api_.Post(kMaps, object).status, 201);
  }
  ApiHarness api_;
};

TEST_F(ApiServerTest, WatchResumesAndFollowsTheSelection) {
  Make("a", {{"x", "1"}});
  const uint64_t revision = api_.store.revision();
  Make("b", {{"x", "1"}});
  Make("c", {{"x", "2"}});
  auto watch = api_.Watch(StrCat(kMaps, "?watch=1&labelSelector=x%3D1&resourceVersion=", revision));
  EXPECT_THAT(watch->Summary(), ElementsAre("ADDED b"));
  api_.MergePatch(StrCat(kMaps, "/c"), {{"metadata", {{"labels", {{"x", "1"}}}}}});
  api_.MergePatch(StrCat(kMaps, "/b"), {{"metadata", {{"labels", {{"x", "2"}}}}}});
  api_.MergePatch(StrCat(kMaps, "/a"), {{"data", {{"k", "v"}}}});
  api_.Delete(StrCat(kMaps, "/a"));
  api_.sim.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(watch->Summary(),
              ElementsAre("ADDED b", "ADDED c", "DELETED b", "MODIFIED a", "DELETED a"));
}

TEST_F(ApiServerTest, WatchOfOneNameAndOtherNamespaces) {
  api_.MakeNamespace("other");
  auto watch = api_.Watch(StrCat(kMaps, "?watch=1&fieldSelector=metadata.name%3Da"));
  auto all = api_.Watch("/api/v1/configmaps?watch=1");
  Make("a");
  Make("b");
  ASSERT_EQ(api_.Post("/api/v1/namespaces/other/configmaps", ConfigMap("a")).status, 201);
  api_.sim.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(watch->Summary(), ElementsAre("ADDED a"));
  EXPECT_THAT(all->Summary(), ElementsAre("ADDED a", "ADDED b", "ADDED a"));
}

TEST_F(ApiServerTest, WatchSendsBookmarksAndEnds) {
  Make("a");
  auto watch = api_.Watch(StrCat(kMaps,
                                 "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                                 "&allowWatchBookmarks=true&timeoutSeconds=90"));
  EXPECT_THAT(watch->Summary(), ElementsAre("ADDED a", "BOOKMARK "));
  EXPECT_EQ(watch->Events()[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
            "true");
  api_.sim.RunFor(absl::Seconds(70));
  EXPECT_EQ(watch->Events().size(), 3U);
  EXPECT_FALSE(watch->done);
  api_.sim.RunFor(absl::Seconds(30));
  EXPECT_TRUE(watch->done);
  EXPECT_TRUE(watch->end.ok());
  EXPECT_EQ(api_.server.watches(), 0U);
}

TEST_F(ApiServerTest, AWatchFromAVersionYetToComeIsSilentUntilThen) {
  const uint64_t later = api_.store.revision() + 2;
  const auto watch = api_.Watch(StrCat(kMaps, "?watch=1&resourceVersion=", later));
  for (const char* name : {"one", "two", "three"}) Make(name, Json::object());
  api_.sim.RunFor(absl::Seconds(1));
  EXPECT_THAT(watch->Summary(), ElementsAre("ADDED three"));
}

TEST(ApiServerHistoryTest, AWatchFromTooLongAgoIsGone) {
  ApiHarness api({}, /*history=*/5);
  api.MakeNamespace("ns");
  for (int i = 0; i < 10; ++i) api.Post(kMaps, ConfigMap(StrCat("c", i)));
  auto watch = api.Watch(StrCat(kMaps, "?watch=1&resourceVersion=2"));
  ASSERT_EQ(watch->Events().size(), 1U);
  EXPECT_EQ(watch->Events()[0]["type"], "ERROR");
  EXPECT_EQ(watch->Events()[0]["object"]["code"], 410);
  EXPECT_EQ(watch->Events()[0]["object"]["reason"], "Expired");
  const ApiAnswer page = api.Get(StrCat(kMaps, "?limit=2"));
  for (int i = 0; i < 10; ++i) api.Delete(StrCat(kMaps, "/c", i));
  const ApiAnswer next = api.Get(
      StrCat(kMaps, "?limit=2&continue=", page.body["metadata"]["continue"].get<std::string>()));
  EXPECT_EQ(next.status, 410);
}

TEST_F(ApiServerTest, PagesCoverEverythingOnce) {
  for (int i = 0; i < 25; ++i) Make(StrCat("c", i));
  std::set<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const ApiAnswer page = api_.Get(StrCat(kMaps, "?limit=10&continue=", token));
    ASSERT_EQ(page.status, 200);
    for (const Json& item : page.body["items"]) {
      EXPECT_TRUE(seen.insert(item["metadata"]["name"]).second);
    }
    token = page.body["metadata"].value("continue", "");
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(api_.Get(StrCat(kMaps, "?limit=2&continue=bad!")).status, 400);
}

TEST_F(ApiServerTest, DryRunChangesNothing) {
  Make("a");
  const uint64_t revision = api_.store.revision();
  EXPECT_EQ(api_.Post(StrCat(kMaps, "?dryRun=All"), ConfigMap("b")).status, 201);
  EXPECT_EQ(api_.MergePatch(StrCat(kMaps, "/a?dryRun=All"), {{"data", {{"x", "y"}}}}).body["data"],
            Json({{"x", "y"}}));
  EXPECT_EQ(api_.Delete(StrCat(kMaps, "/a?dryRun=All")).status, 200);
  EXPECT_EQ(api_.Post(StrCat(kMaps, "?dryRun=Some"), ConfigMap("b")).status, 422);
  EXPECT_EQ(api_.store.revision(), revision);
}

TEST_F(ApiServerTest, GenerationCountsChangesOfTheSpecOnly) {
  ASSERT_EQ(api_.Post(kDeployments, Deployment("d")).status, 201);
  const std::string path = StrCat(kDeployments, "/d");
  const auto generation = [&] { return api_.Get(path).body["metadata"]["generation"].get<int>(); };
  api_.MergePatch(path, {{"metadata", {{"labels", {{"x", "y"}}}}}});
  EXPECT_EQ(generation(), 1);
  api_.MergePatch(path + "/status", {{"status", {{"replicas", 1}}}});
  EXPECT_EQ(generation(), 1);
  api_.MergePatch(path, {{"spec", {{"replicas", 7}}}});
  EXPECT_EQ(generation(), 2);
  // A patch that changes nothing writes nothing.
  const uint64_t revision = api_.store.revision();
  api_.MergePatch(path, {{"spec", {{"replicas", 7}}}});
  EXPECT_EQ(api_.store.revision(), revision);
}

TEST_F(ApiServerTest, UnknownFieldsAreRefusedWarnedAboutOrIgnored) {
  Json object = Deployment("d");
  object["spec"]["replica"] = 3;
  const ApiAnswer strict = api_.Post(StrCat(kDeployments, "?fieldValidation=Strict"), object);
  EXPECT_EQ(strict.status, 400);
  EXPECT_NE(strict.text.find("unknown field \\\"spec.replica\\\""), std::string::npos);
  const ApiAnswer warned = api_.Post(kDeployments, object);
  EXPECT_EQ(warned.status, 201);
  EXPECT_EQ(warned.headers.Get("Warning"), "299 - \"unknown field \\\"spec.replica\\\"\"");
  EXPECT_FALSE(warned.body["spec"].contains("replica"));
  object["metadata"]["name"] = "e";
  const ApiAnswer ignored = api_.Post(StrCat(kDeployments, "?fieldValidation=Ignore"), object);
  EXPECT_EQ(ignored.status, 201);
  EXPECT_FALSE(ignored.headers.Has("Warning"));
}

TEST_F(ApiServerTest, InvalidObjectsNameTheirFields) {
  const auto refused = [&](const std::string& path, const Json& object, const std::string& field) {
    const ApiAnswer answer = api_.Post(path, object);
    EXPECT_EQ(answer.status, 422) << answer.text;
    bool named = false;
    for (const Json& cause : answer.body["details"]["causes"])
      named = named || cause["field"] == field;
    EXPECT_TRUE(named) << field << " in " << answer.text;
  };
  Json negative = Deployment("d", -1);
  refused(kDeployments, negative, "spec.replicas");
  Json no_image = Deployment("d", 1, "");
  refused(kDeployments, no_image, "spec.template.spec.containers[0].image");
  Json mount = Deployment("d");
  mount["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
      Json::array({{{"name", "none"}, {"mountPath", "/x"}}});
  refused(kDeployments, mount, "spec.template.spec.containers[0].volumeMounts[0].name");
  Json key = ConfigMap("c", {{"bad key", "x"}});
  refused(kMaps, key, "data[bad key]");
  Json label = ConfigMap("c");
  label["metadata"]["labels"] = {{"a", "not valid!"}};
  refused(kMaps, label, "metadata.labels");
  refused("/api/v1/namespaces/ns/services",
          {{"metadata", {{"name", "s"}}}, {"spec", {{"ports", Json::array({{{"port", 70000}}})}}}},
          "spec.ports[0].port");
}

TEST_F(ApiServerTest, ServicesKeepTheirAddresses) {
  const std::string path = "/api/v1/namespaces/ns/services";
  const Json service = {{"apiVersion", "v1"},
                        {"kind", "Service"},
                        {"metadata", {{"name", "s"}}},
                        {"spec", {{"type", "NodePort"}, {"ports", Json::array({{{"port", 80}}})}}}};
  const ApiAnswer created = api_.Post(path, service);
  ASSERT_EQ(created.status, 201) << created.text;
  const int port = created.body["spec"]["ports"][0]["nodePort"];
  EXPECT_GE(port, 30000);
  const ApiAnswer updated = api_.Put(path + "/s", service);
  ASSERT_EQ(updated.status, 200) << updated.text;
  EXPECT_EQ(updated.body["spec"]["clusterIP"], created.body["spec"]["clusterIP"]);
  EXPECT_EQ(updated.body["spec"]["ports"][0]["nodePort"], port);
  Json moved = service;
  moved["spec"]["clusterIP"] = "10.96.9.9";
  EXPECT_EQ(api_.Put(path + "/s", moved).status, 422);
}

TEST_F(ApiServerTest, WhatIsNotSupportedIsRefused) {
  EXPECT_EQ(api_.Get("/apis/events.k8s.io/v1/namespaces/ns/events").status, 404);
  EXPECT_EQ(api_.Get("/api/v1/namespaces/ns/pods/p/exec").status, 404);
  EXPECT_EQ(api_.Post("/api/v1/componentstatuses", Json::object()).status, 405);
  EXPECT_EQ(api_.Post("/api/v1/configmaps", ConfigMap("c")).status, 405);
  EXPECT_EQ(api_.Call("POST", StrCat(kMaps, "/c"), ConfigMap("c")).status, 405);
  EXPECT_EQ(api_.Get("/api/v1/namespaces/ns/configmaps/c/status").status, 404);
  EXPECT_EQ(api_.Call("GET", kMaps, Json(), "", "application/yaml").status, 406);
}

TEST_F(ApiServerTest, OlderClientsReadOpenApiVersion2) {
  const auto json = api_.Get("/openapi/v2");
  EXPECT_EQ(json.status, 200);
  const Json& patch =
      json.body["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
  EXPECT_EQ(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
  EXPECT_EQ(patch["parameters"][0]["name"], "dryRun");
  // kubectl 1.20 reads protobuf only, and finds in it whether a kind can be tried out.
  const auto protobuf = api_.Call("GET", "/openapi/v2", Json(), "",
                                  "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_EQ(protobuf.text.substr(0, 5),
            "\n\x03"
            "2.0");
  EXPECT_NE(protobuf.text.find("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
            std::string::npos);
  EXPECT_NE(protobuf.text.find("dryRun"), std::string::npos);
}

TEST_F(ApiServerTest, OpenApiVersion3DescribesTypes) {
  const Json schemas = api_.Get("/openapi/v3/apis/apps/v1").body["components"]["schemas"];
  const Json* deployment = nullptr;
  for (const auto& [name, schema] : schemas.items()) {
    for (const Json& kind : schema.value("x-kubernetes-group-version-kind", Json::array())) {
      if (kind == Json({{"group", "apps"}, {"version", "v1"}, {"kind", "Deployment"}})) {
        deployment = &schema;
      }
    }
  }
  ASSERT_NE(deployment, nullptr);
  const auto follow = [&schemas](const Json& reference) {
    const auto path = reference.at("$ref").get<std::string>();
    return schemas.at(path.substr(path.rfind('/') + 1));
  };
  const Json spec = follow(deployment->at("properties").at("spec"));
  EXPECT_EQ(spec["properties"]["replicas"], Json({{"type", "integer"}, {"format", "int32"}}));
  EXPECT_EQ(spec["required"], Json({"selector", "template"}));
  EXPECT_EQ(spec["properties"]["strategy"]["x-kubernetes-patch-strategy"], "retainKeys");
  const Json pod = follow(follow(spec["properties"]["template"])["properties"]["spec"]);
  EXPECT_EQ(pod["properties"]["containers"]["x-kubernetes-list-map-keys"], Json({"name"}));
  EXPECT_EQ(pod["properties"]["containers"]["x-kubernetes-patch-merge-key"], "name");
  EXPECT_EQ(api_.Get("/openapi/v3/apis/none/v1").status, 404);
}

TEST_F(ApiServerTest, PodsEndGracefully) {
  const Json pod = {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", "p"}}},
      {"spec",
       {{"nodeName", "n"}, {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}};
  const std::string path = "/api/v1/namespaces/ns/pods";
  ASSERT_EQ(api_.Post(path, pod).status, 201);
  const ApiAnswer marked = api_.Delete(path + "/p");
  EXPECT_EQ(marked.body["metadata"]["deletionGracePeriodSeconds"], 30);
  EXPECT_EQ(api_.Get(path + "/p").status, 200);
  EXPECT_EQ(api_.Delete(path + "/p", {{"gracePeriodSeconds", 0}}).status, 200);
  EXPECT_EQ(api_.Get(path + "/p").status, 404);
}

TEST_F(ApiServerTest, TablesOfWatchesSendTheirColumnsOnce) {
  auto watch = api_.Watch(StrCat(kMaps, "?watch=1"),
                          "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
  Make("a");
  Make("b");
  api_.sim.RunFor(absl::Milliseconds(10));
  const std::vector<Json> events = watch->Events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["object"]["kind"], "Table");
  EXPECT_EQ(events[0]["object"]["columnDefinitions"].size(), 3U);
  EXPECT_TRUE(events[1]["object"]["columnDefinitions"].is_null());
  EXPECT_EQ(events[1]["object"]["rows"][0]["cells"][0], "b");
}

// Random bodies on many endpoints: the server must answer, and never with an internal error that it
// did not mean.
TEST_F(ApiServerTest, SurvivesStrangeBodies) {
  ASSERT_EQ(api_.Post(kDeployments, Deployment("d")).status, 201);
  const std::vector<Json> bodies = {Json::object(),
                                    Json::array(),
                                    1,
                                    "text",
                                    nullptr,
                                    {{"metadata", 1}},
                                    {{"metadata", {{"name", 1}}}},
                                    {{"metadata", {{"name", "x"}, {"labels", 5}}}},
                                    {{"metadata", {{"ownerReferences", {1}}}}},
                                    {{"spec", 1}},
                                    {{"spec", {{"template", 1}}}},
                                    {{"kind", 1}},
                                    {{"apiVersion", {1}}},
                                    {{"metadata", {{"managedFields", {{{"fieldsV1", 1}}}}}}},
                                    {{"status", "x"}},
                                    {{"spec", {{"template", {{"spec", {{"containers", {1}}}}}}}}},
                                    {{"metadata", {{"finalizers", {1}}}}},
                                    {{"spec", {{"selector", {{"matchExpressions", {1}}}}}}},
                                    {{"metadata", {{"managedFields", {1, {{"manager", 3}}}}}}}};
  for (const Json& body : bodies) {
    for (const char* type : {"application/json", "application/merge-patch+json",
                             "application/strategic-merge-patch+json",
                             "application/json-patch+json", "application/apply-patch+yaml"}) {
      for (const std::string& path : {StrCat(kDeployments, "/d?fieldManager=m"),
                                      StrCat(kDeployments, "/d/scale?fieldManager=m"),
                                      StrCat(kDeployments, "/d/status?fieldManager=m"),
                                      StrCat(kDeployments, "/new?fieldManager=m")}) {
        const Json sent = Json(body.dump());
        EXPECT_GE(api_.Call("PATCH", path, sent, type).status, 200) << body << path << type;
        EXPECT_GE(api_.Call("PUT", path, sent, type).status, 200);
      }
      EXPECT_GE(api_.Call("POST", kDeployments, Json(body.dump()), type).status, 200);
    }
    EXPECT_GE(api_.Call("DELETE", StrCat(kDeployments, "/none"), Json(body.dump())).status, 400);
  }
  EXPECT_EQ(api_.Get(StrCat(kDeployments, "/d")).status, 200);
}

TEST(GeneratedNameTest, AGeneratedNameThatIsTakenIsGeneratedAgain) {
  const std::string path = "/api/v1/namespaces/ns/configmaps";
  const Json object = {{"metadata", {{"generateName", "x-"}}}};
  std::string first;
  {
    ApiHarness api;
    api.MakeNamespace("ns");
    first = api.Post(path, object).body["metadata"]["name"];
  }
  ApiHarness api;  // draws the same numbers
  api.MakeNamespace("ns");
  api.store.Put({"configmaps", "ns", first}, ConfigMap(first), 0, [](auto) {});
  const ApiAnswer made = api.Post(path, object);
  EXPECT_EQ(made.status, 201) << made.text;
  EXPECT_NE(made.body["metadata"]["name"], first);
}

TEST(RootTest, TheRootListsWhatIsServed) {
  ApiHarness api;
  const Json paths = api.Get("/").body["paths"];
  for (const char* path : {"/api/v1", "/apis", "/apis/apps/v1", "/apis/autoscaling/v1",
                           "/apis/autoscaling/v2", "/healthz", "/openapi/v3", "/version"}) {
    EXPECT_NE(std::find(paths.begin(), paths.end(), path), paths.end()) << path;
    EXPECT_EQ(api.Get(path).status, 200) << path;
  }
}

}  // namespace
}  // namespace sealane::kubeapi
