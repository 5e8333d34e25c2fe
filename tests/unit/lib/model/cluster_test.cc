// Clusters: JSON form, validation, affinity, taints.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/json.h"
#include "lib/model/cluster_json.h"
#include "lib/model/cluster_match.h"
#include "lib/model/field_errors.h"
#include "lib/model/placement_json.h"
#include "lib/model/toleration.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

Json Example() {
  return Json::parse(R"({
    "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
    "metadata": {"name": "aliyun-beijing", "labels": {"tier": "gold"}, "generation": 3},
    "spec": {"syncMode": "Pull", "provider": "aliyun", "region": "cn-beijing", "zones": ["a", "b"],
             "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]},
    "status": {"kubernetesVersion": "v1.30.0",
               "apiEnablements": [{"groupVersion": "apps/v1",
                                   "resources": [{"kind": "Deployment", "name": "deployments"}]}],
               "nodeSummary": {"totalNum": 3, "readyNum": 2},
               "resourceSummary": {"allocatable": {"cpu": "8", "pods": 110},
                                   "allocated": {"cpu": "1500m"}}}})");
}

TEST(ClusterJsonTest, ReadsAndWritesBack) {
  std::vector<v1::FieldError> errors;
  const v1::ClusterStatus cluster = ClusterFromJson(Example(), &errors);
  EXPECT_EQ(Describe(errors), "");
  EXPECT_EQ(cluster.resource_summary().allocatable().at("pods"), "110");
  Json want = Example();
  want["status"]["resourceSummary"]["allocatable"]["pods"] = "110";
  EXPECT_EQ(ClusterToJson(cluster), want);
}

TEST(ClusterJsonTest, NamesFieldsOfAWrongType) {
  Json json = Example();
  json["spec"]["zones"][1] = 5;
  json["spec"]["provider"] = Json::array();
  json["metadata"]["labels"]["tier"] = true;
  json["status"]["resourceSummary"]["allocatable"]["cpu"] = "eight";
  std::vector<v1::FieldError> errors;
  (void)ClusterFromJson(json, &errors);
  const std::string all = Describe(errors);
  EXPECT_THAT(all, HasSubstr("spec.zones[1]: TypeMismatch"));
  EXPECT_THAT(all, HasSubstr("spec.provider: TypeMismatch"));
  EXPECT_THAT(all, HasSubstr("metadata.labels.tier: TypeMismatch"));
  EXPECT_THAT(all, HasSubstr("status.resourceSummary.allocatable.cpu: Invalid"));
}

TEST(ClusterValidationTest, AcceptsAnOrdinaryCluster) {
  EXPECT_EQ(Describe(ValidateCluster(Example())), "");
}

TEST(ClusterValidationTest, NamesEachBrokenRule) {
  Json json = Example();
  json["metadata"]["name"] = "Not_A_Name";
  json["spec"]["syncMode"] = "Sideways";
  json["spec"]["zone"] = "c";
  json["spec"]["region"] = "-bad";
  json["spec"]["taints"] = Json::parse(
      R"([{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"},
          {"key": "b", "effect": "PreferNoSchedule"}, {"key": "", "effect": ""}])");
  const std::string all = Describe(ValidateCluster(json));
  EXPECT_THAT(all, HasSubstr("metadata.name: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.syncMode: NotSupported"));
  EXPECT_THAT(all, HasSubstr("spec.zone: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.region: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.taints[1]: Duplicate"));
  EXPECT_THAT(all, HasSubstr("spec.taints[2].effect: NotSupported"));
  EXPECT_THAT(all, HasSubstr("spec.taints[3].key: Invalid"));
  EXPECT_THAT(all, HasSubstr("spec.taints[3].effect: Required"));
}

TEST(ClusterValidationTest, DefaultsZoneTaintsAndModels) {
  Json json = Json::parse(R"({"metadata": {"name": "c"}, "spec": {"zone": "z",
    "taints": [{"key": "k", "effect": "NoExecute"}],
    "resourceModels": [
      {"grade": 2, "ranges": [{"name": "cpu", "min": "2", "max": "4"}]},
      {"grade": 1, "ranges": [{"name": "cpu", "min": "1", "max": "2"}]}]}})");
  DefaultClusterManifest(json, 1'750'000'000'000'000);
  EXPECT_EQ(json["spec"]["syncMode"], "Pull");
  EXPECT_EQ(json["spec"]["zones"], Json::array({"z"}));
  EXPECT_FALSE(json["spec"].contains("zone"));
  EXPECT_EQ(json["spec"]["taints"][0]["timeAdded"], "2025-06-15T15:06:40Z");
  EXPECT_EQ(json["spec"]["resourceModels"][0]["grade"], 1);
  EXPECT_EQ(json["spec"]["resourceModels"][0]["ranges"][0]["min"], "0");
  EXPECT_EQ(Describe(ValidateCluster(json)), "");
  json["spec"]["resourceModels"][1]["ranges"][0]["min"] = "3";
  EXPECT_THAT(Describe(ValidateCluster(json)), HasSubstr("contiguous"));
}

