// The agent answers how many replicas fit, over the bus, from what its API server says; and the
// scheduler service makes decisions of it. Virtual time.

#include <map>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "lib/model/quantity.h"
#include "sealane/v1/capacity.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "services/scheduler/scheduler_service.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/services/agent/agent_world.h"

namespace sealane::agent {
namespace {

using ::testing::HasSubstr;

class CapacityServiceTest : public ::testing::Test {
 protected:
  CapacityServiceTest() : hub_(world_.server.Connect(BusIdentity::Hub(), "asker")) {
    heartbeats_ = hub_->Subscribe(hub::kHeartbeats, [this](const BusMessage& message) {
      EXPECT_TRUE(heartbeat_.ParseFromString(message.payload));
    });
    world_.fault = [this](const http::HttpRequest& request) -> std::optional<http::HttpResponse> {
      if (request.path.find("resourcequotas") == std::string::npos) return std::nullopt;
      ++quota_lists_;
      if (quotas_.is_null()) {
        return http::HttpResponse{
            403,
            {{"Content-Type", "application/json"}},
            R"({"kind":"Status","status":"Failure","reason":"Forbidden","code":403})"};
      }
      const Json list = {{"kind", "ResourceQuotaList"}, {"apiVersion", "v1"}, {"items", quotas_}};
      return http::HttpResponse{200, {{"Content-Type", "application/json"}}, list.dump()};
    };
  }

  // Until the agent has listed its nodes and said so.
  void StartAgent() {
    world_.StartAgent();
    ASSERT_TRUE(world_.Until([&] { return heartbeat_.node_shapes_size() > 0; }));
  }

  v1::CapacityReply Ask(const std::string& payload) {
    std::optional<v1::CapacityReply> reply;
    hub_->Request(hub::Control("member", "capacity"), payload, absl::Seconds(2),
                  [&](const absl::StatusOr<BusMessage>& answer) {
                    ASSERT_OK(answer);
                    ASSERT_TRUE(reply.emplace().ParseFromString(answer->payload));
                  });
    EXPECT_TRUE(world_.Until([&] { return reply.has_value(); }, absl::Seconds(3)));
    return reply.value_or(v1::CapacityReply());
  }
  // How many pods of one CPU fit into namespace shop.
  v1::CapacityAnswer AskForOneCpu() {
    v1::CapacityRequest request;
    v1::CapacityQuestion& question = *request.add_questions();
    question.set_shape(7);
    question.mutable_requirements()->set_namespace_("shop");
    (*question.mutable_requirements()->mutable_resource_request())["cpu"] = "1";
    const v1::CapacityReply reply = Ask(request.SerializeAsString());
    EXPECT_EQ(reply.error(), "");
    return reply.answers_size() == 1 ? reply.answers(0) : v1::CapacityAnswer();
  }
  // Whole CPUs that the only node has left.
  int64_t NodeCpus() {
    return Quantity::Parse(heartbeat_.node_shapes(0).free().at("cpu")).value().MilliValue() / 1000;
  }
  static Json PodQuota(const char* pods) {
    return Json::array({{{"metadata", {{"namespace", "shop"}, {"name", "small"}}},
                         {"spec", {{"hard", {{"pods", pods}}}}},
                         {"status", {{"used", {{"pods", "1"}}}}}}});
  }

