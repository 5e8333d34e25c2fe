// CustomResourceDefinitions themselves; custom.cc is about their objects.

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/pattern.h"
#include "lib/kubeapi/validate_meta.h"
#include "lib/kubeapi/validate_util.h"

namespace sealane::kubeapi {
namespace {

// What a schema asks for that this server leaves to others.
struct Unchecked {
  size_t rules = 0;
  std::string first_rule;  // its path
  size_t patterns = 0;
  std::string first_pattern;
};

// `typed`: the schema says what type its values have. Below allOf and the like only values are
// told, of what was typed outside.
void CheckSchema(const Json& schema, const std::string& path, bool typed,
                 std::vector<FieldError>& errors, Unchecked& unchecked) {
  if (!schema.is_object()) return;
  if (const Json* rules = Member(schema, "x-kubernetes-validations")) {
    const std::string at = StrCat(path, ".x-kubernetes-validations");
    for (size_t i = 0; i < rules->size(); ++i) {
      if ((*rules)[i].value("rule", "").empty()) {
        errors.push_back(RequiredField(StrCat(at, "[", i, "].rule")));
      }
      if (unchecked.rules++ == 0) unchecked.first_rule = at;
    }
  }
  if (const Json* pattern = Member(schema, "pattern");
      pattern && pattern->is_string() && !KnowsPattern(pattern->get<std::string>())) {
    if (unchecked.patterns++ == 0) unchecked.first_pattern = StrCat(path, ".pattern");
  }
  if (typed && Member(schema, "type") == nullptr &&
      !BoolAt(schema, "x-kubernetes-preserve-unknown-fields") &&
      !BoolAt(schema, "x-kubernetes-int-or-string")) {
    errors.push_back(
        RequiredField(StrCat(path, ".type"), "must not be empty for specified object fields"));
  }
  if (const Json* properties = Member(schema, "properties")) {
    for (const auto& [key, child] : properties->items()) {
      if (path.find("].schema.openAPIV3Schema") + 24 == path.size() && key == "metadata") continue;
      CheckSchema(child, StrCat(path, ".properties[", key, "]"), typed, errors, unchecked);
    }
  }
  if (const Json* items = Member(schema, "items")) {
    CheckSchema(*items, StrCat(path, ".items"), typed, errors, unchecked);
  }
  if (const Json* additional = Member(schema, "additionalProperties")) {
    CheckSchema(*additional, StrCat(path, ".additionalProperties"), typed, errors, unchecked);
  }
  for (const char* field : {"allOf", "anyOf", "oneOf"}) {
    const Json* list = Member(schema, field);
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
      CheckSchema((*list)[i], StrCat(path, ".", field, "[", i, "]"), false, errors, unchecked);
    }
  }
  if (const Json* no = Member(schema, "not")) {
    CheckSchema(*no, StrCat(path, ".not"), false, errors, unchecked);
  }
}

void CheckConversion(const Json& conversion, std::vector<FieldError>& errors) {
  const std::string strategy = conversion.value("strategy", "None");
  if (strategy == "None") return;
  if (strategy != "Webhook") {
    errors.push_back(UnsupportedField("spec.conversion.strategy", strategy, {"None", "Webhook"}));
    return;
  }
  const Json webhook = conversion.value("webhook", Json::object());
  if (!webhook.contains("clientConfig")) {
    errors.push_back(RequiredField("spec.conversion.webhook.clientConfig"));
  }
  if (webhook.value("conversionReviewVersions", Json::array()).empty()) {
    errors.push_back(RequiredField("spec.conversion.webhook.conversionReviewVersions"));
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
    Unchecked unchecked;
    CheckSchema(schema.at("openAPIV3Schema"), StrCat(path, ".schema.openAPIV3Schema"), true, errors,
                unchecked);
  }
  if (stored != 1) {
    errors.push_back(InvalidField("spec.versions", versions,
                                  "must have exactly one version marked as storage version"));
  }
  CheckConversion(spec.value("conversion", Json::object()), errors);
  return errors;
}

bool ConvertsByWebhook(const Json& crd) {
  const Json::json_pointer strategy("/spec/conversion/strategy");
  return crd.contains(strategy) && crd.at(strategy) == "Webhook";
}

std::vector<std::string> CrdWarnings(const Json& crd) {
  std::vector<std::string> out;
  std::vector<FieldError> errors;
  Unchecked unchecked;
  const Json versions = crd.value("spec", Json::object()).value("versions", Json::array());
  std::string unserved;
  for (size_t i = 0; i < versions.size(); ++i) {
    const Json schema = versions[i].value("schema", Json::object());
    CheckSchema(schema.value("openAPIV3Schema", Json::object()),
                StrCat("spec.versions[", i, "].schema.openAPIV3Schema"), true, errors, unchecked);
    if (versions[i].value("served", false) && !versions[i].value("storage", false)) {
      unserved += StrCat(unserved.empty() ? "" : ", ", versions[i].value("name", ""));
    }
  }
  if (unchecked.rules != 0) {
    out.push_back(StrCat(unchecked.first_rule, ": ", unchecked.rules,
                         " rules (CEL) are not evaluated by this server: an object that breaks "
                         "one is taken here and refused where they are evaluated"));
  }
  if (unchecked.patterns != 0) {
    out.push_back(StrCat(unchecked.first_pattern, ": ", unchecked.patterns,
                         " regular expressions are not understood by this server and not checked"));
  }
  if (!unserved.empty() && ConvertsByWebhook(crd)) {
    out.push_back(
        StrCat("spec.conversion: this server asks no webhook: only the storage version "
               "is served, not ",
               unserved));
  }
  return out;
}

void EstablishCrd(Json& crd, absl::Time now) {
  Json& status = crd["status"];
  const Json& names = crd.at("spec").at("names");
  if (status.is_object() && status.value("acceptedNames", Json()) == names) return;
  status["acceptedNames"] = names;
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
