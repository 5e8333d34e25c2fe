// What is refused of ConfigMaps, Secrets and bodies as such, and what an update may leave as it
// was.

#include "lib/kubeapi/validate.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/base64.h"
#include "lib/kubeapi/body.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using Strings = std::vector<std::string>;

constexpr char kSecrets[] = "/api/v1/namespaces/ns/secrets";
constexpr char kDeployments[] = "/apis/apps/v1/namespaces/ns/deployments";

class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() { api_.MakeNamespace("ns"); }
  Strings Faults(const std::string& path, const Json& object) {
    return FaultsOf(api_.Post(StrCat(path, "?dryRun=All"), object));
  }
  ApiHarness api_;
};

Json Secret(const std::string& type, const Json& data) {
  Json secret = {
      {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "s"}}}, {"data", data}};
  if (!type.empty()) secret["type"] = type;
  return secret;
}

TEST(Base64Test, FaultsAreWhereGoFindsThem) {
  for (const char* good :
       {"", "YQ==", "YWI=", "YWJj", "YWJjYWJj", "YW\nJj\r\n", "YQ=\n=\n", "YR=="}) {
    EXPECT_EQ(Base64Fault(good), std::nullopt) << good;
  }
  const std::vector<std::pair<std::string, size_t>> bad = {
      {"!", 0},          {"YW!j", 2},  {"YWJ", 0},     {"YWJjYQ", 4}, {"=", 0},
      {"Y===", 1},       {"YQ=", 3},   {"YQ=a", 2},    {"YQ==YQ", 4}, {"YWI=x", 4},
      {"not base64", 3}, {"YWJj-", 4}, {"YWJj\xff", 4}};
  for (const auto& [text, at] : bad) EXPECT_EQ(Base64Fault(text), at) << text;
}

TEST_F(ValidateTest, BytesMustBeBase64) {
  const Strings refused = {
      "400 Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input "
      "byte 3"};
  EXPECT_EQ(Faults(kSecrets, Secret("", {{"a", "YQ=="}, {"b", "not base64"}})), refused);
  Json map = ConfigMap("c");
  map["binaryData"] = {{"a", "?"}};
  EXPECT_EQ(Faults(kMaps, map),
            Strings({"400 ConfigMap in version \"v1\" cannot be handled as a ConfigMap: illegal "
                     "base64 data at input byte 0"}));
  // Lines of a block of text are joined, as the real server stores them.
  const ApiAnswer joined = api_.Post(kSecrets, Secret("", {{"a", "YWJj\nYWJj\n"}}));
  ASSERT_EQ(joined.status, 201) << joined.text;
  EXPECT_EQ(joined.body["data"]["a"], "YWJjYWJj");
  Json plain = Secret("", Json::object());
  plain["metadata"]["name"] = "plain";
  plain["stringData"] = {{"a", "not base64!"}};
  EXPECT_EQ(Faults(kSecrets, plain), Strings());
}

TEST_F(ValidateTest, TypedSecretsHaveTheirKeys) {
  const auto faults = [&](const std::string& type, const Json& data) {
    return Faults(kSecrets, Secret("kubernetes.io/" + type, data));
  };
  EXPECT_EQ(faults("tls", {{"tls.crt", ""}}), Strings({"data[tls.key]: Required value"}));
  EXPECT_EQ(faults("tls", {{"tls.crt", ""}, {"tls.key", "YQ=="}}), Strings());
  EXPECT_EQ(faults("dockerconfigjson", Json::object()),
            Strings({"data[.dockerconfigjson]: Required value"}));
  EXPECT_EQ(faults("dockerconfigjson", {{".dockerconfigjson", "YQ=="}}),
            Strings({"data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": "
                     "invalid character 'a' looking for beginning of value"}));
  EXPECT_EQ(faults("dockerconfigjson", {{".dockerconfigjson", ""}}),
            Strings({"data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": "
                     "unexpected end of JSON input"}));
  EXPECT_EQ(faults("dockerconfigjson", {{".dockerconfigjson", "e30="}}), Strings());
  EXPECT_EQ(faults("dockercfg", {{".dockercfg", "W10="}}).size(), 1U);  // []
  EXPECT_EQ(faults("basic-auth", Json::object()),
            Strings({"data[username]: Required value", "data[password]: Required value"}));
  EXPECT_EQ(faults("basic-auth", {{"password", "YQ=="}}), Strings());
  EXPECT_EQ(faults("ssh-auth", {{"ssh-privatekey", ""}}),
            Strings({"data[ssh-privatekey]: Required value"}));
  EXPECT_EQ(faults("service-account-token", Json::object()),
            Strings({"metadata.annotations[kubernetes.io/service-account.name]: Required value"}));
  EXPECT_EQ(faults("anything-else", Json::object()), Strings());
  EXPECT_EQ(Faults(kSecrets, Secret("example.com/mine", Json::object())), Strings());
}

