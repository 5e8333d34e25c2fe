// The scheduler service on the bus in memory and on virtual time: bindings in, placements out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/service_fixture.h"

namespace sealane::scheduler {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST_F(ServiceTest, BindingsInPlacementsOut) {
  StartService();
  PutCluster(MakeCluster("a"));
  PutCluster(MakeCluster("b"));
  const std::string key = PutBinding(MakeBinding(5, kEven));
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3), Pair("b", 2)));
  EXPECT_EQ(Placed(key)->state(), "Scheduled");
  EXPECT_THAT(Reasons(), ElementsAre("Placed"));
  EXPECT_THAT(events_[0].message(), HasSubstr("Deployment ns/web: a=3, b=2 (first placement)"));
}

TEST_F(ServiceTest, WaitsForAClusterThatFits) {
  StartService();
  const std::string key = PutBinding(MakeBinding(2, kEven));
  Settle();
  EXPECT_EQ(Placed(key)->state(), "NoClusterFit");
  EXPECT_THAT(Reasons(), ElementsAre("Unschedulable"));
  PutCluster(MakeCluster("a"));
  Settle();
  EXPECT_EQ(Placed(key)->state(), "Scheduled");
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 2)));
}

TEST_F(ServiceTest, WaitsForRoomAndTakesItWhenAHeartbeatShowsIt) {
  StartService();
  PutCluster(MakeRoomy("a", 1));
  const std::string key = PutBinding(MakeBinding(2, kDynamic));
  Settle();
  EXPECT_EQ(Placed(key)->state(), "Unschedulable");
  PutCluster(MakeRoomy("a", 2));
  Settle();
  EXPECT_EQ(Placed(key)->state(), "Scheduled");
}

TEST_F(ServiceTest, AHeartbeatTouchesNoPlacedBinding) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  PutCluster(MakeRoomy("b", 100));
  for (int i = 0; i < 50; ++i) PutBinding(MakeBinding(2, kDynamic, StrCat("app", i)));
  Settle();
  const double decided = registry_.AddCounter("sealane_scheduler_unchanged_total", "").Value();
  const int changes = placement_changes_;
  for (int i = 0; i < 20; ++i) {
    PutCluster(MakeRoomy("a", 100 + i));
    Settle();
  }
  EXPECT_EQ(registry_.AddCounter("sealane_scheduler_unchanged_total", "").Value(), decided);
  EXPECT_EQ(placement_changes_, changes);
}

TEST_F(ServiceTest, ARestartPlacesNothingAgain) {
  PutCluster(MakeCluster("a"));
  PutCluster(MakeCluster("b"));
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back(PutBinding(MakeBinding(3, kEven, StrCat("w", i))));
  StartService();
  std::vector<TargetMap> before;
  for (const std::string& key : keys) before.push_back(Targets(key));
  const int changes = placement_changes_;
  StopService();
  sim_.RunFor(absl::Seconds(1));
  StartService();
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(placement_changes_, changes);
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(Targets(keys[i]), before[i]);
}

TEST_F(ServiceTest, ATaintMovesAndLeavesAReason) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  PutCluster(MakeRoomy("b", 10));
  const std::string key = PutBinding(MakeBinding(4, kDynamic));
  Settle();
  EXPECT_EQ(Targets(key).size(), 2u);
  v1::ClusterStatus tainted = MakeRoomy("a", 10);
  tainted.add_taints()->set_key("down");
  tainted.mutable_taints(0)->set_effect("NoExecute");
  PutCluster(tainted);
  Settle();
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("b", 4)));
  EXPECT_THAT(Placed(key)->cause(), HasSubstr("taint {down:NoExecute}"));
  EXPECT_THAT(Reasons(), ElementsAre("Placed", "ClusterFailover", "Moved", "Moved"));
  EXPECT_THAT(events_[3].message(), HasSubstr("the copy in a goes: healthy in b"));
}

