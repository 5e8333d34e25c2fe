#include "lib/kubeapi/lifecycle.h"

#include "gtest/gtest.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

class LifecycleTest : public ::testing::Test {
 protected:
  LifecycleTest() : lifecycle_(api_.server, LifecycleOptions()) { api_.MakeNamespace("ns"); }
  static std::string Path(const std::string& name) {
    return "/api/v1/namespaces/ns/configmaps" + (name.empty() ? "" : "/" + name);
  }
  // Makes a ConfigMap owned by another.
  void Make(const std::string& name, const std::string& owner) {
    Json object = ConfigMap(name);
    if (!owner.empty()) {
      object["metadata"]["ownerReferences"] =
          Json::array({{{"apiVersion", "v1"},
                        {"kind", "ConfigMap"},
                        {"name", owner},
                        {"uid", api_.Get(Path(owner)).body["metadata"]["uid"]},
                        {"blockOwnerDeletion", true}}});
    }
    const ApiAnswer answer = api_.Post(Path(""), object);
    ASSERT_EQ(answer.status, 201) << answer.text;
  }
  void Delete(const std::string& name, const char* policy) {
    ASSERT_EQ(api_.Delete(Path(name), {{"kind", "DeleteOptions"},
                                       {"apiVersion", "v1"},
                                       {"propagationPolicy", policy}})
                  .status,
              200);
    api_.sim.RunFor(absl::Seconds(5));
  }
  bool Exists(const std::string& name) { return api_.Get(Path(name)).status == 200; }

  ApiHarness api_;
  Lifecycle lifecycle_;
};

TEST_F(LifecycleTest, DependentsFollowTheirOwner) {
  Make("a", "");
  Make("b", "a");
  Make("c", "b");
  Make("other", "");
  Delete("a", "Background");
  EXPECT_FALSE(Exists("b"));
  EXPECT_FALSE(Exists("c"));
  EXPECT_TRUE(Exists("other"));
}

TEST_F(LifecycleTest, ForegroundWaitsForDependents) {
  Make("a", "");
  Make("b", "a");
  api_.MergePatch(Path("b"), {{"metadata", {{"finalizers", {"x.example.com/hold"}}}}});
  Delete("a", "Foreground");
  EXPECT_TRUE(Exists("a"));
  EXPECT_TRUE(api_.Get(Path("a")).body["metadata"].contains("deletionTimestamp"));
  api_.MergePatch(Path("b"), {{"metadata", {{"finalizers", nullptr}}}});
  api_.sim.RunFor(absl::Seconds(5));
  EXPECT_FALSE(Exists("b"));
  EXPECT_FALSE(Exists("a"));
}

TEST_F(LifecycleTest, OrphansStayWithoutTheirOwner) {
  Make("a", "");
  Make("b", "a");
  Delete("a", "Orphan");
  EXPECT_FALSE(Exists("a"));
  ASSERT_TRUE(Exists("b"));
  EXPECT_FALSE(api_.Get(Path("b")).body["metadata"].contains("ownerReferences"));
}

TEST_F(LifecycleTest, AnObjectOfAVanishedOwnerIsCollected) {
  Json object = ConfigMap("late");
  object["metadata"]["ownerReferences"] = Json::array(
      {{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "gone"}, {"uid", "no-such-uid"}}});
  ASSERT_EQ(api_.Post(Path(""), object).status, 201);
  api_.sim.RunFor(absl::Seconds(5));
  EXPECT_FALSE(Exists("late"));
}

TEST_F(LifecycleTest, ADeletedNamespaceIsEmptiedFirst) {
  Make("a", "");
  Make("held", "");
  api_.MergePatch(Path("held"), {{"metadata", {{"finalizers", {"x.example.com/hold"}}}}});
  ASSERT_EQ(api_.Delete("/api/v1/namespaces/ns").body["status"]["phase"], "Terminating");
  api_.sim.RunFor(absl::Seconds(10));
  EXPECT_FALSE(Exists("a"));
  EXPECT_EQ(api_.Get("/api/v1/namespaces/ns").status, 200);
  EXPECT_EQ(api_.Post(Path(""), ConfigMap("new")).status, 403);
  api_.MergePatch(Path("held"), {{"metadata", {{"finalizers", nullptr}}}});
  api_.sim.RunFor(absl::Seconds(10));
  EXPECT_EQ(api_.Get("/api/v1/namespaces/ns").status, 404);
}

}  // namespace
}  // namespace sealane::kubeapi