TEST_F(ValidateTest, TypesAndImmutableObjectsStayAsTheyAre) {
  Json secret = Secret("", {{"a", "YQ=="}});
  ASSERT_EQ(api_.Post(kSecrets, secret).status, 201);
  const std::string path = StrCat(kSecrets, "/s");
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"type", "example.com/mine"}})),
            Strings({"type: Invalid value: \"example.com/mine\": field is immutable"}));
  ASSERT_EQ(api_.MergePatch(path, {{"immutable", true}}).status, 200);
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"data", {{"a", "YWI="}}}})),
            Strings({"data: Forbidden: field is immutable when `immutable` is set"}));
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"immutable", false}})),
            Strings({"immutable: Forbidden: field is immutable when `immutable` is set"}));
  EXPECT_EQ(api_.MergePatch(path, {{"metadata", {{"labels", {{"a", "b"}}}}}}).status, 200);
}

TEST_F(ValidateTest, KeysAreWellFormedAndAllTogetherAreOfSomeSize) {
  EXPECT_EQ(Faults(kMaps, ConfigMap("c", {{"..", "x"}})),
            Strings({"data[..]: Invalid value: \"..\": must not be '..'"}));
  Json twice = ConfigMap("c", {{"a", "x"}});
  twice["binaryData"] = {{"a", "YQ=="}};
  EXPECT_EQ(Faults(kMaps, twice),
            Strings({"data[a]: Invalid value: \"a\": duplicate of key present in binaryData"}));
  EXPECT_EQ(Faults(kMaps, ConfigMap("c", {{"a", std::string(1 << 20, 'x')}})), Strings());
  EXPECT_EQ(Faults(kMaps, ConfigMap("c", {{"a", std::string(1 << 20, 'x')}, {"b", "x"}})),
            Strings({"[]: Too long: may not be more than 1048576 bytes"}));
  EXPECT_EQ(Faults(kSecrets, Secret("", {{"a", std::string((1 << 20) / 3 * 4, 'a')}})), Strings());
  EXPECT_EQ(Faults(kSecrets, Secret("", {{"a", std::string(((1 << 20) / 3 + 1) * 4, 'a')}})),
            Strings({"data: Too long: may not be more than 1048576 bytes"}));
}

TEST_F(ValidateTest, NamesAreAsTheKindWantsThem) {
  const auto named = [](const std::string& kind, const std::string& name) {
    return Json{{"kind", kind}, {"metadata", {{"name", name}}}};
  };
  const std::string budgets = "/apis/policy/v1/namespaces/ns/poddisruptionbudgets";
  EXPECT_EQ(Faults(budgets, named("PodDisruptionBudget", "Of_Mine")), Strings());
  EXPECT_EQ(Faults(kMaps, named("ConfigMap", "Of_Mine")).size(), 1U);
  EXPECT_EQ(Faults(kMaps, named("ConfigMap", "of.mine")), Strings());
}

