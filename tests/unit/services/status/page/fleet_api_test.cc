// /api/summary, clusters, apps, app.

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/page/page_fixture.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Names(const Json& answer) {
  std::vector<std::string> names;
  for (const Json& item : answer["items"]) names.push_back(item["name"]);
  return names;
}

TEST_F(PageTest, TheSummaryCountsTheFleet) {
  Register("a", "ua", {{"provider", "aliyun"}, {"region", "cn-beijing"}});
  Register("b", "ub", {{"provider", "aliyun"}, {"region", "cn-beijing"}});
  Register("c", "uc", {{"provider", "aws"}, {"region", "us-east-1"}});
  for (const char* name : {"a", "b", "c"}) {
    v1::Heartbeat heartbeat = MakeHeartbeat(name);
    heartbeat.mutable_node_summary()->set_ready_num(3);
    (*heartbeat.mutable_resource_summary()->mutable_allocatable())["cpu"] = "8";
    (*heartbeat.mutable_resource_summary()->mutable_allocated())["cpu"] = "1500m";
    (*heartbeat.mutable_resource_summary()->mutable_allocatable())["memory"] = "1Gi";
    Send(heartbeat, name);
  }
  Deploy("web", {"a", "b"});
  Deploy("api", {"c"});
  Say(MakeWord("a", "web", 2), "a");
  Say(MakeWord("b", "web", 2), "b");
  Say(MakeWord("c", "api", 2), "c");
  sim_.RunFor(absl::Seconds(2));
  Json summary = GetJson("/api/summary");
  EXPECT_EQ(summary["clusters"]["total"], 3);
  EXPECT_EQ(summary["clusters"]["states"], (Json{{"Ready", 3}}));
  EXPECT_EQ(summary["apps"]["total"], 2);
  EXPECT_EQ(summary["apps"]["workloadPhases"], (Json{{"Healthy", 2}}));
  EXPECT_EQ(summary["replicas"], (Json{{"wanted", 6}, {"ready", 6}}));
  EXPECT_EQ(summary["capacity"]["cpu"], (Json{{"used", 4500}, {"of", 24000}}));
  EXPECT_EQ(summary["capacity"]["memory"], (Json{{"used", 0}, {"of", int64_t{3} << 30}}))
      << summary.dump();
  EXPECT_EQ(summary["capacity"]["nodes"], (Json{{"ready", 9}, {"of", 9}}));
  ASSERT_EQ(summary["providers"].size(), 2U);
  EXPECT_EQ(summary["providers"][0]["provider"], "aliyun");
  EXPECT_EQ(summary["providers"][0]["regions"][0]["region"], "cn-beijing");
  EXPECT_EQ(summary["providers"][0]["regions"][0]["total"], 2);
  EXPECT_EQ(summary["leader"], "me");
  // One is lost: what it had is not counted as running or as room.
  BeatFor({"a", "b"}, absl::Seconds(60));
  summary = GetJson("/api/summary");
  EXPECT_EQ(summary["clusters"]["states"], (Json{{"Lost", 1}, {"Ready", 2}}));
  EXPECT_EQ(summary["replicas"], (Json{{"wanted", 6}, {"ready", 4}}));
  EXPECT_EQ(summary["capacity"]["cpu"]["of"], 16000);
  EXPECT_EQ(summary["providers"][1]["regions"][0]["clusters"],
            (Json::array({{{"name", "c"}, {"state", "Lost"}, {"marks", Json::array()}}})));
}

