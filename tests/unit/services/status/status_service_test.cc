// The whole service on the in-memory bus and virtual time.

#include "services/status/status_service.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "lib/model/toleration.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/status/conditions.h"
#include "tests/support/status_matchers.h"

namespace sealane::status {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StatusServiceTest : public ::testing::Test {
 protected:
  StatusServiceTest()
      : sim_(1),
        server_(sim_.env()),
        hub_(server_.Connect(BusIdentity::Hub())),
        clusters_(*hub_, sim_.env(), kClusterStatusTable),
        apps_(*hub_, sim_.env(), kAppStatusTable) {
    options_.elect_leader = false;
    for (const std::string_view table :
         {kObjectsTable, kBindingsTable, kPlacementsTable, kWorksTable}) {
      StreamConfig config;
      config.name = std::string(table);
      config.subjects = {StrCat(table, ".>")};
      hub_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
    }
    clusters_.Start([this](const std::string&) { ++cluster_changes_; }, [] {});
    apps_.Start([this](const std::string&) { ++app_changes_; }, [] {});
    live_ = hub_->Subscribe("live.events.>", [this](const BusMessage& message) {
      v1::Event event;
      ASSERT_TRUE(event.ParseFromString(message.payload));
      events_.push_back(event.reason());
    });
    StartService();
  }

  void StartService() {
    service_.reset();
    service_bus_ = server_.Connect(BusIdentity::Hub());
    registry_ = std::make_unique<Registry>();
    service_ = std::make_unique<StatusService>(
        ServiceContext{sim_.env(), *service_bus_, *registry_, "status-0"}, options_);
    service_->Start();
    Settle();
    ASSERT_TRUE(service_->Ready(nullptr));
  }

  void Settle() { sim_.RunFor(absl::Milliseconds(100)); }

  void Put(std::string_view table, const std::string& key, const std::string& bytes) {
    AppendRequest request;
    request.subject = StrCat(table, ".", key);
    request.payload = bytes;
    request.remove = bytes.empty();
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
    Settle();
  }

  void Register(const std::string& name, const std::string& uid = "cluster-uid") {
    v1::StoredObject object;
    Identify(*object.mutable_ref(), "cluster.karmada.io/v1alpha1", "Cluster", "", name);
    object.set_uid(uid);
    object.set_generation(1);
    object.set_manifest(Json{{"apiVersion", "cluster.karmada.io/v1alpha1"},
                             {"kind", "Cluster"},
                             {"metadata", {{"name", name}, {"labels", {{"tier", "gold"}}}}},
                             {"spec", {{"provider", "aliyun"}, {"region", "cn-beijing"}}}}
                            .dump());
    Put(kObjectsTable, RowKey(object.ref()), object.SerializeAsString());
  }

  static void Identify(v1::ObjectRef& ref, std::string_view api_version, std::string_view kind,
                       std::string_view ns, std::string_view name) {
    ref.set_api_version(std::string(api_version));
    ref.set_kind(std::string(kind));
    ref.set_namespace_(std::string(ns));
    ref.set_name(std::string(name));
  }

  Bus& Agent(const std::string& cluster) {
    auto& bus = agents_[cluster];
    if (bus == nullptr) bus = server_.Connect(BusIdentity::Cluster(cluster));
    return *bus;
  }

  v1::Heartbeat MakeHeartbeat(const std::string& cluster) {
    v1::Heartbeat heartbeat;
    heartbeat.set_cluster(cluster);
    heartbeat.set_incarnation(1);
    heartbeat.set_counter(++counter_);
    heartbeat.set_api_healthy(true);
    heartbeat.set_api_enablements_complete(true);
    heartbeat.set_kubernetes_version("v1.30.0");
    heartbeat.mutable_node_summary()->set_total_num(3);
    return heartbeat;
  }
  void Beat(const std::string& cluster) { Send(MakeHeartbeat(cluster), cluster); }
  void Send(const v1::Heartbeat& heartbeat, const std::string& from) {
    EXPECT_OK(Agent(from).Publish(agent::kHeartbeat, heartbeat.SerializeAsString()));
    Settle();
  }
  // Beats every ten seconds.
  void BeatFor(const std::vector<std::string>& clusters, absl::Duration span) {
    for (absl::Duration t; t < span; t += absl::Seconds(10)) {
      for (const std::string& cluster : clusters) Beat(cluster);
      sim_.RunFor(absl::Seconds(10));
    }
  }

