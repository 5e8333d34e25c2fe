#include "lib/kubeapi/patch.h"

#include <random>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/kubeapi/typed.h"
#include "tests/support/status_matchers.h"

namespace sealane::kubeapi {
namespace {

const Type& DeploymentType() { return *Schema::Builtin()->FindKind("apps", "v1", "Deployment"); }

Json Containers(const Json& list) {
  return {{"spec", {{"template", {{"spec", {{"containers", list}}}}}}}};
}

Json Strategic(const Json& object, const Json& patch) {
  const auto out = ApplyStrategicMergePatch(DeploymentType(), object, patch);
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? *out : Json();
}

TEST(PatchTest, MergePatchRemovesNulls) {
  const auto out =
      ApplyMergePatch({{"a", 1}, {"b", {{"c", 2}, {"d", 3}}}}, {{"a", nullptr}, {"b", {{"c", 5}}}});
  ASSERT_OK(out);
  EXPECT_EQ(*out, Json({{"b", {{"c", 5}, {"d", 3}}}}));
  EXPECT_FALSE(ApplyMergePatch({{"a", 1}}, Json::array()).ok());
}

TEST(PatchTest, JsonPatchThatDoesNotApplyIsRefused) {
  const Json object = {{"a", 1}};
  EXPECT_FALSE(ApplyJsonPatch(object, {{{"op", "remove"}, {"path", "/b"}}}).ok());
  EXPECT_FALSE(ApplyJsonPatch(object, {{{"op", "test"}, {"path", "/a"}, {"value", 2}}}).ok());
  EXPECT_FALSE(ApplyJsonPatch(object, {{{"op", "jump"}, {"path", "/a"}}}).ok());
  EXPECT_FALSE(ApplyJsonPatch(object, {{"op", "remove"}}).ok());
  const auto out = ApplyJsonPatch(object, {{{"op", "add"}, {"path", "/b"}, {"value", {1}}}});
  ASSERT_OK(out);
  EXPECT_EQ(*out, Json({{"a", 1}, {"b", {1}}}));
}

TEST(PatchTest, StrategicMergesListsByKey) {
  const Json object =
      Containers({{{"name", "a"}, {"image", "x:1"}, {"env", {{{"name", "A"}, {"value", "1"}}}}},
                  {{"name", "b"}, {"image", "y:1"}}});
  const Json out = Strategic(object, Containers(Json::array({{{"name", "b"}, {"image", "y:2"}}})));
  EXPECT_EQ(out, Containers(
                     {{{"name", "a"}, {"image", "x:1"}, {"env", {{{"name", "A"}, {"value", "1"}}}}},
                      {{"name", "b"}, {"image", "y:2"}}}));
}

TEST(PatchTest, StrategicDeletesReplacesAndOrders) {
  const Json object = Containers({{{"name", "a"}, {"image", "x"}},
                                  {{"name", "b"}, {"image", "y"}},
                                  {{"name", "c"}, {"image", "z"}}});
  EXPECT_EQ(Strategic(object, Containers(Json::array({{{"name", "b"}, {"$patch", "delete"}}}))),
            Containers({{{"name", "a"}, {"image", "x"}}, {{"name", "c"}, {"image", "z"}}}));
  EXPECT_EQ(
      Strategic(object, Containers({{{"$patch", "replace"}}, {{"name", "d"}, {"image", "w"}}})),
      Containers(Json::array({{{"name", "d"}, {"image", "w"}}})));
  Json ordered = {{"spec",
                   {{"template",
                     {{"spec",
                       {{"$setElementOrder/containers",
                         {{{"name", "c"}}, {{"name", "b"}}, {{"name", "a"}}}}}}}}}}};
  EXPECT_EQ(Strategic(object, ordered), Containers({{{"name", "c"}, {"image", "z"}},
                                                    {{"name", "b"}, {"image", "y"}},
                                                    {{"name", "a"}, {"image", "x"}}}));
}

TEST(PatchTest, StrategicHandlesPrimitiveListsAndRetainKeys) {
  const Json object = {
      {"metadata", {{"finalizers", {"a", "b"}}}},
      {"spec", {{"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", 1}}}}}}}};
  EXPECT_EQ(
      Strategic(object, {{"metadata", {{"finalizers", {"b", "c"}}}}})["metadata"]["finalizers"]
          .size(),
      3U);
  EXPECT_EQ(Strategic(object,
                      {{"metadata", {{"$deleteFromPrimitiveList/finalizers", {"a"}}}}})["metadata"],
            Json({{"finalizers", {"b"}}}));
  EXPECT_EQ(
      Strategic(object,
                {{"spec",
                  {{"strategy",
                    {{"$retainKeys", {"type"}}, {"type", "Recreate"}}}}}})["spec"]["strategy"],
      Json({{"type", "Recreate"}}));
}

