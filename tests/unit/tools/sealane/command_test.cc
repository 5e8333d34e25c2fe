// The verbs as a user meets them, over a fleet that answers what the test says.
#include "tools/sealane/command.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(CommandTest, ApplySendsDocumentsAndReportsEach) {
  v1::OperationResult* result = script_.result->add_results();
  result->mutable_object()->set_kind("ConfigMap");
  result->mutable_object()->set_name("a");
  result->set_accepted(true);
  result->set_changed(true);
  result->set_generation(2);
  EXPECT_EQ(Run({"apply", "-f", "-"}, "kind: ConfigMap\n---\nkind: Secret\n"), kOk);
  EXPECT_EQ(out_.str(), "ConfigMap a  configured\n");
  ASSERT_EQ(script_.events.size(), 1U);
  EXPECT_EQ(script_.events[0].id(), "event-1");
  EXPECT_EQ(script_.events[0].publisher(), "amy");
  EXPECT_EQ(script_.events[0].operations(1).source(), "standard input#2");
  EXPECT_EQ(script_.context.url, "nats://x:1");
}

TEST_F(CommandTest, ARefusalIsExitCodeOne) {
  v1::OperationResult* result = script_.result->add_results();
  result->add_errors()->set_reason("Malformed");
  EXPECT_EQ(Run({"apply", "-f", "-"}, "kind: ["), kRefused);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("refused"), HasSubstr("Malformed")));
  EXPECT_EQ(Run({"apply", "-f", "-", "-o", "json"}, "kind: ["), kRefused);
  EXPECT_EQ(Json::parse(out_.str())["results"][0]["errors"][0]["reason"], "Malformed");
}

TEST_F(CommandTest, DeleteAsksForDeletion) {
  EXPECT_EQ(Run({"delete", "-f", "-"}, "kind: A\n"), kOk);
  EXPECT_EQ(script_.events.at(0).operations(0).type(), v1::Operation::DELETE);
}