  // An application of two replicas, claimed and placed.
  void Deploy(const std::string& name, const std::vector<std::string>& clusters) {
    v1::StoredObject object;
    Identify(*object.mutable_ref(), "apps/v1", "Deployment", "n", name);
    object.set_uid("uid-" + name);
    object.set_generation(1);
    object.set_manifest(Json{{"metadata", {{"name", name}, {"labels", {{"app", name}}}}}}.dump());
    v1::Binding binding;
    *binding.mutable_ref() = object.ref();
    Identify(*binding.mutable_policy(), "policy.karmada.io/v1alpha1", "PropagationPolicy", "n",
             "p");
    v1::Placed placed;
    *placed.mutable_ref() = object.ref();
    placed.set_state("Scheduled");
    placed.add_decisions()->set_cluster("why");
    for (const std::string& cluster : clusters) {
      v1::TargetCluster* target = placed.add_clusters();
      target->set_name(cluster);
      target->set_replicas(2);
    }
    const std::string key = RowKey(object.ref());
    Put(kObjectsTable, key, object.SerializeAsString());
    Put(kBindingsTable, key, binding.SerializeAsString());
    Put(kPlacementsTable, key, placed.SerializeAsString());
  }

  v1::WorkStatus MakeWord(const std::string& cluster, const std::string& app, int ready) {
    v1::WorkStatus word;
    word.set_cluster(cluster);
    Identify(*word.mutable_ref(), "apps/v1", "Deployment", "n", app);
    word.mutable_fence()->set_uid("uid-" + app);
    word.set_incarnation(1);
    word.set_counter(++counter_);
    word.set_state(v1::WorkStatus::APPLIED);
    word.set_health(ready == 2 ? "Healthy" : "Unhealthy");
    word.set_object_generation(1);
    word.set_status_json(Json{{"readyReplicas", ready}, {"resourceTemplateGeneration", 1}}.dump());
    return word;
  }
  void Say(const v1::WorkStatus& word, const std::string& from) {
    AppendRequest request;
    request.subject = agent::WorkStatus(RowKey(word.ref()));
    request.payload = word.SerializeAsString();
    Agent(from).Append(std::move(request), [](const absl::StatusOr<Appended>&) {});
    Settle();
  }

  const v1::ClusterStatus* Cluster(const std::string& name) {
    const auto* row = clusters_.Find(EncodeToken(name));
    return row == nullptr ? nullptr : &row->value;
  }
  std::string Ready(const std::string& name) {
    const v1::ClusterStatus* row = Cluster(name);
    const v1::Condition* ready = row == nullptr ? nullptr : FindCondition(*row, kReadyCondition);
    return ready == nullptr ? "none" : ready->status();
  }
  std::vector<std::string> Taints(const std::string& name) {
    std::vector<std::string> result;
    for (const v1::Taint& taint : Cluster(name)->taints()) result.push_back(Describe(taint));
    return result;
  }
  const v1::AppStatus* App(const std::string& name) {
    const auto* row = apps_.Find(RowKey(ObjectKey{"apps", "Deployment", "n", name}));
    return row == nullptr ? nullptr : &row->value;
  }
  double Metric(const std::string& line) {
    const std::string text = registry_->Expose();
    const size_t at = text.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
  }

