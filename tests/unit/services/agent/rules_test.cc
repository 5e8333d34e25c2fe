// The pure parts: plan, ownership, pods, requests.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/apply_order.h"
#include "services/agent/cluster_facts.h"
#include "services/agent/inventory.h"
#include "services/agent/ownership.h"
#include "services/agent/plan.h"
#include "services/agent/pods.h"
#include "tests/support/status_matchers.h"

namespace sealane::agent {
namespace {

using ::testing::HasSubstr;

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    work_.mutable_ref()->set_api_version("v1");
    work_.mutable_ref()->set_kind("ConfigMap");
    work_.mutable_ref()->set_name("c");
    item_.manifest_hash = 1;
  }
  void Applied() {
    item_.inventory = Inventory{};
    item_.inventory->kind = work_.ref().kind();
    item_.inventory->api_version = "v1";
    item_.inventory->uid = "u";
    item_.inventory->manifest_hash = 1;
    item_.inventory->fields_hash = 10;
    item_.inventory->resource_version = 100;
  }
  void Seen(std::string_view uid, uint64_t fields, bool managed, uint64_t version = 100) {
    item_.observed = Observed{};
    item_.observed->uid = uid;
    item_.observed->fields_hash = fields;
    item_.observed->managed = managed;
    item_.observed->resource_version = version;
  }
  Decision Run(bool known, bool looked_up = false, bool may_prune = true) {
    if (has_work_) item_.work = std::make_shared<v1::Work>(work_);
    return Plan({&item_, known || looked_up, looked_up, may_prune});
  }
  v1::Work work_;
  bool has_work_ = true;
  Item item_;
};

TEST_F(PlanTest, ANewWorkIsLookedUpThenApplied) {
  EXPECT_EQ(Run(false).step, Step::kLookUp);
  const Decision decision = Run(false, true);
  EXPECT_EQ(decision.step, Step::kApply);
  EXPECT_FALSE(decision.force);
  EXPECT_FALSE(decision.repair);
}

TEST_F(PlanTest, AForeignObjectIsRefusedUnlessOverwriteIsAsked) {
  Seen("theirs", 0, false);
  EXPECT_EQ(Run(false, true).step, Step::kRefuse);
  work_.set_conflict_resolution("Overwrite");
  EXPECT_EQ(Run(false, true).step, Step::kApply);
  EXPECT_TRUE(Run(false, true).force);
}

TEST_F(PlanTest, WhatIsInForceIsLeftAlone) {
  Applied();
  EXPECT_EQ(Run(false).step, Step::kNothing);  // nothing known yet
  Seen("u", 10, true);
  EXPECT_EQ(Run(true).step, Step::kNothing);
  Seen("u", 11, true, 99);  // the watch is behind our own write
  EXPECT_EQ(Run(true).step, Step::kNothing);
  Seen("u", 11, true, 101);
  EXPECT_EQ(Run(true).step, Step::kApply);
  EXPECT_TRUE(Run(true).repair);
  EXPECT_TRUE(Run(true).force);
}

TEST_F(PlanTest, ADeletedObjectIsLookedUpAndMadeAgain) {
  Applied();
  EXPECT_EQ(Run(true).step, Step::kLookUp);
  const Decision decision = Run(true, true);
  EXPECT_EQ(decision.step, Step::kApply);
  EXPECT_TRUE(decision.repair);
}

TEST_F(PlanTest, ANewManifestIsAppliedWithoutALook) {
  Applied();
  Seen("u", 10, true);
  item_.manifest_hash = 2;
  const Decision decision = Run(false);
  EXPECT_EQ(decision.step, Step::kApply);
  EXPECT_TRUE(decision.exists);
  EXPECT_FALSE(decision.repair);
}

TEST_F(PlanTest, RemovalTakesOnlyWhatIsOurs) {
  work_.set_deleting(true);
  EXPECT_EQ(Run(false).step, Step::kLookUp);
  EXPECT_EQ(Run(false, true).step, Step::kRemoved);
  Seen("theirs", 0, false);
  EXPECT_EQ(Run(false, true).step, Step::kRemoved);
  Applied();
  Seen("u", 10, true);
  EXPECT_EQ(Run(true).step, Step::kRemove);
  item_.observed->deleting = true;
  EXPECT_EQ(Run(true).step, Step::kWait);
  item_.observed->deleting = false;
  work_.set_preserve_on_deletion(true);
  EXPECT_EQ(Run(false, true).step, Step::kRelease);
}

TEST_F(PlanTest, NamespacesAreDeletedOnlyByWhoMadeThem) {
  work_.mutable_ref()->set_kind("Namespace");
  work_.set_deleting(true);
  Applied();
  item_.inventory->name = "shop";
  Seen("u", 10, true);
  EXPECT_EQ(Run(true).step, Step::kRelease);
  item_.inventory->created = true;
  EXPECT_EQ(Run(true).step, Step::kRemove);
  item_.inventory->name = "kube-system";
  EXPECT_EQ(Run(true).step, Step::kRelease);
}

