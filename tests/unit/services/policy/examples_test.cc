// Admits the examples of docs/policies.md as they stand there.
//
// A block "```yaml" is a manifest. A fragment says behind "yaml" what it is part of: "propagation"
// and "override" are the body of such a policy, "propagation spec" its spec, and "overriders" those
// of a rule.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "lib/kube/manifest.h"
#include "lib/kube/policy_schema.h"
#include "lib/model/field_errors.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

struct Example {
  int line;
  std::string part;  // what follows "yaml" in the fence
  std::string text;
};

std::vector<Example> Examples() {
  std::ifstream file(StrCat(SEALANE_SOURCE_DIR, "/docs/policies.md"));
  constexpr std::string_view kFence = "```yaml";
  std::vector<Example> examples;
  std::string line;
  bool inside = false;
  for (int number = 1; std::getline(file, line); ++number) {
    if (!inside && line.starts_with(kFence)) {
      inside = true;
      std::string part = line.substr(kFence.size());
      if (part.starts_with(' ')) part.erase(0, 1);
      examples.push_back({number, std::move(part), ""});
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      examples.back().text += line + "\n";
    }
  }
  return examples;
}

Json Skeleton(const std::string& kind) {
  return {
      {"apiVersion", "policy.karmada.io/v1alpha1"},
      {"kind", kind},
      {"metadata", {{"name", "example"}, {"namespace", "shop"}}},
      {"spec",
       {{"resourceSelectors",
         Json::array({{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}})}}}};
}

// The whole manifest; discarded for a fragment of an unknown kind.
Json Complete(const Example& example) {
  Json part;
  EXPECT_OK(kube::ParseManifest(example.text, &part));
  if (example.part.empty()) return part;
  Json manifest =
      Skeleton(example.part.starts_with("propagation") ? "PropagationPolicy" : "OverridePolicy");
  if (example.part == "propagation" || example.part == "override") {
    manifest.update(part, /*merge_objects=*/true);
  } else if (example.part == "propagation spec") {
    manifest["spec"].update(part);
  } else if (example.part == "overriders") {
    manifest["spec"]["overrideRules"] = Json::array({{{"overriders", part}}});
  } else {
    return {Json::value_t::discarded};
  }
  return manifest;
}

// The name under which the fields of `field` are counted: a cluster affinity has the same fields
// wherever it stands.
std::string Parent(const std::string& field) {
  static const std::set<std::string> kAffinities = {"clusterAffinity", "clusterAffinities",
                                                    "overflowAffinities", "targetCluster"};
  return kAffinities.contains(field) ? "affinity" : field;
}

// Adds "parent/name" for each field of the schema, of those that `value` has if it is given.
void AddFields(const kube::FieldSchema& schema, const std::string& parent, const Json* value,
               std::set<std::string>* names) {
  for (const kube::FieldSchema& item : schema.item) {
    if (value == nullptr) AddFields(item, parent, nullptr, names);
    if (value == nullptr || !value->is_array()) continue;
    for (const Json& one : *value) AddFields(item, parent, &one, names);
  }
  for (const kube::NamedField& field : schema.fields) {
    const Json* own = nullptr;
    if (value != nullptr) {
      const auto it = value->find(field.name);
      if (it == value->end()) continue;
      own = &*it;
    }
    names->insert(StrCat(parent, "/", field.name));
    AddFields(field.schema, Parent(field.name), own, names);
  }
}

TEST(PolicyExamples, TheDocumentIsAdmittedAndHasEveryField) {
  const std::vector<Example> examples = Examples();
  EXPECT_GE(examples.size(), 20U);
  std::set<std::string> used;
  for (const Example& example : examples) {
    SCOPED_TRACE(StrCat("docs/policies.md, line ", example.line));
    Json manifest = Complete(example);
    ASSERT_FALSE(manifest.is_discarded()) << "unknown fragment: " << example.part;
    const Json written = manifest;
    const kube::Admission admission = kube::AdmitText(written.dump(), &manifest);
    EXPECT_TRUE(admission.errors.empty()) << Describe(admission.errors);
    const std::string kind = written["kind"];
    if (!kind.ends_with("Policy")) continue;
    const bool propagation = kind.ends_with("PropagationPolicy");
    AddFields(propagation ? kube::PropagationSpecSchema() : kube::OverrideSpecSchema(),
              propagation ? "PropagationPolicy" : "OverridePolicy", &written["spec"], &used);
  }
  std::set<std::string> all;
  AddFields(kube::PropagationSpecSchema(), "PropagationPolicy", nullptr, &all);
  AddFields(kube::OverrideSpecSchema(), "OverridePolicy", nullptr, &all);
  EXPECT_GT(all.size(), 100U);
  for (const std::string& field : all) {
    EXPECT_TRUE(used.contains(field)) << field << " has no example in docs/policies.md";
  }
}

}  // namespace
}  // namespace sealane::policy
