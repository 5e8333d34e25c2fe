// Which policy claims what, and when it is looked at again: the whole policy service.
#include "tests/unit/services/policy/policy_fixture.h"

namespace sealane::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Deployment(const std::string& name, const std::string& extra_labels = "",
                       const std::string& spec = "replicas: 2") {
  return StrCat("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ", name,
                "\n  namespace: shop\n  labels: {app: ", name, extra_labels.empty() ? "" : ", ",
                extra_labels, "}\nspec: {", spec, "}\n---\n");
}

// A policy of namespace shop; `rest` are further lines of its spec, two blanks deep.
std::string Policy(const std::string& name, const std::string& selector,
                   const std::string& rest = "", const std::string& annotations = "") {
  return StrCat("apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata:\n",
                "  name: ", name, "\n  namespace: shop\n  annotations: {", annotations,
                "}\nspec:\n  resourceSelectors:\n  - {apiVersion: apps/v1, kind: Deployment",
                selector.empty() ? "" : ", ", selector, "}\n", rest, "\n---\n");
}

class MatchingTest : public PolicyServiceTest {
 protected:
  MatchingTest() {
    PutCluster("a", "eu");
    PutCluster("b", "us");
  }
  // Objects that matching looked at while this ran.
  double Looked(const std::function<void()>& change) {
    const double before = metrics_.matches.Value();
    change();
    return metrics_.matches.Value() - before;
  }
};

TEST_F(MatchingTest, APolicyWaitsForTheOverridesItDependsOn) {
  MustApply(Deployment("web") + Policy("gated", "name: web", "  dependentOverrides: [region]\n"));
  EXPECT_EQ(Binding("Deployment shop/web"), nullptr);
  EXPECT_THAT(Told("PolicyWaits"),
              ElementsAre("PropagationPolicy shop/gated waits for OverridePolicy shop/region"));
  // Another policy that matches less closely does not slip in meanwhile.
  MustApply(Policy("wide", ""));
  EXPECT_EQ(Binding("Deployment shop/web"), nullptr);
  const std::string region = R"(
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: region, namespace: shop}
spec:
  overrideRules:
  - overriders: {labelsOverrider: [{operator: add, value: {region: eu}}]}
)";
  MustApply(region);
  EXPECT_EQ(Claimer("Deployment shop/web"), "gated");
  EXPECT_EQ(Manifest("a", "Deployment shop/web")["metadata"]["labels"]["region"], "eu");
  // What it has claimed stays as it was, and still follows its object.
  MustDelete(region);
  MustApply(Policy("gated", "name: web",
                   "  dependentOverrides: [region]\n  conflictResolution: Overwrite\n"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "gated");
  EXPECT_EQ(Binding("Deployment shop/web")->conflict_resolution(), "Abort");
  MustApply(Deployment("web", "", "replicas: 5"));
  EXPECT_EQ(Manifest("a", "Deployment shop/web")["spec"]["replicas"], 5);
  MustApply(region);
  EXPECT_EQ(Binding("Deployment shop/web")->conflict_resolution(), "Overwrite");
}

