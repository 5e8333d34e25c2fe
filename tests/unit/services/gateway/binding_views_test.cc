#include "services/gateway/binding_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::gateway {
namespace {

using ::testing::ElementsAre;

constexpr char kBindings[] = "work.karmada.io/resourcebindings";
constexpr char kWorks[] = "work.karmada.io/works";

v1::StoredObject Row() {
  v1::StoredObject row;
  row.mutable_ref()->set_api_version("apps/v1");
  row.mutable_ref()->set_kind("Deployment");
  row.mutable_ref()->set_namespace_("shop");
  row.mutable_ref()->set_name("web");
  row.set_uid("u-1");
  row.set_generation(3);
  return row;
}

v1::AppStatus App(const std::vector<std::string>& clusters, std::string_view state = "Applied") {
  v1::AppStatus app;
  app.set_uid("u-1");
  app.set_policy("PropagationPolicy shop/all");
  app.set_schedule_state("Scheduled");
  app.mutable_replicas()->set_wanted(4);
  for (const std::string& name : clusters) {
    v1::ClusterAppStatus& cluster = *app.add_clusters();
    cluster.set_cluster(name);
    cluster.set_state(std::string(state));
    cluster.set_health("Healthy");
    cluster.set_reason("Invalid");
    cluster.mutable_replicas()->set_wanted(2);
    cluster.set_status_json(R"({"readyReplicas":2})");
  }
  return app;
}

class BindingViewsTest : public ::testing::Test {
 protected:
  BindingViews::Tell Teller() {
    return [this](const kubeapi::Change& change) {
      constexpr const char* kTypes[] = {"+", "~", "-"};
      told_.push_back(StrCat(kTypes[static_cast<int>(change.type)], change.object->key().ns, "/",
                             change.object->key().name.substr(0, 3)));
    };
  }
  BindingViews views_;
  v1::StoredObject row_ = Row();
  std::vector<std::string> told_;
};

TEST_F(BindingViewsTest, ABindingSaysWhereAndWhetherItIsApplied) {
  const std::vector<View> views = MakeViews(row_, App({"a", "b"}));
  ASSERT_EQ(views.size(), 3);
  const Json& binding = *views[0].object;
  EXPECT_EQ(binding["metadata"]["name"], "web-deployment");
  EXPECT_EQ(binding["metadata"]["namespace"], "shop");
  EXPECT_EQ(binding["metadata"]["annotations"],
            (Json{{"propagationpolicy.karmada.io/name", "all"},
                  {"propagationpolicy.karmada.io/namespace", "shop"}}));
  EXPECT_EQ(binding["spec"]["clusters"],
            Json::array({{{"name", "a"}, {"replicas", 2}}, {{"name", "b"}, {"replicas", 2}}}));
  EXPECT_EQ(binding["status"]["conditions"][0]["status"], "True");
  EXPECT_EQ(binding["status"]["conditions"][1]["status"], "True");
  EXPECT_EQ(binding["status"]["aggregatedStatus"][0]["status"]["readyReplicas"], 2);
  // The name that Karmada gives: karmada's names.GenerateWorkName("Deployment", "web", "shop").
  EXPECT_EQ(views[1].key.ns, "karmada-es-a");
  EXPECT_EQ(views[1].key.name.substr(0, 4), "web-");
  EXPECT_EQ((*views[1].object)["spec"]["workload"]["manifests"][0]["kind"], "Deployment");
}

TEST_F(BindingViewsTest, WhatFailsInAClusterIsNotFullyApplied) {
  const std::vector<View> views = MakeViews(row_, App({"a"}, "Failed"));
  const Json& status = (*views[0].object)["status"];
  EXPECT_EQ(status["conditions"][1]["status"], "False");
  EXPECT_EQ(status["aggregatedStatus"][0]["applied"], false);
  EXPECT_EQ(status["aggregatedStatus"][0]["appliedMessage"], "Invalid: ");
  EXPECT_EQ((*views[1].object)["status"]["conditions"][0]["status"], "False");
  // Nowhere is not everywhere; unclaimed is nothing.
  EXPECT_EQ((*MakeViews(row_, App({}))[0].object)["status"]["conditions"][1]["status"], "False");
  v1::AppStatus unclaimed = App({"a"});
  unclaimed.clear_policy();
  EXPECT_TRUE(MakeViews(row_, unclaimed).empty());
}

TEST_F(BindingViewsTest, ObjectsWithoutNamespaceHaveClusterBindings) {
  row_.mutable_ref()->clear_namespace_();
  row_.mutable_ref()->set_kind("ClusterRole");
  row_.mutable_ref()->set_name("system:node");
  const std::vector<View> views = MakeViews(row_, App({"a"}));
  EXPECT_EQ(views[0].key.resource, "work.karmada.io/clusterresourcebindings");
  EXPECT_EQ(views[0].key.name, "system.node-clusterrole");
  EXPECT_FALSE((*views[0].object)["metadata"].contains("namespace"));
}

TEST_F(BindingViewsTest, OnlyWhatChangesIsTold) {
  views_.SetApp("row", nullptr, App({"a", "b"}), 5, Teller());
  EXPECT_TRUE(told_.empty()) << "its object is not known";
  views_.SetRow("row", row_, 6, Teller());
  EXPECT_THAT(told_, ElementsAre("+shop/web", "+karmada-es-a/web", "+karmada-es-b/web"));
  told_.clear();
  v1::AppStatus app = App({"a", "b"});
  app.mutable_clusters(1)->set_health("Unhealthy");
  views_.SetApp("row", &row_, app, 7, Teller());
  EXPECT_THAT(told_, ElementsAre("~shop/web", "~karmada-es-b/web"));
  told_.clear();
  views_.SetApp("row", &row_, App({"b", "c"}), 8, Teller());
  EXPECT_THAT(told_, ElementsAre("~shop/web", "~karmada-es-b/web", "+karmada-es-c/web",
                                 "-karmada-es-a/web"));
  told_.clear();
  EXPECT_EQ(views_.Get({kBindings, "shop", "web-deployment"})->revision(), 8);
  EXPECT_EQ(
      views_.Get({kBindings, "shop", "web-deployment"})->value()["metadata"]["resourceVersion"],
      "8");
  EXPECT_EQ(views_.Count(kWorks, ""), 2);
  EXPECT_EQ(views_.Count(kWorks, "karmada-es-c"), 1);
  views_.Remove("row", 9, Teller());
  EXPECT_THAT(told_, ElementsAre("-shop/web", "-karmada-es-b/web", "-karmada-es-c/web"));
  EXPECT_EQ(views_.Count(kWorks, ""), 0);
  EXPECT_EQ(views_.Get({kBindings, "shop", "web-deployment"}), nullptr);
}

TEST_F(BindingViewsTest, ListsGoOnWhereTheyStoppedAndWatchesResume) {
  for (int i = 0; i < 5; ++i) {
    row_.mutable_ref()->set_name(StrCat("web", i));
    row_.set_uid(StrCat("u-", i));
    v1::AppStatus app = App({"a"});
    app.set_uid(row_.uid());
    views_.SetApp(StrCat("row", i), &row_, app, 10 + i, i < 2 ? BindingViews::Tell() : Teller());
  }
  std::vector<std::string> names;
  views_.ForEach(kBindings, "shop", {"shop", "web1-deployment"}, [&](const auto& object) {
    names.push_back(object->key().name);
    return names.size() < 2;
  });
  EXPECT_THAT(names, ElementsAre("web2-deployment", "web3-deployment"));
  const auto history = views_.History(kBindings, 12);
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(history->size(), 2);
  EXPECT_TRUE(views_.History(kBindings, 11).ok());
  EXPECT_FALSE(views_.History(kBindings, 10).ok()) << "what was read at the start is not told";
}

}  // namespace
}  // namespace sealane::gateway
