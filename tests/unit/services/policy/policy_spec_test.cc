#include "services/policy/policy_spec.h"

#include "gmock/gmock.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "services/policy/binding.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

Json Manifest(const std::string& kind, const std::string& name, const std::string& ns, Json spec) {
  Json metadata = {{"name", name}};
  if (!ns.empty()) metadata["namespace"] = ns;
  return {{"apiVersion", "policy.karmada.io/v1alpha1"},
          {"kind", kind},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

Json Selector(const std::string& name = "", const Json& labels = nullptr) {
  Json selector = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}};
  if (!name.empty()) selector["name"] = name;
  if (!labels.is_null()) selector["labelSelector"]["matchLabels"] = labels;
  return selector;
}

PropagationPolicy Propagation(const std::string& name, Json spec, const std::string& ns = "shop") {
  Json manifest = Manifest(ns.empty() ? "ClusterPropagationPolicy" : "PropagationPolicy", name, ns,
                           std::move(spec));
  const kube::Admission admission = kube::Admit(manifest);
  EXPECT_TRUE(admission.errors.empty()) << admission.errors.front().ShortDebugString();
  auto policy = ParsePropagationPolicy(manifest);
  EXPECT_OK(policy);
  return *std::move(policy);
}

class SelectTest : public ::testing::Test {
 protected:
  SelectTest() {
    object_ = {{"apiVersion", "apps/v1"},
               {"kind", "Deployment"},
               {"metadata", {{"name", "web"}, {"namespace", "shop"}, {"labels", {{"app", "web"}}}}},
               {"spec", {{"replicas", 3}}}};
    ref_.set_api_version("apps/v1");
    ref_.set_kind("Deployment");
    ref_.set_namespace_("shop");
    ref_.set_name("web");
  }
  std::string Select(const std::vector<PropagationPolicy>& policies) {
    std::vector<const PropagationPolicy*> candidates;
    for (const auto& policy : policies) candidates.push_back(&policy);
    const PropagationPolicy* chosen = SelectPolicy({ref_, object_}, candidates);
    return chosen == nullptr ? "" : chosen->ref.name();
  }
  Json object_;
  v1::ObjectRef ref_;
};

TEST_F(SelectTest, NameBeforeLabelBeforeAllThenSmallestName) {
  const auto all = Propagation("a-all", {{"resourceSelectors", {Selector()}}});
  const auto label =
      Propagation("b-label", {{"resourceSelectors", {Selector("", {{"app", "web"}})}}});
  const auto name = Propagation("c-name", {{"resourceSelectors", {Selector("web")}}});
  const auto other = Propagation("d-name", {{"resourceSelectors", {Selector("web")}}});
  const auto wrong = Propagation("0", {{"resourceSelectors", {Selector("", {{"app", "db"}})}}});
  EXPECT_EQ(Select({all, label, other, name, wrong}), "c-name");
  EXPECT_EQ(Select({all, label}), "b-label");
  EXPECT_EQ(Select({wrong}), "");
}

TEST_F(SelectTest, PriorityBeforeFitButNamespaceBeforeAll) {
  const auto name = Propagation("name", {{"resourceSelectors", {Selector("web")}}});
  const auto high = Propagation("z", {{"resourceSelectors", {Selector()}}, {"priority", 5}});
  const auto wide =
      Propagation("wide", {{"resourceSelectors", {Selector("web")}}, {"priority", 99}}, "");
  EXPECT_EQ(Select({name, high, wide}), "z");
  EXPECT_EQ(Select({wide}), "wide");
  auto gone = high;
  gone.deleting = true;
  EXPECT_EQ(Select({name, gone}), "name");
}

TEST_F(SelectTest, Preemption) {
  const Json named = {Selector("web")};
  auto low = Propagation("low", {{"resourceSelectors", named}});
  auto high = Propagation(
      "high", {{"resourceSelectors", named}, {"priority", 1}, {"preemption", "Always"}});
  auto wide = Propagation(
      "wide", {{"resourceSelectors", named}, {"priority", 9}, {"preemption", "Always"}}, "");
  auto same = Propagation("same", {{"resourceSelectors", named}, {"preemption", "Always"}});
  EXPECT_TRUE(Preempts(high, low));
  EXPECT_FALSE(Preempts(low, high));
  EXPECT_FALSE(Preempts(same, low)) << "only a strictly higher priority";
  EXPECT_FALSE(Preempts(wide, low)) << "never from a policy of the namespace";
  EXPECT_TRUE(Preempts(same, wide));
}