TEST_F(ServiceTest, TheRowGoesWithTheBinding) {
  StartService();
  PutCluster(MakeCluster("a"));
  const std::string key = PutBinding(MakeBinding(1, kEven));
  Settle();
  ASSERT_NE(Placed(key), nullptr);
  v1::Binding leaving = MakeBinding(1, kEven);
  leaving.set_deleting(true);
  PutBinding(leaving);
  Settle();
  EXPECT_NE(Placed(key), nullptr) << "stays until the binding's row is gone";
  bindings_.Remove(key);
  Settle();
  EXPECT_EQ(Placed(key), nullptr);
}

TEST_F(ServiceTest, ARowWhoseBindingWentMeanwhileIsRemoved) {
  StartService();
  PutCluster(MakeCluster("a"));
  const std::string key = PutBinding(MakeBinding(1, kEven));
  Settle();
  StopService();
  bindings_.Remove(key);
  sim_.RunFor(absl::Seconds(1));
  StartService();
  EXPECT_EQ(Placed(key), nullptr);
}

TEST_F(ServiceTest, PlacementsInFlightCountAsTakenCapacity) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  PutCluster(MakeRoomy("b", 10));
  std::vector<std::string> keys;
  for (int i = 0; i < 6; ++i) {
    keys.push_back(PutBinding(MakeBinding(4, kAggregatedPlacement, StrCat("w", i))));
  }
  Settle();
  TargetMap used;
  int waiting = 0;
  for (const std::string& key : keys) {
    for (const auto& entry : Targets(key)) used[entry.first] += entry.second;
    if (Placed(key)->state() == "Unschedulable") ++waiting;
  }
  EXPECT_LE(used["a"], 10);
  EXPECT_LE(used["b"], 10);
  EXPECT_EQ(waiting, 1);
  EXPECT_EQ(used["a"] + used["b"], 20);
}

TEST_F(ServiceTest, PriorityGoesFirst) {
  PutCluster(MakeRoomy("a", 4));
  const std::string low = PutBinding(MakeBinding(4, kDynamic, "a-low"));
  v1::Binding urgent = MakeBinding(4, kDynamic, "z-urgent");
  urgent.set_schedule_priority(10);
  const std::string high = PutBinding(urgent);
  StartService();
  EXPECT_EQ(Placed(high)->state(), "Scheduled");
  EXPECT_EQ(Placed(low)->state(), "Unschedulable");
}

TEST_F(ServiceTest, AWorkloadRebalancerDividesAnew) {
  StartService();
  PutCluster(MakeRoomy("a", 100));
  const std::string named = PutBinding(MakeBinding(6, kDynamic, "named"));
  v1::Binding labelled = MakeBinding(6, kDynamic, "labelled");
  (*labelled.mutable_labels())["tier"] = "web";
  const std::string selected = PutBinding(labelled);
  const std::string other = PutBinding(MakeBinding(6, kDynamic, "other"));
  Settle();
  sim_.RunFor(absl::Minutes(2));
  PutCluster(MakeRoomy("b", 100));
  Settle();
  EXPECT_EQ(Targets(named).size(), 1u);
  v1::StoredObject object;
  object.mutable_ref()->set_api_version("apps.karmada.io/v1alpha1");
  object.mutable_ref()->set_kind("WorkloadRebalancer");
  object.mutable_ref()->set_name("again");
  object.set_created_micros(ToMicros(sim_.Now()));
  object.set_manifest(R"({"spec": {"workloads": [
      {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns", "name": "named"},
      {"apiVersion": "apps/v1", "kind": "Deployment",
       "labelSelector": {"matchLabels": {"tier": "web"}}}]}})");
  objects_.Put(RowKey(object.ref()), object);
  Settle();
  EXPECT_EQ(Targets(named).size(), 2u);
  EXPECT_EQ(Targets(selected).size(), 2u);
  EXPECT_EQ(Targets(other).size(), 1u);
}

