// Server-side apply as its users rely on it: ownership, conflicts, removal, lists.

#include "lib/kubeapi/managed_fields.h"

#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

class ApplyTest : public ::testing::Test {
 protected:
  ApplyTest() { api_.MakeNamespace("ns"); }
  static std::string Path(const std::string& name) {
    return "/api/v1/namespaces/ns/configmaps/" + name;
  }
  static std::string DeploymentPath(const std::string& name) {
    return "/apis/apps/v1/namespaces/ns/deployments/" + name;
  }
  // Names of the owners of a field set text, e.g. "f:a" in data.
  static std::vector<std::string> Owners(const Json& object, const std::string& data_field) {
    std::vector<std::string> out;
    for (const Json& entry : object["metadata"]["managedFields"]) {
      const Json data = entry["fieldsV1"].value("f:data", Json::object());
      if (data.contains("f:" + data_field)) out.push_back(entry["manager"]);
    }
    return out;
  }
  ApiHarness api_;
};

TEST_F(ApplyTest, FieldsNoLongerAppliedGoUnlessAnotherManagerWantsThem) {
  api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}, {"b", "2"}}));
  api_.Apply(Path("c"), "two", ConfigMap("c", {{"b", "2"}}));
  const ApiAnswer answer = api_.Apply(Path("c"), "one", ConfigMap("c", {{"x", "9"}}));
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["data"], Json({{"b", "2"}, {"x", "9"}}));
  EXPECT_EQ(Owners(answer.body, "b"), std::vector<std::string>{"two"});
}

TEST_F(ApplyTest, ConflictNamesTheOwnerAndForceTakesTheField) {
  api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  const ApiAnswer conflict = api_.Apply(Path("c"), "two", ConfigMap("c", {{"a", "2"}}));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body["message"],
            "Apply failed with 1 conflict: conflict with \"one\": .data.a");
  EXPECT_EQ(api_.Get(Path("c")).body["data"]["a"], "1");
  const ApiAnswer forced = api_.Apply(Path("c"), "two", ConfigMap("c", {{"a", "2"}}), true);
  EXPECT_EQ(forced.status, 200);
  EXPECT_EQ(forced.body["data"]["a"], "2");
  EXPECT_EQ(Owners(forced.body, "a"), std::vector<std::string>{"two"});
}

TEST_F(ApplyTest, AnUpdateTakesOwnershipAndTheApplierConflictsLater) {
  api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  api_.MergePatch(Path("c"), {{"data", {{"a", "2"}}}});
  const ApiAnswer conflict = api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body["message"],
            "Apply failed with 1 conflict: conflict with \"kubectl\" using v1: .data.a");
}

TEST_F(ApplyTest, SameValueIsShared) {
  api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  const ApiAnswer shared = api_.Apply(Path("c"), "two", ConfigMap("c", {{"a", "1"}}));
  EXPECT_EQ(shared.status, 200);
  EXPECT_EQ(Owners(shared.body, "a").size(), 2U);
  // One leaves: the field stays.
  const ApiAnswer left = api_.Apply(Path("c"), "one", ConfigMap("c"));
  EXPECT_EQ(left.body["data"]["a"], "1");
  // The last one leaves: it goes.
  const ApiAnswer gone = api_.Apply(Path("c"), "two", ConfigMap("c"));
  EXPECT_FALSE(gone.body.contains("data"));
}

TEST_F(ApplyTest, ApplyingTheSameAgainWritesNothing) {
  const ApiAnswer first = api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  api_.sim.RunFor(absl::Seconds(5));
  const uint64_t revision = api_.store.revision();
  const ApiAnswer second = api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "1"}}));
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(api_.store.revision(), revision);
}

