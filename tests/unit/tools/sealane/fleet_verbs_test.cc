// suspend, resume, rebalance, describe, top, events, get --watch.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/unit/tools/sealane/command_fixture.h"
#include "tools/sealane/suspension.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FleetVerbTest : public CommandTest {
 protected:
  void Claim() {
    AddApp("Healthy");
    v1::ObjectRef& policy = *script_.replies["bindings"].add_bindings()->mutable_policy();
    policy.set_api_version("policy.karmada.io/v1alpha1");
    policy.set_kind("PropagationPolicy");
    policy.set_namespace_("shop");
    policy.set_name("rules");
  }
  void SetPolicy(std::string_view spec) {
    v1::QueryReply& reply = script_.replies["policy objects"];
    reply.Clear();
    v1::StoredObject& object = *reply.add_objects();
    object.mutable_ref()->set_kind("PropagationPolicy");
    object.mutable_ref()->set_namespace_("shop");
    object.mutable_ref()->set_name("rules");
    object.set_manifest(StrCat(R"({"kind":"PropagationPolicy","spec":)", spec, "}"));
    reply.add_revisions(42);
  }
  // The spec that was published last, as text.
  std::string Sent() {
    if (script_.events.empty()) return "nothing";
    const v1::DeployEvent& event = script_.events.back();
    EXPECT_EQ(event.publisher(), "amy");
    EXPECT_EQ(event.operations(0).precondition().expected_revision(), 42U);
    return Json::parse(event.operations(0).manifest())["spec"].dump();
  }
  v1::ClusterStatus& AddCluster(std::string_view name, std::string_view cpu_used) {
    v1::ClusterStatus& cluster = *script_.replies["clusters"].add_clusters();
    cluster.set_name(std::string(name));
    auto& summary = *cluster.mutable_resource_summary();
    (*summary.mutable_allocatable())["cpu"] = "8";
    (*summary.mutable_allocated())["cpu"] = std::string(cpu_used);
    v1::Condition& ready = *cluster.add_conditions();
    ready.set_type("Ready");
    ready.set_status("True");
    return cluster;
  }
};

// --- suspend, resume -----------------------------------------------------------------------------