TEST_F(ServiceTest, ExplainTellsAllReasons) {
  StartService();
  PutCluster(MakeCluster("a"));
  v1::ClusterStatus tainted = MakeCluster("b");
  tainted.add_taints()->set_key("t");
  tainted.mutable_taints(0)->set_effect("NoSchedule");
  PutCluster(tainted);
  PutBinding(MakeBinding(2, kEven));
  Settle();
  v1::QueryRequest request;
  request.set_what("explain");
  request.set_kind("Deployment");
  request.set_namespace_("ns");
  request.set_name("web");
  const v1::QueryReply reply = Ask(request);
  EXPECT_EQ(reply.error(), "");
  std::map<std::string, std::string> told;
  for (const v1::Placed& placed : reply.placements()) {
    for (const v1::ClusterDecision& decision : placed.decisions()) {
      told[decision.cluster()] = decision.reasons().empty() ? decision.note() : decision.reasons(0);
    }
  }
  EXPECT_THAT(told,
              UnorderedElementsAre(Pair("a", "weight 1"),
                                   Pair("b", "TaintToleration: untolerated taint {t:NoSchedule}")));
  EXPECT_THAT(reply.body(), HasSubstr("2 replicas divided evenly"));
  request.set_name("unknown");
  EXPECT_THAT(Ask(request).error(), HasSubstr("no policy claims"));
}

TEST_F(ServiceTest, SimulateChangesNothing) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  PutCluster(MakeRoomy("b", 10));
  const std::string key = PutBinding(MakeBinding(4, kDynamic));
  const std::string large = PutBinding(MakeBinding(12, kDynamic, "z-large"));
  Settle();
  const int changes = placement_changes_;
  v1::QueryRequest request;
  request.set_what("simulate");
  (*request.mutable_options())["drain"] = "a";
  const Json body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["lookedAt"], 2);
  ASSERT_EQ(body["moves"].size(), 2u);
  EXPECT_EQ(body["moves"][0]["after"], (Json{{"b", 4}}));
  EXPECT_EQ(body["moves"][1]["state"], "Unschedulable");
  EXPECT_EQ(body["unscheduled"], 1);
  EXPECT_EQ(placement_changes_, changes);
  EXPECT_EQ(Targets(key).size(), 2u);
  EXPECT_EQ(Targets(large).size(), 2u);
  (*request.mutable_options())["drain"] = "unknown";
  EXPECT_THAT(Ask(request).error(), HasSubstr("cluster unknown is not known"));
}

TEST_F(ServiceTest, SimulateTellsSumsMovesAndWhatDoesNotFit) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  PutCluster(MakeRoomy("b", 10));
  PutCluster(MakeRoomy("idle", 0));
  PutBinding(MakeBinding(4, kDynamic));
  PutBinding(MakeBinding(12, kDynamic, "z-large"));
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  request.set_limit(1);
  (*request.mutable_options())["drain"] = "a";
  const Json body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["changed"], 2);
  EXPECT_EQ(body["shown"], 1);
  ASSERT_EQ(body["moves"].size(), 1u);
  EXPECT_EQ(body["moves"][0]["ref"], (Json{{"apiVersion", "apps/v1"},
                                           {"kind", "Deployment"},
                                           {"namespace", "ns"},
                                           {"name", "web"}}));
  EXPECT_EQ(body["moves"][0]["replicasMoved"], 2);
  ASSERT_EQ(body["notFitting"].size(), 1u) << "told also beyond the limit of moves";
  EXPECT_EQ(body["notFitting"][0]["ref"]["name"], "z-large");
  EXPECT_EQ(body["clusters"]["a"]["objectsBefore"], 2);
  EXPECT_EQ(body["clusters"]["a"]["objectsAfter"], 1) << "what does not fit stays";
  EXPECT_EQ(body["clusters"]["idle"]["replicasAfter"], 0);
}

