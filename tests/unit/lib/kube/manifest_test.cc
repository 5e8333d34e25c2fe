#include "lib/kube/manifest.h"
#include "lib/core/json_write.h"

#include <functional>
#include <random>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane::kube {
namespace {

using ::testing::HasSubstr;

Json One(std::string_view text) {
  std::vector<Json> values;
  const absl::Status status = ParseManifests(text, &values);
  EXPECT_OK(status) << text;
  EXPECT_EQ(values.size(), 1u) << text;
  return values.empty() ? Json() : values.front();
}

absl::Status Refused(std::string_view text) {
  std::vector<Json> values;
  return ParseManifests(text, &values);
}

TEST(Manifest, ReadsScalarsAsKubernetesDoes) {
  const Json value =
      One("int: 42\noctal: 0644\nhex: 0x1f\nunder: 1_000\nfloat: 1.5\nwhole: 1e3\nbig: "
          "9223372036854775807\n"
          "yes: on\nno: Off\nnull1: ~\nnull2:\nquoted: \"42\"\nsingle: 'true'\ndate: 2026-01-02\n"
          "text: plain text\nversion: 1.2.3\nsign: -5\nempty: ''\nimage: nginx:1.25\n");
  EXPECT_EQ(value["int"], 42);
  EXPECT_EQ(value["octal"], 420);
  EXPECT_EQ(value["hex"], 31);
  EXPECT_EQ(value["under"], 1000);
  EXPECT_EQ(value["float"], 1.5);
  EXPECT_TRUE(value["whole"].is_number_integer());
  EXPECT_EQ(value["big"], INT64_MAX);
  EXPECT_EQ(value["true"], true) << "`yes` as a key is a boolean, written as text";
  EXPECT_EQ(value["false"], false);
  EXPECT_TRUE(value["null1"].is_null() && value["null2"].is_null());
  EXPECT_EQ(value["quoted"], "42");
  EXPECT_EQ(value["single"], "true");
  EXPECT_EQ(value["date"], "2026-01-02");
  EXPECT_EQ(value["version"], "1.2.3");
  EXPECT_EQ(value["sign"], -5);
  EXPECT_EQ(value["empty"], "");
  EXPECT_EQ(value["image"], "nginx:1.25");
}

TEST(Manifest, ManyDocumentsListsAndLines) {
  std::vector<Json> values;
  std::vector<int> lines;
  ASSERT_OK(
      ParseManifests("# first\na: 1\n---\n---\n# nothing\n---\nb: 2\n---\n"
                     "apiVersion: v1\nkind: List\nitems:\n- c: 3\n- d: 4\n",
                     &values, &lines));
  ASSERT_EQ(values.size(), 4u);
  EXPECT_EQ(values[3]["d"], 4);
  EXPECT_EQ(lines, (std::vector<int>{2, 7, 9, 9}));
  values.clear();
  ASSERT_OK(ParseManifests("", &values));
  ASSERT_OK(ParseManifests("{\"a\":1}\n---\n{\"b\":2}", &values));
  EXPECT_EQ(values.size(), 2u);
}

TEST(Manifest, AnchorsAndMergeKeys) {
  const Json value =
      One("base: &base {cpu: 1, memory: 2}\nmore: &more {memory: 3, disk: 4}\n"
          "a:\n  <<: *base\n  cpu: 9\nb:\n  <<: [*base, *more]\nc: *base\nd: &x text\ne: *x\n");
  EXPECT_EQ(value["a"], (Json{{"cpu", 9}, {"memory", 2}}));
  EXPECT_EQ(value["b"], (Json{{"cpu", 1}, {"memory", 2}, {"disk", 4}}));
  EXPECT_EQ(value["c"], value["base"]);
  EXPECT_EQ(value["e"], "text");
}

TEST(Manifest, AMappingInFlowStyleIsYaml) {
  EXPECT_EQ(One("{a: 1, b: [x, 'y']}"), (Json{{"a", 1}, {"b", {"x", "y"}}}));
  EXPECT_THAT(Refused("{a: [}"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 1")));
}

TEST(Manifest, RefusesWithPlaceAndReason) {
  EXPECT_THAT(Refused("a: 1\nb: [1, 2\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 3")));
  EXPECT_THAT(Refused("a: 1\nb: 2\na: 3\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("line 3, column 1: key \"a\" appears twice")));
  EXPECT_THAT(Refused("{\"a\": 1, \"a\": 2}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("appears twice")));
  EXPECT_THAT(Refused("{\"a\": 1,\n \"b\": }"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 2")));
  EXPECT_THAT(Refused("a: .nan\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".nan")));
  EXPECT_THAT(Refused("a: \xFF\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("UTF-8")));
  EXPECT_THAT(Refused("a: !!binary aGk=\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("binary")));
  EXPECT_THAT(Refused("- 1\n- 2\n"), StatusIs(absl::StatusCode::kInvalidArgument,
                                              HasSubstr("must be a mapping, not array")));
  EXPECT_THAT(Refused("? [a]\n: b\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("key must be")));
  EXPECT_FALSE(Refused("{a: b}, c").ok());
  for (const char* endless : {",", ", a: b", "--- {}\n, x"}) {
    EXPECT_THAT(Refused(endless),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unexpected text")));
  }
  Json manifest;
  EXPECT_THAT(ParseManifest(std::string(kMaxManifestBytes + 1, ' '), &manifest),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 786432")));
  EXPECT_THAT(ParseManifest("a: 1\n---\nb: 1\n", &manifest),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("found 2 documents")));
}

TEST(Manifest, BoundsDepthAndAliasExpansion) {
  EXPECT_THAT(Refused("a: " + std::string(200, '[') + std::string(200, ']')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nested deeper")));
  std::string json = std::string(150, '[') + std::string(150, ']');
  EXPECT_THAT(Refused("{\"a\":" + json + "}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nested deeper")));
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    laughs += StrCat("a", i, ": &a", i, " [");
    for (int k = 0; k < 10; ++k) laughs += StrCat(k == 0 ? "" : ",", "*a", i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(Refused(laughs),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 400000 values")));
}

std::vector<std::string> Fields(Json manifest) {
  DefaultNamespace(manifest);
  std::vector<v1::FieldError> errors;
  ValidateIdentity(manifest, &errors);
  std::vector<std::string> fields;
  for (const auto& error : errors) fields.push_back(error.field() + ":" + error.reason());
  return fields;
}

TEST(Manifest, Identity) {
  using V = std::vector<std::string>;
  Json good = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"metadata", {{"name", "web"}}}};
  EXPECT_EQ(Fields(good), V{});
  DefaultNamespace(good);
  EXPECT_EQ(RefOf(good).namespace_(), "default");
  EXPECT_EQ(ManifestKey(good), (ObjectKey{"apps", "Deployment", "default", "web"}));

  EXPECT_EQ(Fields(Json::object()),
            (V{"apiVersion:Required", "kind:Required", "metadata.name:Required"}));
  Json bad = good;
  bad["metadata"]["name"] = "Bad_Name";
  EXPECT_EQ(Fields(bad), V{"metadata.name:Invalid"});
  bad = good;
  bad["metadata"]["name"] = 5;
  EXPECT_EQ(Fields(bad), V{"metadata.name:TypeMismatch"});
  bad = good;
  bad["metadata"]["labels"] = {{"a", 1}, {"b/c/d", "x"}, {"e", "not ok"}};
  EXPECT_EQ(Fields(bad), (V{"metadata.labels.a:TypeMismatch", "metadata.labels:Invalid",
                            "metadata.labels.e:Invalid"}));
  bad = good;
  bad["metadata"].erase("name");
  bad["metadata"]["generateName"] = "x-";
  EXPECT_EQ(Fields(bad), V{"metadata.generateName:NotSupported"});

  const Json role = {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                     {"kind", "ClusterRole"},
                     {"metadata", {{"name", "system:Node"}}}};
  EXPECT_EQ(Fields(role), V{});
  Json placed = role;
  placed["metadata"]["namespace"] = "x";
  EXPECT_EQ(Fields(placed), V{"metadata.namespace:Forbidden"});
  const Json service = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "1a"}}}};
  EXPECT_EQ(Fields(service), V{"metadata.name:Invalid"});
  const Json custom = {
      {"apiVersion", "example.com/v1"}, {"kind", "Foo"}, {"metadata", {{"name", "a"}}}};
  EXPECT_EQ(Fields(custom), V{});
}

TEST(Manifest, YamlAsKubectlPrints) {
  const Json value = {{"b", {{"list", {1, "two", {{"x", true}, {"y", nullptr}}, {1, 2}}}}},
                      {"a", "yes"},
                      {"c", "multi\nline\n"},
                      {"d", Json::object()},
                      {"e", Json::array()},
                      {"f", "tail\nwithout"},
                      {"g", ""},
                      {"h", "- not a list"},
                      {"i", "2026-01-02"},
                      {"j", 2.5},
                      {"k", "a: b"},
                      {"10", 1},
                      {"9", 1}};
  EXPECT_EQ(
      ToYaml(value),
      "\"9\": 1\n\"10\": 1\na: \"yes\"\nb:\n  list:\n  - 1\n  - two\n  - x: true\n    \"y\": null\n"
      "  - - 1\n    - 2\nc: |\n  multi\n  line\nd: {}\ne: []\nf: |-\n  tail\n  without\n"
      "g: \"\"\nh: '- not a list'\ni: \"2026-01-02\"\nj: 2.5\nk: 'a: b'\n");
  EXPECT_EQ(ToYaml("text"), "text\n");
}

TEST(Manifest, YamlReadsBackAsTheSame) {
  std::mt19937 random(7);
  const std::vector<std::string> texts = {
      "",
      " ",
      "a",
      "true",
      "null",
      "1e3",
      "0x10",
      "a: b",
      "#x",
      "x #y",
      "multi\nline",
      "\n",
      "\n\n",
      "tab\there",
      " lead",
      "trail ",
      "quote\"'",
      "\\",
      "- a",
      "?",
      "é",
      "emoji \xF0\x9F\x98\x80",
      "long words that go on and on and on until the line is longer than eighty columns and wraps",
      "12:30:45",
      "=",
      "<<",
      "y",
      "*a",
      "&b",
      "%c",
      "@d",
      "`e",
      "a\r\nb",
      "  two\n lines\n\n"};
  const std::function<Json(int)> make = [&](int depth) -> Json {
    switch (random() % (depth > 3 ? 4 : 6)) {
      case 0:
        return static_cast<int64_t>(random()) - INT32_MAX;
      case 1:
        return random() % 2 == 0;
      case 2:
        return texts[random() % texts.size()];
      case 3:
        return static_cast<double>(random() % 100000) / 64.0 + 1.0 / 128;
      case 4: {
        Json array = Json::array();
        for (size_t i = random() % 4; i > 0; --i) array.push_back(make(depth + 1));
        return array;
      }
      default: {
        Json object = Json::object();
        for (size_t i = random() % 4; i > 0; --i) {
          object[texts[random() % texts.size()]] = make(depth + 1);
        }
        return object;
      }
    }
  };
  for (int i = 0; i < 500; ++i) {
    const Json value = {{"root", make(0)}};
    const std::string yaml = ToYaml(value);
    EXPECT_EQ(WriteJson(One(yaml)), WriteJson(value)) << yaml;
  }
}

}  // namespace
}  // namespace sealane::kube
