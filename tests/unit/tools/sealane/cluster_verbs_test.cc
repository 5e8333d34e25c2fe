// sealane cordon, uncordon, drain, taint, status --cluster.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/unit/tools/sealane/command_fixture.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ClusterVerbTest : public CommandTest {
 protected:
  void SetCluster(const char* spec) {
    v1::QueryReply& reply = script_.replies["policy objects"];
    reply.Clear();
    v1::StoredObject& object = *reply.add_objects();
    object.mutable_ref()->set_kind("Cluster");
    object.mutable_ref()->set_name("a");
    object.set_manifest(StrCat(R"({"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster",)"
                               R"("metadata":{"name":"a"},"spec":)",
                               spec, "}"));
    reply.add_revisions(42);
  }
  // The taints that were sent, in one line each.
  std::vector<std::string> Sent() {
    std::vector<std::string> taints;
    if (script_.events.empty()) return {"nothing"};
    const v1::Operation& operation = script_.events.back().operations(0);
    EXPECT_EQ(script_.events.back().publisher(), "amy");
    EXPECT_EQ(operation.precondition().expected_revision(), 42u);
    const Json manifest = Json::parse(operation.manifest());
    EXPECT_EQ(manifest["spec"]["syncMode"], "Pull") << "the rest is as it was";
    if (!manifest["spec"].contains("taints")) return taints;
    for (const Json& taint : manifest["spec"]["taints"]) {
      taints.push_back(StrCat(taint.value("key", ""), "=", taint.value("value", ""), ":",
                              taint.value("effect", "")));
    }
    return taints;
  }
};