v1::ClusterAffinity Affinity(const char* text) {
  v1::ClusterAffinity affinity;
  EXPECT_TRUE(MessageFromJson(Json::parse(text), &affinity).ok()) << text;
  return affinity;
}

TEST(ClusterMatchTest, ExcludeBeatsAllAndTheRestIsAnd) {
  const v1::ClusterStatus cluster = ClusterFromJson(Example(), nullptr);
  EXPECT_TRUE(ClusterMatches(Affinity("{}"), cluster));
  EXPECT_FALSE(ClusterMatches(
      Affinity(R"({"clusterNames": ["aliyun-beijing"], "exclude": ["aliyun-beijing"]})"), cluster));
  EXPECT_TRUE(ClusterMatches(Affinity(R"({"labelSelector": {"matchLabels": {"tier": "gold"}},
    "fieldSelector": {"matchExpressions": [
      {"key": "provider", "operator": "In", "values": ["aliyun"]},
      {"key": "zone", "operator": "In", "values": ["b", "z"]}]}})"),
                             cluster));
  EXPECT_FALSE(ClusterMatches(Affinity(R"({"fieldSelector": {"matchExpressions": [
      {"key": "zone", "operator": "NotIn", "values": ["b"]}]}})"),
                              cluster));
}

TEST(ClusterMatchTest, AnUnsetFieldIsAnAbsentKey) {
  v1::ClusterStatus cluster;
  cluster.set_name("c");
  EXPECT_TRUE(ClusterMatches(Affinity(R"({"fieldSelector": {"matchExpressions": [
      {"key": "region", "operator": "NotIn", "values": ["x"]},
      {"key": "zone", "operator": "DoesNotExist"}]}})"),
                             cluster));
  EXPECT_FALSE(ClusterMatches(Affinity(R"({"fieldSelector": {"matchExpressions": [
      {"key": "region", "operator": "In", "values": ["x"]}]}})"),
                              cluster));
}

TEST(TolerationTest, FollowsKubernetes) {
  v1::Taint taint;
  taint.set_key("k");
  taint.set_value("v");
  taint.set_effect("NoSchedule");
  v1::Toleration toleration;
  EXPECT_FALSE(Tolerates(toleration, taint));  // Equal to the empty value
  toleration.set_operator_("Exists");
  EXPECT_TRUE(Tolerates(toleration, taint));
  toleration.set_effect("NoExecute");
  EXPECT_FALSE(Tolerates(toleration, taint));
  toleration.set_effect("");
  toleration.set_key("other");
  EXPECT_FALSE(Tolerates(toleration, taint));
  toleration.set_key("k");
  toleration.set_operator_("Equal");
  toleration.set_value("v");
  EXPECT_TRUE(Tolerates(toleration, taint));
  toleration.set_operator_("Lt");
  EXPECT_FALSE(Tolerates(toleration, taint));
  EXPECT_EQ(Describe(taint), "k=v:NoSchedule");
}

TEST(PlacementJsonTest, KeepsKarmadasForm) {
  const Json json = Json::parse(R"({
    "clusterAffinities": [{"affinityName": "a", "clusterNames": ["x"],
                           "overflowAffinities": [{"clusterNames": ["y"]}]}],
    "clusterTolerations": [{"key": "k", "operator": "Exists", "tolerationSeconds": 300}],
    "replicaScheduling": {"replicaSchedulingType": "Divided",
      "replicaDivisionPreference": "Weighted",
      "weightPreference": {"staticWeightList": [
        {"targetCluster": {"clusterNames": ["x"]}, "weight": 2}]}}})");
  auto placement = PlacementFromJson(json);
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(placement->cluster_tolerations(0).toleration_seconds(), 300);
  EXPECT_EQ(PlacementToJson(*placement), json);
  EXPECT_FALSE(PlacementFromJson(Json::parse(R"({"clusterAffinities": 5})")).ok());
}

TEST(PlacementJsonTest, RequirementsKeepTheNodeAffinityAsText) {
  const Json json = Json::parse(R"({"resourceRequest": {"cpu": "100m"},
    "nodeClaim": {"nodeSelector": {"a": "b"}, "hardNodeAffinity": {"nodeSelectorTerms": []}}})");
  auto requirements = RequirementsFromJson(json);
  ASSERT_TRUE(requirements.ok());
  EXPECT_EQ(requirements->node_claim().hard_node_affinity_json(), R"({"nodeSelectorTerms":[]})");
  EXPECT_EQ(RequirementsToJson(*requirements), json);
}

}  // namespace
}  // namespace sealane