TEST_F(CommandTest, MistakesAndAbsenceHaveTheirOwnExitCodes) {
  EXPECT_EQ(Run({"apply"}), kUsage);
  EXPECT_EQ(Run({"apply", "-f", "/none.yaml"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/none.yaml: No such file"));
  EXPECT_EQ(Run({"get", "pods"}), kUsage);
  EXPECT_EQ(Run({"get", "apps", "-o", "xml"}), kUsage);
  EXPECT_EQ(Run({"get", "apps", "none"}), kRefused);
  EXPECT_EQ(Run({"get", "apps"}), kOk);
  reachable_ = false;
  EXPECT_EQ(Run({"get", "apps"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("the bus cannot be reached"));
}

TEST_F(CommandTest, GetPassesItsFiltersOn) {
  AddApp("Healthy");
  EXPECT_EQ(Run({"get", "apps", "web", "-n", "shop", "-l", "app=web"}), kOk);
  ASSERT_EQ(script_.queries.size(), 1U);
  EXPECT_EQ(script_.queries[0].first, "status");
  const v1::QueryRequest& request = script_.queries[0].second;
  EXPECT_EQ(request.what(), "apps");
  EXPECT_EQ(request.namespace_(), "shop");
  EXPECT_EQ(request.name(), "web");
  EXPECT_EQ(request.label_selector(), "app=web");
  EXPECT_THAT(out_.str(), HasSubstr("web   Healthy"));
  Run({"get", "policies", "-A"});
  EXPECT_EQ(script_.queries[1].first, "policy");
  EXPECT_EQ(script_.queries[1].second.group(), "policy.karmada.io");
}

TEST_F(CommandTest, GetSpeaksJsonYamlAndNames) {
  AddApp("Healthy");
  EXPECT_EQ(Run({"get", "apps", "-o", "json"}), kOk);
  EXPECT_EQ(Json::parse(out_.str())["items"][0]["phase"], "Healthy");
  EXPECT_EQ(Run({"get", "apps", "-o", "yaml"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("items:\n- phase: Healthy\n"));
  EXPECT_EQ(Run({"get", "apps", "-o", "name"}), kOk);
  EXPECT_EQ(out_.str(), "Deployment/web\n");
}

TEST_F(CommandTest, StatusTellsHealthByItsExitCode) {
  v1::AppStatus& app = AddApp("Degraded");
  EXPECT_EQ(Run({"status", "web"}), kNotHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("phase       Degraded"));
  app.set_phase("Healthy");
  EXPECT_EQ(Run({"status", "deployment/web"}), kOk);
  v1::AppStatus& ns = AddApp("Pending");  // goes where its content goes
  ns.mutable_ref()->set_kind("Namespace");
  ns.mutable_ref()->clear_namespace_();
  EXPECT_EQ(Run({"status", "web"}), kOk);
  EXPECT_EQ(Run({"status", "none"}), kRefused);
}

TEST_F(CommandTest, StatusNamesWhatCannotBeRendered) {
  AddApp("Degraded");
  script_.replies["explain"].set_body(R"([{"renderErrors": {"aws": "no such path /spec/x"}}])");
  Run({"status", "web"});
  EXPECT_THAT(out_.str(), HasSubstr("aws: no such path /spec/x"));
  script_.replies["explain"].set_body(R"([{"renderErrors": 7}, 3])");  // not what policy says
  EXPECT_EQ(Run({"status", "web"}), kNotHealthy);
}

TEST_F(CommandTest, StatusWaitsUntilHealthy) {
  v1::AppStatus& app = AddApp("Progressing");
  script_.messages = {app.SerializeAsString(), app.SerializeAsString()};
  int told = 0;
  script_.on_message = [&] {
    if (++told == 2) app.set_phase("Healthy");
  };
  EXPECT_EQ(Run({"status", "web", "--wait"}), kOk);
  EXPECT_EQ(told, 2);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Progressing"), HasSubstr("Healthy")));

  app.set_phase("Failed");
  EXPECT_EQ(Run({"status", "web", "--wait"}), kNotHealthy);
  EXPECT_THAT(err_.str(), HasSubstr("not healthy after"));
}

TEST_F(CommandTest, EventsShowHistoryThenNewsWithoutRepeating) {
  v1::Event event;
  event.set_id("1");
  event.set_reason("Claimed");
  *script_.replies["events"].add_events() = event;
  script_.messages = {event.SerializeAsString()};
  event.set_id("2");
  event.set_reason("Placed");
  script_.messages.push_back(event.SerializeAsString());
  Run({"events", "--follow", "-o", "json"});
  EXPECT_EQ(out_.str(),
            "{\"id\":\"1\",\"reason\":\"Claimed\"}\n{\"id\":\"2\",\"reason\":\"Placed\"}\n");
}

TEST_F(CommandTest, RenderPrintsTheManifestOfEachCluster) {
  AddApp("Healthy");
  v1::Work* work = script_.replies["works"].add_works();
  work->set_cluster("aws");
  work->set_manifest(R"({"kind":"Deployment"})");
  v1::AppliedOverride* applied = work->add_applied_overrides();
  applied->mutable_policy()->set_kind("OverridePolicy");
  applied->mutable_policy()->set_name("o");
  applied->set_overrider("imageOverrider[0]");
  applied->set_operator_("replace");
  applied->set_path("/spec/x");
  applied->set_value_json("\"y\"");
  EXPECT_EQ(Run({"render", "web"}), kOk);
  EXPECT_EQ(out_.str(),
            "---\n# cluster aws\n"
            "# OverridePolicy o rule 0 imageOverrider[0]: replace /spec/x = \"y\"\n"
            "kind: Deployment\n");
  script_.replies["works"].Clear();
  EXPECT_EQ(Run({"render", "web"}), kRefused);
}

TEST_F(CommandTest, ExplainShowsEveryCluster) {
  AddApp("Pending").set_message("nobody asked for it");
  EXPECT_EQ(Run({"explain", "web"}), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("no policy claims it"));
  v1::Placed* placed = script_.replies["placements"].add_placements();
  placed->set_state("NoClusterFit");
  v1::ClusterDecision* decision = placed->add_decisions();
  decision->set_cluster("aws");
  decision->set_available_replicas(-1);
  decision->add_reasons("TaintToleration: {k=v:NoSchedule}");
  EXPECT_EQ(Run({"explain", "web"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("NoClusterFit"), HasSubstr("TaintToleration")));
}

TEST_F(CommandTest, ExplainTellsWhoClaimsWhoLostAndWhyTheseCounts) {
  AddApp("Healthy").set_policy("PropagationPolicy shop/web");
  script_.replies["policy explain"].set_body(R"([{
      "object": "Deployment shop/web", "claimed": true,
      "policies": [
        {"policy": "PropagationPolicy shop/web", "priority": 7, "matches": "by name",
         "claims": true, "why": "claims the object"},
        {"policy": "ClusterPropagationPolicy all", "priority": 0, "matches": "all of the kind",
         "claims": false, "why": "policies of the object's namespace come first"}],
      "overridesInOrder": ["ClusterOverridePolicy a", "OverridePolicy shop/b"],
      "renderErrors": {"aws": "OverridePolicy shop/b rule 0: plaintext[0]: no /spec/x"}}])");
  v1::Placed* placed = script_.replies["scheduler placements"].add_placements();
  placed->set_state("Scheduled");
  placed->set_cause("first placement");
  v1::TargetCluster* target = placed->add_clusters();
  target->set_name("aws");
  target->set_replicas(2);
  v1::QueryReply& now = script_.replies["scheduler explain"];
  now.set_body(R"({"strategy": "3 replicas divided by static weights", "outcome": "Scheduled",
                   "group": "primary", "failedGroups": [], "would": {"aws": 3}})");
  now.add_placements();  // the row, without decisions
  v1::ClusterDecision* decision = now.add_placements()->add_decisions();
  decision->set_cluster("aws");
  decision->set_selected(true);
  decision->set_replicas(3);
  decision->set_available_replicas(40);
  (*decision->mutable_scores())["Locality"] = 100;
  decision->set_note("weight 2");
  v1::ClusterDecision* other = now.add_placements()->add_decisions();
  other->set_cluster("azure");
  other->set_available_replicas(-1);
  other->add_reasons("TaintToleration: {k=v:NoSchedule}");
  other->add_reasons("ClusterAffinity: not named");
  v1::Placed* group = now.add_placements();
  group->set_affinity_name("backup");
  group->set_state("Unschedulable");
  group->set_message("room for 1 of 3 replicas");
  group->add_decisions()->set_cluster("spare");
  group->mutable_decisions(0)->set_note("room for 1 more (agent: nodes)");
  EXPECT_EQ(Run({"explain", "web"}), kOk);
  for (const char* words :
       {"claimed by  PropagationPolicy shop/web\n", "ClusterPropagationPolicy all",
        "policies of the object's namespace come first", "by name", "7",
        "the later wins: ClusterOverridePolicy a, then OverridePolicy shop/b",
        "cannot be rendered for aws: OverridePolicy shop/b rule 0: plaintext[0]: no /spec/x",
        "in force    aws 2\n", "because     first placement\n",
        "rules       3 replicas divided by static weights\n", "group       primary\n",
        "would give aws 3", "Locality 100", "weight 2", "40", "{k=v:NoSchedule}",
        "ClusterAffinity: not named",
        "By itself, group backup: Unschedulable  room for 1 of 3 replicas\n",
        "room for 1 more (agent: nodes)"}) {
    EXPECT_THAT(out_.str(), HasSubstr(words));
  }
  EXPECT_EQ(Run({"explain", "web", "-o", "json"}), kOk);
  const Json json = Json::parse(out_.str());
  EXPECT_EQ(json["policies"]["policies"][1]["policy"], "ClusterPropagationPolicy all");
  EXPECT_EQ(json["clusters"].size(), 2U) << "not those of the other group";
  EXPECT_EQ(json["clusters"][1]["reasons"].size(), 2U);
  EXPECT_EQ(json["otherGroups"][0]["group"], "backup");
  EXPECT_EQ(json["otherGroups"][0]["clusters"][0]["cluster"], "spare");
  EXPECT_EQ(json["placement"]["cause"], "first placement");
}

TEST_F(CommandTest, ExplainTellsWithWhatAnObjectGoes) {
  AddApp("Healthy");
  v1::BindingSnapshot* parent = script_.replies["bindings"].add_bindings()->add_required_by();
  parent->mutable_ref()->set_kind("Deployment");
  parent->mutable_ref()->set_name("parent");
  EXPECT_EQ(Run({"explain", "web"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("goes with   Deployment parent\n"),
                                HasSubstr("no placement of its own")));
}

TEST_F(CommandTest, RenderNamesWhoSetEachField) {
  AddApp("Healthy");
  script_.replies["objects"].add_objects()->set_manifest(
      R"({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6, "x": "a"}})");
  v1::Work* work = script_.replies["works"].add_works();
  work->set_cluster("aws");
  work->set_manifest(
      R"({"kind": "Deployment", "metadata": {"name": "web", "labels":
          {"sealane.io/managed": "true"}}, "spec": {"replicas": 2, "x": "b"}})");
  v1::AppliedOverride* applied = work->add_applied_overrides();
  applied->mutable_policy()->set_kind("OverridePolicy");
  applied->mutable_policy()->set_name("o");
  applied->set_rule(1);
  applied->set_overrider("plaintext[0]");
  applied->set_operator_("replace");
  applied->set_path("/spec/x");
  EXPECT_EQ(Run({"render", "web"}), kOk);
  EXPECT_THAT(out_.str(),
              HasSubstr("# cluster aws\n# /spec/replicas: 6 -> 2  by the placement\n"
                        "# /spec/x: \"a\" -> \"b\"  by OverridePolicy o, rule 1, plaintext[0] "
                        "(replace)\nkind: Deployment\n"));
  EXPECT_EQ(Run({"render", "web", "--diff"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("--- published\n+++ cluster aws\n@@ -4,5 +4,5 @@\n"
                                    "     sealane.io/managed: \"true\"\n   name: web\n spec:\n"
                                    "-  replicas: 6\n-  x: a\n+  replicas: 2\n+  x: b\n"));
  EXPECT_EQ(Run({"render", "web", "-o", "json"}), kOk);
  EXPECT_EQ(Json::parse(out_.str())["clusters"][0]["changes"][0]["by"], "the placement");

  script_.replies["explain"].set_body(R"([{"renderErrors": {"aws": "OverridePolicy o: bad"}}])");
  work->set_manifest(R"({"kind": "Deployment", "metadata": {"name": "web", "labels":
                         {"sealane.io/managed": "true"}}, "spec": {"replicas": 6, "x": "a"}})");
  EXPECT_EQ(Run({"render", "web", "--diff"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("cluster aws: identical to what was published"),
                                HasSubstr("cannot be rendered: OverridePolicy o: bad"),
                                HasSubstr("no effect: OverridePolicy o, rule 1")));
}

TEST_F(CommandTest, RenderShowsWhatCannotBeRenderedAndTheLastGoodOne) {
  AddApp("Degraded");
  script_.replies["objects"].add_objects()->set_manifest(
      R"({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"x": "a"}})");
  script_.replies["explain"].set_body(
      R"([{"renderErrors": {"aws": "OverridePolicy o rule 1: plaintext[0]: /spec/y: no such field",
                            "gcp": "OverridePolicy o rule 2: plaintext[1]: /spec/z: no such field"}}])");
  // Never rendered anywhere.
  EXPECT_EQ(Run({"render", "web"}), kOk);
  EXPECT_EQ(
      out_.str(),
      "---\n# cluster aws\n"
      "# it cannot be rendered: OverridePolicy o rule 1: plaintext[0]: /spec/y: no such field\n"
      "# there is no earlier version: the cluster gets nothing\n"
      "---\n# cluster gcp\n"
      "# it cannot be rendered: OverridePolicy o rule 2: plaintext[1]: /spec/z: no such field\n"
      "# there is no earlier version: the cluster gets nothing\n");
  EXPECT_EQ(Run({"render", "web", "--cluster", "gcp"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("# cluster gcp\n"), Not(HasSubstr("aws"))));
  EXPECT_EQ(Run({"render", "web", "--cluster", "azure"}), kRefused);
  // In one cluster an earlier version is in force.
  v1::Work* work = script_.replies["works"].add_works();
  work->set_cluster("gcp");
  work->set_manifest(R"({"kind": "Deployment", "metadata": {"name": "web", "labels":
                         {"sealane.io/managed": "true"}}, "spec": {"x": "b"}})");
  EXPECT_EQ(Run({"render", "web"}), kOk);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("# cluster aws\n# it cannot be rendered: "),
                    HasSubstr("# cluster gcp\n# the newest version cannot be rendered: "
                              "OverridePolicy o rule 2: plaintext[1]: /spec/z: no such field\n"
                              "# what follows is the last good one, which stays in force\n"
                              "# /spec/x: \"a\" -> \"b\"  by an earlier rendering\nkind:")));
  EXPECT_EQ(Run({"render", "web", "--diff"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("# cluster aws\n# it cannot be rendered: "),
                                HasSubstr("+++ cluster gcp\n")));
  EXPECT_EQ(Run({"render", "web", "-o", "json"}), kOk);
  const Json clusters = Json::parse(out_.str())["clusters"];
  ASSERT_EQ(clusters.size(), 2U);
  EXPECT_EQ(clusters[0]["manifest"], nullptr);
  EXPECT_EQ(clusters[0]["identical"], false);
  EXPECT_EQ(clusters[0]["lastGood"], false);
  EXPECT_THAT(clusters[0]["error"].get<std::string>(), HasSubstr("/spec/y"));
  EXPECT_EQ(clusters[1]["lastGood"], true);
  EXPECT_EQ(clusters[1]["manifest"]["spec"]["x"], "b");
}

