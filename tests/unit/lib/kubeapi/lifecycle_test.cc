#include "lib/kubeapi/lifecycle.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

class LifecycleTest : public ::testing::Test {
 protected:
  LifecycleTest() { api_.MakeNamespace("ns"); }
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
  std::optional<Lifecycle> lifecycle_{std::in_place, api_.server, LifecycleOptions()};
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

constexpr char kCrdPath[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

// Custom objects in two namespaces, one of them with a finalizer.
class DefinitionTest : public LifecycleTest {
 protected:
  DefinitionTest() {
    api_.MakeNamespace("other");
    const Json version = {{"name", "v1"},
                          {"served", true},
                          {"storage", true},
                          {"schema", {{"openAPIV3Schema", {{"type", "object"}}}}}};
    const ApiAnswer made =
        api_.Post(kCrdPath, {{"metadata", {{"name", "widgets.example.com"}}},
                             {"spec",
                              {{"group", "example.com"},
                               {"scope", "Namespaced"},
                               {"names", {{"plural", "widgets"}, {"kind", "Widget"}}},
                               {"versions", Json::array({version})}}}});
    EXPECT_EQ(made.status, 201) << made.text;
    api_.sim.RunFor(absl::Seconds(1));
    EXPECT_EQ(api_.Post(Widgets("ns"), Widget("free")).status, 201);
    Json held = Widget("held");
    held["metadata"]["finalizers"] = {"x.example.com/hold"};
    EXPECT_EQ(api_.Post(Widgets("other"), held).status, 201);
  }
  static std::string Widgets(const std::string& ns) {
    return "/apis/example.com/v1/namespaces/" + ns + "/widgets";
  }
  static Json Widget(const std::string& name) { return {{"metadata", {{"name", name}}}}; }
  const std::string crd_ = std::string(kCrdPath) + "/widgets.example.com";
};

TEST_F(DefinitionTest, StaysUntilItsObjectsAreGone) {
  const ApiAnswer deleted = api_.Delete(crd_);
  EXPECT_EQ(deleted.status, 200);
  EXPECT_EQ(deleted.body["metadata"]["finalizers"],
            Json::array({"customresourcecleanup.apiextensions.k8s.io"}));
  EXPECT_EQ(deleted.body["status"]["conditions"].back()["type"], "Terminating");
  api_.sim.RunFor(absl::Minutes(5));
  EXPECT_EQ(api_.Get(Widgets("ns") + "/free").status, 404);
  EXPECT_TRUE(api_.Get(Widgets("other") + "/held").body["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(api_.Get(crd_).status, 200);
  const ApiAnswer late = api_.Post(Widgets("ns"), Widget("late"));
  EXPECT_EQ(late.status, 405);
  EXPECT_EQ(late.body["message"],
            "create not allowed while custom resource definition is terminating");
  // Who holds it lets it go: then the definition goes at once.
  EXPECT_EQ(
      api_.MergePatch(Widgets("other") + "/held", {{"metadata", {{"finalizers", nullptr}}}}).status,
      200);
  api_.sim.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(api_.Get(crd_).status, 404);
  EXPECT_EQ(api_.Get(Widgets("other")).status, 404);
}

TEST_F(DefinitionTest, ForegroundOfItsObjectsIsHonoured) {
  Json child = ConfigMap("child");
  child["metadata"]["ownerReferences"] =
      Json::array({{{"apiVersion", "example.com/v1"},
                    {"kind", "Widget"},
                    {"name", "free"},
                    {"uid", api_.Get(Widgets("ns") + "/free").body["metadata"]["uid"]}}});
  child["metadata"]["finalizers"] = {"x.example.com/hold"};
  EXPECT_EQ(api_.Post(Path(""), child).status, 201);
  EXPECT_EQ(api_.Delete(Widgets("ns") + "/free", {{"propagationPolicy", "Foreground"}}).status,
            200);
  api_.MergePatch(Widgets("other") + "/held", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(api_.Delete(crd_).status, 200);
  api_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(api_.Get(Widgets("ns") + "/free").status, 200);
  EXPECT_EQ(api_.Get(crd_).status, 200);
  api_.MergePatch(Path("child"), {{"metadata", {{"finalizers", nullptr}}}});
  api_.sim.RunFor(absl::Seconds(5));
  EXPECT_EQ(api_.Get(crd_).status, 404);
  EXPECT_FALSE(Exists("child"));
}

TEST_F(DefinitionTest, AnotherServerGoesOnWithADeletionThatWasBegun) {
  api_.MergePatch(Widgets("other") + "/held", {{"metadata", {{"finalizers", nullptr}}}});
  lifecycle_.reset();
  EXPECT_EQ(api_.Delete(crd_).status, 200);
  api_.sim.RunFor(absl::Minutes(1));
  EXPECT_EQ(api_.Get(crd_).status, 200);
  lifecycle_.emplace(api_.server, LifecycleOptions());
  api_.sim.RunFor(absl::Seconds(5));
  EXPECT_EQ(api_.Get(crd_).status, 404);
}

TEST_F(DefinitionTest, OneThatWentThroughAnotherDoorTakesItsObjectsAlong) {
  const ObjectKey key{"apiextensions.k8s.io/customresourcedefinitions", "", "widgets.example.com"};
  api_.store.Remove(key, api_.store.Get(key)->revision(), [](auto) {});
  api_.sim.RunFor(absl::Seconds(1));
  EXPECT_EQ(api_.store.Count("example.com/widgets", ""), 0U);
}

}  // namespace
}  // namespace sealane::kubeapi
