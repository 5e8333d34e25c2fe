// What each cluster gets: the whole policy service.
#include "services/policy/renderer.h"
#include "tests/unit/services/policy/policy_fixture.h"

namespace sealane::policy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kWeb = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template: {spec: {containers: [{name: app, image: "docker.io/shop/web:1"}]}}
---
)";

std::string PolicyFor(const std::string& kind, const std::string& api_version,
                      const std::string& rest = "") {
  return StrCat("apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\n",
                "metadata: {name: all-", kind == "Job" ? "jobs" : "others",
                ", namespace: shop}\nspec:\n  resourceSelectors: [{apiVersion: ", api_version,
                ", kind: ", kind, "}]\n", rest, "\n---\n");
}

std::string Overrides(const std::string& name, const std::string& rules,
                      const std::string& annotations = "") {
  return StrCat("apiVersion: policy.karmada.io/v1alpha1\nkind: OverridePolicy\nmetadata: {name: ",
                name, ", namespace: shop, annotations: {", annotations,
                "}}\nspec:\n  overrideRules:\n", rules, "\n---\n");
}

class RenderingTest : public PolicyServiceTest {
 protected:
  RenderingTest() {
    PutCluster("a", "eu", {{"tier", "gold"}});
    PutCluster("b", "us");
    PutCluster("c", "us");
  }
};

TEST_F(RenderingTest, OneFailingOverrideStopsOneCluster) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  const std::string first = Work("b", "Deployment shop/web")->manifest();
  MustApply(Overrides("broken", R"(
  - overriders: {labelsOverrider: [{operator: add, value: {new: label}}]}
  - targetCluster: {clusterNames: [b]}
    overriders:
      plaintext:
      - {path: /spec/paused, operator: add, value: true}
      - {path: /spec/nothing/here, operator: replace, value: 1})"));
  EXPECT_EQ(Manifest("a", "Deployment shop/web")["metadata"]["labels"]["new"], "label");
  EXPECT_EQ(Manifest("c", "Deployment shop/web")["metadata"]["labels"]["new"], "label");
  EXPECT_EQ(Work("b", "Deployment shop/web")->manifest(), first) << "the last good work stays";
  const auto names_all = AllOf(HasSubstr("OverridePolicy shop/broken rule 1"),
                               HasSubstr("plaintext[1]"), HasSubstr("/spec/nothing/here"));
  EXPECT_THAT(Told("RenderFailed"), ElementsAre(names_all));
  const v1::Binding* binding = Binding("Deployment shop/web");
  ASSERT_EQ(binding->render_errors_size(), 1);
  EXPECT_THAT(binding->render_errors().at("b"), names_all);
  EXPECT_THAT(Explain("web")["renderErrors"]["b"].get<std::string>(), names_all);
  EXPECT_EQ(metrics_.render_errors.Value(), 1);
  // The scheduler has nothing to answer, and nothing is told twice after a restart.
  const int64_t revision = binding->revision();
  const uint64_t bindings = server_.StreamLastSequence(kBindingsTable);
  StopService();
  StartService();
  EXPECT_EQ(server_.StreamLastSequence(kBindingsTable), bindings);
  // A new generation reaches the other clusters only.
  std::string edited(kWeb);
  edited.replace(edited.find("web:1"), 5, "web:2");
  MustApply(edited);
  EXPECT_EQ(Work("a", "Deployment shop/web")->object_generation(), 2);
  EXPECT_EQ(Work("b", "Deployment shop/web")->manifest(), first);
  EXPECT_GT(Binding("Deployment shop/web")->revision(), revision);
  EXPECT_EQ(Binding("Deployment shop/web")->render_errors_size(), 1);
  // Repaired, the error is gone everywhere.
  MustApply(Overrides("broken", "  - overriders: {}"));
  EXPECT_EQ(Work("b", "Deployment shop/web")->object_generation(), 2);
  EXPECT_EQ(Binding("Deployment shop/web")->render_errors_size(), 0);
  EXPECT_FALSE(Explain("web").contains("renderErrors"));
}

