#include "services/gateway/object_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/core/json.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane::gateway {
namespace {

v1::StoredObject Web() {
  v1::StoredObject row;
  row.mutable_ref()->set_api_version("apps/v1");
  row.mutable_ref()->set_kind("Deployment");
  row.set_uid("u1");
  row.set_generation(3);
  row.set_created_micros(1'750'000'000'000'000);
  row.set_manifest(R"({"apiVersion": "apps/v1", "kind": "Deployment",
      "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 4}})");
  return row;
}

v1::AppStatus Reported(int observed, int available) {
  v1::AppStatus app;
  app.set_uid("u1");
  app.set_generation(3);
  app.set_observed_generation(observed);
  app.set_status_json(R"({"observedGeneration": 1, "replicas": 4, "readyReplicas": 4})");
  app.mutable_replicas()->set_wanted(4);
  app.mutable_replicas()->set_updated(available);
  app.mutable_replicas()->set_available(available);
  return app;
}

std::string Condition(const Json& object, const std::string& type) {
  for (const Json& condition : object["status"]["conditions"]) {
    if (condition["type"] == type) return condition["status"];
  }
  return "";
}

TEST(ObjectViewTest, WhatIsWrittenComesBackWhole) {
  const Json written = Json::parse(R"({"metadata": {"name": "web", "namespace": "shop", "uid": "x",
      "resourceVersion": "7", "generation": 2, "managedFields": [{"manager": "kubectl"}],
      "finalizers": ["a.example.com/x", "sealane.io/withdraw"]},
      "spec": {"replicas": 4}, "status": {"phase": "Odd"}})");
  const Split split = SplitObject(written, "apps/v1", "Deployment");
  EXPECT_EQ(Json::parse(split.manifest), Json::parse(R"({"apiVersion": "apps/v1",
      "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
      "finalizers": ["a.example.com/x"]}, "spec": {"replicas": 4}})"));
  v1::StoredObject row = Web();
  row.set_manifest(split.manifest);
  row.set_api_metadata(split.api_metadata);
  const absl::StatusOr<Json> shown = MakeObject(row, nullptr, nullptr);
  ASSERT_OK(shown);
  EXPECT_EQ((*shown)["metadata"]["uid"], "u1");
  EXPECT_EQ((*shown)["metadata"]["generation"], 2);
  EXPECT_EQ((*shown)["metadata"]["managedFields"], written["metadata"]["managedFields"]);
  EXPECT_EQ((*shown)["status"], written["status"]);
}

TEST(ObjectViewTest, ObservedGenerationIsHonest) {
  v1::StoredObject row = Web();
  // The fleet counts changes of labels, too; the API shows its own generation.
  row.set_api_metadata(R"({"metadata": {"generation": 2}})");
  v1::AppStatus app = Reported(3, 4);
  Json shown = MakeObject(row, &app, nullptr).value();
  EXPECT_EQ(shown["status"]["observedGeneration"], 2);
  EXPECT_EQ(Condition(shown, "Available"), "True");
  app = Reported(2, 3);
  shown = MakeObject(row, &app, nullptr).value();
  EXPECT_EQ(shown["status"]["observedGeneration"], 1) << "not everywhere yet";
  EXPECT_EQ(Condition(shown, "Available"), "True") << "one of four may be missing";
  app = Reported(2, 2);
  shown = MakeObject(row, &app, nullptr).value();
  EXPECT_EQ(Condition(shown, "Available"), "False");
  app.set_uid("another");
  EXPECT_FALSE(MakeObject(row, &app, nullptr)->contains("status"));
}

TEST(ObjectViewTest, WhatIsBeingWithdrawnIsShownAsBeingDeleted) {
  v1::StoredObject row = Web();
  row.set_deleting(true);
  row.set_updated_micros(1'750'000'000'000'000);
  const Json shown = MakeObject(row, nullptr, nullptr).value();
  EXPECT_EQ(shown["metadata"]["deletionTimestamp"], "2025-06-15T15:06:40Z");
  EXPECT_EQ(shown["metadata"]["finalizers"], Json({"sealane.io/withdraw"}));
}

TEST(ObjectViewTest, ARowWithoutAnObjectIsAnError) {
  v1::StoredObject row = Web();
  row.set_manifest("[]");
  EXPECT_FALSE(MakeObject(row, nullptr, nullptr).ok());
}

TEST(ObjectViewTest, AnImpliedNamespaceIsTheSameEverywhere) {
  const Json one = ImpliedNamespace("shop", absl::UnixEpoch());
  EXPECT_EQ(one, ImpliedNamespace("shop", absl::UnixEpoch()));
  EXPECT_NE(one["metadata"]["uid"],
            ImpliedNamespace("default", absl::UnixEpoch())["metadata"]["uid"]);
  EXPECT_EQ(one["metadata"]["uid"].get<std::string>().size(), 36u);
}

}  // namespace
}  // namespace sealane::gateway