TEST_F(ApplyTest, ListItemsAreOwnedByTheirKeys) {
  Json mine = Deployment("d");
  mine["spec"]["template"]["spec"]["containers"][0]["env"] = {{{"name", "A"}, {"value", "1"}}};
  ASSERT_EQ(api_.Apply(DeploymentPath("d"), "one", mine).status, 201);
  Json theirs = Deployment("d");
  theirs.erase("spec");
  theirs["spec"]["template"]["spec"]["containers"] =
      Json::array({{{"name", "app"}, {"env", {{{"name", "B"}, {"value", "2"}}}}},
                   {{"name", "side"}, {"image", "s:1"}}});
  ASSERT_EQ(api_.Apply(DeploymentPath("d"), "two", theirs).status, 200);
  // The first manager drops its variable; the other's variable and container stay.
  mine["spec"]["template"]["spec"]["containers"][0].erase("env");
  const ApiAnswer answer = api_.Apply(DeploymentPath("d"), "one", mine);
  ASSERT_EQ(answer.status, 200) << answer.text;
  const Json& containers = answer.body["spec"]["template"]["spec"]["containers"];
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(containers[0]["env"], Json::array({{{"name", "B"}, {"value", "2"}}}));
  EXPECT_EQ(containers[1]["name"], "side");
  // A whole item goes with its only owner.
  Json nothing = Deployment("d");
  nothing.erase("spec");
  const ApiAnswer last = api_.Apply(DeploymentPath("d"), "two", nothing);
  ASSERT_EQ(last.status, 200) << last.text;
  EXPECT_EQ(last.body["spec"]["template"]["spec"]["containers"].size(), 1U);
}

TEST_F(ApplyTest, PortsMergeByNumberAndDefaultProtocol) {
  Json service = {{"apiVersion", "v1"},
                  {"kind", "Service"},
                  {"metadata", {{"name", "s"}}},
                  {"spec", {{"ports", Json::array({{{"port", 80}, {"name", "http"}}})}}}};
  const std::string path = "/api/v1/namespaces/ns/services/s";
  ASSERT_EQ(api_.Apply(path, "one", service).status, 201);
  service["spec"]["ports"] = Json::array({{{"port", 443}, {"name", "https"}, {"protocol", "TCP"}}});
  const ApiAnswer answer = api_.Apply(path, "two", service);
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["spec"]["ports"].size(), 2U);
}

TEST_F(ApplyTest, StatusIsAppliedOnlyThroughItsEndpoint) {
  Json deployment = Deployment("d");
  deployment["status"] = {{"replicas", 5}};
  const ApiAnswer answer = api_.Apply(DeploymentPath("d"), "one", deployment);
  ASSERT_EQ(answer.status, 201) << answer.text;
  EXPECT_EQ(answer.body["status"], Json::object());
  const ApiAnswer status = api_.Apply(DeploymentPath("d") + "/status", "one",
                                      {{"apiVersion", "apps/v1"},
                                       {"kind", "Deployment"},
                                       {"metadata", {{"name", "d"}}},
                                       {"spec", {{"replicas", 9}}},
                                       {"status", {{"replicas", 5}}}});
  ASSERT_EQ(status.status, 200) << status.text;
  EXPECT_EQ(status.body["status"]["replicas"], 5);
  EXPECT_EQ(status.body["spec"]["replicas"], 2);
  EXPECT_EQ(status.body["metadata"]["generation"], 1);
}

TEST_F(ApplyTest, ConfigsThatCannotBeAppliedAreRefused) {
  EXPECT_EQ(api_.Call("PATCH", Path("c"), ConfigMap("c"), "application/apply-patch+yaml").status,
            422);
  EXPECT_EQ(api_.Apply(Path("c"), "one", "data: [").status, 400);
  EXPECT_EQ(api_.Apply(Path("c"), "one", Deployment("c")).status, 400);
  EXPECT_EQ(api_.Apply(Path("c"), "one", ConfigMap("d")).status, 400);
  Json duplicate = Deployment("d");
  Json& containers = duplicate["spec"]["template"]["spec"]["containers"];
  containers.push_back(containers[0]);
  EXPECT_EQ(api_.Apply(DeploymentPath("d"), "one", duplicate).status, 500);
  EXPECT_EQ(api_.Apply("/api/v1/namespaces/none/configmaps/c", "one", ConfigMap("c")).status, 404);
}

TEST_F(ApplyTest, AnObjectThatNobodyTrackedBelongsToWhoeverCameBefore) {
  api_.Post("/api/v1/namespaces/ns/configmaps", ConfigMap("c", {{"a", "1"}}));
  Json object = api_.Get(Path("c")).body;
  object["metadata"]["managedFields"] = Json::array({Json::object()});
  ASSERT_EQ(api_.Put(Path("c"), object).status, 200);
  const ApiAnswer conflict = api_.Apply(Path("c"), "one", ConfigMap("c", {{"a", "2"}}));
  EXPECT_EQ(conflict.status, 409) << conflict.text;
}

}  // namespace
}  // namespace sealane::kubeapi