TEST_F(RenderingTest, TheOperationsThatMadeAWorkAreToldWhenAsked) {
  MustApply(StrCat(Overrides("regions", R"(
  - {overriders: {}}
  - targetCluster: {clusterNames: [b]}
    overriders: {plaintext: [{path: /spec/paused, operator: add, value: true}]})"),
                   kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_EQ(Work("b", "Deployment shop/web")->applied_overrides_size(), 0) << "not in the row";
  const v1::QueryReply reply = Ask("works", "web");
  ASSERT_EQ(reply.works_size(), 3);
  EXPECT_EQ(reply.works(0).applied_overrides_size(), 0);
  ASSERT_EQ(reply.works(1).applied_overrides_size(), 1);
  const v1::AppliedOverride& applied = reply.works(1).applied_overrides(0);
  EXPECT_EQ(applied.policy().name(), "regions");
  EXPECT_EQ(applied.rule(), 1);
  EXPECT_EQ(applied.overrider(), "plaintext[0]");
  EXPECT_EQ(applied.path(), "/spec/paused");
  EXPECT_EQ(applied.value_json(), "true");
}

TEST_F(RenderingTest, AClusterThatLacksALabelIsRenderedWhenItHasOne) {
  MustApply(StrCat(Overrides("expand", R"(
  - overriders: {labelsOverrider: [{operator: add, value: {where: "${cluster.labels.tier}"}}]})",
                             "sealane.io/expand: 'true'"),
                   kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a"));
  EXPECT_THAT(Told("RenderFailed"), ElementsAre(HasSubstr("cluster b has no cluster.labels.tier"),
                                                HasSubstr("cluster c has no cluster.labels.tier")));
  PutCluster("b", "us", {{"tier", "silver"}});
  EXPECT_EQ(Manifest("b", "Deployment shop/web")["metadata"]["labels"]["where"], "silver");
  EXPECT_EQ(Manifest("a", "Deployment shop/web")["metadata"]["labels"]["where"], "gold");
  // What overrides cannot see of a cluster renders nothing again.
  const uint64_t rendered = metrics_.render_seconds.Count();
  v1::ClusterStatus status = clusters_.Find("b")->value;
  (*status.mutable_resource_summary()->mutable_allocated())["cpu"] = "7";
  clusters_.Put("b", status);
  Settle();
  EXPECT_EQ(metrics_.render_seconds.Count(), rendered);
}

TEST_F(RenderingTest, APlacementMayComeBeforeItsCluster) {
  place_ = [](const v1::Binding&) -> std::map<std::string, int32_t> { return {{"later", 2}}; };
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_THAT(ClustersOf("Deployment shop/web"), IsEmpty());
  PutCluster("later", "eu");
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("later"));
}

TEST_F(RenderingTest, ClustersWithEqualResultsShareOneRendering) {
  for (int i = 0; i < 20; ++i) PutCluster(StrCat("m", i), i % 2 == 0 ? "eu" : "us");
  const double before = metrics_.renderings.Value();
  MustApply(StrCat(Overrides("regions", R"(
  - targetCluster: {fieldSelector: {matchExpressions: [{key: region, operator: In, values: [us]}]}}
    overriders: {labelsOverrider: [{operator: add, value: {region: us}}]})"),
                   kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_EQ(ClustersOf("Deployment shop/web").size(), 23U);
  EXPECT_LE(metrics_.renderings.Value() - before, 6);
}

TEST_F(RenderingTest, ClustersWithEqualExpansionsShareOneRendering) {
  for (int i = 0; i < 20; ++i) PutCluster(StrCat("m", i), i % 2 == 0 ? "eu" : "us");
  const double before = metrics_.renderings.Value();
  MustApply(StrCat(Overrides("regions", R"(
  - overriders: {labelsOverrider: [{operator: add, value: {region: "${cluster.region}"}}]})",
                             "sealane.io/expand: 'true'"),
                   kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_EQ(Manifest("m3", "Deployment shop/web")["metadata"]["labels"]["region"], "us");
  EXPECT_EQ(Manifest("m4", "Deployment shop/web")["metadata"]["labels"]["region"], "eu");
  EXPECT_LE(metrics_.renderings.Value() - before, 6);
}

TEST_F(RenderingTest, AClusterWithoutAReferencedValueIsNamedWithTheOperation) {
  MustApply(StrCat(Overrides("tiers", R"(
  - overriders:
      labelsOverrider: [{operator: add, value: {x: one}}]
      annotationsOverrider: [{operator: add, value: {tier: "${cluster.labels.tier}"}}])",
                             "sealane.io/expand: 'true'"),
                   kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_THAT(Told("RenderFailed"),
              ElementsAre("OverridePolicy shop/tiers rule 0: annotationsOverrider[0].value.tier: "
                          "cluster b has no cluster.labels.tier",
                          "OverridePolicy shop/tiers rule 0: annotationsOverrider[0].value.tier: "
                          "cluster c has no cluster.labels.tier"));
}

TEST_F(RenderingTest, AnOverridePolicyMayMatchLabelsThatAClusterWideOneSets) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1"), R"(
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: team}
spec:
  overrideRules: [{overriders: {labelsOverrider: [{operator: add, value: {team: x}}]}}]
---
)"));
  const auto own = [](const std::string& value) {
    return StrCat(R"(
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: own, namespace: shop}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, labelSelector: {matchLabels: {team: x}}}
  overrideRules:
  - overriders: {annotationsOverrider: [{operator: add, value: {note: )",
                  value, "}}]}\n---\n");
  };
  for (const char* value : {"first", "second"}) {
    MustApply(own(value));
    EXPECT_EQ(Manifest("a", "Deployment shop/web")["metadata"]["annotations"]["note"], value);
  }
}

TEST_F(RenderingTest, ANamespaceNobodyDescribedFollowsClusterWideOverrides) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  for (const char* selectors : {"", "resourceSelectors: [{apiVersion: v1, kind: Namespace}]"}) {
    const std::string policy = StrCat(R"(
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: team}
spec:
  )",
                                      selectors, R"(
  overrideRules: [{overriders: {labelsOverrider: [{operator: add, value: {team: x}}]}}]
---
)");
    MustApply(policy);
    EXPECT_EQ(Manifest("a", "Namespace shop")["metadata"]["labels"]["team"], "x");
    MustDelete(policy);
    EXPECT_FALSE(Manifest("a", "Namespace shop")["metadata"]["labels"].contains("team"));
  }
}

TEST_F(RenderingTest, AFinishedJobIsNotRunAgain) {
  MustApply(StrCat(R"(
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop}
spec:
  ttlSecondsAfterFinished: 60
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}
---
)",
                   PolicyFor("Job", "batch/v1")));
  EXPECT_FALSE(Manifest("a", "Job shop/once")["spec"].contains("ttlSecondsAfterFinished"));
}

