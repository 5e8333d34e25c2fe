#include "tools/sealane/changes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"

namespace sealane::cli {
namespace {

using ::testing::ElementsAre;

void AddOverride(v1::Work& work, const std::string& name, const std::string& operation,
                 const std::string& path) {
  v1::AppliedOverride* applied = work.add_applied_overrides();
  applied->mutable_policy()->set_kind("OverridePolicy");
  applied->mutable_policy()->set_namespace_("shop");
  applied->mutable_policy()->set_name(name);
  applied->set_overrider("plaintext[0]");
  applied->set_operator_(operation);
  applied->set_path(path);
}

std::vector<std::string> Words(const std::vector<FieldChange>& changes) {
  std::vector<std::string> words;
  for (const FieldChange& change : changes) {
    words.push_back(change.field + ": " + change.from + " -> " + change.to + " by " + change.by);
  }
  return words;
}

TEST(ChangesTest, TheLastOperationThatTouchedAFieldSetIt) {
  const Json base = Json::parse(R"({"metadata": {"labels": {"a/b": "1"}},
                                    "spec": {"replicas": 6, "args": ["x"], "gone": true}})");
  const Json manifest = Json::parse(R"({"metadata": {"labels": {"a/b": "2", "new": "n"}},
                                        "spec": {"replicas": 2, "args": ["x", "y"]}})");
  v1::Work work;
  AddOverride(work, "first", "replace", "/metadata/labels/a~1b");
  AddOverride(work, "second", "replace", "/metadata/labels/a~1b");
  AddOverride(work, "args", "add", "/spec/args/1");
  EXPECT_THAT(
      Words(ChangesOf(base, manifest, work)),
      ElementsAre("/metadata/labels/a~1b: \"1\" -> \"2\" by OverridePolicy shop/second, "
                  "rule 0, plaintext[0] (replace)",
                  "/metadata/labels/new:  -> \"n\" by Sealane",
                  "/spec/args: [\"x\"] -> [\"x\",\"y\"] by OverridePolicy shop/args, rule "
                  "0, plaintext[0] (add)",
                  "/spec/gone: true ->  by Sealane", "/spec/replicas: 6 -> 2 by the placement"));
}

TEST(ChangesTest, NobodyCanTellWhatMadeTheLastGoodOne) {
  const Json base = Json::parse(R"({"spec": {"replicas": 6, "a": "x", "b": "x"}})");
  const Json manifest = Json::parse(R"({"spec": {"replicas": 2, "a": "y", "b": "y"}})");
  v1::Work work;
  EXPECT_THAT(Words(ChangesOf(base, manifest, work, /*last_good=*/true)),
              ElementsAre("/spec/a: \"x\" -> \"y\" by an earlier rendering",
                          "/spec/b: \"x\" -> \"y\" by an earlier rendering",
                          "/spec/replicas: 6 -> 2 by an earlier rendering"));
  AddOverride(work, "o", "replace", "/spec/a");
  EXPECT_EQ(ChangesOf(base, manifest, work, /*last_good=*/true)[0].by,
            "OverridePolicy shop/o, rule 0, plaintext[0] (replace)");
}

TEST(ChangesTest, ElementsBehindARemovedOneMovedBecauseOfIt) {
  const Json base = Json::parse(R"({"c": [{"n": "a"}, {"n": "b"}]})");
  const Json manifest = Json::parse(R"({"c": [{"n": "b"}]})");
  v1::Work work;
  AddOverride(work, "o", "remove", "/c/0");
  const auto changes = ChangesOf(base, manifest, work);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].field, "/c/0/n");
  EXPECT_EQ(changes[1].by, "OverridePolicy shop/o, rule 0, plaintext[0] (remove)");
}

TEST(ChangesTest, ReplicasThatAnOverrideSetAreItsOwn) {
  v1::Work work;
  AddOverride(work, "o", "replace", "/spec/replicas");
  const auto changes = ChangesOf(Json::parse(R"({"spec": {"replicas": 6}})"),
                                 Json::parse(R"({"spec": {"replicas": 1}})"), work);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].by, "OverridePolicy shop/o, rule 0, plaintext[0] (replace)");
}

TEST(ChangesTest, WhatEveryClusterGetsAlikeIsNoDifference) {
  const Json published = Json::parse(R"({"apiVersion": "v1", "kind": "Service",
      "metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"clusterIP": "10.0.0.1"}})");
  const Json base = BaseManifest(published);
  EXPECT_EQ(base, Json::parse(R"({"apiVersion": "v1", "kind": "Service",
      "metadata": {"name": "web", "labels": {"sealane.io/managed": "true"}}, "spec": {}})"));
  EXPECT_TRUE(ChangesOf(base, base, v1::Work()).empty());
}

TEST(ChangesTest, LongValuesAreCutBetweenCharacters) {
  Json to = {{"a", std::string(98, 'x') + "\xC3\xA9\xC3\xA9"}};
  const auto changes = ChangesOf(Json::object(), to, v1::Work());
  EXPECT_EQ(changes.at(0).to, "\"" + std::string(98, 'x') + "...");
}

}  // namespace
}  // namespace sealane::cli