TEST_F(SelectTest, OverridesInOrder) {
  const auto make = [](const std::string& kind, const std::string& name, const Json& selectors) {
    auto policy = ParseOverridePolicy(Manifest(kind, name, kind == "OverridePolicy" ? "shop" : "",
                                               {{"resourceSelectors", selectors}}));
    EXPECT_OK(policy);
    return *std::move(policy);
  };
  const std::vector<OverridePolicy> policies = {
      make("OverridePolicy", "b", Json::array({Selector("web")})),
      make("OverridePolicy", "z", Json::array()),
      make("ClusterOverridePolicy", "c", Json::array({Selector("web")})),
      make("ClusterOverridePolicy", "a", Json::array({Selector("", {{"app", "web"}})})),
      make("OverridePolicy", "x", Json::array({Selector("other")}))};
  std::vector<const OverridePolicy*> candidates;
  for (const auto& policy : policies) candidates.push_back(&policy);
  std::string order;
  for (const OverridePolicy* policy : RelevantOverrides({ref_, object_}, candidates)) {
    order += policy->ref.name();
  }
  EXPECT_EQ(order, "aczb");
}

TEST_F(SelectTest, BindingTakesFromObjectAndPolicy) {
  auto policy = Propagation("p", {{"resourceSelectors", {Selector()}},
                                  {"propagateDeps", true},
                                  {"conflictResolution", "Overwrite"},
                                  {"suspension", {{"dispatching", true}}},
                                  {"placement", {{"clusterAffinity", {{"clusterNames", {"a"}}}}}}});
  v1::StoredObject row;
  *row.mutable_ref() = ref_;
  row.set_uid("u");
  row.set_generation(4);
  v1::Binding binding;
  FillFromObject(row, object_, binding);
  FillFromPolicy(policy, binding);
  EXPECT_EQ(binding.replicas(), 3);
  EXPECT_EQ(binding.labels().at("app"), "web");
  EXPECT_TRUE(binding.propagate_deps());
  EXPECT_TRUE(binding.suspension().dispatching());
  EXPECT_EQ(binding.placement().cluster_affinity().cluster_names(0), "a");
  FillFromPolicy(Propagation("q", {{"resourceSelectors", {Selector()}}}), binding);
  EXPECT_FALSE(binding.has_suspension());
  EXPECT_TRUE(binding.has_placement());
  EXPECT_EQ(binding.conflict_resolution(), "Abort");
}

std::vector<std::string> Fields(Json manifest) {
  std::vector<std::string> fields;
  for (const auto& error : kube::Admit(manifest).errors)
    fields.push_back(error.field() + ":" + error.reason());
  return fields;
}

TEST(Admission, NamesTheFieldAndTheReason) {
  using V = std::vector<std::string>;
  const Json selectors = {Selector()};
  EXPECT_EQ(Fields(Manifest("PropagationPolicy", "p", "shop",
                            {{"resourceSelector", selectors}, {"resourceSelectors", selectors}})),
            V{"spec.resourceSelector:UnknownField"});
  EXPECT_EQ(Fields(Manifest("PropagationPolicy", "p", "shop", Json::object())),
            V{"spec.resourceSelectors:Required"});
  EXPECT_EQ(Fields(Manifest("PropagationPolicy", "p", "shop",
                            {{"resourceSelectors", selectors}, {"priority", "high"}})),
            V{"spec.priority:TypeMismatch"});
  EXPECT_EQ(
      Fields(Manifest("PropagationPolicy", "p", "shop",
                      {{"resourceSelectors", selectors},
                       {"placement", {{"spreadConstraints", {{{"spreadByField", "region"}}}}}}})),
      V{"spec.placement.spreadConstraints:Invalid"});
  EXPECT_EQ(Fields(Manifest("ClusterOverridePolicy", "o", "",
                            {{"overrideRules", {{{"targetCluster", Json::object()}}}}})),
            V{"spec.overrideRules[0].overriders:Required"});
  Json expanding =
      Manifest("OverridePolicy", "o", "shop",
               {{"overrideRules",
                 {{{"overriders",
                    {{"labelsOverrider",
                      {{{"operator", "add"}, {"value", {{"a", "${cluster.nam}"}}}}}}}}}}}});
  expanding["metadata"]["annotations"]["sealane.io/expand"] = "true";
  EXPECT_EQ(Fields(expanding),
            V{"spec.overrideRules[0].overriders.labelsOverrider[0].value.a:Invalid"});
  EXPECT_EQ(Fields({{"apiVersion", "config.karmada.io/v1alpha1"},
                    {"kind", "ResourceInterpreterCustomization"},
                    {"metadata", {{"name", "x"}}}}),
            V{"kind:NotSupported"});
  EXPECT_EQ(Fields({{"apiVersion", "apps/v1"},
                    {"kind", "Deployment"},
                    {"metadata", {{"name", "x"}, {"namespace", "d"}}},
                    {"spec", {{"replicas", "three"}}}}),
            V{"spec.replicas:Invalid"});
}

