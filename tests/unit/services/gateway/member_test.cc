// Users, a gateway's proxy, agents' ends of it and simulated clusters, on the bus in memory and
// virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/direct_transport.h"
#include "sealane/v1/member_api.pb.h"
#include "services/agent/member_api.h"
#include "services/gateway/member_proxy.h"
#include "tools/kubesim/cluster.h"

namespace sealane::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPods[] = "/api/v1/namespaces/shop/pods";
constexpr char kTable[] = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

class Answer final : public http::ResponseWriter {
 public:
  ~Answer() override = default;
  void Send(http::HttpResponse response) override {
    status = response.status;
    headers = response.headers;
    body = response.body;
    ended = true;
  }
  void StartStream(int code, http::Headers fields) override {
    status = code;
    headers = std::move(fields);
  }
  void Write(std::string chunk) override {
    body += chunk;
    if (!reads) unread += chunk.size();
  }
  void End() override { ended = true; }
  void Abort() override { cut = true; }
  void OnClose(std::function<void()> fn) override { close = std::move(fn); }
  [[nodiscard]] size_t pending_bytes() const override { return unread; }
  [[nodiscard]] Json json() const { return Json::parse(body, nullptr, false); }

  int status = 0;
  http::Headers headers;
  std::string body;
  bool ended = false;
  bool cut = false;
  bool reads = true;
  size_t unread = 0;
  std::function<void()> close;
};

class MemberTest : public ::testing::Test {
 protected:
  // A member: its agent's end of the bus, and its API server.
  struct Member {
    Member(MemberTest& test, const std::string& name, agent::MemberAccess access,
           agent::MemberApiLimits limits)
        : cluster(test.sim_.env(), Options(name), kubeapi::ApiServerOptions()),
          bus(test.server_.Connect(BusIdentity::Cluster(name), name)),
          transport(test.sim_,
                    [this](const http::HttpRequest& request,
                           std::shared_ptr<http::ResponseWriter> writer) {
                      seen.push_back(request);
                      if (fault && fault(request, *writer)) return;
                      cluster.Handle(request, std::move(writer));
                    }),
          client(test.sim_.env(), transport, kube::StaticCredentials("Bearer agent")),
          metrics(registry),
          api(test.sim_.env(), *bus, client, access, metrics, limits) {
      api.Start();
    }
    static kubesim::ClusterOptions Options(const std::string& name) {
      kubesim::ClusterOptions options;
      options.name = name;
      options.metrics = true;
      return options;
    }
    kubesim::Cluster cluster;
    std::unique_ptr<Bus> bus;
    std::vector<http::HttpRequest> seen;
    std::function<bool(const http::HttpRequest&, http::ResponseWriter&)> fault;
    kubeapi::DirectTransport transport;
    kube::KubeClient client;
    Registry registry;
    agent::AgentMetrics metrics;
    agent::MemberApi api;
  };

