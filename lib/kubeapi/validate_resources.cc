// Rules of what containers ask for and may have at most.

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"
#include "lib/model/quantity.h"

namespace sealane::kubeapi {
namespace {

bool IsHugePages(std::string_view name) { return name.substr(0, 10) == "hugepages-"; }

// Kubernetes' own resources: names without a domain, or with kubernetes.io.
bool IsNative(std::string_view name) {
  return name.find('/') == std::string_view::npos ||
         name.find("kubernetes.io/") != std::string_view::npos;
}

// Whether more can be promised of it than there is.
bool MayOvercommit(std::string_view name) { return IsNative(name) && !IsHugePages(name); }

void CheckResourceName(const std::string& name, const FieldPath& path, FieldErrors& errors) {
  if (const std::string why = WhyNotLabelKey(name); !why.empty()) {
    errors.push_back(InvalidField(path.Text(), name, why));
    return;
  }
  if (name == "cpu" || name == "memory" || name == "ephemeral-storage" || IsHugePages(name) ||
      name.find('/') != std::string::npos) {
    return;
  }
  static const std::set<std::string_view> elsewhere = {
      "storage", "pods",       "services",       "replicationcontrollers",
      "secrets", "configmaps", "resourcequotas", "persistentvolumeclaims"};
  if (elsewhere.count(name) == 0 && name.find('.') == std::string::npos) {
    errors.push_back(
        InvalidField(path.Text(), name, "must be a standard resource type or fully qualified"));
  }
  errors.push_back(InvalidField(path.Text(), name, "must be a standard resource for containers"));
}

// The amount, after telling what is wrong with it; nothing if it is none.
std::optional<Quantity> Amount(std::string_view name, const Json& value, const FieldPath& path,
                               FieldErrors& errors) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  const auto amount = Quantity::Parse(text);
  if (!amount.ok()) return std::nullopt;
  if (*amount < Quantity()) {
    errors.push_back(InvalidField(path.Text(), value, "must be greater than or equal to 0"));
  }
  if (!IsNative(name) && amount->MilliValue() % 1000 != 0 && amount->MilliValue() != INT64_MAX) {
    errors.push_back(InvalidField(path.Text(), value, "must be an integer"));
  }
  return *amount;
}

}  // namespace

void CheckResources(const Json& resources, bool of_container, const FieldPath& path,
                    FieldErrors& errors) {
  if (!resources.is_object() || resources.empty()) return;
  const Json& limits = MapAt(resources, "limits");
  const FieldPath requests_path = path.Child("requests");
  const FieldPath limits_path = path.Child("limits");
  for (const auto& [name, value] : limits.items()) {
    const FieldPath at = limits_path.Key(name);
    if (of_container) CheckResourceName(name, at, errors);
    (void)Amount(name, value, at, errors);
  }
  for (const auto& [name, value] : MapAt(resources, "requests").items()) {
    const FieldPath at = requests_path.Key(name);
    if (of_container) CheckResourceName(name, at, errors);
    const auto amount = Amount(name, value, at, errors);
    const auto limit = limits.find(name);
    if (limit == limits.end()) {
      if (!MayOvercommit(name)) {
        errors.push_back(RequiredField(limits_path.Text(),
                                       "Limit must be set for non overcommitable resources"));
      }
      continue;
    }
    if (!amount || *limit == value || !limit->is_string()) continue;
    const auto& limit_text = limit->get_ref<const std::string&>();
    const auto most = Quantity::Parse(limit_text);
    if (!most.ok()) continue;
    if (!MayOvercommit(name) && *amount != *most) {
      errors.push_back(InvalidField(requests_path.Text(), value,
                                    StrCat("must be equal to ", name, " limit of ", limit_text)));
    } else if (*amount > *most) {
      errors.push_back(
          InvalidField(requests_path.Text(), value,
                       StrCat("must be less than or equal to ", name, " limit of ", limit_text)));
    }
  }
}

}  // namespace sealane::kubeapi