TEST(Admission, RefusesUnknownFieldsOfTheMetadataAndAStatus) {
  using V = std::vector<std::string>;
  const auto read = [](Json manifest) {
    V fields;
    for (const auto& error : kube::AdmitText(manifest.dump(), &manifest).errors) {
      fields.push_back(error.field() + ":" + error.reason());
    }
    return fields;
  };
  for (const std::string kind : {"PropagationPolicy", "OverridePolicy"}) {
    SCOPED_TRACE(kind);
    Json policy = Manifest(kind, "p", "shop", {{"resourceSelectors", {Selector()}}});
    if (kind == "OverridePolicy") policy["spec"]["overrideRules"] = Json::array();
    // What an API server writes into an export is no mistake.
    policy["metadata"].update({{"labels", {{"a", "b"}}},
                               {"annotations", {{"a", "b"}}},
                               {"uid", "u"},
                               {"generation", 3},
                               {"resourceVersion", "7"},
                               {"creationTimestamp", "2026-01-01T00:00:00Z"},
                               {"finalizers", {"karmada.io/policy"}},
                               {"managedFields", Json::array()},
                               {"ownerReferences", Json::array()},
                               {"selfLink", "/x"}});
    EXPECT_EQ(Fields(policy), V{});
    EXPECT_EQ(read(policy), V{});
    Json typo = policy;
    typo["metadata"]["lables"] = {{"a", "b"}};
    EXPECT_EQ(Fields(typo), V{"metadata.lables:UnknownField"});
    EXPECT_EQ(read(typo), V{"metadata.lables:UnknownField"});
    Json status = policy;
    status["status"] = {{"phase", "x"}};
    EXPECT_EQ(read(status), V{"status:UnknownField"});
  }
  // Another object's status is the server's, and is left out.
  EXPECT_EQ(read({{"apiVersion", "v1"},
                  {"kind", "ConfigMap"},
                  {"metadata", {{"name", "c"}, {"namespace", "d"}}},
                  {"status", {{"a", 1}}}}),
            V{});
}

std::vector<std::string> AnnotationFaults(const std::string& kind, const std::string& key,
                                          const std::string& value) {
  Json policy = Manifest(kind, "p", kind.starts_with("Cluster") ? "" : "shop",
                         {{"resourceSelectors", {Selector()}}});
  if (kind.ends_with("OverridePolicy")) policy["spec"]["overrideRules"] = Json::array();
  policy["metadata"]["annotations"] = {{key, value}, {"example.com/other", "anything"}};
  return Fields(policy);
}