TEST_F(PlanTest, WhatHasNoRowIsPrunedOnlyAfterAFullSync) {
  has_work_ = false;
  Applied();
  Seen("u", 10, true);
  EXPECT_EQ(Run(true, false, /*may_prune=*/false).step, Step::kNothing);
  EXPECT_EQ(Run(true).step, Step::kRemove);
  item_.observed.reset();
  EXPECT_EQ(Run(true, true).step, Step::kForget);
  item_.inventory->preserve = true;
  Seen("u", 10, true);
  EXPECT_EQ(Run(true, true).step, Step::kRelease);
}

TEST(RankTest, WhatOthersNeedComesFirst) {
  EXPECT_LT(ApplyRank("", "Namespace"),
            ApplyRank("apiextensions.k8s.io", "CustomResourceDefinition"));
  EXPECT_LT(ApplyRank("", "ServiceAccount"), ApplyRank("", "ConfigMap"));
  EXPECT_LT(ApplyRank("", "ConfigMap"), ApplyRank("apps", "Deployment"));
  EXPECT_EQ(ApplyRank("apps", "Deployment"), ApplyRank("example.com", "Widget"));
  EXPECT_LT(ApplyRank("apps", "Deployment"),
            ApplyRank("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"));
}

Json Object(std::string_view managed_fields) {
  Json object = Json::parse(R"({"metadata":{"labels":{"sealane.io/managed":"true"}}})");
  object["metadata"]["managedFields"] = Json::parse(managed_fields);
  return object;
}

TEST(OwnershipTest, TheHashIsOfOurAppliedFieldsOnly) {
  const Json one = Object(R"([{"manager":"sealane","operation":"Apply","time":"1",
    "fieldsV1":{"f:data":{"f:a":{}}}},{"manager":"x","operation":"Update","fieldsV1":{"f:b":{}}}])");
  const Json two = Object(R"([{"manager":"x","operation":"Update","fieldsV1":{"f:c":{}}},
    {"manager":"sealane","operation":"Apply","time":"2","fieldsV1":{"f:data":{"f:a":{}}}}])");
  const Json three = Object(R"([{"manager":"sealane","operation":"Apply",
    "fieldsV1":{"f:data":{}}}])");
  EXPECT_NE(OwnedFieldsHash(one), 0U);
  EXPECT_EQ(OwnedFieldsHash(one), OwnedFieldsHash(two));
  EXPECT_NE(OwnedFieldsHash(one), OwnedFieldsHash(three));
  EXPECT_TRUE(IsManaged(one));
  // A copy of our object carries the label, not the ownership.
  const Json copy = Object(R"([{"manager":"kubectl","operation":"Update","fieldsV1":{}}])");
  EXPECT_EQ(OwnedFieldsHash(copy), 0U);
  EXPECT_FALSE(IsManaged(copy));
}

TEST(OwnershipTest, OwnersAreNamed) {
  EXPECT_EQ(DescribeOwner(Object(R"([{"manager":"kubectl"},{"manager":"kcm","subresource":"status"},
    {"manager":"argocd"},{"manager":"kubectl"}])")),
            "kubectl, argocd");
  EXPECT_EQ(DescribeOwner(
                Json::parse(R"({"metadata":{"annotations":{"meta.helm.sh/release-name":"web"}}})")),
            "Helm (release web)");
  EXPECT_EQ(
      DescribeOwner(Json::parse(R"({"metadata":{"ownerReferences":[{"kind":"App","name":"x"}]}})")),
      "App x");
  EXPECT_EQ(DescribeOwner(Json::object()), "someone unknown");
}

TEST(OwnershipTest, PreparesAManifest) {
  const auto prepared = PrepareManifest(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","uid":"x",
         "resourceVersion":"1"},"status":{}})",
      "member", nullptr);
  ASSERT_OK(prepared);
  const Json body = Json::parse(prepared->body);
  EXPECT_EQ(body["metadata"]["labels"]["sealane.io/managed"], "true");
  EXPECT_EQ(body["metadata"]["annotations"]["sealane.io/cluster"], "member");
  EXPECT_FALSE(body["metadata"].contains("uid"));
  EXPECT_FALSE(body["metadata"].contains("resourceVersion"));
  EXPECT_FALSE(body.contains("status"));
  EXPECT_FALSE(PrepareManifest("[]", "m", nullptr).ok());
  EXPECT_FALSE(PrepareManifest(R"({"metadata":{"labels":[]}})", "m", nullptr).ok());
}

TEST(OwnershipTest, ReplicasOfAnotherOwnerAreLeftOut) {
  constexpr char kManifest[] = R"({"metadata":{"name":"w","labels":
    {"resourcetemplate.karmada.io/retain-replicas":"true"}},"spec":{"replicas":2}})";
  Json live = Object(R"([{"manager":"sealane","operation":"Apply",
    "fieldsV1":{"f:spec":{"f:replicas":{}}}}])");
  live["spec"]["replicas"] = 5;
  const Json kept = Json::parse(PrepareManifest(kManifest, "m", &live)->body);
  EXPECT_EQ(kept["spec"]["replicas"], 5);
  live["metadata"]["managedFields"].push_back(Json::parse(
      R"({"manager":"hpa","operation":"Update","fieldsV1":{"f:spec":{"f:replicas":{}}}})"));
  const Json left = Json::parse(PrepareManifest(kManifest, "m", &live)->body);
  EXPECT_FALSE(left["spec"].contains("replicas"));
}