TEST_F(ServiceTest, SimulateCountsTheRoomThatMovesLeaveBehind) {
  StartService();
  PutCluster(MakeRoomy("a", 6));
  PutBinding(MakeBinding(6, kDynamic, "z-old"));
  Settle();
  sim_.RunFor(absl::Minutes(2));
  v1::ClusterStatus full = MakeRoomy("a", 6);
  (*full.mutable_resource_summary()->mutable_allocated())["pods"] = "6";
  PutCluster(full);
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  v1::QueryReply changed;
  v1::Binding leaving = MakeBinding(6, kDynamic, "z-old");
  leaving.set_deleting(true);
  *changed.add_bindings() = leaving;
  *changed.add_bindings() = MakeBinding(6, kDynamic, "a-new");
  request.set_body(changed.SerializeAsString());
  const Json body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["unscheduled"], 0) << body.dump();
  ASSERT_EQ(body["moves"].size(), 2u);
  EXPECT_EQ(body["moves"][0]["after"], (Json{{"a", 6}}));
  EXPECT_EQ(body["moves"][1]["after"], Json::object());
}

TEST_F(ServiceTest, SimulateKeepsWorkloadsApart) {
  StartService();
  for (const char* name : {"a", "b", "c"}) PutCluster(MakeRoomy(name, 50));
  for (int i = 0; i < 2; ++i) {
    v1::Binding binding = MakeBinding(
        1, R"({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
               "workloadAffinity": {"antiAffinity": {"groupByLabelKey": "app"}},
               "replicaScheduling": {"replicaSchedulingType": "Duplicated"}})",
        StrCat("db", i));
    (*binding.mutable_labels())["app"] = "db";
    PutBinding(binding);
  }
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  (*request.mutable_options())["fail"] = "a,b";
  const Json body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["clusters"]["c"]["objectsAfter"], 1) << body.dump();
  EXPECT_EQ(body["unscheduled"], 1);
}

TEST_F(ServiceTest, DrainingMovesWhatToleratesForATimeOnly) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  v1::Binding binding = MakeBinding(1, kDynamic);
  v1::Toleration* toleration = binding.mutable_placement()->add_cluster_tolerations();
  toleration->set_operator_("Exists");
  toleration->set_toleration_seconds(300);
  PutBinding(binding);
  Settle();
  PutCluster(MakeRoomy("b", 10));
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  (*request.mutable_options())["drain"] = "a";
  const Json body = Json::parse(Ask(request).body());
  ASSERT_EQ(body["moves"].size(), 1u);
  EXPECT_EQ(body["moves"][0]["after"], (Json{{"b", 1}}));
}

TEST_F(ServiceTest, DrainingMovesWhatToleratesEverythingForEver) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  v1::Binding binding = MakeBinding(1, kDynamic);
  binding.mutable_placement()->add_cluster_tolerations()->set_operator_("Exists");
  PutBinding(binding);
  Settle();
  PutCluster(MakeRoomy("b", 10));
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  (*request.mutable_options())["drain"] = "a";
  const Json body = Json::parse(Ask(request).body());
  ASSERT_EQ(body["moves"].size(), 1u);
  EXPECT_EQ(body["moves"][0]["after"], (Json{{"b", 1}}));
  EXPECT_THAT(body["moves"][0]["cause"].get<std::string>(), HasSubstr("the cluster is drained"));
}

TEST_F(ServiceTest, SimulateListsApartWhatDidNotFitBefore) {
  StartService();
  PutCluster(MakeRoomy("a", 10));
  PutCluster(MakeRoomy("b", 10));
  PutBinding(MakeBinding(2, kDynamic));
  PutBinding(MakeBinding(50, kDynamic, "too-large"));
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  (*request.mutable_options())["drain"] = "a";
  Json body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["unscheduled"], 0) << body.dump();
  EXPECT_EQ(body["unscheduledBefore"], 1);
  EXPECT_EQ(body["changed"], 2);
  EXPECT_TRUE(body["notFitting"].empty());
  ASSERT_EQ(body["unfitBefore"].size(), 1u);
  EXPECT_EQ(body["unfitBefore"][0]["ref"]["name"], "too-large");
  // What is asked about itself counts.
  v1::QueryReply added;
  *added.add_bindings() = MakeBinding(60, kDynamic, "too-large");
  request.set_body(added.SerializeAsString());
  body = Json::parse(Ask(request).body());
  EXPECT_EQ(body["unscheduled"], 1);
  EXPECT_EQ(body["unscheduledBefore"], 0);
}