TEST(Admission, KnowsEveryAnnotationOfItsOwn) {
  using V = std::vector<std::string>;
  const std::vector<std::string> propagation = {"PropagationPolicy", "ClusterPropagationPolicy"};
  const std::vector<std::string> overrides = {"OverridePolicy", "ClusterOverridePolicy"};
  struct Case {
    std::string key;
    std::vector<std::string> kinds;
    std::vector<std::string> good;
    std::string bad;
  };
  const std::vector<Case> cases = {
      {"sealane.io/on-policy-delete", propagation, {"Keep", "Withdraw"}, "withdraw"},
      {"sealane.io/honour-spread", propagation, {"true", "false"}, "yes"},
      {"sealane.io/respect-capacity", propagation, {"true", "false"}, ""},
      {"sealane.io/failback",
       propagation,
       {"Never", "WhenHealthyFor=10m", "WhenHealthyFor=90s"},
       "WhenHealthyFor=ten"},
      {"sealane.io/failover-scope",
       propagation,
       {"SameProvider", "SameRegion", "SameProviderOrRegion", "Any"},
       "SameZone"},
      {"sealane.io/containers", overrides, {"All", "Containers"}, "all"},
      {"sealane.io/expand", overrides, {"true", "false"}, "True"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.key);
    const std::string field = StrCat("metadata.annotations[", one.key, "]");
    for (const std::string& kind : one.kinds) {
      for (const std::string& value : one.good) {
        EXPECT_EQ(AnnotationFaults(kind, one.key, value), V{}) << kind << " " << value;
      }
      EXPECT_EQ(AnnotationFaults(kind, one.key, one.bad), V{field + ":NotSupported"});
      EXPECT_EQ(AnnotationFaults(kind, one.key + "x", one.good.front()),
                V{StrCat("metadata.annotations[", one.key, "x]:UnknownField")});
    }
    for (const std::string& kind : one.kinds == overrides ? propagation : overrides) {
      EXPECT_EQ(AnnotationFaults(kind, one.key, one.good.front()), V{field + ":Forbidden"});
    }
  }
  // What objects say about themselves has no effect on a policy.
  EXPECT_EQ(AnnotationFaults("PropagationPolicy", "sealane.io/drift", "Report"),
            V{"metadata.annotations[sealane.io/drift]:Forbidden"});
  EXPECT_EQ(AnnotationFaults("OverridePolicy", "sealane.io/recreate", "true"),
            V{"metadata.annotations[sealane.io/recreate]:Forbidden"});
}

TEST(Admission, SaysWhichAnnotationsAndValuesThereAre) {
  Json policy = Manifest("PropagationPolicy", "p", "shop", {{"resourceSelectors", {Selector()}}});
  policy["metadata"]["annotations"] = {{"sealane.io/containers", "All"},
                                       {"sealane.io/failback", "Always"},
                                       {"sealane.io/on-policy-delte", "Withdraw"}};
  const auto errors = kube::Admit(policy).errors;
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[0].message(), "belongs on override policies");
  EXPECT_EQ(errors[1].message(),
            "\"Always\" is not one of: Never, WhenHealthyFor=<duration> (such as 5m)");
  EXPECT_EQ(errors[2].message(),
            "unknown annotation; propagation policies know sealane.io/failback, "
            "sealane.io/failover-scope, sealane.io/honour-spread, sealane.io/on-policy-delete, "
            "sealane.io/rebalance, sealane.io/respect-capacity");
}

TEST(Admission, StateIsPreservedFromPathsToOneValue) {
  const auto rules = [](const char* path) {
    return Json{
        {"statePreservation", {{"rules", {{{"aliasLabelName", "a"}, {"jsonPath", path}}}}}}};
  };
  Json policy = Manifest("PropagationPolicy", "p", "shop", {{"resourceSelectors", {Selector()}}});
  policy["spec"]["propagateDeps"] = true;
  policy["spec"]["failover"] = {{"application", rules("{.list[*]}")},
                                {"cluster", rules("{.list[0].id}")}};
  policy["spec"]["failover"]["application"]["decisionConditions"] = Json::object();
  const auto errors = kube::Admit(policy).errors;
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].field(), "spec.failover.application.statePreservation.rules[0].jsonPath");
  EXPECT_THAT(errors[0].message(), ::testing::HasSubstr("[*]"));
}

TEST(Admission, WarnsOfAnnotationsThatDoNothingOnAnObject) {
  using V = std::vector<std::string>;
  Json object = {{"apiVersion", "v1"},
                 {"kind", "ConfigMap"},
                 {"metadata",
                  {{"name", "c"},
                   {"namespace", "d"},
                   {"annotations",
                    {{"sealane.io/cluster", "eu"},
                     {"sealane.io/drift", "Report"},
                     {"sealane.io/expand", "true"},
                     {"sealane.io/recreat", "true"},
                     {"sealane.io/recreate", "yes"}}}}}};
  const kube::Admission admission = kube::Admit(object);
  EXPECT_TRUE(admission.errors.empty());
  EXPECT_EQ(
      admission.warnings,
      (V{"metadata.annotations[sealane.io/expand] has no effect: belongs on override policies",
         "metadata.annotations[sealane.io/recreat] has no effect: unknown annotation; the objects "
         "themselves know sealane.io/drift, sealane.io/prune, sealane.io/recreate",
         "metadata.annotations[sealane.io/recreate] has no effect: \"yes\" is not one of: true, "
         "false"}));
}