TEST(PatchTest, StrategicNeedsTheMergeKey) {
  const Json object = Containers(Json::array({{{"name", "a"}}}));
  EXPECT_FALSE(ApplyStrategicMergePatch(DeploymentType(), object,
                                        Containers(Json::array({{{"image", "x"}}})))
                   .ok());
}

// --- random inputs: no patch may crash, and what holds for all inputs is checked

class RandomJson {
 public:
  explicit RandomJson(uint32_t seed) : engine_(seed) {}
  Json Value(int depth) {
    switch (Below(depth > 3 ? 5 : 8)) {
      case 0:
        return nullptr;
      case 1:
        return static_cast<int>(Below(3));
      case 2:
        return Below(2) == 0;
      case 3:
      case 4:
        return std::string(kNames[Below(kNames.size())]);
      case 5: {
        Json out = Json::array();
        for (uint32_t i = Below(4); i > 0; --i) out.push_back(Value(depth + 1));
        return out;
      }
      default: {
        Json out = Json::object();
        for (uint32_t i = Below(5); i > 0; --i)
          out[std::string(kNames[Below(kNames.size())])] = Value(depth + 1);
        return out;
      }
    }
  }
  Json Object() {
    Json out = Value(0);
    while (!out.is_object()) out = Value(0);
    return out;
  }
  uint32_t Below(size_t bound) { return static_cast<uint32_t>(engine_() % bound); }

 private:
  static constexpr std::array<std::string_view, 14> kNames = {
      "spec",     "template", "containers", "name",   "env",         "a",
      "metadata", "labels",   "ports",      "$patch", "$retainKeys", "$setElementOrder/containers",
      "replace",  "delete"};
  std::mt19937 engine_;
};

TEST(PatchTest, RandomPatchesNeverCrashAndMergingNothingChangesNothing) {
  RandomJson random(1);
  for (int i = 0; i < 3000; ++i) {
    const Json object = random.Object();
    const Json patch = random.Value(0);
    (void)ApplyJsonPatch(object, patch);
    (void)ApplyStrategicMergePatch(DeploymentType(), object, patch);
    const auto merged = ApplyMergePatch(object, patch);
    if (merged.ok()) {
      // RFC 7386: applying the same patch again changes nothing.
      EXPECT_EQ(*ApplyMergePatch(*merged, patch), *merged);
    }
    const auto same = ApplyStrategicMergePatch(DeploymentType(), object, Json::object());
    ASSERT_OK(same);
    EXPECT_EQ(*same, object);
  }
}

TEST(PatchTest, RandomJsonPatchesMatchTheirDiff) {
  RandomJson random(2);
  for (int i = 0; i < 500; ++i) {
    const Json before = random.Object();
    const Json after = random.Object();
    const auto out = ApplyJsonPatch(before, Json::diff(before, after));
    ASSERT_OK(out);
    EXPECT_EQ(*out, after);
  }
}

TEST(TypedTest, RandomValuesKeepTheLawsOfSets) {
  RandomJson random(3);
  for (int i = 0; i < 2000; ++i) {
    const Json a = random.Object();
    const Json b = random.Object();
    const Type& any = *Schema::Any();
    EXPECT_TRUE(Compare(any, a, a).Same());
    // Merging lays b over a: everything b sets is set.
    const Json merged = Merge(any, a, b);
    const FieldSet want = PathsOf(any, b);
    EXPECT_TRUE(Difference(want, PathsOf(any, merged)).Empty() || a != merged);
    EXPECT_EQ(Merge(any, merged, b), merged);
    const FieldSet set = PathsOf(any, a);
    EXPECT_TRUE(Difference(set, set).Empty());
    EXPECT_TRUE(Union(set, FieldSet()) == set);
    EXPECT_EQ(ToFieldsV1(FromFieldsV1(ToFieldsV1(set))), ToFieldsV1(set));
    (void)CheckTyped(DeploymentType(), a);
    (void)RemoveItems(DeploymentType(), a, PathsOf(DeploymentType(), b));
  }
}

}  // namespace
}  // namespace sealane::kubeapi