TEST(OwnershipTest, DifferencesAreDescribedBriefly) {
  const Json from = Json::parse(
      R"({"metadata":{"generation":1},"spec":{"a":1,"b":[1,2],"gone":true},"status":{"x":1}})");
  const Json to =
      Json::parse(R"({"metadata":{"generation":2},"spec":{"a":2,"b":[1,3],"new":"n"}})");
  EXPECT_EQ(DescribeDifference(from, to, 200),
            "spec.a: 1 -> 2; spec.b[1]: 2 -> 3; spec.gone: true -> (absent); "
            "spec.new: (absent) -> \"n\"");
  EXPECT_EQ(DescribeDifference(from, to, 13), "spec.a: 1 ...");
  EXPECT_EQ(DescribeDifference(from, from, 100), "");
}

TEST(InventoryTest, SurvivesEncoding) {
  Inventory inventory;
  inventory.api_version = "apps/v1";
  inventory.kind = "Deployment";
  inventory.ns = "a";
  inventory.name = "b";
  inventory.uid = "u";
  inventory.created = true;
  inventory.preserve = true;
  inventory.fence_uid = "f";
  inventory.fence_version = 3;
  inventory.object_generation = 4;
  inventory.manifest_hash = 0xffffffffffffffff;
  inventory.fields_hash = 0x8000000000000001;
  inventory.resource_version = 7;
  inventory.applied_micros = 8;
  inventory.drift_repairs = 9;
  const auto decoded = DecodeInventory(EncodeInventory(inventory));
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, inventory);
  EXPECT_FALSE(DecodeInventory("{}").ok());
}

Json Pod(std::string_view status) {
  return Json::parse(std::string(R"({"status":)").append(status).append("}"));
}

TEST(PodsTest, TheReasonIsFound) {
  EXPECT_EQ(TroubleOf(Pod(R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":
    {"reason":"ImagePullBackOff","message":"no such image"}}}]})"))
                .message,
            "no such image");
  EXPECT_THAT(TroubleOf(Pod(R"({"phase":"Running","containerStatuses":[{"restartCount":4,"state":
    {"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}},"lastState":{"terminated":
    {"reason":"OOMKilled","exitCode":137}}}]})"))
                  .message,
              HasSubstr("OOMKilled, exit code 137, 4 restarts"));
  EXPECT_EQ(TroubleOf(Pod(R"({"phase":"Pending","conditions":[{"type":"PodScheduled",
    "status":"False","reason":"Unschedulable","message":"0/3 nodes"}]})"))
                .reason,
            "Unschedulable");
  EXPECT_EQ(TroubleOf(Pod(R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":
    {"reason":"ContainerCreating"}}}]})"))
                .reason,
            "");
  EXPECT_EQ(TroubleOf(Pod(R"({"phase":"Failed","reason":"Evicted","message":"disk"})")).reason,
            "Evicted");
  EXPECT_EQ(TroubleOf(Pod(R"({"phase":"Succeeded"})")).reason, "");
  EXPECT_EQ(TroubleOf(Json(3)).reason, "");
}

TEST(PodsTest, PodsAreSummarisedByReason) {
  const Json list = Json::parse(R"({"items":[
    {"status":{"phase":"Failed","reason":"Evicted","message":"disk"}},
    {"status":{"phase":"Failed","reason":"Evicted","message":"disk"}},
    {"status":{"phase":"Running"}}]})");
  PodTally tally;
  tally.Add(list);
  EXPECT_EQ(tally.Summary(/*more=*/false), "2 of 3 pods: Evicted (disk)");
  tally.Add(list);
  tally.Add(Json::object());
  EXPECT_EQ(tally.Summary(/*more=*/true), "4 of the first 6 pods: Evicted (disk)");
  EXPECT_EQ(PodTally().Summary(false), "");
}

TEST(RequestsTest, InitContainersAndSidecarsCountAsKubernetesCountsThem) {
  const Json pod = Json::parse(R"({"spec":{"overhead":{"cpu":"10m"},
    "containers":[{"resources":{"requests":{"cpu":"100m","memory":"1Gi"}}},
                  {"resources":{"requests":{"cpu":"200m"}}}],
    "initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"50m"}}},
                      {"resources":{"requests":{"cpu":"1","memory":"1Mi"}}}]}})");
  const Resources requests = PodRequests(pod);
  EXPECT_EQ(requests.at("cpu").ToString(), "1060m");  // 50m + 1 while starting, and the overhead
  EXPECT_EQ(requests.at("memory").ToString(), "1Gi");
}

}  // namespace
}  // namespace sealane::agent