TEST_F(MatchingTest, TheTimeOfTheClaimIsThatOfTheGeneration) {
  MustApply(Deployment("web") + Policy("first", "name: web"));
  const int64_t claimed = Binding("Deployment shop/web")->claimed_micros();
  EXPECT_GT(claimed, 0);
  sim_.RunFor(absl::Seconds(5));
  // The policy changes the binding, the generation stays.
  MustApply(Policy("first", "name: web", "  conflictResolution: Overwrite\n"));
  EXPECT_EQ(Binding("Deployment shop/web")->conflict_resolution(), "Overwrite");
  EXPECT_EQ(Binding("Deployment shop/web")->claimed_micros(), claimed);
  MustApply(Deployment("web", "", "replicas: 5"));
  const int64_t second = Binding("Deployment shop/web")->claimed_micros();
  EXPECT_GE(second, claimed + 5'000'000);
  sim_.RunFor(absl::Seconds(5));
  MustDelete(Policy("first", "name: web"));
  MustApply(Policy("second", "name: web"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "second");
  EXPECT_GE(Binding("Deployment shop/web")->claimed_micros(), second + 5'000'000);
}

TEST_F(MatchingTest, ThePriorityComesFromThePriorityClass) {
  const std::string rest =
      "  schedulePriority: {priorityClassSource: KubePriorityClass, priorityClassName: high}\n";
  MustApply(Deployment("web") + Policy("first", "name: web", rest));
  EXPECT_EQ(Binding("Deployment shop/web"), nullptr) << "as in Karmada: no class, no binding";
  EXPECT_THAT(Told("PolicyWaits"), ElementsAre(HasSubstr("waits for PriorityClass high")));
  const auto priority_class = [](int value) {
    return StrCat("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\n",
                  "metadata: {name: high}\nvalue: ", value, "\n");
  };
  MustApply(priority_class(1000));
  ASSERT_NE(Binding("Deployment shop/web"), nullptr);
  EXPECT_EQ(Binding("Deployment shop/web")->schedule_priority(), 1000);
  MustApply(priority_class(-5));
  EXPECT_EQ(Binding("Deployment shop/web")->schedule_priority(), -5);
  MustApply(Policy("first", "name: web"));
  EXPECT_EQ(Binding("Deployment shop/web")->schedule_priority(), 0);
  const v1::DeployResult refused = Apply(
      "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: x}\nvalue: much\n");
  ASSERT_FALSE(refused.accepted());
  EXPECT_EQ(refused.results(0).errors(0).field(), "value");
}

TEST_F(MatchingTest, AnEditLooksOnlyAtTheObjectsConcerned) {
  std::string objects;
  for (int i = 0; i < 40; ++i) {
    objects += Deployment(StrCat("web-", i), StrCat("group: g", i % 4));
    objects += StrCat("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c", i,
                      ", namespace: shop}\n---\n");
  }
  MustApply(objects);
  MustApply(Policy("by-label", "labelSelector: {matchLabels: {group: g1}}"));
  MustApply(Policy("by-name", "name: web-2"));
  EXPECT_EQ(Claimer("Deployment shop/web-1"), "by-label");
  // Each object concerned, the policy's own row, and a second look after each binding that changes.
  const double by_label = Looked([&] {
    MustApply(Policy("by-label", "labelSelector: {matchLabels: {group: g1}}",
                     "  conflictResolution: Overwrite\n"));
  });
  EXPECT_GE(by_label, 10);
  EXPECT_LE(by_label, 22);
  const double by_name = Looked(
      [&] { MustApply(Policy("by-name", "name: web-2", "  conflictResolution: Overwrite\n")); });
  EXPECT_GE(by_name, 1);
  EXPECT_LE(by_name, 4);
  // To another group: those that leave and those that come.
  const double moved =
      Looked([&] { MustApply(Policy("by-label", "labelSelector: {matchLabels: {group: g3}}")); });
  EXPECT_GE(moved, 20);
  EXPECT_LE(moved, 42);
  EXPECT_EQ(Claimer("Deployment shop/web-1"), "");
  EXPECT_EQ(Claimer("Deployment shop/web-3"), "by-label");
  // Relabelling looks at the object itself.
  const double relabelled = Looked([&] { MustApply(Deployment("web-0", "group: g3")); });
  EXPECT_LE(relabelled, 3);
  EXPECT_EQ(Claimer("Deployment shop/web-0"), "by-label");
  // An override policy renders the works of its objects again, and matches nothing.
  const uint64_t rendered = metrics_.render_seconds.Count();
  const double matched = Looked([&] {
    MustApply(R"(
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: o, namespace: shop}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, labelSelector: {matchLabels: {group: g3}}}
  overrideRules:
  - overriders: {labelsOverrider: [{operator: add, value: {x: z}}]}
)");
  });
  EXPECT_EQ(matched, 1) << "the override policy's own row";
  EXPECT_GE(metrics_.render_seconds.Count() - rendered, 11U);
  EXPECT_LE(metrics_.render_seconds.Count() - rendered, 13U);
}