// An override policy of one rule, with sealane.io/expand as given ("" for without).
Json OneRule(const std::string& expand, const Json& overriders, const Json& target = nullptr) {
  Json policy = Manifest("OverridePolicy", "o", "shop",
                         {{"overrideRules", Json::array({{{"overriders", overriders}}})}});
  if (!target.is_null()) policy["spec"]["overrideRules"][0]["targetCluster"] = target;
  if (!expand.empty()) policy["metadata"]["annotations"]["sealane.io/expand"] = expand;
  return policy;
}

TEST(Admission, LabelValuesWithPlaceholdersAreForPoliciesThatExpandThem) {
  using V = std::vector<std::string>;
  const Json labels = {
      {"labelsOverrider", {{{"operator", "add"}, {"value", {{"a", "${cluster.name}"}}}}}}};
  EXPECT_EQ(Fields(OneRule("true", labels)), V{});
  const V refused = {"spec.overrideRules[0].overriders.labelsOverrider[0].value:Invalid"};
  EXPECT_EQ(Fields(OneRule("", labels)), refused);
  EXPECT_EQ(Fields(OneRule("false", labels)), refused);
}

TEST(Admission, PlaceholdersOutsideOfOverridersAreRefused) {
  using V = std::vector<std::string>;
  const Json overriders = {
      {"plaintext",
       {{{"operator", "add"}, {"path", "/spec/a"}, {"value", {"${cluster.region}", "$${x}"}}}}}};
  EXPECT_EQ(Fields(OneRule("true", overriders)), V{});
  const Json target = {{"clusterNames", {"a", "${cluster.name}"}},
                       {"labelSelector", {{"matchLabels", {{"k", "${cluster.labels.k}"}}}}}};
  EXPECT_EQ(Fields(OneRule("true", overriders, target)),
            (V{"spec.overrideRules[0].targetCluster.clusterNames[1]:Invalid",
               "spec.overrideRules[0].targetCluster.labelSelector.matchLabels.k:Invalid"}));
  EXPECT_EQ(Fields(OneRule("", overriders, target)), V{}) << "nothing is expanded, as in Karmada";
  Json policy = OneRule("true", overriders);
  policy["spec"]["resourceSelectors"] = Json::array(
      {{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web-${cluster.name}"}}});
  const auto errors = kube::Admit(policy).errors;
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].field(), "spec.resourceSelectors[0].name");
  EXPECT_EQ(errors[0].message(),
            "\"web-${cluster.name}\": placeholders are expanded in overriders only");
  Json deprecated = OneRule("true", overriders);
  deprecated["spec"] = {{"targetCluster", target}, {"overriders", overriders}};
  EXPECT_EQ(Fields(deprecated), (V{"spec.targetCluster.clusterNames[1]:Invalid",
                                   "spec.targetCluster.labelSelector.matchLabels.k:Invalid"}));
}

TEST(Admission, OverridersBesideRulesWouldBeIgnored) {
  using V = std::vector<std::string>;
  Json policy = OneRule("", Json::object());
  policy["spec"]["overriders"] = {
      {"envOverrider", {{{"operator", "remove"}, {"value", {{{"name", "A"}}}}}}}};
  EXPECT_EQ(Fields(policy), V{"spec.overriders:Invalid"});
  // Karmada takes this one.
  policy["spec"]["overriders"] = {
      {"fieldOverrider", {{{"fieldPath", "/data/a"}, {"json", Json::array()}}}}};
  const kube::Admission admission = kube::Admit(policy);
  EXPECT_TRUE(admission.errors.empty());
  EXPECT_EQ(admission.warnings,
            V{"spec.overriders.fieldOverrider has no effect beside overrideRules"});
}

TEST(Admission, ClusterTaintPoliciesAreThoseOfKarmada) {
  const Json ready = {{"conditionType", "Ready"}, {"operator", "In"}, {"statusValues", {"True"}}};
  Json policy = Manifest("ClusterTaintPolicy", "lost", "",
                         {{"targetClusters", {{"clusterNames", {"a"}}}},
                          {"addOnConditions", {ready}},
                          {"taints", {{{"key", "lost"}, {"effect", "NoExecute"}}}}});
  using V = std::vector<std::string>;
  EXPECT_EQ(Fields(policy), V{});
  EXPECT_EQ(kube::Admit(policy).warnings, V{});

  Json wrong = policy;
  wrong["spec"]["addOnConditions"][0]["operator"] = "Is";
  wrong["spec"]["addOnConditions"][0]["statusValues"] = {"Yes"};
  wrong["spec"]["taints"][0]["effect"] = "PreferNoExecute";
  wrong["spec"]["tains"] = Json::array();
  EXPECT_THAT(Fields(wrong), ::testing::UnorderedElementsAre(
                                 "spec.addOnConditions[0].operator:NotSupported",
                                 "spec.addOnConditions[0].statusValues[0]:NotSupported",
                                 "spec.taints[0].effect:NotSupported", "spec.tains:UnknownField"));
  wrong = policy;
  wrong["spec"]["taints"].push_back(policy["spec"]["taints"][0]);
  wrong["spec"]["targetClusters"]["fieldSelector"]["matchExpressions"] = {
      {{"key", "planet"}, {"operator", "In"}, {"values", {"x"}}}};
  EXPECT_EQ(Fields(wrong),
            (V{"spec.targetClusters.fieldSelector:Invalid", "spec.taints[1]:Duplicate"}));
  wrong = policy;
  wrong["spec"]["targetClusters"]["labelSelector"]["matchExpressions"] = {
      {{"key", "tier"}, {"operator", "Near"}, {"values", {"x"}}}};
  EXPECT_EQ(Fields(wrong), V{"spec.targetClusters:Invalid"});
  wrong = policy;
  wrong["spec"].erase("taints");
  EXPECT_EQ(Fields(wrong), V{"spec.taints:Required"});
  policy["spec"].erase("addOnConditions");
  EXPECT_EQ(kube::Admit(policy).warnings, V{"without spec.addOnConditions no cluster is tainted"});
}

TEST(Admission, WorkloadRebalancersNameObjects) {
  const auto fields = [](const Json& workloads) {
    const Json object = {{"apiVersion", "apps.karmada.io/v1alpha1"},
                         {"kind", "WorkloadRebalancer"},
                         {"metadata", {{"name", "again"}}},
                         {"spec", {{"workloads", workloads}, {"ttlSecondsAfterFinished", 60}}}};
    return Fields(object);
  };
  using V = std::vector<std::string>;
  Json web = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}};
  EXPECT_EQ(fields(Json::array({web})), V{});
  EXPECT_EQ(fields(Json::array()), V{"spec.workloads:Required"});
  web.erase("name");
  EXPECT_EQ(fields(Json::array({web})), V{"spec.workloads[0].name:Required"});
  web["labelSelector"]["matchExpressions"] = {{{"key", "a"}, {"operator", "Near"}}};
  EXPECT_EQ(fields(Json::array({web})), V{"spec.workloads[0].labelSelector:Invalid"});
}

TEST(Admission, WarnsOfDeprecatedFields) {
  using V = std::vector<std::string>;
  const Json selectors = {Selector()};
  Json policy = Manifest("PropagationPolicy", "p", "shop",
                         {{"resourceSelectors", selectors}, {"association", true}});
  EXPECT_EQ(kube::Admit(policy).warnings, V{"spec.association is deprecated: use propagateDeps"});
  Json overrides = Manifest("OverridePolicy", "o", "shop",
                            {{"overriders", {{"labelsOverrider", Json::array()}}}});
  EXPECT_EQ(kube::Admit(overrides).warnings.size(), 1U);
  Json cluster = {{"apiVersion", "cluster.karmada.io/v1alpha1"},
                  {"kind", "Cluster"},
                  {"metadata", {{"name", "a"}}},
                  {"spec", {{"syncMode", "Pull"}, {"zone", "z"}}}};
  EXPECT_EQ(kube::Admit(cluster).warnings, V{"spec.zone is deprecated: use zones"});
  cluster["spec"].erase("zone");
  EXPECT_TRUE(kube::Admit(cluster).warnings.empty());
}

}  // namespace
}  // namespace sealane::policy