  MemberTest() : sim_(3), server_(sim_.env()), hub_(server_.Connect(BusIdentity::Hub(), "hub")) {
    MemberProxy::Hooks hooks;
    hooks.authorize = [this](const kubeapi::UserInfo& user, const kubeapi::Attributes& asked) {
      if (user.name == "admin") return true;
      const std::string right = StrCat(user.name, " ", asked.verb, " ", asked.resource,
                                       asked.subresource.empty() ? "" : "/", asked.subresource, " ",
                                       asked.subresource == "proxy" ? asked.name : asked.ns);
      return rights_.contains(right);
    };
    hooks.audit = [this](const kubeapi::AuditRecord& record) {
      audit_.push_back(StrCat(record.user.name, " ", record.attributes.verb, " ",
                              record.attributes.resource, " ", record.code));
    };
    hooks.clusters = [this] {
      std::map<std::string, bool> out = silent_;
      for (const auto& member : members_) out[member.first] = true;
      return out;
    };
    client_ = std::make_unique<MemberClient>(*hub_, sim_.env());
    proxy_ = std::make_unique<MemberProxy>(sim_.env(), *client_, std::move(hooks), Small());
  }
  static MemberProxyOptions Small() {
    MemberProxyOptions options;
    options.max_per_user = 5;
    return options;
  }
  Member& Add(const std::string& name, agent::MemberAccess access = agent::MemberAccess::kRead,
              agent::MemberApiLimits limits = {}) {
    members_[name] = std::make_unique<Member>(*this, name, access, limits);
    return *members_[name];
  }
  void MakePod(const std::string& cluster, const std::string& name) {
    Put(cluster, kPods,
        {{"metadata", {{"name", name}}},
         {"spec",
          {{"containers",
            {{{"name", "web"},
              {"image", "shop/web:1"},
              {"resources", {{"requests", {{"cpu", "100m"}, {"memory", "64Mi"}}}}}}}}}}});
  }
  void Put(const std::string& cluster, const std::string& path, const Json& object) {
    http::HttpRequest ns{"POST",
                         "/api/v1/namespaces",
                         {{"Content-Type", "application/json"}},
                         R"({"metadata":{"name":"shop"}})"};
    members_[cluster]->cluster.Handle(ns, std::make_shared<Answer>());
    http::HttpRequest request{"POST", path, {{"Content-Type", "application/json"}}, object.dump()};
    auto answer = std::make_shared<Answer>();
    members_[cluster]->cluster.Handle(request, answer);
    ASSERT_EQ(answer->status, 201) << answer->body;
  }
  std::shared_ptr<Answer> Ask(const std::string& path, const std::string& user = "admin",
                              http::HttpRequest request = {}, bool reads = true) {
    request.path = path;
    auto answer = std::make_shared<Answer>();
    answer->reads = reads;
    proxy_->Handle({{user, "", {}}, [this, user] { return !gone_.contains(user); }}, request,
                   answer);
    return answer;
  }
  std::shared_ptr<Answer> Get(const std::string& path, const std::string& user = "admin",
                              http::HttpRequest request = {}) {
    auto answer = Ask(path, user, std::move(request));
    EXPECT_TRUE(sim_.RunUntil([&] { return answer->ended || answer->cut; }, absl::Minutes(2)));
    return answer;
  }
  bool Until(const std::function<bool()>& holds) { return sim_.RunUntil(holds, absl::Minutes(1)); }
  static std::vector<std::string> Names(const Json& list) {
    std::vector<std::string> names;
    for (const Json& item : list.at("items")) {
      names.push_back(StrCat(item["metadata"]["name"].get<std::string>(), "@",
                             item["metadata"]["labels"].value(kClusterLabel, "")));
    }
    return names;
  }

  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> hub_;
  std::set<std::string> rights_;
  std::set<std::string> gone_;
  std::vector<std::string> audit_;
  std::map<std::string, bool> silent_;
  std::map<std::string, std::unique_ptr<Member>> members_;
  std::unique_ptr<MemberClient> client_;
  std::unique_ptr<MemberProxy> proxy_;
};

TEST_F(MemberTest, ReadsReachTheMemberAndNothingOfTheUserElseDoes) {
  Member& a = Add("a");
  MakePod("a", "web");
  http::HttpRequest request;
  request.headers.Add("Authorization", "Bearer of-the-user");
  request.headers.Add("Cookie", "secret");
  request.headers.Add("Accept", "application/json");
  const auto answer = Get(StrCat("/clusters/a/proxy", kPods, "/web"), "admin", request);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->json()["metadata"]["name"], "web");
  ASSERT_EQ(a.seen.size(), 1);
  EXPECT_EQ(a.seen[0].headers.Get("Authorization"), "Bearer agent");
  EXPECT_FALSE(a.seen[0].headers.Has("Cookie"));
  EXPECT_EQ(a.seen[0].headers.Get("User-Agent"), "sealane-agent for admin");
  // Karmada's path is the same.
  EXPECT_EQ(Get(StrCat("/apis/cluster.karmada.io/v1alpha1/clusters/a/proxy", kPods, "/web"))->body,
            answer->body);
  EXPECT_EQ(Get(StrCat("/clusters/a/proxy", kPods, "/none"))->status, 404);
  EXPECT_EQ(Get("/clusters/a/proxy/version")->status, 200);
  EXPECT_TRUE(Until([&] { return a.api.sessions() == 0 && proxy_->busy() == 0; }));
}