TEST_F(PageTest, ClustersComeInPagesAndFiltered) {
  for (const char* name : {"d", "b", "a", "c"}) Register(name);
  Register("e.x", "ue", {{"provider", "<b>aws</b>"}, {"region", ""}});
  Beat("b");
  Json page = GetJson("/api/clusters?limit=2");
  EXPECT_THAT(Names(page), ElementsAre("a", "b"));
  EXPECT_EQ(page["total"], 5);
  EXPECT_EQ(page["next"], "b");
  page = GetJson("/api/clusters?limit=2&after=b");
  EXPECT_THAT(Names(page), ElementsAre("c", "d"));
  page = GetJson("/api/clusters?limit=2&after=d");
  EXPECT_THAT(Names(page), ElementsAre("e.x"));
  EXPECT_FALSE(page.contains("next"));
  EXPECT_THAT(Names(GetJson("/api/clusters?state=Ready")), ElementsAre("b"));
  EXPECT_THAT(Names(GetJson("/api/clusters?state=Lost,Ready")), ElementsAre("b"));
  EXPECT_THAT(Names(GetJson("/api/clusters?name=c")), ElementsAre("c"));
  EXPECT_THAT(Names(GetJson("/api/clusters?q=E.")), ElementsAre("e.x"));
  EXPECT_THAT(Names(GetJson("/api/clusters?region=")), ElementsAre("e.x"));
  EXPECT_THAT(Names(GetJson("/api/clusters?provider=%3Cb%3Eaws%3C/b%3E")), ElementsAre("e.x"));
  EXPECT_THAT(Names(GetJson("/api/clusters?name=none")), ElementsAre());
  const Json ready = GetJson("/api/clusters?name=b")["items"][0];
  EXPECT_EQ(ready["state"], "Ready");
  EXPECT_EQ(ready["conditions"][1]["type"], "Ready") << ready.dump();
  EXPECT_EQ(ready["kubernetes"], "v1.30.0");
}

TEST_F(PageTest, WhatIsAskedWronglyIsNamed) {
  for (const auto& [path, word] : std::map<std::string, std::string>{
           {"/api/clusters?limit=0", "limit"},
           {"/api/clusters?limit=201", "limit"},
           {"/api/clusters?limit=1x", "limit"},
           {"/api/apps?limit=", "limit"},
           {"/api/apps?only=pods", "only"},
           {"/api/apps?fase=Healthy", "fase"},
           {"/api/summary?x=1", "x"},
           {"/api/app?kind=Deployment", "name"},
           {"/api/explain?name=web", "kind"},
           {"/api/explain?kind=Deployment&name=web&from=-1", "from"}}) {
    const auto answer = Get(path);
    EXPECT_EQ(answer->response.status, 400) << path;
    EXPECT_THAT(std::string(Json::parse(answer->response.body)["message"]), HasSubstr(word));
  }
}

TEST_F(PageTest, ApplicationsComeInPagesAndFiltered) {
  Register("a");
  Register("b");
  BeatFor({"a", "b"}, absl::Seconds(1));
  for (const char* name : {"web", "api", "db"}) Deploy(name, {"a"});
  Deploy("other", {"b"});
  Say(MakeWord("a", "web", 2), "a");
  Say(MakeWord("a", "api", 1), "a");
  v1::StoredObject config;
  Identify(*config.mutable_ref(), "v1", "ConfigMap", "n", "web");
  config.set_uid("uid-config");
  config.set_manifest("{}");
  Put(kObjectsTable, RowKey(config.ref()), config.SerializeAsString());

  // Page by page, everything comes once.
  std::vector<std::string> seen;
  std::string after;
  for (int pages = 0; pages < 10; ++pages) {
    const Json page = GetJson(StrCat("/api/apps?limit=2&after=", http::PercentEncode(after)));
    EXPECT_EQ(page["total"], 5);
    for (const Json& item : page["items"]) {
      seen.push_back(StrCat(std::string(item["kind"]), " ", std::string(item["name"])));
    }
    if (!page.contains("next")) break;
    after = page["next"];
  }
  EXPECT_THAT(seen, ElementsAre("ConfigMap web", "Deployment api", "Deployment db",
                                "Deployment other", "Deployment web"));

  const Json workloads = GetJson("/api/apps?only=workloads");
  EXPECT_THAT(Names(workloads), ElementsAre("api", "db", "other", "web"));
  EXPECT_EQ(workloads["phases"], (Json{{"Healthy", 1}, {"Progressing", 1}, {"Scheduled", 2}}));
  const Json healthy = GetJson("/api/apps?only=workloads&phase=Healthy,Failed");
  EXPECT_THAT(Names(healthy), ElementsAre("web"));
  EXPECT_EQ(healthy["total"], 1);
  EXPECT_EQ(healthy["phases"], workloads["phases"]) << "the counts to choose from stay";
  EXPECT_THAT(Names(GetJson("/api/apps?cluster=b")), ElementsAre("other"));
  EXPECT_THAT(Names(GetJson("/api/apps?q=N/WE")), ElementsAre("web", "web"));
  EXPECT_THAT(Names(GetJson("/api/apps?namespace=m")), ElementsAre());
  EXPECT_THAT(Names(GetJson("/api/apps?kind=ConfigMap")), ElementsAre("web"));

  const Json web = GetJson("/api/app?group=apps&kind=Deployment&namespace=n&name=web");
  EXPECT_EQ(web["phase"], "Healthy");
  EXPECT_EQ(web["policy"], "PropagationPolicy n/p");
  EXPECT_EQ(web["wellCount"], 1);
  EXPECT_EQ(web["clusters"][0]["cluster"], "a");
  EXPECT_EQ(web["clusters"][0]["replicas"]["ready"], 2);
  EXPECT_EQ(Get("/api/app?kind=Deployment&namespace=n&name=web")->response.status, 404)
      << "of the core group there is none";
}

