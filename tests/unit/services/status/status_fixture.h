#pragma once

// The whole status service on the in-memory bus and virtual time, with what stands around it.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
#include "services/status/status_service.h"
#include "tests/support/status_matchers.h"

namespace sealane::status {

class StatusServiceTest : public ::testing::Test {
 protected:
  StatusServiceTest()
      : sim_(1),
        server_(sim_.env()),
        hub_(server_.Connect(BusIdentity::Hub())),
        clusters_(*hub_, sim_.env(), kClusterStatusTable),
        apps_(*hub_, sim_.env(), kAppStatusTable) {
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
      last_event_ = std::move(event);
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

  // `settle`: what passes afterwards.
  void Put(std::string_view table, const std::string& key, const std::string& bytes,
           absl::Duration settle = absl::Milliseconds(100)) {
    AppendRequest request;
    request.subject = StrCat(table, ".", key);
    request.payload = bytes;
    request.remove = bytes.empty();
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
    sim_.RunFor(settle);
  }

  // `more` is merged into the spec.
  void Register(const std::string& name, const std::string& uid = "cluster-uid",
                const Json& more = Json::object()) {
    v1::StoredObject object;
    Identify(*object.mutable_ref(), "cluster.karmada.io/v1alpha1", "Cluster", "", name);
    object.set_uid(uid);
    object.set_generation(1);
    Json manifest = {{"apiVersion", "cluster.karmada.io/v1alpha1"},
                     {"kind", "Cluster"},
                     {"metadata", {{"name", name}, {"labels", {{"tier", "gold"}}}}},
                     {"spec", {{"provider", "aliyun"}, {"region", "cn-beijing"}}}};
    manifest["spec"].update(more);
    object.set_manifest(manifest.dump());
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

  // An application of two replicas, claimed and placed; `pause` after each of the three steps.
  void Deploy(const std::string& name, const std::vector<std::string>& clusters,
              absl::Duration pause = absl::Milliseconds(100)) {
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
    Put(kObjectsTable, key, object.SerializeAsString(), pause);
    Put(kBindingsTable, key, binding.SerializeAsString(), pause);
    Put(kPlacementsTable, key, placed.SerializeAsString(), pause);
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
    word.set_member_generation(1);
    word.set_observed_generation(1);
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
    client.Query(platform::Query("status"), request, absl::Seconds(5),
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
  std::vector<std::string> events_;  // their reasons
  v1::Event last_event_;
  Options options_;
  int64_t counter_ = 0;
  int cluster_changes_ = 0;
  int app_changes_ = 0;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<StatusService> service_;
};

}  // namespace sealane::status