TEST_F(MatchingTest, ALazyPolicyWaitsForTheUser) {
  MustApply(Deployment("old"));
  MustApply(Policy("lazy", "", "  activationPreference: Lazy\n"));
  EXPECT_EQ(Claimer("Deployment shop/old"), "lazy");
  EXPECT_THAT(ClustersOf("Deployment shop/old"), IsEmpty()) << "it was there before the policy";
  MustApply(Deployment("new"));
  EXPECT_THAT(ClustersOf("Deployment shop/new"), ElementsAre("a", "b"));
  MustApply(Policy("lazy", "", "  activationPreference: Lazy\n  conflictResolution: Overwrite\n"));
  EXPECT_EQ(Binding("Deployment shop/new")->conflict_resolution(), "Abort");
  MustApply(Deployment("new", "", "replicas: 3") + Deployment("old", "", "replicas: 3"));
  EXPECT_EQ(Binding("Deployment shop/new")->conflict_resolution(), "Overwrite");
  EXPECT_THAT(ClustersOf("Deployment shop/old"), ElementsAre("a", "b"));
  // Without Lazy an edit is in force at once.
  MustApply(Policy("lazy", "", "  conflictResolution: Abort\n"));
  EXPECT_EQ(Binding("Deployment shop/new")->conflict_resolution(), "Abort");
}

