#include "lib/kube/expansion.h"

#include <functional>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/field_errors.h"
#include "lib/model/label_syntax.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

constexpr std::string_view kLabels = "cluster.labels.";

using Lookup = std::function<absl::StatusOr<std::string>(std::string_view name)>;

absl::StatusOr<std::string> Replace(std::string_view text, const Lookup& lookup) {
  std::string out;
  while (!text.empty()) {
    const size_t at = text.find("${");
    if (at == std::string_view::npos) {
      out += text;
      break;
    }
    if (at > 0 && text[at - 1] == '$') {
      out += text.substr(0, at - 1);
      out += "${";
      text.remove_prefix(at + 2);
      continue;
    }
    const size_t close = text.find('}', at);
    if (close == std::string_view::npos) return InvalidArgument("\"${\" without \"}\"");
    out += text.substr(0, at);
    SEALANE_ASSIGN_OR_RETURN(const std::string value, lookup(text.substr(at + 2, close - at - 2)));
    out += value;
    text.remove_prefix(close + 1);
  }
  return out;
}

absl::StatusOr<std::string> CheckVariable(std::string_view name) {
  const bool known =
      name == "cluster.name" || name == "cluster.provider" || name == "cluster.region" ||
      (name.starts_with(kLabels) && CheckLabelKey(name.substr(kLabels.size())).empty());
  if (known) return std::string();
  return InvalidArgument(
      StrCat("unknown reference ${", name.substr(0, 80),
             "}; known are cluster.name, cluster.provider, cluster.region, cluster.labels.KEY"));
}

absl::StatusOr<std::string> ValueOf(std::string_view name, const v1::ClusterStatus& cluster) {
  std::string value;
  if (name == "cluster.name") {
    value = cluster.name();
  } else if (name == "cluster.provider") {
    value = cluster.provider();
  } else if (name == "cluster.region") {
    value = cluster.region();
  } else if (name.starts_with(kLabels)) {
    const auto it = cluster.labels().find(std::string(name.substr(kLabels.size())));
    if (it != cluster.labels().end()) return it->second;
  }
  if (!value.empty()) return value;
  return NotFound(StrCat("cluster ", cluster.name(), " has no ", name));
}

// On an error `where` is the field below `value`: ".a[1].b".
absl::Status ExpandBelow(Json& value, const v1::ClusterStatus& cluster, std::string* where) {
  if (value.is_string()) {
    if (value.get_ref<const std::string&>().find("${") == std::string::npos) {
      return absl::OkStatus();
    }
    SEALANE_ASSIGN_OR_RETURN(value, Expand(value.get_ref<const std::string&>(), cluster));
  } else if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      const absl::Status status = ExpandBelow(child, cluster, where);
      if (status.ok()) continue;
      where->insert(0, StrCat(".", key));
      return status;
    }
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) {
      const absl::Status status = ExpandBelow(value[i], cluster, where);
      if (status.ok()) continue;
      where->insert(0, StrCat("[", i, "]"));
      return status;
    }
  }
  return absl::OkStatus();
}

void CheckReferences(const Json& value, const std::string& path,
                     std::vector<v1::FieldError>* errors) {
  if (value.is_string()) {
    const auto checked = Replace(value.get_ref<const std::string&>(), CheckVariable);
    if (!checked.ok()) AddFieldError(errors, path, "Invalid", ToStd(checked.status().message()));
  } else if (value.is_object()) {
    for (const auto& [key, child] : value.items()) CheckReferences(child, path + "." + key, errors);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) {
      CheckReferences(value[i], StrCat(path, "[", i, "]"), errors);
    }
  }
}

void RefuseExpansions(const Json& value, const std::string& path,
                      std::vector<v1::FieldError>* errors) {
  const auto check = [&](const std::string& text) {
    if (text.find("${") == std::string::npos) return;
    AddFieldError(
        errors, path, "Invalid",
        StrCat("\"", text.substr(0, 80), "\": placeholders are expanded in overriders only"));
  };
  if (value.is_string()) {
    check(value.get_ref<const std::string&>());
  } else if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      check(key);
      RefuseExpansions(child, path + "." + key, errors);
    }
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) {
      RefuseExpansions(value[i], StrCat(path, "[", i, "]"), errors);
    }
  }
}

}  // namespace

void CheckExpansions(const Json& spec, const std::string& path,
                     std::vector<v1::FieldError>* errors) {
  for (const auto& [name, value] : spec.items()) {
    const std::string at = StrCat(path, ".", name);
    if (name == "overriders") {
      CheckReferences(value, at, errors);
    } else if (name == "overrideRules") {
      for (size_t i = 0; i < value.size(); ++i) {
        CheckExpansions(value[i], StrCat(at, "[", i, "]"), errors);
      }
    } else {
      RefuseExpansions(value, at, errors);
    }
  }
}

absl::StatusOr<std::string> Expand(std::string_view text, const v1::ClusterStatus& cluster) {
  return Replace(text, [&](std::string_view name) -> absl::StatusOr<std::string> {
    SEALANE_RETURN_IF_ERROR(CheckVariable(name).status());
    return ValueOf(name, cluster);
  });
}

absl::Status ExpandAll(Json& value, const v1::ClusterStatus& cluster) {
  std::string where;
  const absl::Status status = ExpandBelow(value, cluster, &where);
  return where.empty() ? status : Annotate(status, where.substr(where.starts_with('.') ? 1 : 0));
}

std::set<std::string> ReferencesIn(const Json& value) {
  std::set<std::string> names;
  if (value.is_string()) {
    (void)Replace(value.get_ref<const std::string&>(),
                  [&names](std::string_view name) -> absl::StatusOr<std::string> {
                    names.emplace(name);
                    return std::string();
                  });
  } else if (value.is_structured()) {
    for (const Json& child : value) names.merge(ReferencesIn(child));
  }
  return names;
}

std::string ExpansionKey(const std::set<std::string>& references,
                         const v1::ClusterStatus& cluster) {
  std::string key;
  for (const std::string& name : references) {
    const auto value = ValueOf(name, cluster);
    // The error speaks about this cluster alone.
    if (!value.ok()) return StrCat("!", cluster.name());
    key += StrCat(value->size(), ":", *value);
  }
  return key;
}

}  // namespace sealane::kube