TEST_F(MemberTest, NobodyIsServedAsSomebodyElse) {
  Member& a = Add("a");
  MakePod("a", "web");
  for (const char* cluster : {"a", "-"}) {
    audit_.clear();
    http::HttpRequest request;
    request.headers.Add("impersonate-user", "system:admin");
    const auto answer =
        Get(StrCat("/clusters/", cluster, "/proxy", kPods, "/web"), "admin", request);
    EXPECT_EQ(answer->status, 403) << cluster;
    EXPECT_EQ(answer->json()["message"],
              "pods \"web\" is forbidden: User \"admin\" cannot get resource \"pods\" in API group "
              "\"\" in the namespace \"shop\": impersonation is not supported");
    EXPECT_THAT(audit_, ElementsAre("admin get pods 403"));
    // What is audited in any case is audited once.
    for (const auto& [method, path, told] :
         {std::tuple{"DELETE", kPods, "admin deletecollection pods 403"},
          std::tuple{"GET", "/api/v1/namespaces/shop/secrets", "admin list secrets 403"}}) {
      audit_.clear();
      request.method = method;
      EXPECT_EQ(Get(StrCat("/clusters/", cluster, "/proxy", path), "admin", request)->status, 403);
      EXPECT_THAT(audit_, ElementsAre(told));
    }
  }
  EXPECT_TRUE(a.seen.empty());
}

