#include "lib/kubeapi/body.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/kubeapi/protobuf.h"
#include "tests/support/status_matchers.h"

namespace sealane::kubeapi {
namespace {

TEST(BodyTest, QuantitiesBecomeCanonical) {
  const std::pair<const char*, const char*> cases[] = {{"1000m", "1"},
                                                       {"0.5", "500m"},
                                                       {"1500m", "1500m"},
                                                       {"1024Mi", "1Gi"},
                                                       {"1.5Gi", "1536Mi"},
                                                       {"100Mi", "100Mi"},
                                                       {"1000", "1k"},
                                                       {"0", "0"},
                                                       {"0m", "0"},
                                                       {"-2", "-2"},
                                                       {"128974848", "128974848"},
                                                       {"1e3", "1e3"},
                                                       {"0.1", "100m"},
                                                       {"2Ki", "2Ki"},
                                                       {"512Ki", "512Ki"}};
  for (const auto& [text, want] : cases) {
    const auto out = CanonicalQuantity(text);
    ASSERT_TRUE(out.ok()) << text;
    EXPECT_EQ(*out, want) << text;
    EXPECT_EQ(*CanonicalQuantity(*out), *out);
  }
  for (const char* text : {"", "x", "1X", "1..2", "--1", "Mi"}) {
    EXPECT_FALSE(CanonicalQuantity(text).ok()) << text;
  }
}

TEST(BodyTest, YamlScalars) {
  const auto out = ParseText(
      "a: 1\nb: '1'\nc: yes\nd: ~\ne: 1.5\nf: 0x10\ng: 010\nh: 1_000\ni: text\nj: -3\nk: \"\"\n"
      "l: [x, 2]\nm: 1.2.3\n",
      true);
  ASSERT_OK(out);
  EXPECT_EQ(*out, Json({{"a", 1},
                        {"b", "1"},
                        {"c", true},
                        {"d", nullptr},
                        {"e", 1.5},
                        {"f", 16},
                        {"g", 8},
                        {"h", "1_000"},
                        {"i", "text"},
                        {"j", -3},
                        {"k", ""},
                        {"l", {"x", 2}},
                        {"m", "1.2.3"}}));
  EXPECT_FALSE(ParseText("a: [", true).ok());
  // Brackets in a text of YAML nest nothing; in JSON they do, whatever the type said.
  const std::string colours(300, '[');
  const auto script = ParseText("a: |\n  " + colours + "\n", true);
  ASSERT_OK(script);
  EXPECT_EQ(*script, Json({{"a", colours + "\n"}}));
  EXPECT_FALSE(ParseText(colours + std::string(300, ']'), true).ok());
  EXPECT_FALSE(ParseText("{not json", false).ok());
}

TEST(BodyTest, FitDropsWhatTheTypeLacksAndWhatIsEmpty) {
  const Type& type = *Schema::Builtin()->FindKind("apps", "v1", "Deployment");
  std::vector<std::string> unknown;
  const auto out = FitBuiltin(
      type,
      {{"metadata", {{"name", "d"}, {"labels", Json::object()}, {"creationTimestamp", nullptr}}},
       {"spec",
        {{"replicas", 0},
         {"paused", false},
         {"bogus", 1},
         {"template", {{"spec", {{"nodeName", ""}}}}}}}},
      unknown);
  ASSERT_OK(out);
  EXPECT_EQ(unknown, std::vector<std::string>{"spec.bogus"});
  EXPECT_EQ(out->at("metadata"), Json({{"name", "d"}}));
  EXPECT_EQ(out->at("spec").at("replicas"), 0);
  EXPECT_FALSE(out->at("spec").contains("paused"));
  EXPECT_EQ(out->at("spec").at("template").at("spec"), Json::object());
}

TEST(BodyTest, FitNamesTheFieldOfTheWrongType) {
  const Type& type = *Schema::Builtin()->FindKind("apps", "v1", "Deployment");
  std::vector<std::string> unknown;
  const auto out = FitBuiltin(type, {{"spec", {{"replicas", "two"}}}}, unknown);
  EXPECT_THAT(out, StatusIs(absl::StatusCode::kInvalidArgument,
                            "json: cannot unmarshal string into Go struct field "
                            "Deployment.spec.replicas of type int32"));
  EXPECT_FALSE(FitBuiltin(type, {{"spec", {{"replicas", 3000000000}}}}, unknown).ok());
}

// A namespace as kubectl 1.32 sends it for `kubectl create namespace team`.
std::string Field(int number, const std::string& bytes) {
  std::string out;
  const int tag = number << 3 | 2;
  if (tag > 127) {
    out.push_back(static_cast<char>((tag & 127) | 128));
    out.push_back(static_cast<char>(tag >> 7));
  } else {
    out.push_back(static_cast<char>(tag));
  }
  out.push_back(static_cast<char>(bytes.size()));
  return out + bytes;
}

TEST(ProtobufTest, DecodesWhatKubectlSends) {
  const std::string meta =
      Field(1, "team") + Field(2, "") + Field(8, "") + Field(11, Field(1, "a") + Field(2, "b"));
  const std::string object = Field(1, meta) + Field(2, "") + Field(3, "");
  const std::string type = Field(1, "v1") + Field(2, "Namespace");
  const std::string body = std::string("k8s\0", 4) + Field(1, type) + Field(2, object);
  ASSERT_TRUE(IsProtobuf(body));
  const auto out = DecodeProtobuf(body);
  ASSERT_OK(out);
  EXPECT_EQ(out->at("kind"), "Namespace");
  EXPECT_EQ(out->at("metadata").at("name"), "team");
  EXPECT_EQ(out->at("metadata").at("labels"), Json({{"a", "b"}}));
}

TEST(ProtobufTest, EmbeddedStructsAndSpecialTypes) {
  // Volume { name, volumeSource { configMap { localObjectReference { name } } } }
  const std::string source = Field(19, Field(1, Field(1, "cfg")));
  const std::string volume = Field(1, "v") + Field(2, source);
  // Container { name, image, resources { limits { cpu: 500m } } }
  const std::string limits = Field(1, Field(1, "cpu") + Field(2, Field(1, "500m")));
  const std::string container = Field(1, "c") + Field(2, "i") + Field(8, limits);
  const std::string pod =
      Field(1, Field(1, "p")) + Field(2, Field(1, volume) + Field(2, container));
  const std::string body =
      std::string("k8s\0", 4) + Field(1, Field(1, "v1") + Field(2, "Pod")) + Field(2, pod);
  const auto out = DecodeProtobuf(body);
  ASSERT_OK(out);
  EXPECT_EQ(out->at("spec").at("volumes"),
            Json::array({{{"name", "v"}, {"configMap", {{"name", "cfg"}}}}}));
  EXPECT_EQ(out->at("spec").at("containers")[0].at("resources"),
            Json({{"limits", {{"cpu", "500m"}}}}));
}

TEST(ProtobufTest, DamagedBodiesAreRefused) {
  const std::string good = std::string("k8s\0", 4) +
                           Field(1, Field(1, "v1") + Field(2, "ConfigMap")) +
                           Field(2, Field(1, Field(1, "name")));
  ASSERT_OK(DecodeProtobuf(good));
  for (size_t cut = 0; cut < good.size(); ++cut) (void)DecodeProtobuf(good.substr(0, cut));
  for (size_t i = 4; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      (void)DecodeProtobuf(bad);
    }
  }
  EXPECT_FALSE(
      DecodeProtobuf(std::string("k8s\0", 4) + Field(1, Field(1, "v1") + Field(2, "Nope"))).ok());
  EXPECT_FALSE(DecodeProtobuf("{}").ok());
}

}  // namespace
}  // namespace sealane::kubeapi
