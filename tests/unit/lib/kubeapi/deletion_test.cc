#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "lib/kubeapi/lifecycle.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using ::testing::HasSubstr;

// A server on which somebody else can write between the decision of a write and the write.
class DeletionTest : public ::testing::Test {
 protected:
  DeletionTest() { api_.MakeNamespace("ns"); }
  ApiServerOptions Options() {
    ApiServerOptions options;
    options.access.authenticate = [](const http::HttpRequest&) { return UserInfo{"ann", "", {}}; };
    options.access.writing = [this](const UserInfo* user) {
      names_.push_back(user == nullptr ? "" : user->name);
      if (user != nullptr && before_write_) std::exchange(before_write_, nullptr)();
    };
    return options;
  }
  void Make(const std::string& name, const Json& finalizers = Json()) {
    Json object = ConfigMap(name, {{"k", "v"}});
    if (!finalizers.is_null()) object["metadata"]["finalizers"] = finalizers;
    ASSERT_EQ(api_.Post(kMaps, object).status, 201);
  }
  bool Exists(const std::string& name) {
    return api_.Get(std::string(kMaps) + "/" + name).status == 200;
  }
  // Somebody else changes the object.
  void Disturb(const std::string& name) {
    const ObjectPtr now = api_.store.Get({"configmaps", "ns", name});
    ASSERT_NE(now, nullptr);
    Json object = now->value();
    object["data"]["other"] = "x";
    api_.store.Put(now->key(), std::move(object), now->revision(), [](auto) {});
  }

  std::vector<std::string> names_;
  std::function<void()> before_write_;
  ApiHarness api_{Options()};
};

TEST_F(DeletionTest, ADryRunThatTheBodyAsksForDeletesNothing) {
  Make("a");
  const Json options = {
      {"kind", "DeleteOptions"}, {"apiVersion", "v1"}, {"dryRun", Json::array({"All"})}};
  EXPECT_EQ(api_.Delete(kMaps, options).status, 200);
  EXPECT_EQ(api_.Delete(std::string(kMaps) + "/a", options).status, 200);
  EXPECT_EQ(api_.Delete(std::string(kMaps) + "?dryRun=All").status, 200);
  EXPECT_TRUE(Exists("a"));
  const ApiAnswer odd = api_.Delete(kMaps, {{"dryRun", Json::array({"Some"})}});
  EXPECT_EQ(odd.status, 422);
  EXPECT_THAT(odd.text, HasSubstr("dryRun"));
  EXPECT_EQ(api_.Delete(kMaps, "[]").status, 400);
  EXPECT_TRUE(Exists("a"));
  EXPECT_EQ(api_.Delete(kMaps, {{"dryRun", Json::array()}}).status, 200);
  EXPECT_FALSE(Exists("a"));
}

TEST_F(DeletionTest, ACollectionGoesInTheNameOfWhoAskedAlsoWhenSomebodyElseWrites) {
  for (const char* name : {"a", "b", "c"}) Make(name);
  names_.clear();
  before_write_ = [this] { Disturb("a"); };
  const ApiAnswer answer = api_.Delete(kMaps);
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["items"].size(), 3U);
  for (const char* name : {"a", "b", "c"}) EXPECT_FALSE(Exists(name)) << name;
  // Once more for the one that was disturbed.
  EXPECT_EQ(std::count(names_.begin(), names_.end(), "ann"), 4);
}

TEST_F(DeletionTest, ManyObjectsGoAtOnce) {
  for (int i = 0; i < 100; ++i) Make("m" + std::to_string(i));
  EXPECT_EQ(api_.Delete(kMaps).body["items"].size(), 100U);
  EXPECT_EQ(api_.store.Count("configmaps", "ns"), 0U);
}

TEST_F(DeletionTest, ACollectionThatFailsSaysSo) {
  Make("a");
  Make("b");
  const ApiAnswer answer = api_.Delete(kMaps, {{"preconditions", {{"uid", "somebody-else"}}}});
  EXPECT_EQ(answer.status, 409) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("somebody-else"));
  EXPECT_TRUE(Exists("a"));
  EXPECT_TRUE(Exists("b"));
}

TEST_F(DeletionTest, OneObjectGoesAlthoughSomebodyElseWrites) {
  Make("a");
  before_write_ = [this] { Disturb("a"); };
  EXPECT_EQ(api_.Delete(std::string(kMaps) + "/a").status, 200);
  EXPECT_FALSE(Exists("a"));
  // Not when the version is a condition.
  Make("b");
  before_write_ = [this] { Disturb("b"); };
  const std::string version =
      api_.Get(std::string(kMaps) + "/b").body["metadata"]["resourceVersion"];
  EXPECT_EQ(
      api_.Delete(std::string(kMaps) + "/b", {{"preconditions", {{"resourceVersion", version}}}})
          .status,
      409);
  EXPECT_TRUE(Exists("b"));
}

TEST_F(DeletionTest, AnUpdateWithoutAVersionIsMadeAlthoughSomebodyElseWrites) {
  Make("a");
  before_write_ = [this] { Disturb("a"); };
  const ApiAnswer answer = api_.Put(std::string(kMaps) + "/a", ConfigMap("a", {{"k", "w"}}));
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["data"], Json({{"k", "w"}}));
  Json named = ConfigMap("a", {{"k", "x"}});
  named["metadata"]["resourceVersion"] = answer.body["metadata"]["resourceVersion"];
  before_write_ = [this] { Disturb("a"); };
  EXPECT_EQ(api_.Put(std::string(kMaps) + "/a", named).status, 409);
}

TEST_F(DeletionTest, AnAppliedObjectThatSomebodyElseMakesIsChangedInstead) {
  before_write_ = [this] {
    api_.store.Put({"configmaps", "ns", "a"},
                   {{"metadata", {{"name", "a"}, {"namespace", "ns"}, {"uid", "u"}}},
                    {"data", {{"other", "x"}}}},
                   0, [](auto) {});
  };
  const ApiAnswer answer =
      api_.Apply(std::string(kMaps) + "/a", "me", ConfigMap("a", {{"k", "v"}}));
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["data"], Json({{"k", "v"}, {"other", "x"}}));
}

TEST_F(DeletionTest, NamespacesOfTheSystemStay) {
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    api_.MakeNamespace(name);
    const ApiAnswer answer = api_.Delete(std::string("/api/v1/namespaces/") + name);
    EXPECT_EQ(answer.status, 403) << answer.text;
    EXPECT_THAT(answer.text, HasSubstr("this namespace may not be deleted"));
  }
}

}  // namespace
}  // namespace sealane::kubeapi