  AgentWorld world_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Subscription> heartbeats_;
  v1::Heartbeat heartbeat_;
  Json quotas_ = Json::array();  // null: the agent may not list them
  int quota_lists_ = 0;
};

TEST_F(CapacityServiceTest, CountsItsNodesAndSaysSo) {
  StartAgent();
  const v1::CapacityAnswer answer = AskForOneCpu();
  EXPECT_EQ(answer.shape(), 7U);
  EXPECT_EQ(answer.replicas(), NodeCpus());
  EXPECT_GT(answer.replicas(), 0);
  EXPECT_EQ(answer.limited_by(), "nodes");
  EXPECT_EQ(world_.Metric("sealane_agent_capacity_answers_total"), 1);
  EXPECT_THAT(Ask("\xff").error(), HasSubstr("malformed"));
  EXPECT_EQ(world_.Metric("sealane_agent_capacity_answers_total"), 1) << "that was no answer";
}

TEST_F(CapacityServiceTest, QuotasBoundTheAnswerAndAreKeptForTenSeconds) {
  quotas_ = PodQuota("3");
  StartAgent();
  EXPECT_EQ(AskForOneCpu().replicas(), 2);
  EXPECT_EQ(AskForOneCpu().limited_by(), "quota shop/small");
  EXPECT_EQ(quota_lists_, 1);
  quotas_ = PodQuota("2");
  EXPECT_EQ(AskForOneCpu().replicas(), 2) << "as listed before";
  world_.sim.RunFor(absl::Seconds(11));
  EXPECT_EQ(AskForOneCpu().replicas(), 1);
  EXPECT_EQ(quota_lists_, 2);
}

TEST_F(CapacityServiceTest, WithoutTheRightToListQuotasNodesCount) {
  quotas_ = Json();
  StartAgent();
  EXPECT_EQ(AskForOneCpu().replicas(), NodeCpus());
  EXPECT_EQ(quota_lists_, 1);
}

TEST_F(CapacityServiceTest, BeforeTheFirstListThereIsNoCount) {
  world_.hang = true;
  world_.StartAgent();
  world_.sim.RunFor(absl::Milliseconds(50));
  const absl::Duration asked = world_.sim.Monotonic();
  v1::CapacityRequest request;
  request.add_questions()->set_shape(1);
  const v1::CapacityReply reply = Ask(request.SerializeAsString());
  EXPECT_THAT(reply.error(), HasSubstr("not been listed"));
  EXPECT_EQ(reply.answers_size(), 0);
  EXPECT_LT(world_.sim.Monotonic() - asked, absl::Milliseconds(500)) << "while somebody waits";
}

// The scheduler service beside it, fed with what the agent says.
class AskedByTheSchedulerTest : public CapacityServiceTest {
 protected:
  void StartScheduler() {
    for (std::string_view name : {kBindingsTable, kClusterStatusTable, kObjectsTable, kEventsLog}) {
      StreamConfig config;
      config.name = std::string(name);
      config.subjects = {StrCat(name, ".>")};
      config.last_per_subject = name != kEventsLog;
      hub_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
    }
    v1::ClusterStatus cluster;
    cluster.set_name("member");
    *cluster.mutable_resource_summary() = heartbeat_.resource_summary();
    *cluster.mutable_api_enablements() = heartbeat_.api_enablements();
    Put(kClusterStatusTable, EncodeToken("member"), cluster.SerializeAsString());
    scheduler::Options options;
    options.elect_leader = false;
    service_bus_ = world_.server.Connect(BusIdentity::Hub(), "scheduler");
    service_ = scheduler::MakeSchedulerService(
        {world_.sim.env(), *service_bus_, registry_, "scheduler", 1}, options);
    service_->Start();
    placements_ = std::make_unique<Table<v1::Placed>>(*hub_, world_.sim.env(), kPlacementsTable);
    placements_->Start([](const std::string&) {}, [] {});
    world_.sim.RunFor(absl::Seconds(1));
  }
  void Put(std::string_view table, const std::string& key, std::string bytes) {
    AppendRequest request;
    request.subject = StrCat(table, ".", key);
    request.payload = std::move(bytes);
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
  }
  // The placement of a Deployment whose replicas want a CPU each, divided by room.
  v1::Placed Place(const std::string& name, int32_t replicas) {
    v1::Binding binding;
    binding.mutable_ref()->set_api_version("apps/v1");
    binding.mutable_ref()->set_kind("Deployment");
    binding.mutable_ref()->set_namespace_("shop");
    binding.mutable_ref()->set_name(name);
    binding.set_uid(name);
    binding.set_revision(1);
    binding.mutable_policy()->set_kind("PropagationPolicy");
    binding.set_replicas(replicas);
    (*binding.mutable_replica_requirements()->mutable_resource_request())["cpu"] = "1";
    v1::ReplicaSchedulingStrategy& rules =
        *binding.mutable_placement()->mutable_replica_scheduling();
    rules.set_replica_scheduling_type("Divided");
    rules.set_replica_division_preference("Weighted");
    rules.mutable_weight_preference()->set_dynamic_weight("AvailableReplicas");
    const std::string key = RowKey(binding.ref());
    Put(kBindingsTable, key, binding.SerializeAsString());
    EXPECT_TRUE(world_.Until([&] { return placements_->Find(key) != nullptr; }));
    return placements_->Find(key) == nullptr ? v1::Placed() : placements_->Find(key)->value;
  }

  Registry registry_;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Table<v1::Placed>> placements_;
};

TEST_F(AskedByTheSchedulerTest, WhatTheAgentCountedDecides) {
  quotas_ = PodQuota("3");
  StartAgent();
  ASSERT_GT(NodeCpus(), 3) << "by the heartbeat alone more would fit";
  StartScheduler();
  const v1::Placed three = Place("three", 3);
  EXPECT_EQ(three.state(), "Unschedulable");
  EXPECT_THAT(three.message(), HasSubstr("room for 2 of 3 replicas"));
  const v1::Placed two = Place("two", 2);
  EXPECT_EQ(two.state(), "Scheduled");
  ASSERT_EQ(two.decisions_size(), 1);
  EXPECT_EQ(two.decisions(0).available_replicas(), 2);
  EXPECT_THAT(two.decisions(0).note(), HasSubstr("agent: quota shop/small"));
  EXPECT_EQ(world_.Metric("sealane_agent_capacity_answers_total"), 1) << "one shape, asked once";
}

}  // namespace
}  // namespace sealane::agent