TEST_F(PageTest, AnApplicationInManyClustersIsListedByThoseThatAreNotWell) {
  std::vector<std::string> names;
  for (int i = 10; i < 30; ++i) names.push_back(StrCat("c", i));
  for (const std::string& name : names) Register(name, "u" + name);
  for (const std::string& name : names) Beat(name);
  Deploy("web", names);
  for (const std::string& name : names) Say(MakeWord(name, "web", name == "c25" ? 1 : 2), name);
  const Json listed = GetJson("/api/apps")["items"][0];
  EXPECT_EQ(listed["clusterCount"], 20);
  EXPECT_EQ(listed["wellCount"], 19);
  ASSERT_EQ(listed["clusters"].size(), 8U);
  EXPECT_EQ(listed["clusters"][0]["cluster"], "c25");
  EXPECT_EQ(listed["clusters"][1]["cluster"], "c10");
}

// Of an object, people see its name and health: not its manifest, its status or its annotations.
TEST_F(PageTest, NothingOfManifestsIsShown) {
  Register("a", "ua", {{"provider", "aliyun"}, {"secretRef", {{"name", "hush-ref"}}}});
  Beat("a");
  Deploy("web", {"a"});
  v1::StoredObject secret;
  Identify(*secret.mutable_ref(), "v1", "Secret", "n", "login");
  secret.set_uid("uid-secret");
  secret.set_manifest(
      Json{{"metadata", {{"name", "login"}, {"annotations", {{"x", "hush-annotation"}}}}},
           {"data", {{"password", "hush-data"}}}}
          .dump());
  Put(kObjectsTable, RowKey(secret.ref()), secret.SerializeAsString());
  v1::WorkStatus word = MakeWord("a", "web", 2);
  word.set_status_json(
      Json{{"readyReplicas", 2}, {"resourceTemplateGeneration", 1}, {"token", "hush-status"}}
          .dump());
  Say(word, "a");
  for (const char* path :
       {"/api/summary", "/api/clusters", "/api/apps", "/api/app?kind=Secret&namespace=n&name=login",
        "/api/app?group=apps&kind=Deployment&namespace=n&name=web"}) {
    const auto answer = Get(path);
    EXPECT_EQ(answer->response.status, 200) << path;
    EXPECT_THAT(answer->response.body, Not(HasSubstr("hush"))) << path;
  }
}

TEST_F(PageTest, MarkupAndBrokenTextAreOnlyText) {
  const std::string name = "<img src=x onerror=alert(1)>";
  Register("a", "ua", {{"provider", "<script>alert(1)</script>"}, {"region", "r"}});
  v1::StoredObject role;
  Identify(*role.mutable_ref(), "rbac.authorization.k8s.io/v1", "ClusterRole", "", name);
  role.set_uid("uid-role");
  role.set_manifest("{}");
  Put(kObjectsTable, RowKey(role.ref()), role.SerializeAsString());
  EXPECT_EQ(GetJson("/api/apps")["items"][0]["name"], name);
  EXPECT_EQ(GetJson("/api/summary")["providers"][0]["provider"], "<script>alert(1)</script>");
  const auto answer = Get("/api/apps");
  EXPECT_EQ(answer->response.headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(answer->response.headers.Get("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(GetJson(StrCat("/api/app?group=rbac.authorization.k8s.io&kind=ClusterRole&name=",
                           http::PercentEncode(name)))["phase"],
            "Pending");
}

}  // namespace
}  // namespace sealane::status