TEST_F(RenderingTest, CompletionsOfAJobAreDividedWithItsReplicas) {
  place_ = [](const v1::Binding&) -> std::map<std::string, int32_t> {
    return {{"a", 1}, {"b", 3}};
  };
  const std::string job = R"(
apiVersion: batch/v1
kind: Job
metadata: {name: work, namespace: shop}
spec:
  parallelism: 4
  completions: 10
  template: {spec: {containers: [{name: app, image: w}]}}
---
)";
  MustApply(job + PolicyFor("Job", "batch/v1",
                            "  placement: {replicaScheduling: {replicaSchedulingType: Divided}}"));
  const auto of = [&](const char* cluster, const char* field) {
    return Manifest(cluster, "Job shop/work")["spec"][field].get<int>();
  };
  EXPECT_EQ(of("a", "parallelism"), 1);
  EXPECT_EQ(of("b", "parallelism"), 3);
  EXPECT_EQ(of("a", "completions") + of("b", "completions"), 10);
  EXPECT_THAT(of("a", "completions"), ::testing::AnyOf(2, 3));
  // A copy that only stays for a while keeps its share, and the others do all of it.
  const std::string key = KeyOfText("Job shop/work");
  v1::Placed placed = placements_.Find(key)->value;
  v1::Eviction& copy = *placed.add_evictions();
  copy.set_cluster("a");
  copy.add_replaced_by("b");
  *copy.mutable_before() = placed.clusters();
  placements_.Put(key, placed);
  Settle();
  EXPECT_THAT(of("a", "completions"), ::testing::AnyOf(2, 3));
  EXPECT_EQ(of("b", "completions"), 10);
  // Duplicated: every cluster does all of it.
  MustApply(job + PolicyFor("Job", "batch/v1",
                            "  placement: {replicaScheduling: "
                            "{replicaSchedulingType: Duplicated}}"));
  EXPECT_EQ(of("a", "completions"), 10);
  // By Webster's method, as Karmada divides.
  EXPECT_THAT(DivideCompletions(9, {1, 2}, ""), ElementsAre(3, 6));
  EXPECT_THAT(DivideCompletions(9, {1, 3}, ""), ElementsAre(2, 7));
  EXPECT_THAT(DivideCompletions(5, {0, 2, 2}, ""), ElementsAre(0, 3, 2));
}