TEST_F(MemberTest, LongAnswersComeWholeAndNoFasterThanTheyAreRead) {
  Member& a = Add("a");
  const std::string big(500'000, 'x');
  for (int i = 0; i < 10; ++i) {
    Put("a", "/api/v1/namespaces/shop/configmaps",
        {{"metadata", {{"name", StrCat("m", i)}}}, {"data", {{"key", big}}}});
  }
  const std::string path = "/clusters/a/proxy/api/v1/namespaces/shop/configmaps";
  const auto answer = Get(path);
  EXPECT_EQ(answer->json()["items"].size(), 10);
  // One who does not read stops the member's end, whose memory is bounded.
  const auto lazy = Ask(path, "admin", {}, /*reads=*/false);
  sim_.RunFor(absl::Minutes(1));
  EXPECT_LE(lazy->body.size(), MemberClient::kWindow * 2);
  EXPECT_GT(lazy->body.size(), 0);
  EXPECT_FALSE(lazy->ended);
  lazy->reads = true;
  lazy->unread = 0;
  EXPECT_TRUE(Until([&] { return lazy->ended; }));
  EXPECT_EQ(lazy->json()["items"].size(), 10);
  EXPECT_TRUE(Until([&] { return a.api.sessions() == 0; }));
}

TEST_F(MemberTest, MoreThanTheAgentHoldsIsAnErrorAndNotItsMemory) {
  agent::MemberApiLimits limits;
  limits.buffered_bytes = 1 << 20;
  Add("a", agent::MemberAccess::kRead, limits);
  const std::string big(500'000, 'x');
  for (int i = 0; i < 10; ++i) {
    Put("a", "/api/v1/namespaces/shop/configmaps",
        {{"metadata", {{"name", StrCat("m", i)}}}, {"data", {{"key", big}}}});
  }
  const auto answer = Get("/clusters/a/proxy/api/v1/namespaces/shop/configmaps", "admin");
  EXPECT_FALSE(answer->ended && answer->status == 200);
}

TEST_F(MemberTest, WatchesAndLogsGoOnForLongAndEndWithTheirReader) {
  Member& a = Add("a");
  MakePod("a", "web");
  sim_.RunFor(absl::Seconds(5));
  const auto log = Ask(StrCat("/clusters/a/proxy", kPods, "/web/log?follow=true"));
  const auto watch = Ask(StrCat("/clusters/a/proxy", kPods, "?watch=true"));
  sim_.RunFor(absl::Minutes(10));
  EXPECT_THAT(log->body, HasSubstr("web/web line 600\n"));
  EXPECT_FALSE(log->ended || log->cut);
  MakePod("a", "late");
  EXPECT_TRUE(Until([&] { return watch->body.find("\"late\"") != std::string::npos; }));
  EXPECT_EQ(a.api.sessions(), 2);
  log->close();
  watch->close();
  EXPECT_TRUE(Until([&] { return a.api.sessions() == 0 && proxy_->busy() == 0; }));
}

TEST_F(MemberTest, AReaderWhoGoesSilentlyIsForgottenByTheAgent) {
  Member& a = Add("a");
  MakePod("a", "web");
  const auto watch = Ask(StrCat("/clusters/a/proxy", kPods, "?watch=true"));
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(a.api.sessions(), 1);
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("hub", cut);
  EXPECT_TRUE(Until([&] { return a.api.sessions() == 0; }));
}

TEST_F(MemberTest, WhoMayNotIsToldWhichRightIsMissing) {
  Add("a");
  MakePod("a", "web");
  const std::string pods = StrCat("/clusters/a/proxy", kPods);
  auto answer = Get(pods, "eve");
  EXPECT_EQ(answer->status, 403);
  EXPECT_THAT(answer->body, HasSubstr("clusters/proxy"));
  rights_ = {"eve get clusters/proxy a"};
  answer = Get(pods, "eve");
  EXPECT_EQ(answer->status, 403);
  EXPECT_THAT(answer->body, HasSubstr("cannot list resource \\\"pods\\\""));
  EXPECT_EQ(Get("/clusters/a/proxy/version", "eve")->status, 200);
  rights_ = {"eve get clusters/proxy a", "eve list pods shop"};
  EXPECT_EQ(Get(pods, "eve")->status, 200);
  EXPECT_EQ(Get(StrCat(pods, "/web/log"), "eve")->status, 403);
  EXPECT_EQ(Get("/clusters/a/proxy/api/v1/pods", "eve")->status, 403);
  // A cluster that there is not looks like one that is not hers.
  EXPECT_EQ(Get("/clusters/b/proxy/version", "eve")->status, 403);
  EXPECT_EQ(Get("/clusters/b/proxy/version")->status, 404);
  EXPECT_EQ(audit_.front(), "eve get clusters 403");
}

TEST_F(MemberTest, ARightThatIsTakenAwayEndsTheWatch) {
  Add("a");
  rights_ = {"eve get clusters/proxy a", "eve watch pods shop", "joe get clusters/proxy a",
             "joe watch pods shop"};
  const auto eve = Ask(StrCat("/clusters/a/proxy", kPods, "?watch=1"), "eve");
  const auto joe = Ask(StrCat("/clusters/a/proxy", kPods, "?watch=1"), "joe");
  sim_.RunFor(absl::Minutes(2));
  EXPECT_FALSE(eve->cut);
  rights_.erase("eve watch pods shop");
  gone_.insert("joe");
  sim_.RunFor(absl::Minutes(1));
  EXPECT_TRUE(eve->cut);
  EXPECT_TRUE(joe->cut);
}

TEST_F(MemberTest, TheOwnerOfTheClusterSaysWhatIsPossible) {
  Add("none", agent::MemberAccess::kNone);
  Add("read", agent::MemberAccess::kRead);
  Add("secrets", agent::MemberAccess::kSecrets);
  Add("write", agent::MemberAccess::kWrite);
  const auto at = [](const char* cluster, const char* path) {
    return StrCat("/clusters/", cluster, "/proxy", path);
  };
  constexpr char kSecrets[] = "/api/v1/namespaces/shop/secrets";
  EXPECT_EQ(Get(at("none", kPods))->status, 403);
  EXPECT_EQ(Get(at("read", kPods))->status, 200);
  for (const char* path : {kSecrets, "/api/v1/secrets", "/api/v1/watch/secrets",
                           "/api/v1/watch/namespaces/shop/secrets",
                           "/api/v1/namespaces/shop/secrets/x", "/api/v1/secrets?watch=1"}) {
    EXPECT_EQ(Get(at("read", path))->status, 403) << path;
  }
  EXPECT_EQ(Get(at("secrets", kSecrets))->status, 200);
  EXPECT_EQ(Get(at("read", "/api/v1/namespaces/secrets/pods"))->status, 200);
  for (const char* path :
       {"/api/v1/namespaces/shop/pods/web/exec", "/api/v1/namespaces/shop/pods/web/proxy/x",
        "/api/v1/nodes/n/proxy/logs", "/api/v1/proxy/namespaces/shop/pods/web"}) {
    EXPECT_EQ(Get(at("write", path))->status, 501) << path;
  }
  for (const char* path : {"/metrics", "/logs/x", "/debug/pprof"}) {
    EXPECT_EQ(Get(at("write", path))->status, 403) << path;
  }
  http::HttpRequest post{
      "POST", "", {{"Content-Type", "application/json"}}, R"({"metadata":{"name":"other"}})"};
  EXPECT_EQ(Get(at("secrets", "/api/v1/namespaces"), "admin", post)->status, 403);
  EXPECT_EQ(Get(at("write", "/api/v1/namespaces"), "admin", post)->status, 201);
  EXPECT_EQ(audit_.back(), "admin create namespaces 201");
  http::HttpRequest upgrade;
  upgrade.headers.Add("Upgrade", "SPDY/3.1");
  EXPECT_EQ(Get(at("write", kPods), "admin", upgrade)->status, 501);
}

TEST_F(MemberTest, PathsThatCouldMeanTwoThingsAreRefused) {
  Member& a = Add("a");
  for (const char* path :
       {"/clusters/a/proxy/api/v1/namespaces/shop/pods/..%2f..%2fsecrets",
        "/clusters/a/proxy/api/v1/../v1/secrets", "/clusters/a/proxy//api/v1/secrets",
        "/clusters/a/proxy/api/v1/%2e%2e/x", "/clusters/a%2fproxy/api", "/clusters//proxy/api",
        "/clusters/a/other/api", "/clusters/a"}) {
    EXPECT_EQ(Get(path)->status, 400) << path;
  }
  EXPECT_TRUE(a.seen.empty());
}

TEST_F(MemberTest, WhoDoesNotAnswerIsSaidSoInTime) {
  silent_["dead"] = false;
  const auto dead = Get("/clusters/dead/proxy/version");
  EXPECT_EQ(dead->status, 502);
  EXPECT_THAT(dead->body, HasSubstr("dead"));
  // An agent that is there and says nothing.
  silent_["mute"] = true;
  const auto mute = server_.Connect(BusIdentity::Cluster("mute"), "mute");
  const auto deaf = mute->Subscribe("ctl.>", [](const BusMessage&) {});
  EXPECT_EQ(Get("/clusters/mute/proxy/version")->status, 502);
  // An API server that refuses the agent.
  Add("a").fault = [](const http::HttpRequest&, http::ResponseWriter& writer) {
    writer.Send({401, {}, "no"});
    return true;
  };
  EXPECT_EQ(Get("/clusters/a/proxy/version")->status, 502);
}

TEST_F(MemberTest, AnAgentThatSendsNonsenseIsCutOff) {
  silent_["bad"] = true;
  const auto bad = server_.Connect(BusIdentity::Cluster("bad"), "bad");
  v1::MemberPart first;
  first.set_index(1);
  first.set_status(200);
  v1::MemberHeader& header = *first.add_headers();
  header.set_name("Set-Cookie");
  header.set_value("x");
  std::function<void(const BusMessage&)> behave;
  const auto ends = bad->Subscribe("ctl.api", [&](const BusMessage& message) { behave(message); });
  const auto send = [&](const BusMessage& message, const v1::MemberPart& part) {
    ASSERT_TRUE(bad->Publish(message.reply, part.SerializeAsString()).ok());
  };
  behave = [&](const BusMessage& message) {
    send(message, first);
    v1::MemberPart flood;
    flood.set_data(std::string(200'000, 'x'));
    for (int i = 2; i < 12; ++i) {
      flood.set_index(i);
      send(message, flood);
    }
  };
  auto answer = Ask("/clusters/bad/proxy/version", "admin", {}, /*reads=*/false);
  EXPECT_TRUE(Until([&] { return answer->cut; }));
  EXPECT_FALSE(answer->headers.Has("Set-Cookie"));
  EXPECT_LE(answer->body.size(), MemberClient::kWindow);
  behave = [&](const BusMessage& message) {
    send(message, first);
    v1::MemberPart lost;
    lost.set_index(3);
    lost.set_end(true);
    send(message, lost);
  };
  answer = Get("/clusters/bad/proxy/version");
  EXPECT_TRUE(answer->cut);
  behave = [&](const BusMessage& message) {
    ASSERT_TRUE(bad->Publish(message.reply, "\xff\xff").ok());
  };
  EXPECT_EQ(Get("/clusters/bad/proxy/version")->status, 502);
}

TEST_F(MemberTest, OneUserCannotTakeAllPlaces) {
  Add("a");
  std::vector<std::shared_ptr<Answer>> watches;
  for (int i = 0; i < 5; ++i) {
    watches.push_back(Ask(StrCat("/clusters/a/proxy", kPods, "?watch=1"), "admin"));
  }
  const auto more = Get("/clusters/a/proxy/version");
  EXPECT_EQ(more->status, 429);
  EXPECT_TRUE(more->headers.Has("Retry-After"));
  rights_ = {"eve get clusters/proxy a"};
  EXPECT_EQ(Get("/clusters/a/proxy/version", "eve")->status, 200);
  watches.front()->close();
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Get("/clusters/a/proxy/version")->status, 200);
}

TEST_F(MemberTest, TheFleetIsReadAsOneList) {
  Add("a");
  Add("b");
  silent_["c"] = false;
  MakePod("a", "one");
  MakePod("b", "two");
  MakePod("b", "three");
  const auto list = Get(StrCat("/clusters/-/proxy", kPods));
  EXPECT_THAT(Names(list->json()), ElementsAre("one@a", "three@b", "two@b"));
  EXPECT_THAT(std::string(list->headers.Get("Warning")), HasSubstr("cluster c: not ready"));
  http::HttpRequest table;
  table.headers.Add("Accept", kTable);
  const Json rows = Get(StrCat("/clusters/-/proxy", kPods), "admin", table)->json();
  EXPECT_EQ(rows["columnDefinitions"][1]["name"], "Cluster");
  EXPECT_EQ(rows["rows"][0]["cells"][1], "a");
  EXPECT_EQ(rows["rows"].size(), 3);
  // Pages: each cluster goes on where it stopped.
  const Json first = Get(StrCat("/clusters/-/proxy", kPods, "?limit=1"))->json();
  EXPECT_THAT(Names(first), ElementsAre("one@a", "three@b"));
  const Json second =
      Get(StrCat("/clusters/-/proxy", kPods, "?limit=1&continue=",
                 http::PercentEncode(first["metadata"]["continue"].get<std::string>())))
          ->json();
  EXPECT_THAT(Names(second), ElementsAre("two@b"));
  EXPECT_FALSE(second["metadata"].contains("continue"));
  // One object: where it is; several of the name: which?
  EXPECT_EQ(
      Get(StrCat("/clusters/-/proxy", kPods, "/two"))->json()["metadata"]["labels"][kClusterLabel],
      "b");
  MakePod("a", "two");
  EXPECT_EQ(Get(StrCat("/clusters/-/proxy", kPods, "/two"))->status, 409);
  EXPECT_EQ(Get(StrCat("/clusters/-/proxy", kPods, "/none"))->status, 404);
  EXPECT_EQ(Get("/clusters/-/proxy/apis")->status, 200);
  http::HttpRequest remove;
  remove.method = "DELETE";
  EXPECT_EQ(Get(StrCat("/clusters/-/proxy", kPods, "/two"), "admin", remove)->status, 405);
  // Only what is hers.
  rights_ = {"eve get clusters/proxy b", "eve list pods shop"};
  EXPECT_THAT(Names(Get(StrCat("/clusters/-/proxy", kPods), "eve")->json()),
              ElementsAre("three@b", "two@b"));
  EXPECT_EQ(Get(StrCat("/clusters/-/proxy", kPods), "joe")->status, 403);
  EXPECT_EQ(Get("/clusters/-/proxy/api/v1/pods", "eve")->status, 403);
}

TEST_F(MemberTest, TheFleetIsWatchedAsOneList) {
  Add("a");
  Add("b");
  MakePod("a", "one");
  const Json list = Get(StrCat("/clusters/-/proxy", kPods))->json();
  const auto watch =
      Ask(StrCat("/clusters/-/proxy", kPods, "?watch=1&allowWatchBookmarks=true&resourceVersion=",
                 http::PercentEncode(list["metadata"]["resourceVersion"].get<std::string>())));
  sim_.RunFor(absl::Seconds(2));
  MakePod("b", "two");
  MakePod("a", "three");
  EXPECT_TRUE(Until([&] {
    return watch->body.find("\"name\":\"two\"") != std::string::npos &&
           watch->body.find("\"name\":\"three\"") != std::string::npos;
  }));
  EXPECT_THAT(watch->body, HasSubstr(StrCat("\"", kClusterLabel, "\":\"b\"")));
  EXPECT_THAT(watch->body, Not(HasSubstr("ADDED\",\"name\":\"one\"")));
  sim_.RunFor(absl::Minutes(5));
  EXPECT_THAT(watch->body, Not(HasSubstr("BOOKMARK")));
  // One that goes ends it: the user lists again.
  members_.erase("b");
  EXPECT_TRUE(Until([&] { return watch->cut || watch->ended; }));
}

TEST_F(MemberTest, UsageIsReadLikeEverythingElse) {
  Add("a");
  MakePod("a", "web");
  sim_.RunFor(absl::Seconds(5));
  const Json pods =
      Get("/clusters/-/proxy/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods")->json();
  EXPECT_EQ(pods["items"][0]["containers"][0]["usage"]["cpu"], "50m") << pods.dump();
}

}  // namespace
}  // namespace sealane::gateway