  absl::StatusOr<v1::QueryReply> Ask(const v1::QueryRequest& request) {
    QueryClient client(*hub_, sim_.env());
    std::optional<absl::StatusOr<v1::QueryReply>> result;
    client.Query("status", request, absl::Seconds(5),
                 [&](absl::StatusOr<v1::QueryReply> reply) { result = std::move(reply); });
    sim_.RunUntil([&] { return result.has_value(); }, absl::Seconds(10));
    return result.has_value() ? *std::move(result) : absl::DeadlineExceededError("no answer");
  }

  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> hub_;
  Table<v1::ClusterStatus> clusters_;
  Table<v1::AppStatus> apps_;
  std::map<std::string, std::unique_ptr<Bus>> agents_;
  std::unique_ptr<Subscription> live_;
  std::vector<std::string> events_;
  Options options_;
  int64_t counter_ = 0;
  int cluster_changes_ = 0;
  int app_changes_ = 0;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<StatusService> service_;
};

TEST_F(StatusServiceTest, ClusterLifeFromRegistrationToLossAndReturn) {
  Register("a");
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  Beat("a");
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("a"), IsEmpty());
  EXPECT_EQ(Cluster("a")->provider(), "aliyun");
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "v1.30.0");
  EXPECT_THAT(events_, ElementsAre("ClusterReady"));

  sim_.RunFor(absl::Seconds(41));
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/unreachable:NoSchedule"));
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "v1.30.0");

  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(Ready("a"), "Unknown");
  BeatFor({"a"}, absl::Seconds(20));
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("a"), IsEmpty());
  EXPECT_THAT(events_, ElementsAre("ClusterReady", "ClusterLost", "FailoverPaused", "ClusterReady",
                                   "FailoverResumed"));
}

TEST_F(StatusServiceTest, UnhealthyApiServerIsNotReady) {
  Register("a");
  Beat("a");
  for (int i = 0; i < 5; ++i) {
    v1::Heartbeat heartbeat = MakeHeartbeat("a");
    heartbeat.set_api_healthy(false);
    heartbeat.set_api_message("etcd is gone");
    Send(heartbeat, "a");
    sim_.RunFor(absl::Seconds(10));
  }
  EXPECT_EQ(Ready("a"), "False");
  EXPECT_THAT(FindCondition(*Cluster("a"), kReadyCondition)->message(), HasSubstr("etcd is gone"));
  EXPECT_THAT(Taints("a"), ElementsAre("cluster.karmada.io/not-ready:NoSchedule"));
}

TEST_F(StatusServiceTest, HeartbeatsAloneWriteNothing) {
  Register("a");
  Beat("a");
  const int before = cluster_changes_;
  BeatFor({"a"}, absl::Minutes(5));
  EXPECT_EQ(cluster_changes_, before);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"accepted\"}"), 31);
}

TEST_F(StatusServiceTest, CapacityIsCoalescedLabelsAreNot) {
  Register("a");
  Beat("a");
  sim_.RunFor(absl::Seconds(6));
  const int before = cluster_changes_;
  for (int i = 0; i < 20; ++i) {
    v1::Heartbeat heartbeat = MakeHeartbeat("a");
    (*heartbeat.mutable_resource_summary()->mutable_allocated())["cpu"] = StrCat(i, "m");
    Send(heartbeat, "a");
  }
  sim_.RunFor(absl::Seconds(6));
  // The first adds the summary, the rest of it waits together.
  EXPECT_EQ(cluster_changes_, before + 2);
  EXPECT_EQ(Cluster("a")->resource_summary().allocated().at("cpu"), "19m");
}

TEST_F(StatusServiceTest, ForeignStaleAndUnknownHeartbeatsAreCountedAndIgnored) {
  Register("a");
  Register("b");
  Beat("a");
  v1::Heartbeat forged = MakeHeartbeat("a");
  Send(forged, "b");
  EXPECT_EQ(Ready("b"), "Unknown");
  v1::Heartbeat old = MakeHeartbeat("a");
  old.set_counter(0);
  Send(old, "a");
  Beat("nobody");
  EXPECT_OK(Agent("a").Publish(agent::kHeartbeat, "\xff\xff"));
  Settle();
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"wrong_cluster\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"stale\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"unknown_cluster\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_heartbeats_total{result=\"malformed\"}"), 1);
  EXPECT_EQ(Cluster("nobody"), nullptr);
}

TEST_F(StatusServiceTest, FailoverAfterTheToleratedTimeAndItsEnd) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a", "b"}, absl::Seconds(320));
  EXPECT_EQ(Taints("c").size(), 1u);
  BeatFor({"a", "b"}, absl::Seconds(30));
  EXPECT_THAT(Taints("c"), Contains("cluster.karmada.io/unreachable:NoExecute"));
  EXPECT_THAT(events_, Contains("FailoverStarted"));
  BeatFor({"a", "b", "c"}, absl::Seconds(50));
  EXPECT_THAT(Taints("c"), IsEmpty());
  EXPECT_THAT(events_, Contains("FailoverEnded"));
}

