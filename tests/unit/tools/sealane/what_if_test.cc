#include "tools/sealane/what_if.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "tests/support/status_matchers.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void Serve(v1::ClusterStatus& cluster, const std::string& group_version, const std::string& kind) {
  v1::ApiEnablement* enablement = cluster.add_api_enablements();
  enablement->set_group_version(group_version);
  enablement->add_resources()->set_kind(kind);
}

v1::QueryReply Fleet() {
  v1::QueryReply fleet;
  for (const char* name : {"a", "b"}) {
    v1::ClusterStatus& cluster = *fleet.add_clusters();
    cluster.set_name(name);
    Serve(cluster, "apps/v1", "Deployment");
    (*cluster.mutable_resource_summary()->mutable_allocatable())["cpu"] = "4";
    v1::Taint* taint = cluster.add_taints();
    taint->set_key("cluster.karmada.io/not-ready");
    taint->set_source("condition");
  }
  Serve(*fleet.mutable_clusters(1), "v1", "Secret");  // only b
  return fleet;
}

TEST(ImagineClusterTest, ANewOneIsReadyAndServesWhatAllServe) {
  std::vector<std::string> notes;
  const auto cluster =
      ImagineCluster(Json::parse(R"({"metadata": {"name": "c", "labels": {"tier": "edge"}},
                      "spec": {"region": "r", "taints": [{"key": "k", "effect": "NoSchedule"}]}})"),
                     Fleet(), &notes);
  ASSERT_OK(cluster);
  EXPECT_EQ(cluster->labels().at("tier"), "edge");
  EXPECT_EQ(cluster->region(), "r");
  ASSERT_EQ(cluster->api_enablements_size(), 1);
  EXPECT_EQ(cluster->api_enablements(0).resources(0).kind(), "Deployment");
  EXPECT_EQ(cluster->conditions(0).type(), "Ready");
  EXPECT_EQ(cluster->conditions(0).status(), "True");
  EXPECT_EQ(cluster->taints_size(), 1);
  EXPECT_THAT(notes, ElementsAre(HasSubstr("apiEnablements"), HasSubstr("allocatable")));
}

TEST(ImagineClusterTest, WhatItsStatusSaysHolds) {
  std::vector<std::string> notes;
  const auto cluster = ImagineCluster(Json::parse(R"({"metadata": {"name": "c"}, "status": {
      "apiEnablements": [{"groupVersion": "v1", "resources": [{"kind": "Secret"}]}],
      "resourceSummary": {"allocatable": {"cpu": "64"}}}})"),
                                      Fleet(), &notes);
  ASSERT_OK(cluster);
  EXPECT_EQ(cluster->api_enablements(0).resources(0).kind(), "Secret");
  EXPECT_EQ(cluster->resource_summary().allocatable().at("cpu"), "64");
  EXPECT_THAT(notes, ElementsAre());
}

TEST(ImagineClusterTest, APresentOneKeepsWhatIsNotSaid) {
  std::vector<std::string> notes;
  const auto cluster =
      ImagineCluster(Json::parse(R"({"metadata": {"name": "a"}, "spec": {"region": "elsewhere"}})"),
                     Fleet(), &notes);
  ASSERT_OK(cluster);
  EXPECT_EQ(cluster->region(), "elsewhere");
  EXPECT_EQ(cluster->resource_summary().allocatable().at("cpu"), "4");
  EXPECT_EQ(cluster->api_enablements_size(), 1);
  ASSERT_EQ(cluster->taints_size(), 1);
  EXPECT_EQ(cluster->taints(0).source(), "condition");
  EXPECT_THAT(notes, ElementsAre());
}

TEST(ImagineClusterTest, AWrongTypeNamesTheField) {
  std::vector<std::string> notes;
  const auto cluster = ImagineCluster(
      Json::parse(R"({"metadata": {"name": "a"}, "spec": {"region": 7}})"), Fleet(), &notes);
  EXPECT_FALSE(cluster.ok());
  EXPECT_THAT(std::string(cluster.status().message()), HasSubstr("spec.region"));
}

}  // namespace
}  // namespace sealane::cli
