#include "lib/kubeapi/custom.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/kubeapi/pattern.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

Json Crd(const Json& schema) {
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", "widgets.example.com"}}},
          {"spec",
           {{"group", "example.com"},
            {"scope", "Namespaced"},
            {"names", {{"plural", "widgets"}, {"kind", "Widget"}}},
            {"versions",
             {{{"name", "v1"},
               {"served", true},
               {"storage", true},
               {"subresources",
                {{"status", Json::object()},
                 {"scale",
                  {{"specReplicasPath", ".spec.replicas"},
                   {"statusReplicasPath", ".status.replicas"}}}}},
               {"schema", {{"openAPIV3Schema", schema}}}}}}}}};
}

const Json& Schema() {
  static const Json* const schema = new Json(
      {{"type", "object"},
       {"properties",
        {{"spec",
          {{"type", "object"},
           {"required", {"size"}},
           {"properties",
            {{"size", {{"type", "integer"}, {"minimum", 1}, {"maximum", 10}}},
             {"replicas", {{"type", "integer"}}},
             {"mode", {{"type", "string"}, {"enum", {"a", "b"}}, {"default", "a"}}},
             {"code", {{"type", "string"}, {"pattern", "^[a-z]+$"}, {"maxLength", 4}}},
             {"any", {{"x-kubernetes-int-or-string", true}}},
             {"free", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}},
             {"tags",
              {{"type", "array"},
               {"x-kubernetes-list-type", "set"},
               {"items", {{"type", "string"}}}}},
             {"labels", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}}}}}},
         {"status", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}});
  return *schema;
}

std::vector<std::string> Faults(const Json& spec) {
  std::vector<std::string> out;
  for (const FieldError& error : ValidateCustom(Schema(), {{"spec", spec}})) {
    out.push_back(error.field + " " + error.reason);
  }
  return out;
}

TEST(CustomTest, Validation) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Faults({{"size", 1}, {"any", "x"}, {"free", {{"q", 1}}}, {"labels", {{"a", "b"}}}}),
            Strings());
  EXPECT_EQ(Faults({{"any", 3}}), Strings{"spec.size FieldValueRequired"});
  EXPECT_EQ(Faults({{"size", 11}}), Strings{"spec.size FieldValueInvalid"});
  EXPECT_EQ(Faults({{"size", "1"}}), Strings{"spec.size FieldValueTypeInvalid"});
  EXPECT_EQ(Faults({{"size", 1}, {"mode", "z"}}), Strings{"spec.mode FieldValueNotSupported"});
  EXPECT_EQ(Faults({{"size", 1}, {"code", "A1"}}), Strings{"spec.code FieldValueInvalid"});
  EXPECT_EQ(Faults({{"size", 1}, {"code", "abcde"}}), Strings{"spec.code FieldValueTooLong"});
  EXPECT_EQ(Faults({{"size", 1}, {"any", true}}), Strings{"spec.any FieldValueTypeInvalid"});
  EXPECT_EQ(Faults({{"size", 1}, {"tags", {"a", "a"}}}),
            Strings{"spec.tags[1] FieldValueDuplicate"});
  EXPECT_EQ(Faults({{"size", 1}, {"labels", {{"a", 1}}}}),
            Strings{"spec.labels.a FieldValueTypeInvalid"});
}

TEST(CustomTest, PruningAndDefaults) {
  Json object = {{"kind", "Widget"},
                 {"metadata", {{"name", "w"}}},
                 {"spec", {{"size", 1}, {"extra", 1}, {"free", {{"kept", 1}}}}},
                 {"more", 1}};
  std::vector<std::string> unknown;
  PruneCustom(Schema(), object, unknown);
  DefaultCustom(Schema(), object);
  EXPECT_EQ(unknown, (std::vector<std::string>{"more", "spec.extra"}));
  EXPECT_EQ(object["spec"], Json({{"size", 1}, {"mode", "a"}, {"free", {{"kept", 1}}}}));
}