TEST_F(CommandTest, ValidateNeedsNoFleetAndNamesDocumentFieldAndReason) {
  reachable_ = false;
  const std::string good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n";
  EXPECT_EQ(Run({"validate", "-f", "-"}, good), kOk);
  EXPECT_EQ(out_.str(), "standard input  ConfigMap b/a  ok\n1 document, 0 refused\n");
  const std::string policy =
      "---\napiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\n"
      "metadata: {name: p, namespace: b}\nspec:\n  association: true\n  resourceSelectors:\n"
      "  - {apiVersion: v1, kind: ConfigMap}\n";
  EXPECT_EQ(Run({"validate", "-f", "-"}, good + policy), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("standard input#2  PropagationPolicy b/p  ok\n"
                                    "    warning: spec.association is deprecated"));
  EXPECT_EQ(Run({"validate", "-f", "-"}, good + policy + "  placment: {}\n"), kRefused);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("standard input#2  PropagationPolicy b/p  refused\n"
                                          "    spec.placment: UnknownField"),
                                HasSubstr("2 documents, 1 refused")));
  EXPECT_EQ(Run({"validate", "-f", "-"}, good + "---\na: [\nb: 1\n"), kRefused);
  // The line is the file's, not the document's.
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("standard input#2  refused"), HasSubstr("Malformed"),
                                HasSubstr("line 7, column 1: ")));
  EXPECT_EQ(Run({"validate", "-f", "-", "-o", "json"}, "a: ["), kRefused);
  EXPECT_EQ(Json::parse(out_.str())["results"][0]["errors"][0]["reason"], "Malformed");
  const std::string large =
      "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: b}\ndata: {a: " +
      std::string(800'000, 'x') + "}\n";
  EXPECT_EQ(Run({"validate", "-f", "-"}, large), kRefused);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("TooLong"), HasSubstr("786432")));
  EXPECT_EQ(Run({"validate"}), kUsage);
  EXPECT_EQ(Run({"validate", "-f", "/none.yaml"}), kUsage);
}