TEST_F(RenderingTest, TheObjectItselfMaySayWhatBecomesOfConflicts) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_EQ(Work("a", "Deployment shop/web")->conflict_resolution(), "Abort");
  std::string edited(kWeb);
  edited.replace(edited.find("namespace: shop}"), 15,
                 "namespace: shop, annotations: {work.karmada.io/conflict-resolution: overwrite}");
  MustApply(edited);
  EXPECT_EQ(Work("a", "Deployment shop/web")->conflict_resolution(), "Overwrite");
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1", "  conflictResolution: Overwrite")));
  EXPECT_EQ(Work("a", "Deployment shop/web")->conflict_resolution(), "Overwrite");
  edited.replace(edited.find("overwrite"), 9, "abort");
  MustApply(edited);
  EXPECT_EQ(Work("a", "Deployment shop/web")->conflict_resolution(), "Abort");
  edited.replace(edited.find("abort"), 5, "maybe");
  const v1::DeployResult result = Apply(edited);
  ASSERT_TRUE(result.accepted()) << "Karmada ignores it too";
  ASSERT_EQ(result.results(0).warnings_size(), 1);
  EXPECT_THAT(result.results(0).warnings(0), HasSubstr("conflict-resolution"));
  EXPECT_EQ(Work("a", "Deployment shop/web")->conflict_resolution(), "Overwrite");
}

TEST_F(RenderingTest, SuspensionAndPreservationReachTheAgents) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1",
                                   "  suspension: {dispatchingOnClusters: {clusterNames: [b]}}\n"
                                   "  preserveResourcesOnDeletion: true")));
  EXPECT_FALSE(Work("a", "Deployment shop/web")->suspended());
  EXPECT_TRUE(Work("b", "Deployment shop/web")->suspended());
  MustApply(PolicyFor("Deployment", "apps/v1",
                      "  suspension: {dispatching: true}\n  preserveResourcesOnDeletion: true"));
  EXPECT_TRUE(Work("a", "Deployment shop/web")->suspended());
  MustApply(PolicyFor("Deployment", "apps/v1", "  preserveResourcesOnDeletion: true"));
  EXPECT_FALSE(Work("b", "Deployment shop/web")->suspended());
  // Moved away it is removed; deleted it is left.
  agents_answer_ = false;
  place_ = [](const v1::Binding&) -> std::map<std::string, int32_t> {
    return {{"a", 2}, {"b", 2}};
  };
  MustApply(PolicyFor("Deployment", "apps/v1",
                      "  priority: 1\n  conflictResolution: Overwrite\n"
                      "  preserveResourcesOnDeletion: true"));
  const std::string key = KeyOfText("Deployment shop/web");
  ASSERT_NE(works_.Find("c." + key), nullptr);
  EXPECT_TRUE(works_.Find("c." + key)->value.deleting());
  EXPECT_FALSE(works_.Find("c." + key)->value.preserve_on_deletion());
  MustDelete(kWeb);
  EXPECT_TRUE(works_.Find("a." + key)->value.deleting());
  EXPECT_TRUE(works_.Find("a." + key)->value.preserve_on_deletion());
}

TEST_F(RenderingTest, AClusterThatWasGivenUpIsForgottenAndTold) {
  agents_answer_ = false;
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  const std::string key = KeyOfText("Deployment shop/web");
  ASSERT_NE(works_.Find("a." + key), nullptr);
  v1::ClusterStatus cluster = clusters_.Find("a")->value;
  cluster.set_deleting(true);
  clusters_.Put("a", cluster);
  Settle();
  EXPECT_NE(works_.Find("a." + key), nullptr) << "its agent may still answer";
  (*cluster.mutable_annotations())["sealane.io/abandon"] = "true";
  clusters_.Put("a", cluster);
  Settle();
  EXPECT_EQ(works_.Find("a." + key), nullptr);
  EXPECT_EQ(ClustersOf("Deployment shop/web").count("a"), 0u);
  EXPECT_EQ(ClustersOf("Deployment shop/web").count("b"), 1u);
  EXPECT_THAT(Told("Abandoned"), Not(IsEmpty()));
}