// Objects may be older than a rule, or come through another door.
TEST_F(ValidateTest, AnUpdateNeedNotMendWhatItDoesNotTouch) {
  Json stored = Deployment("old");
  stored["metadata"]["namespace"] = "ns";
  stored["metadata"]["uid"] = "u";
  stored["metadata"]["finalizers"] = {"example.com/hold"};
  Json& pod = stored["spec"]["template"]["spec"];
  pod["containers"][0]["resources"] = {{"requests", {{"cpu", "2"}}}, {"limits", {{"cpu", "1"}}}};
  pod["containers"][0]["livenessProbe"] = Json::object();
  bool done = false;
  api_.store.Put({"apps/deployments", "ns", "old"}, stored, 0,
                 [&](const absl::StatusOr<ObjectPtr>& put) { done = put.ok(); });
  api_.sim.RunFor(absl::Milliseconds(10));
  ASSERT_TRUE(done);
  const std::string path = StrCat(kDeployments, "/old");
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"spec", {{"replicas", 5}}}})), Strings());
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"metadata", {{"labels", {{"a", "b"}}}}}})), Strings());
  EXPECT_EQ(FaultsOf(api_.MergePatch(path + "/status", {{"status", {{"replicas", 1}}}})),
            Strings());
  // New faults are told, the old ones are not.
  EXPECT_EQ(FaultsOf(api_.MergePatch(path, {{"spec", {{"replicas", -1}}}})),
            Strings({"spec.replicas: Invalid value: -1: must be greater than or equal to 0"}));
  EXPECT_EQ(
      FaultsOf(api_.MergePatch(path, {{"spec", {{"selector", {{"matchLabels", {{"app", "x"}}}}}}}}))
          .size(),
      2U);
  EXPECT_EQ(api_.MergePatch(path, {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
}

TEST(ReadTest, FieldsGivenTwiceAreTold) {
  const auto doubled = [](const std::string& text, bool yaml) {
    Strings out;
    EXPECT_TRUE(ParseText(text, yaml, &out).ok());
    return out;
  };
  EXPECT_EQ(doubled(R"({"a":{"b":[1,{"c":1,"c":2,"c":3}],"b":2},"d":[[{"x":0,"x":1}]]})", false),
            Strings({"duplicate field \"a.b[1].c\"", "duplicate field \"a.b\"",
                     "duplicate field \"d[0][0].x\""}));
  EXPECT_EQ(ParseText(R"({"a":{"x":1},"b":1,"a":[2,3]})", false).value(),
            Json::parse(R"({"a":[2,3],"b":1})"));
  EXPECT_EQ(doubled(R"({"a":[{"x":1},{"x":1}],"b":{"x":1}})", false), Strings());
  EXPECT_EQ(doubled("a: 1\nb:\n  c: 1\n  c: 2\n", true),
            Strings({"line 4: key \"c\" already set in map"}));
  std::string many = "{";
  for (int i = 0; i < 500; ++i) many += StrCat("\"k", i, "\":1,\"k", i, "\":1,");
  many.back() = '}';
  EXPECT_EQ(doubled(many, false).size(), 100U);
  const std::string key(5000, 'k');
  EXPECT_EQ(doubled(StrCat("{\"", key, "\":1,\"", key, "\":2}"), false), Strings());
}

TEST(ReadTest, ReadsAsTheLibraryDoes) {
  for (const char* text :
       {"null", "true", "-1", "18446744073709551615", "1.5e3", "\"a\\u00e9\\n\"", "[]", "{}",
        "[1,[2,{\"a\":[]}],{}]", "{\"a\":{\"b\":null},\"c\":[\"x\"]}", " {\"a\" : 1 } "}) {
    const auto read = ParseText(text, false);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(read->dump(), Json::parse(text).dump());
  }
  for (const char* text :
       {"", "{", "[1,", "{\"a\":}", "{a:1}", "1 2", "\"\xff\"", "1e999", "tru"}) {
    EXPECT_FALSE(ParseText(text, false).ok()) << text;
  }
}

TEST_F(ValidateTest, FieldsGivenTwiceAreRefusedWarnedAboutOrTaken) {
  std::string text = Deployment("d").dump();
  text.insert(text.find("\"replicas\""), "\"replicas\":1,");
  const ApiAnswer strict = api_.Call("POST", StrCat(kDeployments, "?fieldValidation=Strict"), text);
  EXPECT_EQ(FaultsOf(strict),
            Strings({"400 Deployment in version \"v1\" cannot be handled as a Deployment: strict "
                     "decoding error: duplicate field \"spec.replicas\""}));
  const ApiAnswer warned = api_.Call("POST", StrCat(kDeployments, "?dryRun=All"), text);
  EXPECT_EQ(warned.status, 201);
  EXPECT_EQ(warned.headers.Get("Warning"), "299 - \"duplicate field \\\"spec.replicas\\\"\"");
  EXPECT_EQ(warned.body["spec"]["replicas"], 2);
  const ApiAnswer ignored =
      api_.Call("POST", StrCat(kDeployments, "?fieldValidation=Ignore"), text);
  EXPECT_EQ(ignored.status, 201);
  EXPECT_FALSE(ignored.headers.Has("Warning"));
  const std::string patch = R"({"spec":{"replicas":3,"replicas":4}})";
  const std::string path = StrCat(kDeployments, "/d");
  EXPECT_EQ(
      api_.Call("PATCH", path + "?fieldValidation=Strict", patch, "application/merge-patch+json")
          .status,
      422);
  EXPECT_EQ(api_.Call("PATCH", path, patch, "application/strategic-merge-patch+json")
                .headers.Get("Warning"),
            "299 - \"duplicate field \\\"spec.replicas\\\"\"");
}

}  // namespace
}  // namespace sealane::kubeapi