TEST_F(FleetVerbTest, SuspendChangesThePolicyThatClaims) {
  Claim();
  SetPolicy(R"({"priority":3})");
  EXPECT_EQ(Run({"suspend", "deployment/web"}), kOk);
  EXPECT_EQ(Sent(), R"({"priority":3,"suspension":{"dispatching":true}})");
  EXPECT_THAT(out_.str(), HasSubstr("PropagationPolicy shop/rules suspended everywhere"));
  EXPECT_EQ(script_.queries.back().second.name(), "rules");

  SetPolicy(R"({"suspension":{"dispatching":true}})");
  script_.events.clear();
  EXPECT_EQ(Run({"suspend", "web"}), kOk);
  EXPECT_EQ(Sent(), "nothing");
  EXPECT_THAT(out_.str(), HasSubstr("nothing to do"));
  EXPECT_EQ(Run({"suspend", "web", "--cluster", "a"}), kUsage);
  EXPECT_EQ(Run({"resume", "web", "--cluster", "a"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("suspended everywhere"));
  EXPECT_EQ(Run({"resume", "web"}), kOk);
  EXPECT_EQ(Sent(), "{}");
}

TEST_F(FleetVerbTest, APolicyMayBeNamedItself) {
  SetPolicy("{}");
  EXPECT_EQ(
      Run({"suspend", "propagationpolicy/rules", "-n", "shop", "--cluster", "b", "--cluster", "a"}),
      kOk);
  EXPECT_EQ(Sent(), R"({"suspension":{"dispatchingOnClusters":{"clusterNames":["a","b"]}}})");
  EXPECT_EQ(Run({"suspend", "clusterpropagationpolicy/rules"}), kRefused) << "is of another kind";
}

TEST_F(FleetVerbTest, WhatNoPolicyClaimsCannotBeSuspended) {
  AddApp("Pending");
  EXPECT_EQ(Run({"suspend", "web"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("no policy claims Deployment shop/web"));
  EXPECT_EQ(Run({"suspend"}), kUsage);
}

TEST(SuspensionTest, ClustersComeAndGo) {
  Json policy = Json::parse(
      R"({"spec":{"suspension":{"dispatchingOnClusters":{"clusterNames":["a","b"]}}}})");
  EXPECT_EQ(*Suspend({"b"}, policy), false);
  EXPECT_EQ(*Resume({"c"}, policy), false);
  EXPECT_EQ(*Resume({"a"}, policy), true);
  EXPECT_EQ(policy.dump(),
            R"({"spec":{"suspension":{"dispatchingOnClusters":{"clusterNames":["b"]}}}})");
  EXPECT_EQ(*Resume({"b"}, policy), true);
  EXPECT_EQ(policy.dump(), R"({"spec":{}})");
  EXPECT_EQ(*Resume({}, policy), false);
  EXPECT_EQ(*Suspend({"a"}, policy), true);
  EXPECT_EQ(*Suspend({}, policy), true);
  EXPECT_EQ(policy.dump(), R"({"spec":{"suspension":{"dispatching":true}}})")
      << "admission takes one of the two";
}

// --- rebalance -----------------------------------------------------------------------------------

TEST_F(FleetVerbTest, RebalanceAsksAndTakesTheRequestAwayAgain) {
  AddApp("Healthy");
  v1::Event other;
  other.set_service("scheduler");
  other.set_reason("Moved");
  v1::Event answer = other;
  answer.set_reason("Rebalanced");
  answer.set_message("objects divided anew: 1");
  answer.mutable_ref()->set_kind("WorkloadRebalancer");
  answer.mutable_ref()->set_name("sealane-event-1");
  script_.messages = {other.SerializeAsString(), answer.SerializeAsString()};
  EXPECT_EQ(Run({"rebalance", "deployment/web"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("objects divided anew: 1"));
  ASSERT_EQ(script_.events.size(), 2U);
  EXPECT_EQ(script_.events[0].publisher(), "amy");
  const Json request = Json::parse(script_.events[0].operations(0).manifest());
  EXPECT_EQ(request["spec"]["workloads"].dump(),
            R"([{"apiVersion":"apps/v1","kind":"Deployment","name":"web","namespace":"shop"}])");
  EXPECT_EQ(script_.events[1].operations(0).type(), v1::Operation::DELETE);

  answer.set_reason("RebalancedInPart");
  script_.messages = {answer.SerializeAsString()};
  EXPECT_EQ(Run({"rebalance", "web"}), kRefused);
}

TEST_F(FleetVerbTest, RebalanceByLabelsNamesWorkloadsOnly) {
  AddApp("Healthy");
  AddApp("Healthy").mutable_ref()->set_kind("ConfigMap");
  EXPECT_EQ(Run({"rebalance", "-l", "app=web"}), kUnreachable) << "the scheduler says nothing";
  EXPECT_THAT(err_.str(), HasSubstr("sealane-scheduler has not taken it"));
  ASSERT_EQ(script_.events.size(), 1U) << "the request stays";
  EXPECT_EQ(script_.queries[0].second.label_selector(), "app=web");
  const Json request = Json::parse(script_.events[0].operations(0).manifest());
  EXPECT_EQ(request["spec"]["workloads"].size(), 1U);
  EXPECT_EQ(Run({"rebalance"}), kUsage);
  EXPECT_EQ(Run({"rebalance", "web", "-l", "a=b"}), kUsage);
}

// --- describe, top -------------------------------------------------------------------------------

TEST_F(FleetVerbTest, DescribeTellsOfPublishersRevisionsAndEvents) {
  AddApp("Healthy");
  v1::QueryReply& history = script_.replies["history"];
  for (int i = 1; i <= 7; ++i) {
    v1::StoredObject& object = *history.add_objects();
    *object.mutable_ref() = script_.replies["apps"].apps(0).ref();
    object.set_generation(i);
    object.set_publisher(StrCat("ci/", i));
    object.set_manifest(StrCat(R"({"metadata":{"labels":{"app":"web"}},"x":)", i, "}"));
    history.add_revisions(i == 7 ? 70 : 0);
  }
  for (int i = 0; i < 12; ++i) {
    script_.replies["events"].add_events()->set_message(StrCat("number ", i, "."));
  }
  EXPECT_EQ(Run({"describe", "deployment/web"}), kOk);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("phase       Healthy"), HasSubstr(" by ci/7"),
                    HasSubstr("labels      app=web"), HasSubstr("ci/3"), Not(HasSubstr("ci/2")),
                    HasSubstr("number 11."), HasSubstr("number 2."), Not(HasSubstr("number 1."))));
  EXPECT_EQ(Run({"describe", "nothing"}), kRefused);
  EXPECT_EQ(Run({"describe"}), kUsage);
}

TEST_F(FleetVerbTest, DescribeACluster) {
  v1::ClusterStatus& cluster = AddCluster("aws", "2");
  cluster.set_region("us-east-1");
  (*cluster.mutable_labels())["tier"] = "gold";
  (*cluster.mutable_resource_summary()->mutable_allocating())["cpu"] = "500m";
  script_.replies["cluster_progress"].set_body(R"({"placed": 5, "applied": 4, "healthy": 3})");
  script_.replies["events"].add_events()->set_reason("ClusterReady");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"describe", "cluster/aws"}, {"describe", "cluster", "aws"}}) {
    EXPECT_EQ(Run(words), kOk);
    EXPECT_THAT(out_.str(),
                AllOf(HasSubstr("Cluster aws\n"), HasSubstr("region      us-east-1\n"),
                      HasSubstr("labels      tier=gold\n"),
                      HasSubstr("objects     5 placed, 4 applied, 3 healthy\n"),
                      HasSubstr("cpu       8            2          500m     5500m  25%\n"),
                      HasSubstr("ClusterReady")));
  }
  script_.replies["clusters"].Clear();
  EXPECT_EQ(Run({"describe", "cluster/nowhere"}), kRefused);
}

TEST_F(FleetVerbTest, TopShowsTheFullestFirst) {
  AddCluster("a", "2");
  AddCluster("b", "6");
  AddCluster("c", "6");
  script_.replies["clusters"].add_clusters()->set_name("silent");
  EXPECT_EQ(Run({"top", "clusters"}), kOk);
  EXPECT_EQ(out_.str(),
            "CLUSTER  STATE    NODES  CPU  CPU%  MEMORY  MEMORY%  PODS  PODS%\n"
            "b        Ready    0/0    6/8  75%   -       -        -     -\n"
            "c        Ready    0/0    6/8  75%   -       -        -     -\n"
            "a        Ready    0/0    2/8  25%   -       -        -     -\n"
            "silent   Unknown  0/0    -    -     -       -        -     -\n");
  EXPECT_EQ(Run({"top", "clusters", "--sort", "name"}), kOk);
  EXPECT_LT(out_.str().find("\na "), out_.str().find("\nb "));
  EXPECT_EQ(Run({"top", "clusters", "--sort", "size"}), kUsage);
  EXPECT_EQ(Run({"top"}), kUsage);
}

// --- events --------------------------------------------------------------------------------------

TEST_F(FleetVerbTest, EventsPassTheirFiltersOnAndApplyThemToNews) {
  v1::Event event;
  event.set_id("1");
  event.set_type("Warning");
  event.set_service("scheduler");
  event.set_reason("Moved");
  event.set_time_micros(1'700'000'000'000'000);
  event.mutable_ref()->set_kind("Deployment");
  event.mutable_ref()->set_name("web");
  v1::Event other = event;
  other.set_id("2");
  other.mutable_ref()->set_kind("ConfigMap");
  v1::Event old = event;
  old.set_id("3");
  old.set_time_micros(1'700'000'000'000'000 - 3'601'000'000);
  v1::Event normal = event;
  normal.set_id("4");
  normal.set_type("Normal");
  script_.messages = {other.SerializeAsString(), old.SerializeAsString(),
                      normal.SerializeAsString(), event.SerializeAsString()};
  Run({"events", "deployment/web", "--since", "1h", "--reason", "Moved", "--service", "scheduler",
       "--warnings", "--limit", "5", "--follow", "-o", "json"});
  EXPECT_EQ(Json::parse(out_.str())["id"], "1") << out_.str();
  const v1::QueryRequest& request = script_.queries.at(0).second;
  EXPECT_EQ(request.limit(), 5U);
  EXPECT_EQ(request.options().at("reason"), "Moved");
  EXPECT_EQ(request.options().at("service"), "scheduler");
  EXPECT_EQ(request.options().at("since_micros"), StrCat(1'700'000'000'000'000 - 3'600'000'000));
  EXPECT_EQ(Run({"events", "--limit", "many"}), kUsage);
  EXPECT_EQ(Run({"events", "--since", "long"}), kUsage);
}

// --- get -----------------------------------------------------------------------------------------

TEST_F(FleetVerbTest, ListsAskForNoMoreThanTheyShow) {
  AddApp("Healthy");
  Run({"get", "apps"});
  EXPECT_EQ(script_.queries.back().second.options().at("detail"), "brief");
  Run({"get", "apps", "-o", "json"});
  EXPECT_TRUE(script_.queries.back().second.options().empty()) << "data is whole";
}

TEST_F(FleetVerbTest, WatchingAppsTellsWhatChanges) {
  AddApp("Progressing");
  v1::AppStatus app = script_.replies["apps"].apps(0);
  const std::string same = app.SerializeAsString();
  app.set_phase("Healthy");
  v1::AppStatus foreign = app;
  foreign.mutable_ref()->set_namespace_("other");
  script_.messages = {same, foreign.SerializeAsString(), app.SerializeAsString()};
  EXPECT_EQ(Run({"get", "apps", "-n", "shop", "--watch"}), kUnreachable) << "the news ended";
  EXPECT_EQ(out_.str(),
            "KIND        NAME  PHASE        READY  CLUSTERS  CHANGED\n"
            "Deployment  web   Progressing  -      -         -\n"
            "Deployment  web   Healthy      -      -         -\n");
  script_.messages = {app.SerializeAsString()};
  Run({"get", "apps", "-w", "-o", "json"});
  EXPECT_THAT(out_.str(), HasSubstr("\"phase\":\"Healthy\""));
}

TEST_F(FleetVerbTest, WatchingAppsByLabelsAsksForEachChange) {
  AddApp("Healthy");
  v1::AppStatus app = script_.replies["apps"].apps(0);
  app.set_phase("Degraded");
  script_.messages = {app.SerializeAsString()};
  script_.on_message = [&] { *script_.replies["apps"].mutable_apps(0) = app; };
  Run({"get", "apps", "-l", "app=web", "--watch"});
  ASSERT_EQ(script_.queries.size(), 2U);
  EXPECT_EQ(script_.queries[1].second.label_selector(), "app=web");
  EXPECT_EQ(script_.queries[1].second.name(), "web");
  EXPECT_THAT(out_.str(), HasSubstr("Degraded"));
}

TEST_F(FleetVerbTest, WatchingClustersAsksAgainAndTellsWhatChangedAndWhatIsGone) {
  AddCluster("a", "2");
  AddCluster("b", "2");
  script_.follows = 3;
  int rounds = 0;
  script_.on_follow = [&] {
    v1::QueryReply& reply = script_.replies["clusters"];
    ++rounds;
    if (rounds == 1) reply.mutable_clusters(0)->set_region("north");
    if (rounds == 2) reply.mutable_clusters()->RemoveLast();
  };
  EXPECT_EQ(Run({"get", "clusters", "--watch", "-o", "name"}), kUnreachable);
  EXPECT_EQ(out_.str(), "cluster/a\ncluster/b\ncluster/a\n");
  EXPECT_EQ(err_.str().substr(0, 10), "b is gone\n");
}

}  // namespace
}  // namespace sealane::cli