TEST(CustomTest, ServedFromCreationToDeletion) {
  ApiHarness api;
  api.MakeNamespace("ns");
  const std::string crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const std::string widgets = "/apis/example.com/v1/namespaces/ns/widgets";
  EXPECT_EQ(api.Get(widgets).status, 404);
  const ApiAnswer created = api.Post(crds, Crd(Schema()));
  ASSERT_EQ(created.status, 201) << created.text;
  api.sim.RunFor(absl::Seconds(1));
  const ApiAnswer crd = api.Get(crds + "/widgets.example.com");
  EXPECT_EQ(crd.body["status"]["conditions"][1]["type"], "Established");
  const Json widget = {{"apiVersion", "example.com/v1"},
                       {"kind", "Widget"},
                       {"metadata", {{"name", "w"}}},
                       {"spec", {{"size", 2}, {"replicas", 3}}}};
  ASSERT_EQ(api.Post(widgets, widget).status, 201);
  EXPECT_EQ(api.Get(widgets + "/w/scale").body["spec"]["replicas"], 3);
  EXPECT_EQ(api.MergePatch(widgets + "/w/scale", {{"spec", {{"replicas", 5}}}}).status, 200);
  const ApiAnswer scaled = api.Get(widgets + "/w");
  EXPECT_EQ(scaled.body["spec"]["replicas"], 5);
  EXPECT_EQ(scaled.body["metadata"]["generation"], 2);
  // Without resourceVersion a custom object cannot be replaced.
  EXPECT_EQ(api.Put(widgets + "/w", widget).status, 422);
  EXPECT_EQ(api.Get("/apis/example.com/v1").body["resources"].size(), 3U);
  ASSERT_EQ(api.Delete(widgets + "/w").status, 200);
  ASSERT_EQ(api.Delete(crds + "/widgets.example.com").status, 200);
  EXPECT_EQ(api.Get(widgets).status, 404);
  EXPECT_EQ(api.Get("/apis/example.com").status, 404);
}

TEST(CustomTest, DefinitionsThatCannotBeHonouredAreRefused) {
  ApiHarness api;
  const std::string crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  Json rules = Schema();
  rules["properties"]["spec"]["x-kubernetes-validations"] = {{{"message", "no rule"}}};
  EXPECT_EQ(api.Post(crds, Crd(rules)).status, 422);
  Json hook = Crd(Schema());
  hook["spec"]["conversion"] = {{"strategy", "Webhook"}};
  EXPECT_EQ(api.Post(crds, hook).status, 422);
  Json name = Crd(Schema());
  name["metadata"]["name"] = "others.example.com";
  EXPECT_EQ(api.Post(crds, name).status, 422);
  Json two = Crd(Schema());
  two["spec"]["versions"].push_back(two["spec"]["versions"][0]);
  EXPECT_EQ(api.Post(crds, two).status, 422);
  Json untyped = Schema();
  untyped["properties"]["spec"].erase("type");
  EXPECT_EQ(api.Post(crds, Crd(untyped)).status, 422);
}

TEST(CustomTest, ABuiltInKindIsNotDefinedAnew) {
  ApiServerOptions options;
  Json own = Crd(Schema());
  options.definitions = std::make_shared<const Json>(Json::array({own}));
  ApiHarness api(options);
  api.MakeNamespace("ns");
  const std::string crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const std::string widgets = "/apis/example.com/v1/namespaces/ns/widgets";
  ASSERT_EQ(api.Post(widgets, {{"metadata", {{"name", "w"}}}, {"spec", {{"size", 2}}}}).status,
            201);
  Json other = Crd({{"type", "object"}});
  other["spec"]["versions"][0]["name"] = "v2";
  const ApiAnswer made = api.Post(crds, other);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_NE(made.headers.Get("Warning").find("has no effect"), std::string_view::npos);
  EXPECT_EQ(api.Get("/apis/example.com/v2").status, 404);
  ASSERT_EQ(api.Delete(crds + "/widgets.example.com").status, 200);
  EXPECT_EQ(api.Get(crds + "/widgets.example.com").status, 404);
  EXPECT_EQ(api.Get(widgets + "/w").status, 200);
}

std::string WarningsOf(const ApiAnswer& answer) {
  std::string out;
  for (const auto& [name, value] : answer.headers.fields()) {
    if (name == "Warning") out += value + "\n";
  }
  return out;
}

