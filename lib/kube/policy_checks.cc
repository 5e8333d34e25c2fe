#include "lib/kube/policy_checks.h"

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/model/field_errors.h"

namespace sealane::kube {

const Json* Get(const Json* parent, std::string_view name) {
  if (parent == nullptr) return nullptr;
  const Json* value = Find(*parent, {name});
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Json& Items(const Json* parent, std::string_view name) {
  static const Json& empty = *new Json(Json::array());
  const Json* value = Get(parent, name);
  return value == nullptr ? empty : *value;
}

bool NonEmpty(const Json* parent, std::string_view name) { return !Items(parent, name).empty(); }

void CheckFieldSelector(const Json* affinity, const std::string& path, FieldErrors* errors) {
  for (const Json& expression : Items(Get(affinity, "fieldSelector"), "matchExpressions")) {
    const std::string_view key = GetString(expression, {"key"});
    const std::string_view op = GetString(expression, {"operator"});
    if (key != "provider" && key != "region" && key != "zone") {
      AddFieldError(errors, path + ".fieldSelector", "Invalid",
                    StrCat("unsupported key \"", key, "\", must be provider, region or zone"));
      return;
    }
    if (op != "In" && op != "NotIn") {
      AddFieldError(errors, path + ".fieldSelector", "Invalid",
                    StrCat("unsupported operator \"", op, "\", must be In or NotIn"));
      return;
    }
  }
}

}  // namespace sealane::kube