TEST_F(ClusterVerbTest, CordonAndUncordon) {
  SetCluster(R"({"syncMode":"Pull"})");
  EXPECT_EQ(Run({"cordon", "a"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("cluster.karmada.io/unschedulable=:NoSchedule"));
  script_.events.clear();
  SetCluster(R"({"syncMode":"Pull","taints":[
      {"key":"cluster.karmada.io/unschedulable","effect":"NoSchedule"},
      {"key":"sealane.io/drain","effect":"NoExecute"},{"key":"own","effect":"NoExecute"}]})");
  EXPECT_EQ(Run({"cordon", "a"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("nothing"));
  EXPECT_THAT(out_.str(), HasSubstr("nothing to do"));
  EXPECT_EQ(Run({"uncordon", "a"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("own=:NoExecute"));
}

TEST_F(ClusterVerbTest, TaintsAreSetChangedAndRemoved) {
  SetCluster(R"({"syncMode":"Pull","taints":[{"key":"a","value":"1","effect":"NoSchedule"},
      {"key":"a","effect":"NoExecute"},{"key":"b","effect":"NoSchedule"}]})");
  EXPECT_EQ(Run({"taint", "a", "a=2:NoSchedule", "c:PreferNoSchedule", "b-"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("a=2:NoSchedule", "a=:NoExecute", "c=:PreferNoSchedule"));
  EXPECT_EQ(Run({"taint", "a", "a:NoExecute-"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("a=1:NoSchedule", "b=:NoSchedule"));
  for (const char* bad :
       {"a", "a=1", "a:Never", "a b:NoSchedule", "a=x y:NoSchedule", ":NoExecute", "-"}) {
    script_.events.clear();
    EXPECT_EQ(Run({"taint", "a", bad}), kUsage) << bad;
    EXPECT_THAT(Sent(), ElementsAre("nothing"));
  }
  EXPECT_EQ(Run({"taint", "a"}), kUsage);
  EXPECT_EQ(Run({"cordon"}), kUsage);
}

TEST_F(ClusterVerbTest, WhatIsNotThereOrRefusedIsSaid) {
  EXPECT_EQ(Run({"cordon", "a"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("there is no cluster a"));
  SetCluster(R"({"syncMode":"Pull"})");
  v1::FieldError& error = *script_.result->add_results()->add_errors();
  error.set_field("precondition.expectedRevision");
  error.set_message("is 43");
  EXPECT_EQ(Run({"cordon", "a"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("precondition.expectedRevision: is 43"));
}

TEST_F(ClusterVerbTest, DrainSaysWhatStaysAndWhy) {
  SetCluster(R"({"syncMode":"Pull"})");
  EXPECT_EQ(Run({"drain", "a"}), kOk);
  EXPECT_THAT(Sent(), ElementsAre("cluster.karmada.io/unschedulable=:NoSchedule",
                                  "sealane.io/drain=:NoExecute"));
  EXPECT_THAT(out_.str(), HasSubstr("everything that has to leave a runs elsewhere"));
  const auto add = [&](const char* name, const char* replaced_by) {
    v1::Placed& placed = *script_.replies["scheduler placements"].add_placements();
    placed.mutable_ref()->set_kind("Deployment");
    placed.mutable_ref()->set_name(name);
    placed.set_message("0/1 clusters fit");
    v1::Eviction& eviction = *placed.add_evictions();
    eviction.set_cluster("a");
    if (std::string_view(replaced_by) != "") eviction.add_replaced_by(replaced_by);
  };
  add("alone", "");
  add("moving", "b");
  script_.replies["scheduler placements"].add_placements();  // tolerates it
  EXPECT_EQ(Run({"drain", "a", "--timeout", "0s"}), kNotHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("2 objects have still to leave"));
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("alone: 0/1 clusters fit"),
                                HasSubstr("moving: waits until it is healthy in b")));
  EXPECT_EQ(Run({"drain", "a", "--no-wait"}), kOk);
}

TEST_F(ClusterVerbTest, StatusOfACluster) {
  v1::ClusterStatus& cluster = *script_.replies["clusters"].add_clusters();
  cluster.set_name("a");
  cluster.set_last_heartbeat_micros(1'700'000'000'000'000 - 180'000'000);
  const auto set = [&](const char* type, const char* status, const char* message) {
    v1::Condition& condition = *cluster.add_conditions();
    condition.set_type(type);
    condition.set_status(status);
    condition.set_message(message);
  };
  set("Ready", "True", "");
  set("Settled", "False", "");
  script_.replies["cluster_progress"].set_body(R"({"placed": 40, "applied": 20, "healthy": 12})");
  v1::ClusterAppStatus& part = *AddApp("Progressing").add_clusters();
  part.set_cluster("a");
  part.set_state("Applied");
  part.set_health("Unhealthy");
  part.set_message("2 pods: Pending");
  v1::AppStatus& ns = AddApp("Pending");
  ns.mutable_ref()->set_kind("Namespace");
  ns.mutable_ref()->set_name("follows-its-content");
  ns.add_clusters()->set_cluster("a");
  EXPECT_EQ(Run({"status", "--cluster", "a"}), kNotHealthy);
  EXPECT_THAT(out_.str(), Not(HasSubstr("follows-its-content")));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("12 of 40 base services healthy, 20 applied"),
                                HasSubstr("2 pods: Pending")));
  // Lost: its last good word is not shown.
  cluster.mutable_conditions(0)->set_status("Unknown");
  EXPECT_EQ(Run({"status", "--cluster", "a"}), kNotHealthy);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Lost, last heard 3m ago"), Not(HasSubstr("12 of 40")),
                                HasSubstr("how they are is not known")));
  cluster.mutable_conditions(0)->set_status("True");
  cluster.mutable_conditions(1)->set_status("True");
  cluster.mutable_conditions(1)->set_message("40 of 40 placed objects are healthy, 1m3s after");
  part.set_health("Healthy");
  script_.replies["cluster_progress"].set_body(R"({"placed": 40, "applied": 40, "healthy": 40})");
  EXPECT_EQ(Run({"status", "--cluster", "a"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("40 of 40 objects healthy"), HasSubstr("1m3s after")));
  cluster.set_deleting(true);
  script_.replies["works"].add_works();
  EXPECT_EQ(Run({"status", "--cluster", "a"}), kNotHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("it is leaving: 1 objects of the fleet are still there"));
  EXPECT_EQ(Run({"status", "web", "--cluster", "a"}), kUsage);
  script_.replies["clusters"].Clear();
  EXPECT_EQ(Run({"status", "--cluster", "a"}), kRefused);
}

}  // namespace
}  // namespace sealane::cli