TEST(CustomTest, RulesOfDefinitionsAreTakenAndNotEvaluated) {
  ApiHarness api;
  api.MakeNamespace("ns");
  const std::string crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  EXPECT_EQ(WarningsOf(api.Post(crds + "?dryRun=All", Crd(Schema()))), "");
  Json schema = Schema();
  Json& spec = schema["properties"]["spec"];
  spec["x-kubernetes-validations"] = {{{"rule", "self.size > 1"}, {"message", "too small"}}};
  spec["anyOf"] = Json::array({{{"required", {"size"}}}, {{"required", {"mode"}}}});
  spec["properties"]["code"] = {{"type", "string"}, {"pattern", "^(?i)[a-z]+$"}};
  spec["properties"]["slow"] = {{"type", "string"}, {"pattern", "^(a+)+$"}};
  const ApiAnswer made = api.Post(crds, Crd(schema));
  ASSERT_EQ(made.status, 201) << made.text;
  const std::string warnings = WarningsOf(made);
  EXPECT_NE(warnings.find("properties[spec].x-kubernetes-validations: 1 rules (CEL) are not"),
            std::string::npos)
      << warnings;
  EXPECT_NE(warnings.find("properties[code].pattern: 1 regular expressions"), std::string::npos)
      << warnings;
  EXPECT_EQ(made.body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
                     ["x-kubernetes-validations"][0]["rule"],
            "self.size > 1");
  const std::string widgets = "/apis/example.com/v1/namespaces/ns/widgets";
  const auto post = [&](const char* name, const Json& values) {
    Json full = values;
    full["size"] = 1;
    return api.Post(widgets, {{"metadata", {{"name", name}}}, {"spec", full}}).status;
  };
  EXPECT_EQ(post("small", {{"code", "A1"}}), 201);
  // Without backtracking this takes no time.
  EXPECT_EQ(post("slow", {{"slow", std::string(4000, 'a') + "!"}}), 422);
}

TEST(CustomTest, OfVersionsThatAWebhookConvertsOnlyTheStoredOneIsServed) {
  ApiHarness api;
  api.MakeNamespace("ns");
  const std::string crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  Json crd = Crd(Schema());
  Json& spec = crd["spec"];
  spec["versions"].push_back(spec["versions"][0]);
  spec["versions"][1]["name"] = "v1beta1";
  spec["versions"][1]["storage"] = false;
  spec["conversion"] = {
      {"strategy", "Webhook"},
      {"webhook",
       {{"conversionReviewVersions", {"v1"}},
        {"clientConfig", {{"service", {{"namespace", "ns"}, {"name", "converter"}}}}}}}};
  const ApiAnswer made = api.Post(crds, crd);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_NE(WarningsOf(made).find("not v1beta1"), std::string::npos) << WarningsOf(made);
  EXPECT_EQ(api.Get("/apis/example.com/v1/namespaces/ns/widgets").status, 200);
  EXPECT_EQ(api.Get("/apis/example.com/v1beta1/namespaces/ns/widgets").status, 404);
}

TEST(CustomTest, PrinterColumnsReadWhatTheirPathsSay) {
  ApiHarness api;
  Json crd = Crd(Schema());
  const auto column = [](const char* name, const char* path) {
    return Json{{"name", name}, {"type", "string"}, {"jsonPath", path}};
  };
  crd["spec"]["versions"][0]["additionalPrinterColumns"] =
      Json::array({column("First", ".spec.tags[0]"), column("Any", ".spec.tags[*]"),
                   column("Third", ".spec.tags[2]"), column("Deep", ".spec.free.list[1].name"),
                   column("Of", ".spec.free.list[?(@.name==\"b\")].value")});
  ASSERT_EQ(api.Post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd).status, 201);
  api.MakeNamespace("shop");
  const std::string path = "/apis/example.com/v1/namespaces/shop/widgets";
  ASSERT_EQ(
      api.Post(path, {{"apiVersion", "example.com/v1"},
                      {"kind", "Widget"},
                      {"metadata", {{"name", "w"}}},
                      {"spec",
                       {{"size", 1},
                        {"tags", {"x", "y"}},
                        {"free", {{"list", {{{"name", "a"}}, {{"name", "b"}, {"value", "v"}}}}}}}}})
          .status,
      201);
  const Json table = api.Call("GET", path, Json(), "",
                              "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
                         .body;
  EXPECT_EQ(table["rows"][0]["cells"], Json::array({"w", "x", "x", nullptr, "b", "v"}));
}

// Whoever may define kinds must not be able to end the server with an expression.
TEST(PatternTest, ExpressionsThatAreTooLargeAreNotKnown) {
  EXPECT_TRUE(KnowsPattern("^[a-z]{1,63}(\\.[a-z]{1,1000})*$"));
  EXPECT_TRUE(KnowsPattern(std::string(200, '(') + "a" + std::string(200, ')')));
  EXPECT_FALSE(KnowsPattern(std::string(20000, '(') + "a" + std::string(20000, ')')));
  EXPECT_FALSE(KnowsPattern(std::string(1500, '(') + "a" + std::string(1500, ')')));
  EXPECT_FALSE(KnowsPattern("(a?){1001}"));
  EXPECT_FALSE(KnowsPattern(std::string(5000, 'a')));
  EXPECT_TRUE(PatternFinds("(a?){1001}", "b"));
}

}  // namespace
}  // namespace sealane::kubeapi