TEST_F(StatusServiceTest, StormStopsFailoverAndResumesByItself) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a"}, absl::Minutes(10));
  EXPECT_EQ(Taints("b").size(), 1u);
  EXPECT_EQ(Taints("c").size(), 1u);
  EXPECT_THAT(events_, Contains("FailoverPaused"));
  BeatFor({"a", "b"}, absl::Seconds(60));
  EXPECT_THAT(Taints("b"), IsEmpty());
  EXPECT_EQ(Taints("c").size(), 2u);
  EXPECT_THAT(events_, Contains("FailoverResumed"));
}

TEST_F(StatusServiceTest, FailoverTimerSurvivesARestart) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  for (const char* name : {"a", "b", "c"}) Beat(name);
  BeatFor({"a", "b"}, absl::Seconds(200));
  StartService();
  BeatFor({"a", "b"}, absl::Seconds(150));
  EXPECT_EQ(Ready("a"), "True");
  EXPECT_THAT(Taints("c"), Contains("cluster.karmada.io/unreachable:NoExecute"));
}

TEST_F(StatusServiceTest, UnregisteredClusterLosesItsRow) {
  Register("a");
  Beat("a");
  Put(kObjectsTable, RowKey(ObjectKey{"cluster.karmada.io", "Cluster", "", "a"}), "");
  EXPECT_EQ(Cluster("a"), nullptr);
  Register("a", "another-uid");
  EXPECT_EQ(Ready("a"), "Unknown");
  EXPECT_EQ(Cluster("a")->kubernetes_version(), "");
  Beat("a");
  EXPECT_EQ(Ready("a"), "True");
}

TEST_F(StatusServiceTest, AppStatusFollowsItsClusters) {
  Register("a");
  Register("b");
  Beat("a");
  Beat("b");
  Deploy("web", {"a", "b"});
  ASSERT_NE(App("web"), nullptr);
  EXPECT_EQ(App("web")->phase(), "Scheduled");
  Say(MakeWord("a", "web", 2), "a");
  EXPECT_EQ(App("web")->phase(), "Applying");
  Say(MakeWord("b", "web", 1), "b");
  EXPECT_EQ(App("web")->phase(), "Progressing");
  Say(MakeWord("b", "web", 2), "b");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  EXPECT_EQ(App("web")->observed_generation(), 1);
  EXPECT_EQ(App("web")->replicas().ready(), 4);
  EXPECT_EQ(App("web")->policy(), "PropagationPolicy n/p");
  EXPECT_THAT(events_, Contains("AppHealthy"));

  BeatFor({"a"}, absl::Seconds(60));
  EXPECT_EQ(App("web")->phase(), "Degraded");
  EXPECT_EQ(App("web")->clusters(1).state(), "Lost");
  EXPECT_THAT(events_, Contains("AppDegraded"));

  const std::string key = RowKey(ObjectKey{"apps", "Deployment", "n", "web"});
  Put(kObjectsTable, key, "");
  EXPECT_EQ(App("web"), nullptr);
  EXPECT_TRUE(service_->Idle());
}

TEST_F(StatusServiceTest, ForgedAndStaleWordsAreDropped) {
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  v1::WorkStatus first = MakeWord("a", "web", 1);
  v1::WorkStatus second = MakeWord("a", "web", 2);
  Say(second, "a");
  Say(first, "a");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  v1::WorkStatus forged = MakeWord("a", "web", 1);
  forged.set_counter(1000);
  Say(forged, "b");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  EXPECT_EQ(Metric("sealane_status_work_statuses_total{result=\"stale\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_work_statuses_total{result=\"wrong_cluster\"}"), 1);
}

TEST_F(StatusServiceTest, RestartRepeatsNothing) {
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  Say(MakeWord("a", "web", 2), "a");
  ASSERT_EQ(App("web")->phase(), "Healthy");
  const v1::AppStatus before = *App("web");
  const int apps = app_changes_;
  const int clusters = cluster_changes_;
  const size_t events = events_.size();
  StartService();
  Beat("a");
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(app_changes_, apps);
  EXPECT_EQ(cluster_changes_, clusters);
  EXPECT_EQ(events_.size(), events);
  EXPECT_EQ(App("web")->SerializeAsString(), before.SerializeAsString());
}