TEST_F(RenderingTest, HowAClusterLeavesIsSaidWhenItIsDeleted) {
  const char* cluster = R"(---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {syncMode: Pull}
)";
  MustApply(StrCat(cluster, "---\n", kWeb, PolicyFor("Deployment", "apps/v1")));
  MustDelete(cluster);
  const auto text = [&] {
    const v1::QueryReply reply = Ask("objects", "a");
    return reply.objects().empty() ? "" : reply.objects(0).manifest();
  };
  EXPECT_THAT(text(), Not(HasSubstr("sealane.io/abandon")));
  // Also when it is on its way already.
  MustDelete(R"(---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: a, annotations: {sealane.io/abandon: "true", other: "true"}}
)");
  EXPECT_THAT(text(), HasSubstr(R"("sealane.io/abandon":"true")"));
  EXPECT_THAT(text(), Not(HasSubstr("other")));
}

TEST_F(RenderingTest, ThePreservedStateIsALabelOfTheReplacement) {
  MustApply(StrCat(kWeb, PolicyFor("Deployment", "apps/v1")));
  const std::string key = KeyOfText("Deployment shop/web");
  v1::Placed placed = placements_.Find(key)->value;
  v1::Eviction& eviction = *placed.add_evictions();
  eviction.set_cluster("a");
  eviction.add_replaced_by("b");
  (*eviction.mutable_preserved_labels())["job-id"] = "4711";
  placements_.Put(key, placed);
  Settle();
  EXPECT_EQ(Manifest("b", "Deployment shop/web")["metadata"]["labels"]["job-id"], "4711");
  EXPECT_FALSE(Manifest("a", "Deployment shop/web")["metadata"]["labels"].contains("job-id"));
}

TEST_F(RenderingTest, WhatIsProtectedIsNotDeleted) {
  std::string protected_web(kWeb);
  protected_web.replace(
      protected_web.find("namespace: shop}"), 15,
      "namespace: shop, labels: {resourcetemplate.karmada.io/deletion-protected: Always}");
  MustApply(StrCat(protected_web, PolicyFor("Deployment", "apps/v1")));
  const v1::DeployResult refused = Delete(kWeb);
  ASSERT_FALSE(refused.accepted());
  ASSERT_EQ(refused.results(0).errors_size(), 1);
  EXPECT_EQ(refused.results(0).errors(0).field(),
            "metadata.labels[resourcetemplate.karmada.io/deletion-protected]");
  EXPECT_EQ(refused.results(0).errors(0).reason(), "Forbidden");
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a", "b", "c"));
  MustApply(kWeb);
  MustDelete(kWeb);
  EXPECT_THAT(ClustersOf("Deployment shop/web"), IsEmpty());
}

TEST_F(RenderingTest, NamespacesFollowTheirContent) {
  MustApply(
      StrCat("apiVersion: v1\nkind: Namespace\n"
             "metadata: {name: shop, labels: {team: x}, annotations: {note: hi}}\n---\n",
             kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_THAT(ClustersOf("Namespace shop"), ElementsAre("a", "b", "c"));
  EXPECT_EQ(Manifest("a", "Namespace shop")["metadata"]["labels"]["team"], "x");
  EXPECT_EQ(Manifest("a", "Namespace shop")["metadata"]["annotations"]["note"], "hi");
  // It opts out afterwards: it is left where it is, without our marks, with all its content.
  agents_answer_ = false;
  MustApply(
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, "
      "labels: {namespace.karmada.io/skip-auto-propagation: 'true'}}\n");
  EXPECT_THAT(ClustersOf("Namespace shop"), IsEmpty());
  const Row<v1::Work>* row = works_.Find("a." + KeyOfText("Namespace shop"));
  ASSERT_NE(row, nullptr);
  EXPECT_TRUE(row->value.preserve_on_deletion());
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a", "b", "c"));
}

TEST_F(RenderingTest, ANamespaceThatOptsOutIsNotMade) {
  MustApply(
      StrCat("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, "
             "labels: {namespace.karmada.io/skip-auto-propagation: 'true'}}\n---\n",
             kWeb, PolicyFor("Deployment", "apps/v1")));
  EXPECT_THAT(ClustersOf("Namespace shop"), IsEmpty());
  EXPECT_THAT(ClustersOf("Deployment shop/web"), UnorderedElementsAre("a", "b", "c"));
  // A policy that names it places it all the same.
  MustApply(R"(
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: {name: namespaces}
spec: {resourceSelectors: [{apiVersion: v1, kind: Namespace, name: shop}]}
)");
  EXPECT_THAT(ClustersOf("Namespace shop"), UnorderedElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace sealane::policy
