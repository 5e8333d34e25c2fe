// Agents count what fits; the service asks them, waits a moment, and never for long.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/bus/table.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/capacity.pb.h"
#include "services/scheduler/assumed.h"
#include "services/scheduler/capacity_asker.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/scheduler_service.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(EstimateTest, TheSmallerOfHeartbeatAndAgentHolds) {
  const Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 10), MakeRoomy("b", 10)});
  const v1::Binding binding = MakeBinding(6, kDynamic);
  const Request request(binding);
  const Previous previous;
  AccurateAnswers answers;
  answers["a"] = {2, absl::Seconds(10), "nodes"};
  answers["b"] = {50, absl::Seconds(10), "nodes"};
  ScheduleInput input{request, snapshot, previous};
  input.accurate = &answers;
  input.accurate_now = absl::Seconds(5);
  ScheduleResult result = Schedule(input);
  EXPECT_EQ(result.verdicts[0].allocatable, 2);
  EXPECT_EQ(result.verdicts[1].allocatable, 10);
  EXPECT_THAT(ToMap(result.targets), UnorderedElementsAre(Pair("a", 1), Pair("b", 5)));
  EXPECT_TRUE(result.unknown_capacity.empty());
  // An answer that is too old counts no more.
  input.accurate_now = absl::Seconds(10);
  result = Schedule(input);
  EXPECT_EQ(result.verdicts[0].allocatable, 10);
  EXPECT_EQ(result.unknown_capacity, (std::vector<std::string>{"a", "b"}));
}

TEST(EstimateTest, AClusterThatIsSilentKeepsWhatItHasAndIsGivenNoMore) {
  v1::Binding binding = MakeBinding(2, kDynamic);
  Snapshot snapshot = MakeSnapshot({MakeRoomy("a", 10), MakeRoomy("b", 10)});
  v1::Placed placed = PlanPlacement({binding, nullptr, snapshot}).row;
  ASSERT_THAT(ToMap(placed), UnorderedElementsAre(Pair("a", 1), Pair("b", 1)));
  v1::ClusterStatus silent = MakeRoomy("a", 10);
  silent.add_taints()->set_key("cluster.karmada.io/unreachable");
  silent.mutable_taints(0)->set_effect("NoSchedule");
  silent.mutable_taints(0)->set_source("condition");
  snapshot.Set(silent);
  binding.set_replicas(6);
  const Plan plan = PlanPlacement({binding, &placed, snapshot});
  EXPECT_THAT(ToMap(plan.row), UnorderedElementsAre(Pair("a", 1), Pair("b", 5)));
  binding.set_replicas(20);
  EXPECT_EQ(PlanPlacement({binding, &placed, snapshot}).outcome, Outcome::kUnschedulable);
}

TEST(EstimateTest, WhatOthersWereGivenIsTakenFromTheAgentsCount) {
  v1::Binding binding = MakeBinding(2, kDynamic);
  (*binding.mutable_replica_requirements()->mutable_resource_request())["cpu"] = "2";
  const Request request(binding);
  AssumedLoad assumed;
  EXPECT_EQ(LeftOf(5, request, nullptr), 5);
  AddLoad(assumed, {{"cpu", 1, 500}}, 6);  // 3 CPU: as much as two of ours
  EXPECT_EQ(LeftOf(5, request, &assumed), 3);
  EXPECT_EQ(LeftOf(1, request, &assumed), 0);
}

TEST(AssumedTest, PromisesAreTakenBack) {
  AssumedCapacity assumed(absl::Minutes(1));
  const AssumedLoad cpu = {1, {{"cpu", 1, 1000}}};
  assumed.Promise("x", "a", cpu, 5, absl::ZeroDuration());
  assumed.Promise("x", "a", cpu, -2, absl::ZeroDuration());
  EXPECT_EQ(assumed.loads().at("a").pods, 3);
  assumed.Promise("x", "a", cpu, -3, absl::ZeroDuration());
  EXPECT_TRUE(assumed.loads().empty());
  assumed.Promise("x", "a", cpu, -1, absl::ZeroDuration());
  EXPECT_EQ(assumed.size(), 0u);
}

