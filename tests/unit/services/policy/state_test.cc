// What the policy service keeps in memory, and how it finds objects.
#include "services/policy/state.h"

#include "gmock/gmock.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(LabelsOfTest, ReadsTheObjectsOwnLabelsOnly) {
  EXPECT_THAT(LabelsOf(R"({"data":{"metadata":"x","labels":"y"},"kind":"K","metadata":{
                           "annotations":{"labels":"z"},"labels":{"a":"b","c":"d"},"name":"labels"},
                           "spec":{"metadata":{"labels":{"no":"no"}}}})"),
              ElementsAre(Pair("a", "b"), Pair("c", "d")));
  EXPECT_THAT(LabelsOf(R"({"spec":{"template":{"metadata":{"labels":{"no":"no"}}}}})"), IsEmpty());
  EXPECT_THAT(LabelsOf(R"({"metadata":{"labels":{"a":1}}})"), IsEmpty());
  EXPECT_THAT(LabelsOf("not json \"labels\""), IsEmpty());
  EXPECT_THAT(LabelsOf(""), IsEmpty());
}

class StateTest : public ::testing::Test {
 protected:
  StateTest() {
    for (const std::string_view table : {kObjectsTable, kPlacementsTable, kClusterStatusTable}) {
      StreamConfig config;
      config.name = std::string(table);
      config.subjects = {StrCat(table, ".>")};
      bus_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
    }
    const auto nothing = [](const std::string&) {};
    state_.objects.Start(
        [this](const std::string& key) {
          const auto* row = state_.objects.Find(key);
          state_.labels.Set(key, row == nullptr ? std::string_view() : row->value.manifest());
        },
        [] {});
    state_.placements.Start(nothing, [] {});
    state_.clusters.Start(nothing, [] {});
    sim_.RunFor(absl::Seconds(1));
  }

  std::string Put(const std::string& kind, const std::string& ns, const std::string& name,
                  const Json& labels = Json::object()) {
    v1::StoredObject row;
    row.mutable_ref()->set_api_version("v1");
    row.mutable_ref()->set_kind(kind);
    row.mutable_ref()->set_namespace_(ns);
    row.mutable_ref()->set_name(name);
    row.set_manifest(Json{{"metadata", {{"labels", labels}}}}.dump());
    const std::string key = RowKey(row.ref());
    state_.objects.Put(key, row);
    sim_.RunFor(absl::Seconds(1));
    return key;
  }

  // The objects that a policy with one selector concerns.
  std::vector<std::string> Concerned(const std::string& ns, const Json& selector) {
    const auto policy = ParsePropagationPolicy(
        {{"apiVersion", "policy.karmada.io/v1alpha1"},
         {"kind", ns.empty() ? "ClusterPropagationPolicy" : "PropagationPolicy"},
         {"metadata", {{"name", "p"}, {"namespace", ns}}},
         {"spec", {{"resourceSelectors", Json::array({selector})}}}});
    EXPECT_OK(policy);
    return state_.Concerned(PolicyIndex::ChangeOf(*policy));
  }

  SimExecutor sim_{1};
  MemoryServer server_{sim_.env()};
  std::unique_ptr<Bus> bus_ = server_.Connect(BusIdentity::Hub());
  State state_{*bus_, sim_.env()};
};

TEST_F(StateTest, ObjectsAreFoundByNameLabelAndKind) {
  const std::string a1 = Put("ConfigMap", "a", "one", {{"app", "web"}, {"tier", "gold"}});
  const std::string a2 = Put("ConfigMap", "a", "two", {{"app", "api"}, {"tier", "gold"}});
  const std::string b1 = Put("ConfigMap", "b", "one", {{"app", "web"}});
  const std::string ab = Put("ConfigMap", "a-b", "one");
  Put("Secret", "a", "one", {{"app", "web"}});
  const auto selector = [](const Json& more) {
    Json json = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}};
    json.update(more);
    return json;
  };
  const auto labels = [&](const Json& match, const Json& expressions = Json::array()) {
    return selector(
        {{"labelSelector", {{"matchLabels", match}, {"matchExpressions", expressions}}}});
  };
  EXPECT_THAT(Concerned("a", selector({{"name", "one"}})), ElementsAre(a1));
  EXPECT_THAT(Concerned("", selector({{"name", "one"}})), ElementsAre(ab, a1, b1));
  EXPECT_THAT(Concerned("", selector({{"name", "one"}, {"namespace", "b"}})), ElementsAre(b1));
  EXPECT_THAT(Concerned("", selector({{"name", "none"}})), IsEmpty());
  EXPECT_THAT(Concerned("a", selector(Json::object())), ElementsAre(a1, a2));
  EXPECT_THAT(Concerned("", labels({{"app", "web"}})), ElementsAre(a1, b1));
  EXPECT_THAT(Concerned("", labels({{"app", "web"}, {"tier", "gold"}})), ElementsAre(a1));
  EXPECT_THAT(
      Concerned("a", labels({{"tier", "gold"}}, Json::array({{{"key", "app"},
                                                              {"operator", "In"},
                                                              {"values", {"api", "other"}}}}))),
      ElementsAre(a2));
  EXPECT_THAT(Concerned("", labels({{"app", "none"}})), IsEmpty());
  // Without a label that must be there, every object of the kind may match.
  const Json absent = Json::array({{{"key", "app"}, {"operator", "DoesNotExist"}}});
  EXPECT_THAT(Concerned("", labels(Json::object(), absent)), ElementsAre(ab, a1, a2, b1));
  // Relabelled and removed.
  Put("ConfigMap", "b", "one", {{"app", "api"}});
  EXPECT_THAT(Concerned("", labels({{"app", "web"}})), ElementsAre(a1));
  state_.objects.Remove(a1);
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Concerned("", labels({{"app", "web"}})), IsEmpty());
  EXPECT_EQ(state_.labels.size(), 3U);
}

TEST_F(StateTest, WhatOthersNeedOfARowIsNotKept) {
  Table<v1::Placed> scheduler(*bus_, sim_.env(), kPlacementsTable);
  Table<v1::ClusterStatus> status(*bus_, sim_.env(), kClusterStatusTable);
  scheduler.Start([](const std::string&) {}, [] {});
  status.Start([](const std::string&) {}, [] {});
  v1::Placed placed;
  placed.set_uid("u");
  placed.add_clusters()->set_name("c");
  placed.add_decisions()->set_cluster("c");
  scheduler.Put("k", placed);
  v1::ClusterStatus cluster;
  cluster.set_name("c");
  cluster.set_region("r");
  cluster.add_api_enablements()->set_group_version("v1");
  status.Put("c", cluster);
  sim_.RunFor(absl::Seconds(1));
  ASSERT_NE(state_.placements.Find("k"), nullptr);
  EXPECT_EQ(state_.placements.Find("k")->value.clusters_size(), 1);
  EXPECT_EQ(state_.placements.Find("k")->value.decisions_size(), 0);
  ASSERT_NE(state_.clusters.Find("c"), nullptr);
  EXPECT_EQ(state_.clusters.Find("c")->value.region(), "r");
  EXPECT_EQ(state_.clusters.Find("c")->value.api_enablements_size(), 0);
}

}  // namespace
}  // namespace sealane::policy