TEST_F(ServiceTest, ExplainTellsOfTheClustersOfOtherGroupsToo) {
  StartService();
  PutCluster(MakeRoomy("far", 20));
  PutCluster(MakeRoomy("near", 3));
  PutBinding(MakeBinding(5, R"({"clusterAffinities": [
      {"affinityName": "home", "clusterNames": ["near"]},
      {"affinityName": "abroad", "clusterNames": ["far"]}],
      "replicaScheduling": {"replicaSchedulingType": "Divided",
                            "replicaDivisionPreference": "Aggregated"}})"));
  Settle();
  v1::QueryRequest request;
  request.set_what("explain");
  request.set_name("web");
  std::map<std::string, std::map<std::string, std::string>> told;  // group, cluster
  const v1::QueryReply reply = Ask(request);
  for (const v1::Placed& part : reply.placements()) {
    if (part.affinity_name() == "home") {
      EXPECT_EQ(part.state(), "Unschedulable");
      EXPECT_THAT(part.message(), HasSubstr("room for 3 of 5 replicas"));
    }
    for (const v1::ClusterDecision& decision : part.decisions()) {
      told[part.affinity_name()][decision.cluster()] =
          decision.reasons().empty() ? decision.note() : decision.reasons(0);
    }
  }
  EXPECT_EQ(told.size(), 2u);
  EXPECT_THAT(told[""]["far"], HasSubstr("kept"));
  EXPECT_THAT(told["home"]["near"], HasSubstr("room for 3 more"));
  EXPECT_THAT(told["home"]["far"], HasSubstr("ClusterAffinity: group home: not among"));
}

TEST_F(ServiceTest, SimulateAClusterThatJoins) {
  StartService();
  PutCluster(MakeCluster("a"));
  PutBinding(MakeBinding(4, kEven));
  Settle();
  v1::QueryRequest request;
  request.set_what("simulate");
  v1::QueryReply added;
  *added.add_clusters() = MakeCluster("b");
  *added.add_bindings() = MakeBinding(3, kDuplicatedPlacement, "new");
  request.set_body(added.SerializeAsString());
  const Json body = Json::parse(Ask(request).body());
  ASSERT_EQ(body["moves"].size(), 2u);
  EXPECT_EQ(body["moves"][0]["object"], "Deployment ns/new");
  EXPECT_EQ(body["moves"][1]["after"], (Json{{"a", 2}, {"b", 2}}));
  EXPECT_EQ(body["replicasAfter"], (Json{{"a", 5}, {"b", 5}}));
}

TEST_F(ServiceTest, AStandbyTakesOver) {
  PutCluster(MakeCluster("a"));
  auto first_bus = server_.Connect(BusIdentity::Hub());
  auto second_bus = server_.Connect(BusIdentity::Hub());
  Registry first_registry;
  Registry second_registry;
  auto first = MakeSchedulerService({sim_.env(), *first_bus, first_registry, "one"}, Options());
  auto second = MakeSchedulerService({sim_.env(), *second_bus, second_registry, "two"}, Options());
  first->Start();
  sim_.RunFor(absl::Seconds(10));
  second->Start();
  const std::string key = PutBinding(MakeBinding(2, kEven));
  sim_.RunFor(absl::Seconds(5));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 2)));
  first.reset();
  first_bus.reset();
  v1::Binding changed = MakeBinding(3, kEven);
  changed.set_revision(2);
  PutBinding(changed);
  sim_.RunFor(absl::Seconds(15));
  EXPECT_THAT(Targets(key), UnorderedElementsAre(Pair("a", 3)));
}

}  // namespace
}  // namespace sealane::scheduler