TEST(AssumedTest, PromisesLastWhereNothingWouldShowTheReplicas) {
  AssumedCapacity assumed(absl::Minutes(1));
  const AssumedLoad cpu = {1, {{"cpu", 1, 1000}}};
  assumed.Promise("x", "silent", cpu, 5, absl::ZeroDuration());
  assumed.Promise("x", "well", cpu, 5, absl::ZeroDuration());
  const auto in_touch = [](const std::string& cluster) { return cluster == "well"; };
  EXPECT_FALSE(assumed.Expire(absl::Seconds(59), in_touch));
  EXPECT_TRUE(assumed.Expire(absl::Seconds(61), in_touch));
  EXPECT_EQ(assumed.loads().count("well"), 0u);
  EXPECT_EQ(assumed.loads().at("silent").pods, 5);
  const auto all = [](const std::string&) { return true; };
  EXPECT_FALSE(assumed.Expire(absl::Seconds(100), all)) << "it has only just spoken";
  EXPECT_TRUE(assumed.Expire(absl::Seconds(122), all));
  EXPECT_TRUE(assumed.loads().empty());
}

class CapacityTest : public ::testing::Test {
 protected:
  CapacityTest()
      : sim_(5),
        server_(sim_.env()),
        bus_(server_.Connect(BusIdentity::Hub())),
        bindings_(*bus_, sim_.env(), kBindingsTable),
        clusters_(*bus_, sim_.env(), kClusterStatusTable),
        placements_(*bus_, sim_.env(), kPlacementsTable) {
    for (std::string_view name : {kBindingsTable, kClusterStatusTable, kObjectsTable, kEventsLog}) {
      StreamConfig config;
      config.name = std::string(name);
      config.subjects = {StrCat(name, ".>")};
      config.last_per_subject = name != kEventsLog;
      bus_->EnsureStream(config, [](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
    }
    const auto nothing = [](const std::string&) {};
    bindings_.Start(nothing, [] {});
    clusters_.Start(nothing, [] {});
    placements_.Start(nothing, [] {});
    StartService();
  }

  void StartService() {
    service_bus_ = server_.Connect(BusIdentity::Hub());
    Options options;
    options.elect_leader = false;
    service_ = MakeSchedulerService({sim_.env(), *service_bus_, registry_, "one"}, options);
    service_->Start();
    sim_.RunFor(absl::Milliseconds(50));
  }

  // An agent that says so many fit, whatever the shape; negative: it never answers.
  void AddAgent(const std::string& cluster, int64_t fits) {
    auto& agent = agents_[cluster];
    agent.fits = fits;
    if (agent.bus != nullptr) return;
    agent.bus = server_.Connect(BusIdentity::Cluster(cluster));
    agent.subscription =
        agent.bus->Subscribe("ctl.capacity", [this, cluster](const BusMessage& message) {
          Agent& self = agents_[cluster];
          v1::CapacityRequest request;
          ASSERT_TRUE(request.ParseFromString(message.payload));
          ++self.requests;
          self.questions += request.questions_size();
          if (self.fits < 0) return;
          v1::CapacityReply reply;
          for (const v1::CapacityQuestion& question : request.questions()) {
            EXPECT_EQ(question.requirements().namespace_(), "ns");
            v1::CapacityAnswer* answer = reply.add_answers();
            answer->set_shape(question.shape());
            answer->set_replicas(self.lies ? -self.fits : self.fits);
            if (self.lies) answer->set_limited_by(std::string(100'000, 'x'));
          }
          if (self.lies) {
            for (uint64_t shape = 0; shape < 1000; ++shape) reply.add_answers()->set_shape(shape);
          }
          EXPECT_TRUE(self.bus->Publish(message.reply, reply.SerializeAsString()).ok());
        });
  }

  std::string Put(const v1::Binding& binding) {
    bindings_.Put(RowKey(binding.ref()), binding);
    return RowKey(binding.ref());
  }
  void PutCluster(const v1::ClusterStatus& cluster) {
    clusters_.Put(EncodeToken(cluster.name()), cluster);
  }
  TargetMap Targets(const std::string& key) {
    const Row<v1::Placed>* row = placements_.Find(key);
    return row == nullptr ? TargetMap{{"none", -1}} : ToMap(row->value);
  }

  struct Agent {
    std::unique_ptr<Bus> bus;
    std::unique_ptr<Subscription> subscription;
    int64_t fits = 0;
    bool lies = false;  // answers what was not asked, and with nonsense
    int requests = 0;
    int questions = 0;
  };
  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> bus_;
  Table<v1::Binding> bindings_;
  Table<v1::ClusterStatus> clusters_;
  Table<v1::Placed> placements_;
  Registry registry_;
  std::map<std::string, Agent> agents_;
  std::unique_ptr<Bus> service_bus_;
  std::unique_ptr<Service> service_;
};

TEST_F(CapacityTest, WhoWaitsForAgentsKeepsItsPlaceBeforeLowerPriorities) {
  v1::ClusterStatus cluster = MakeRoomy("a", 10);
  (*cluster.mutable_resource_summary()->mutable_allocatable())["cpu"] = "100";
  PutCluster(cluster);
  AddAgent("a", 50);
  const auto make = [](const char* name, const char* cpu, int replicas, int priority) {
    v1::Binding binding = MakeBinding(replicas, kDynamic, name);
    (*binding.mutable_replica_requirements()->mutable_resource_request())["cpu"] = cpu;
    binding.set_schedule_priority(priority);
    return binding;
  };
  const std::string known = Put(make("known", "1", 1, 0));
  sim_.RunFor(absl::Seconds(2));
  EXPECT_THAT(Targets(known), UnorderedElementsAre(Pair("a", 1)));
  AddAgent("a", -1);  // silent from now on
  // What is asked of the low one is known: it need not wait.
  const std::string high = Put(make("high", "2", 6, 10));
  const std::string low = Put(make("low", "1", 6, 0));
  sim_.RunFor(absl::Seconds(2));
  EXPECT_THAT(Targets(high), UnorderedElementsAre(Pair("a", 6)));
  EXPECT_EQ(Targets(low).count("a"), 0u);
}

TEST_F(CapacityTest, TheAgentsCountBoundsTheHeartbeatsSums) {
  AddAgent("a", 1);
  AddAgent("b", 30);
  PutCluster(MakeRoomy("a", 20));
  PutCluster(MakeRoomy("b", 20));
  sim_.RunFor(absl::Milliseconds(50));
  const std::string key = Put(MakeBinding(12, kAggregatedPlacement));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("b", 12)));
  EXPECT_EQ(agents_["a"].requests, 1);
}

TEST_F(CapacityTest, AnAgentsWordCountsOnlyForWhatItWasAsked) {
  AddAgent("a", 5);
  agents_["a"].lies = true;
  CapacityAsker asker(sim_.env(), *bus_, CapacityAskerOptions(), [](const std::string&) {});
  const v1::Binding binding = MakeBinding(12, kDynamic);
  const uint64_t shape = CapacityAsker::ShapeOf(binding);
  EXPECT_TRUE(asker.Ask("key", binding, {"a"}));
  sim_.RunFor(absl::Milliseconds(300));
  ASSERT_EQ(asker.Answers(shape).count("a"), 1u);
  EXPECT_EQ(asker.Answers(shape).at("a").replicas, 0);
  EXPECT_LT(asker.Answers(shape).at("a").limited_by.size(), 1000U);
  EXPECT_EQ(asker.stats().answers, 1U);
  EXPECT_EQ(asker.Answers(7).count("a"), 0u);
}

TEST_F(CapacityTest, ManyBindingsAskInOneMessageAndOnceForEachShape) {
  AddAgent("a", 1000);
  PutCluster(MakeRoomy("a", 1000));
  sim_.RunFor(absl::Milliseconds(50));
  for (int i = 0; i < 60; ++i) {
    v1::Binding binding = MakeBinding(2, kDynamic, StrCat("app", i));
    (*binding.mutable_replica_requirements()->mutable_resource_request())["pods"] =
        StrCat(1 + i % 3);
    Put(binding);
  }
  sim_.RunFor(absl::Milliseconds(400));
  EXPECT_EQ(agents_["a"].questions, 3) << "answers are kept";
  EXPECT_LE(agents_["a"].requests, 2);
}

TEST_F(CapacityTest, ASilentAgentDelaysOneDecisionAndNoOther) {
  AddAgent("silent", -1);
  PutCluster(MakeRoomy("silent", 10));
  PutCluster(MakeRoomy("no-agent", 10));
  sim_.RunFor(absl::Milliseconds(50));
  const std::string first = Put(MakeBinding(4, kDynamic, "first"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(Targets(first).count("none"), 1u) << "it waits";
  sim_.RunFor(absl::Milliseconds(400));
  EXPECT_THAT(Targets(first), UnorderedElementsAre(Pair("no-agent", 2), Pair("silent", 2)));
  v1::Binding second = MakeBinding(4, kDynamic, "second");
  (*second.mutable_replica_requirements()->mutable_resource_request())["pods"] = "1";
  const std::string key = Put(second);
  sim_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(Targets(key).count("none"), 0u) << "nobody waits for a silent agent again";
}

TEST_F(CapacityTest, AnotherHeartbeatMakesTheAnswerOld) {
  AddAgent("a", 5);
  PutCluster(MakeRoomy("a", 50));
  sim_.RunFor(absl::Milliseconds(50));
  Put(MakeBinding(2, kDynamic, "first"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(agents_["a"].questions, 1);
  Put(MakeBinding(1, kDynamic, "second"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(agents_["a"].questions, 1) << "the answer is known";
  PutCluster(MakeRoomy("a", 51));
  sim_.RunFor(absl::Milliseconds(50));
  Put(MakeBinding(1, kDynamic, "third"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(agents_["a"].questions, 2);
}

TEST_F(CapacityTest, AHeartbeatThatShowsTheSameCapacityKeepsTheAnswer) {
  AddAgent("a", 5);
  v1::ClusterStatus cluster = MakeRoomy("a", 50);
  PutCluster(cluster);
  sim_.RunFor(absl::Milliseconds(50));
  Put(MakeBinding(2, kDynamic, "first"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(agents_["a"].questions, 1);
  cluster.set_last_heartbeat_micros(7);
  cluster.add_conditions()->set_type("DiskPressure");
  PutCluster(cluster);
  sim_.RunFor(absl::Milliseconds(50));
  Put(MakeBinding(1, kDynamic, "second"));
  sim_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(agents_["a"].questions, 1);
}

TEST_F(CapacityTest, StaticWeightsAskNobody) {
  AddAgent("a", 0);
  PutCluster(MakeRoomy("a", 50));
  sim_.RunFor(absl::Milliseconds(50));
  const std::string key = Put(MakeBinding(2, kEven));
  sim_.RunFor(absl::Milliseconds(100));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 2)));
  EXPECT_EQ(agents_["a"].requests, 0);
}

TEST_F(CapacityTest, DecisionsOfOneMomentKeepAntiAffineWorkloadsApart) {
  for (const char* name : {"a", "b", "c"}) PutCluster(MakeRoomy(name, 50));
  sim_.RunFor(absl::Milliseconds(50));
  std::vector<std::string> keys;
  for (int i = 0; i < 3; ++i) {
    v1::Binding binding = MakeBinding(
        1, R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
               "workloadAffinity": {"antiAffinity": {"groupByLabelKey": "app"}},
               "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})",
        StrCat("db", i));
    (*binding.mutable_labels())["app"] = "db";
    keys.push_back(Put(binding));
  }
  sim_.RunFor(absl::Seconds(1));
  std::set<std::string> used;
  for (const std::string& key : keys) {
    ASSERT_EQ(Targets(key).size(), 1u);
    used.insert(Targets(key).begin()->first);
  }
  EXPECT_EQ(used.size(), 3u);
}

TEST_F(CapacityTest, ANewProcessCountsWhatWasGivenAMomentAgo) {
  PutCluster(MakeRoomy("a", 10));
  sim_.RunFor(absl::Milliseconds(50));
  Put(MakeBinding(7, kDynamic, "first"));
  sim_.RunFor(absl::Seconds(1));
  service_.reset();
  service_bus_.reset();
  sim_.RunFor(absl::Seconds(1));
  StartService();
  const std::string second = Put(MakeBinding(7, kDynamic, "second"));
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(placements_.Find(second)->value.state(), "Unschedulable");
}

}  // namespace
}  // namespace sealane::scheduler
