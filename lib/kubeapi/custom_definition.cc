// CustomResourceDefinitions themselves; custom.cc is about their objects.

#include <algorithm>
#include <regex>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

void CheckSchema(const Json& schema, const std::string& path, std::vector<FieldError>& errors) {
  if (!schema.is_object()) return;
  if (Member(schema, "x-kubernetes-validations") != nullptr) {
    errors.push_back(ForbiddenField(StrCat(path, ".x-kubernetes-validations"),
                                    "CEL validation rules are not supported by this server"));
  }
  if (const Json* pattern = Member(schema, "pattern"); pattern && pattern->is_string()) {
    try {
      const std::regex compiled(pattern->get<std::string>());
    } catch (const std::regex_error&) {
      errors.push_back(
          InvalidField(StrCat(path, ".pattern"), *pattern, "must be a valid regular expression"));
    }
  }
  const bool typed = Member(schema, "type") != nullptr ||
                     Flag(schema, "x-kubernetes-preserve-unknown-fields") ||
                     Flag(schema, "x-kubernetes-int-or-string");
  if (!typed)
    errors.push_back(
        RequiredField(StrCat(path, ".type"), "must not be empty for specified object fields"));
  if (const Json* properties = Member(schema, "properties")) {
    for (const auto& [key, child] : properties->items()) {
      if (path.find("].schema.openAPIV3Schema") + 24 == path.size() && key == "metadata") continue;
      CheckSchema(child, StrCat(path, ".properties[", key, "]"), errors);
    }
  }
  if (const Json* items = Member(schema, "items")) {
    CheckSchema(*items, StrCat(path, ".items"), errors);
  }
  if (const Json* additional = Member(schema, "additionalProperties")) {
    CheckSchema(*additional, StrCat(path, ".additionalProperties"), errors);
  }
}

}  // namespace

std::string StorageOfCrd(const Json& crd) {
  const Json spec = crd.value("spec", Json::object());
  const Json names = spec.value("names", Json::object());
  return StrCat(spec.value("group", ""), "/", names.value("plural", ""));
}

void TerminateCrd(Json& crd, absl::Time now) {
  Json kept = Json::array();
  for (const Json& condition : crd.value("status", Json::object()).value("conditions", kept)) {
    if (condition.value("type", "") != "Terminating") kept.push_back(condition);
  }
  kept.push_back({{"type", "Terminating"},
                  {"status", "True"},
                  {"lastTransitionTime", FormatKubeTime(now)},
                  {"reason", "InstanceDeletionInProgress"},
                  {"message", "its custom objects are being deleted"}});
  crd["status"]["conditions"] = std::move(kept);
}

void DefaultCrd(Json& crd) {
  Json& spec = crd["spec"];
  Json& names = spec["names"];
  if (!names.is_object()) names = Json::object();
  if (names.value("singular", "").empty() && names.contains("kind")) {
    std::string kind = names.value("kind", "");
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    names["singular"] = kind;
  }
  if (names.value("listKind", "").empty() && !names.value("kind", "").empty()) {
    names["listKind"] = names.value("kind", "") + "List";
  }
  if (!spec.contains("conversion")) spec["conversion"] = {{"strategy", "None"}};
}

std::vector<FieldError> ValidateCrd(const Json& crd) {
  std::vector<FieldError> errors;
  const Json spec = crd.value("spec", Json::object());
  const Json names = spec.value("names", Json::object());
  const std::string group = spec.value("group", "");
  const std::string plural = names.value("plural", "");
  const std::string name = crd.at("metadata").value("name", "");
  if (name != StrCat(plural, ".", group)) {
    errors.push_back(
        InvalidField("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
  }
  if (group.empty()) errors.push_back(RequiredField("spec.group"));
  if (!group.empty() && group.find('.') == std::string::npos) {
    errors.push_back(InvalidField("spec.group", group, "should be a domain with at least one dot"));
  }
  const std::string scope = spec.value("scope", "");
  if (scope.empty()) {
    errors.push_back(RequiredField("spec.scope"));
  } else if (scope != "Namespaced" && scope != "Cluster") {
    errors.push_back(UnsupportedField("spec.scope", scope, {"Cluster", "Namespaced"}));
  }
  for (const char* field : {"plural", "singular", "kind", "listKind"}) {
    std::string value = names.value(field, "");
    if (value.empty()) {
      errors.push_back(RequiredField(StrCat("spec.names.", field)));
      continue;
    }
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const std::string why = WhyNotDns1035Label(value); !why.empty()) {
      errors.push_back(InvalidField(StrCat("spec.names.", field), names.value(field, ""), why));
    }
  }
  const Json versions = spec.value("versions", Json::array());
  size_t stored = 0;
  for (size_t i = 0; i < versions.size(); ++i) {
    const std::string path = StrCat("spec.versions[", i, "]");
    if (const std::string why = WhyNotDns1035Label(versions[i].value("name", "")); !why.empty()) {
      errors.push_back(InvalidField(StrCat(path, ".name"), versions[i].value("name", ""), why));
    }
    if (versions[i].value("storage", false)) ++stored;
    const Json schema = versions[i].value("schema", Json::object());
    if (!schema.contains("openAPIV3Schema")) {
      errors.push_back(
          RequiredField(StrCat(path, ".schema.openAPIV3Schema"), "schemas are required"));
      continue;
    }
    CheckSchema(schema.at("openAPIV3Schema"), StrCat(path, ".schema.openAPIV3Schema"), errors);
  }
  if (stored != 1) {
    errors.push_back(InvalidField("spec.versions", versions,
                                  "must have exactly one version marked as storage version"));
  }
  if (spec.value("conversion", Json::object()).value("strategy", "None") != "None") {
    errors.push_back(UnsupportedField("spec.conversion.strategy",
                                      spec.at("conversion").at("strategy"), {"None"}));
  }
  return errors;
}

void EstablishCrd(Json& crd, absl::Time now) {
  Json& status = crd["status"];
  status["acceptedNames"] = crd.at("spec").at("names");
  const auto condition = [&](const char* type, const char* reason, const char* message) {
    return Json{{"type", type},
                {"status", "True"},
                {"lastTransitionTime", FormatKubeTime(now)},
                {"reason", reason},
                {"message", message}};
  };
  status["conditions"] = {
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted")};
}

}  // namespace sealane::kubeapi