TEST_F(MatchingTest, AClaimIsKeptUntilItIsPreempted) {
  MustApply(Deployment("web") + Policy("first", "", "  priority: 1\n"));
  MustApply(Policy("higher", "name: web", "  priority: 5\n"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "first") << "claims are sticky";
  Json explained = Explain("web");
  for (const Json& policy : explained["policies"]) {
    if (policy["policy"] != "PropagationPolicy shop/higher") continue;
    EXPECT_THAT(policy["why"].get<std::string>(), HasSubstr("preemption"));
  }
  MustApply(Policy("equal", "name: web", "  priority: 1\n  preemption: Always\n"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "first") << "only a strictly higher priority preempts";
  MustApply(Policy("higher", "name: web", "  priority: 5\n  preemption: Always\n"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "higher");
  // Below another preempting one it loses the claim again.
  MustApply(Policy("higher", "name: web", "  priority: 0\n  preemption: Always\n"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "equal");
}

TEST_F(MatchingTest, AnObjectWhosePolicyGoesStaysOrLeavesAsThePolicySaid) {
  const std::string withdraw =
      Policy("leaving", "name: web", "", "sealane.io/on-policy-delete: Withdraw");
  place_ = [](const v1::Binding&) -> std::map<std::string, int32_t> {
    return {{"a", 4}, {"b", 3}};
  };
  MustApply(Deployment("web") + Deployment("api", "", "replicas: 7") + withdraw +
            Policy("keeping", "name: api"));
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a", "b"));
  MustDelete(Policy("keeping", "name: api"));
  EXPECT_THAT(ClustersOf("Deployment shop/api"), ElementsAre("a", "b"));
  EXPECT_EQ(Claimer("Deployment shop/api"), "");
  EXPECT_THAT(Told("Unclaimed"), ElementsAre(HasSubstr("it stays where it is")));
  EXPECT_EQ(Manifest("a", "Deployment shop/api")["spec"]["replicas"], 4)
      << "each cluster keeps its part, and does not get all of it";
  MustApply(Deployment("api", "", "replicas: 9, paused: true"));
  EXPECT_EQ(Manifest("b", "Deployment shop/api")["spec"]["paused"], true);
  EXPECT_EQ(Manifest("b", "Deployment shop/api")["spec"]["replicas"], 3)
      << "without a policy nobody divides anew";

  // Agents that are slow make nobody busy.
  agents_answer_ = false;
  const uint64_t bindings = server_.StreamLastSequence(kBindingsTable);
  MustDelete(withdraw);
  sim_.RunFor(absl::Minutes(1));
  EXPECT_LE(server_.StreamLastSequence(kBindingsTable), bindings + 2);
  EXPECT_THAT(ClustersOf("Deployment shop/web"), IsEmpty());
  EXPECT_THAT(Told("Unclaimed"), Contains(HasSubstr("withdraws it")));
  // Its policy comes back meanwhile.
  MustApply(withdraw);
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a", "b"));
}

TEST_F(MatchingTest, WithdrawIsForPoliciesThatAreDeleted) {
  MustApply(Deployment("web", "tier: u") + Policy("by-label",
                                                  "labelSelector: {matchLabels: {tier: u}}", "",
                                                  "sealane.io/on-policy-delete: Withdraw"));
  MustApply(Deployment("web", "tier: w"));
  EXPECT_EQ(Claimer("Deployment shop/web"), "");
  EXPECT_THAT(ClustersOf("Deployment shop/web"), ElementsAre("a", "b"));
}

TEST_F(MatchingTest, DependenciesFollowAllTheirParents) {
  place_ = [](const v1::Binding& binding) -> std::map<std::string, int32_t> {
    return {{binding.ref().name() == "one" ? "a" : "b", binding.replicas()}};
  };
  const auto needs = [](const std::string& config) {
    return StrCat("replicas: 1, template: {spec: {volumes: [{name: v, configMap: {name: ", config,
                  "}}]}}");
  };
  const std::string config =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared, namespace: shop}\n---\n";
  MustApply(config + Deployment("one", "", needs("shared")) +
            Deployment("two", "", needs("shared")) +
            Policy("p1", "name: one", "  propagateDeps: true\n") +
            Policy("p2", "name: two",
                   "  propagateDeps: true\n  conflictResolution: Overwrite\n"
                   "  preserveResourcesOnDeletion: true\n"));
  EXPECT_THAT(ClustersOf("ConfigMap shop/shared"), ElementsAre("a", "b"));
  EXPECT_EQ(Binding("ConfigMap shop/shared")->conflict_resolution(), "Overwrite");
  EXPECT_TRUE(Binding("ConfigMap shop/shared")->preserve_resources_on_deletion());
  // Edits of the parents in turn change nothing of what they share: no write at all.
  const int64_t revision = Binding("ConfigMap shop/shared")->revision();
  const int64_t version = Work("a", "ConfigMap shop/shared")->fence().version();
  for (int replicas = 2; replicas < 5; ++replicas) {
    for (const char* name : {"one", "two"}) {
      std::string spec = needs("shared");
      spec.replace(0, 11, StrCat("replicas: ", replicas));
      MustApply(Deployment(name, "", spec));
    }
  }
  EXPECT_EQ(Binding("ConfigMap shop/shared")->revision(), revision);
  EXPECT_EQ(Work("a", "ConfigMap shop/shared")->fence().version(), version);
  // References that change are followed; the last parent takes it along.
  MustApply(Deployment("one", "", needs("other")));
  EXPECT_THAT(ClustersOf("ConfigMap shop/shared"), ElementsAre("b"));
  MustApply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n");
  EXPECT_THAT(ClustersOf("ConfigMap shop/other"), ElementsAre("a"));
  EXPECT_EQ(Binding("ConfigMap shop/other")->conflict_resolution(), "Abort");
  MustDelete(Deployment("two"));
  EXPECT_THAT(ClustersOf("ConfigMap shop/shared"), IsEmpty());
  EXPECT_EQ(Binding("ConfigMap shop/shared"), nullptr);
  sim_.RunFor(absl::Minutes(1));
  EXPECT_EQ(Binding("ConfigMap shop/shared"), nullptr) << "and it does not come back";
}

TEST_F(MatchingTest, ADependencyWithAPolicyOfItsOwnKeepsIt) {
  place_ = [](const v1::Binding& binding) -> std::map<std::string, int32_t> {
    return {{binding.ref().kind() == "Deployment" ? "a" : "b", binding.replicas()}};
  };
  MustApply(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n---\n" +
      Deployment("web", "",
                 "replicas: 1, template: {spec: {volumes: [{name: v, configMap: {name: c}}]}}") +
      Policy("web", "name: web", "  propagateDeps: true\n  conflictResolution: Overwrite\n") + R"(
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: config, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap}]
)");
  EXPECT_THAT(ClustersOf("ConfigMap shop/c"), ElementsAre("a", "b"));
  EXPECT_EQ(Binding("ConfigMap shop/c")->conflict_resolution(), "Abort");
  EXPECT_EQ(Claimer("ConfigMap shop/c"), "config");
}

TEST_F(MatchingTest, ARestartLeavesDependenciesAlone) {
  // More than one batch of the queues: the dependencies are looked at long before their parent.
  std::string all = Policy("web", "name: web", "  propagateDeps: true\n");
  std::string volumes;
  for (int i = 0; i < 200; ++i) {
    const std::string name = StrCat("c", 100 + i);
    all += StrCat("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ", name,
                  ", namespace: shop}\n---\n");
    volumes += StrCat(i == 0 ? "" : ", ", "{name: v", i, ", configMap: {name: ", name, "}}");
  }
  MustApply(all + Deployment("web", "",
                             StrCat("replicas: 1, template: {spec: {volumes: [", volumes, "]}}")));
  EXPECT_THAT(ClustersOf("ConfigMap shop/c100"), ElementsAre("a", "b"));
  EXPECT_THAT(ClustersOf("ConfigMap shop/c299"), ElementsAre("a", "b"));
  const uint64_t works = server_.StreamLastSequence(kWorksTable);
  const uint64_t bindings = server_.StreamLastSequence(kBindingsTable);
  StopService();
  StartService();
  EXPECT_EQ(server_.StreamLastSequence(kWorksTable), works);
  EXPECT_EQ(server_.StreamLastSequence(kBindingsTable), bindings);
  // What it learned is followed as before.
  MustApply(Deployment("web"));
  EXPECT_THAT(ClustersOf("ConfigMap shop/c100"), IsEmpty());
}

TEST_F(MatchingTest, WhatAPolicyPlacedStaysWhenTheLastParentLeaves) {
  const std::string config =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n---\n";
  const std::string web = Deployment(
      "web", "", "replicas: 1, template: {spec: {volumes: [{name: v, configMap: {name: c}}]}}");
  const auto policy = [](const std::string& annotations) {
    return StrCat(
        "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\n"
        "metadata: {name: config, namespace: shop, annotations: {",
        annotations, "}}\nspec: {resourceSelectors: [{apiVersion: v1, kind: ConfigMap}]}\n---\n");
  };
  for (const char* annotations : {"", "sealane.io/on-policy-delete: Withdraw"}) {
    place_ = [](const v1::Binding& binding) -> std::map<std::string, int32_t> {
      return {{binding.ref().kind() == "Deployment" ? "a" : "b", binding.replicas()}};
    };
    MustApply(config + web + policy(annotations) +
              Policy("web", "name: web", "  propagateDeps: true\n"));
    EXPECT_THAT(ClustersOf("ConfigMap shop/c"), ElementsAre("a", "b"));
    MustDelete(policy(annotations));
    MustDelete(web);
    if (*annotations == '\0') {
      EXPECT_THAT(ClustersOf("ConfigMap shop/c"), ElementsAre("b"));
    } else {
      EXPECT_THAT(ClustersOf("ConfigMap shop/c"), IsEmpty());
    }
    MustDelete(config);
    EXPECT_THAT(ClustersOf("ConfigMap shop/c"), IsEmpty());
  }
}

TEST_F(MatchingTest, WhatIsReservedIsNeverPropagated) {
  MustApply(R"(
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: {name: all}
spec:
  resourceSelectors:
  - {apiVersion: v1, kind: ConfigMap}
  - {apiVersion: v1, kind: Event}
  - {apiVersion: coordination.k8s.io/v1, kind: Lease}
---
apiVersion: v1
kind: Event
metadata: {name: happened, namespace: shop}
involvedObject: {kind: Pod}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: leader, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: kube-system}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: shop}
)");
  EXPECT_EQ(Binding("ConfigMap kube-system/c"), nullptr);
  EXPECT_EQ(bindings_.size(), 1U);
  const Json why = Explain("leader")["policies"];
  ASSERT_EQ(why.size(), 1U);
  EXPECT_THAT(why[0]["why"].get<std::string>(), HasSubstr("never propagated"));
  EXPECT_EQ(Claimer("ConfigMap shop/c"), "all");
}

TEST_F(MatchingTest, ARestartClaimsAsBefore) {
  MustApply(Deployment("web") + Policy("b", "") + Policy("c", ""));
  MustApply(Policy("a", ""));
  EXPECT_EQ(Claimer("Deployment shop/web"), "b");
  const uint64_t works = server_.StreamLastSequence(kWorksTable);
  StopService();
  StartService();
  EXPECT_EQ(Claimer("Deployment shop/web"), "b");
  EXPECT_EQ(server_.StreamLastSequence(kWorksTable), works);
}

}  // namespace
}  // namespace sealane::policy