TEST_F(StatusServiceTest, RowOfManyClustersIsNotWrittenForEachWord) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back(StrCat("c", i));
  for (const std::string& name : names) Register(name, "uid-" + name);
  for (const std::string& name : names) Beat(name);
  Deploy("base", names);
  const int before = app_changes_;
  for (const std::string& name : names) {
    AppendRequest request;
    const v1::WorkStatus word = MakeWord(name, "base", 2);
    request.subject = agent::WorkStatus(RowKey(word.ref()));
    request.payload = word.SerializeAsString();
    Agent(name).Append(std::move(request), [](const absl::StatusOr<Appended>&) {});
    sim_.RunFor(absl::Milliseconds(1));
  }
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(App("base")->phase(), "Healthy");
  EXPECT_LT(app_changes_ - before, 10);
}

TEST_F(StatusServiceTest, StandbyWritesNothingAndTakesOver) {
  options_.elect_leader = true;
  StartService();
  sim_.RunFor(absl::Seconds(6));
  auto other_bus = server_.Connect(BusIdentity::Hub());
  Registry other_metrics;
  StatusService other(ServiceContext{sim_.env(), *other_bus, other_metrics, "status-1"}, options_);
  other.Start();
  sim_.RunFor(absl::Seconds(6));
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  Say(MakeWord("a", "web", 1), "a");
  EXPECT_EQ(App("web")->phase(), "Progressing");
  const size_t events = events_.size();
  service_.reset();  // killed
  sim_.RunFor(absl::Seconds(7));
  Say(MakeWord("a", "web", 2), "a");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(App("web")->phase(), "Healthy");
  EXPECT_EQ(events_.size(), events + 1);
  Beat("a");
  sim_.RunFor(absl::Seconds(45));
  EXPECT_EQ(Ready("a"), "Unknown");
}

TEST_F(StatusServiceTest, AnswersQueries) {
  Register("a");
  Register("b");
  Beat("a");
  Deploy("web", {"a"});
  Deploy("api", {"b"});
  Say(MakeWord("a", "web", 2), "a");

  v1::QueryRequest request;
  request.set_what("clusters");
  request.set_label_selector("tier=gold");
  auto reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(reply->clusters_size(), 2);
  request.set_name("b");
  EXPECT_EQ(Ask(request)->clusters_size(), 1);
  request.set_label_selector("tier=(");
  EXPECT_THAT(Ask(request), Not(IsOk()));

  request.Clear();
  request.set_what("apps");
  EXPECT_EQ(Ask(request)->apps_size(), 2);
  request.set_label_selector("app=web");
  reply = Ask(request);
  ASSERT_OK(reply);
  ASSERT_EQ(reply->apps_size(), 1);
  EXPECT_EQ(reply->apps(0).SerializeAsString(), App("web")->SerializeAsString());
  request.clear_label_selector();
  request.set_cluster("b");
  EXPECT_EQ(Ask(request)->apps(0).ref().name(), "api");

  request.Clear();
  request.set_what("status");
  request.set_name("web");
  reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(reply->apps(0).phase(), "Healthy");
  ASSERT_EQ(reply->placements_size(), 1);
  EXPECT_EQ(reply->placements(0).decisions(0).cluster(), "why");

  request.set_what("work_status");
  request.clear_name();
  request.set_cluster("a");
  EXPECT_EQ(Ask(request)->work_statuses_size(), 1);
  request.set_cluster("b");
  EXPECT_EQ(Ask(request)->work_statuses_size(), 0);

  request.Clear();
  request.set_what("events");
  reply = Ask(request);
  ASSERT_OK(reply);
  ASSERT_EQ(reply->events_size(), 2);
  EXPECT_EQ(reply->events(0).reason(), "ClusterReady");
  EXPECT_EQ(reply->events(1).ref().name(), "web");
  request.set_name("web");
  EXPECT_EQ(Ask(request)->events_size(), 1);

  request.Clear();
  request.set_what("cluster_progress");
  request.set_cluster("a");
  reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(Json::parse(reply->body()),
            (Json{{"cluster", "a"}, {"placed", 1}, {"applied", 1}, {"healthy", 1}}));

  request.set_what("weather");
  EXPECT_THAT(Ask(request), Not(IsOk()));
}

}  // namespace
}  // namespace sealane::status