TEST_F(CommandTest, SimulateAsksTheSchedulerAndShowsWhatWouldMove) {
  script_.replies["simulate"].set_body(R"({
      "lookedAt": 12, "changed": 2, "unscheduled": 1, "shown": 2,
      "moves": [
        {"object": "Deployment shop/web", "before": {"aws": 2}, "after": {"gcp": 2},
         "state": "Scheduled", "message": "", "cause": "cluster aws: drained"},
        {"object": "Deployment shop/big", "before": {"aws": 9}, "after": {"aws": 9},
         "state": "Unschedulable", "message": "9 replicas do not fit", "cause": "drained"}],
      "notFitting": [
        {"object": "Deployment shop/big", "before": {"aws": 9}, "after": {"aws": 9},
         "state": "Unschedulable", "message": "9 replicas do not fit", "cause": "drained"}],
      "clusters": {"aws": {"replicasBefore": 11, "replicasAfter": 9, "objectsBefore": 2,
                           "objectsAfter": 1},
                   "gcp": {"replicasBefore": 0, "replicasAfter": 2, "objectsBefore": 0,
                           "objectsAfter": 1}}})");
  EXPECT_EQ(Run({"simulate", "--drain", "aws", "--drain", "b", "--fail", "c", "--limit", "2"}),
            kNotHealthy);
  EXPECT_THAT(
      out_.str(),
      AllOf(HasSubstr("Deployment shop/web  aws 2   gcp 2  Scheduled  cluster aws: drained\n"),
            HasSubstr("Would not fit"), HasSubstr("9 replicas do not fit"),
            HasSubstr("aws      11               9      -2      2               1\n"),
            HasSubstr("12 objects looked at: 1 would move, 1 would not fit.")));
  ASSERT_EQ(script_.queries.size(), 1U);
  const v1::QueryRequest& request = script_.queries[0].second;
  EXPECT_EQ(script_.queries[0].first, "scheduler");
  EXPECT_EQ(request.options().at("drain"), "aws,b");
  EXPECT_EQ(request.options().at("fail"), "c");
  EXPECT_EQ(request.limit(), 2U);
  EXPECT_EQ(Run({"simulate", "--drain", "aws", "-o", "json"}), kNotHealthy);
  EXPECT_EQ(Json::parse(out_.str())["lookedAt"], 12);
  EXPECT_EQ(Run({"simulate"}), kUsage);
  EXPECT_EQ(Run({"simulate", "--drain", "a", "--limit", "0"}), kUsage);
}

