// What is wrong with the spec of an override policy.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/json_patch.h"
#include "lib/kube/policy_checks.h"
#include "lib/model/field_errors.h"
#include "lib/model/label_syntax.h"

namespace sealane::kube {
namespace {

void CheckTextMaps(const Json& overriders, bool expand, const std::string& path,
                   FieldErrors* errors) {
  for (const bool labels : {true, false}) {
    const std::string name = labels ? "labelsOverrider" : "annotationsOverrider";
    const Json& list = Items(&overriders, name);
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string at = StrCat(path, ".", name, "[", i, "].value");
      for (const auto& [key, value] : Items(&list[i], "value").items()) {
        std::string lower = key;
        if (!labels) {
          std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
          });
        }
        if (const std::string problem = CheckLabelKey(lower); !problem.empty()) {
          AddFieldError(errors, at, "Invalid", StrCat("key \"", key, "\": ", problem));
        }
        const auto& text = value.get_ref<const std::string&>();
        if (!labels || (expand && text.find("${") != std::string::npos)) continue;
        if (const std::string problem = CheckLabelValue(text); !problem.empty()) {
          AddFieldError(errors, at, "Invalid", StrCat("value of \"", key, "\": ", problem));
        }
      }
    }
  }
}

void CheckSubPatches(const Json& field, const std::string& name, const std::string& path,
                     FieldErrors* errors) {
  const Json& operations = Items(&field, name);
  for (size_t i = 0; i < operations.size(); ++i) {
    const std::string at = StrCat(path, ".", name, "[", i, "]");
    if (const std::string problem = CheckPointer(GetString(operations[i], {"subPath"}));
        !problem.empty()) {
      AddFieldError(errors, at + ".subPath", "Invalid", problem);
    }
    const bool has_value = Get(&operations[i], "value") != nullptr;
    const bool removes = GetString(operations[i], {"operator"}) == "remove";
    if (removes && has_value) {
      AddFieldError(errors, at + ".value", "Invalid", "remove takes no value");
    } else if (!removes && !has_value) {
      AddFieldError(errors, at + ".value", "Invalid", "add and replace need a value");
    }
  }
}

void CheckRuleOverriders(const Json& overriders, bool expand, const std::string& path,
                         FieldErrors* errors) {
  CheckTextMaps(overriders, expand, path, errors);
  const Json& images = Items(&overriders, "imageOverrider");
  for (size_t i = 0; i < images.size(); ++i) {
    const Json* predicate = Get(&images[i], "predicate");
    if (predicate == nullptr) continue;
    if (const std::string problem = CheckPointer(GetString(*predicate, {"path"}));
        !problem.empty()) {
      AddFieldError(errors, StrCat(path, ".imageOverrider[", i, "].predicate.path"), "Invalid",
                    problem);
    }
  }
  const Json& fields = Items(&overriders, "fieldOverrider");
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string at = StrCat(path, ".fieldOverrider[", i, "]");
    const bool json = NonEmpty(&fields[i], "json");
    const bool yaml = NonEmpty(&fields[i], "yaml");
    if (json && yaml) {
      AddFieldError(errors, at, "Invalid", "json and yaml exclude each other");
    } else if (!json && !yaml) {
      AddFieldError(errors, at, "Required", "json or yaml must be set");
    }
    if (const std::string problem = CheckPointer(GetString(fields[i], {"fieldPath"}));
        !problem.empty()) {
      AddFieldError(errors, at + ".fieldPath", "Invalid", problem);
    }
    CheckSubPatches(fields[i], "json", at, errors);
    CheckSubPatches(fields[i], "yaml", at, errors);
  }
}

// Karmada does not look at fieldOverrider here; Admit warns of it.
bool HasOverriders(const Json* overriders) {
  static constexpr std::array<std::string_view, 7> kOwn = {
      "annotationsOverrider", "argsOverrider",   "commandOverrider", "envOverrider",
      "imageOverrider",       "labelsOverrider", "plaintext"};
  return std::any_of(kOwn.begin(), kOwn.end(),
                     [&](std::string_view name) { return NonEmpty(overriders, name); });
}

}  // namespace

void CheckOverrideSpec(const Json& spec, bool expand, FieldErrors* errors) {
  const Json* target = Get(&spec, "targetCluster");
  const Json* rules = Get(&spec, "overrideRules");
  const bool with_rules = rules != nullptr && !rules->empty();
  CheckFieldSelector(target, "spec.targetCluster", errors);
  if (target != nullptr && with_rules) {
    AddFieldError(errors, "spec.targetCluster", "Invalid",
                  "targetCluster and overrideRules exclude each other");
  }
  if (with_rules && HasOverriders(Get(&spec, "overriders"))) {
    AddFieldError(errors, "spec.overriders", "Invalid",
                  "overriders and overrideRules exclude each other");
  }
  const Json& list = Items(&spec, "overrideRules");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string at = StrCat("spec.overrideRules[", i, "]");
    if (const Json* overriders = Get(&list[i], "overriders"); overriders != nullptr) {
      CheckRuleOverriders(*overriders, expand, at + ".overriders", errors);
    }
    CheckFieldSelector(Get(&list[i], "targetCluster"), at + ".targetCluster", errors);
  }
}

}  // namespace sealane::kube