TEST_F(CommandTest, SimulateBlamesTheQuestionForWhatDidNotFitBeforeOnlyIfItIsToBlame) {
  script_.replies["simulate"].set_body(R"({
      "lookedAt": 3, "changed": 1, "unscheduled": 0, "unscheduledBefore": 1, "shown": 1,
      "moves": [{"object": "Deployment shop/big", "before": {}, "after": {},
                 "state": "Unschedulable", "message": "9 replicas do not fit"}],
      "notFitting": [],
      "unfitBefore": [{"object": "Deployment shop/big", "before": {}, "after": {},
                       "state": "Unschedulable", "message": "9 replicas do not fit"}],
      "clusters": {}})");
  EXPECT_EQ(Run({"simulate", "--drain", "aws"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Does not fit now either:\n"),
                                HasSubstr("0 would move, 0 would not fit, 1 do not fit now either"),
                                ::testing::Not(HasSubstr("Would not fit"))));
}

TEST_F(CommandTest, SimulateTurnsManifestsIntoClustersAndBindings) {
  script_.replies["simulate"].set_body(R"({"lookedAt": 0, "changed": 0, "unscheduled": 0})");
  v1::QueryReply& preview = script_.replies["preview"];
  preview.add_bindings()->mutable_ref()->set_name("web");
  preview.set_body(R"({"unclaimed": ["ConfigMap b/a"]})");
  const std::string cluster =
      "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata: {name: ohio}\n"
      "spec: {syncMode: Pull, region: us-east-2}\n"
      "status: {resourceSummary: {allocatable: {cpu: '8'}}}\n";
  const std::string config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n";
  EXPECT_EQ(Run({"simulate", "--apply", "-"}, cluster + "---\n" + config), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("note: ConfigMap b/a: no policy claims it\n"));
  ASSERT_EQ(script_.queries.size(), 3U);
  EXPECT_EQ(script_.queries[0].second.what(), "clusters");
  v1::QueryReply asked;
  EXPECT_EQ(script_.queries[1].first, "policy");
  ASSERT_TRUE(asked.ParseFromString(script_.queries[1].second.body()));
  ASSERT_EQ(asked.objects_size(), 1);
  EXPECT_EQ(asked.objects(0).ref().name(), "a");
  EXPECT_EQ(Json::parse(asked.objects(0).manifest())["kind"], "ConfigMap");
  ASSERT_TRUE(asked.ParseFromString(script_.queries[2].second.body()));
  ASSERT_EQ(asked.clusters_size(), 1);
  EXPECT_EQ(asked.clusters(0).region(), "us-east-2");
  EXPECT_EQ(asked.clusters(0).resource_summary().allocatable().at("cpu"), "8");
  ASSERT_EQ(asked.bindings_size(), 1);
  EXPECT_EQ(asked.bindings(0).ref().name(), "web");

  EXPECT_EQ(Run({"simulate", "--add-cluster", "-"}, config), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--add-cluster takes Clusters"));
  EXPECT_EQ(Run({"simulate", "--apply", "-"}, "kind: [\n"), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("Malformed"));
  EXPECT_EQ(script_.queries.size(), 3U) << "a refused manifest asks nobody";
}

TEST_F(CommandTest, AnEarlierResultCanBeAskedFor) {
  EXPECT_EQ(Run({"result", "e-1"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("there is no result of e-1"));
  v1::OperationResult* result = script_.results["e-1"].add_results();
  result->mutable_object()->set_kind("ConfigMap");
  result->mutable_object()->set_name("a");
  result->add_errors()->set_reason("Required");
  EXPECT_EQ(Run({"result", "e-1"}), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("ConfigMap a  refused"));
  script_.results["e-1"].set_accepted(true);
  EXPECT_EQ(Run({"result", "e-1", "-o", "json"}), kOk);
}

TEST_F(CommandTest, VersionNeedsNoFleet) {
  reachable_ = false;
  EXPECT_EQ(Run({"version"}), kOk);
  EXPECT_THAT(out_.str(), StartsWith("sealane "));
}

}  // namespace
}  // namespace sealane::cli
