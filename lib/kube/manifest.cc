#include "lib/kube/manifest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/kube/yaml_reader.h"
#include "lib/model/field_errors.h"
#include "lib/model/label_syntax.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

constexpr size_t kMaxAnnotationBytes = 256 * 1024;  // of all annotations, as in Kubernetes

std::string CheckKind(std::string_view kind) {
  const bool good =
      kind.size() <= 63 && absl::ascii_isalpha(kind[0]) &&
      std::all_of(kind.begin(), kind.end(), [](char c) { return absl::ascii_isalnum(c); });
  return good ? "" : "a kind is a CamelCase word of at most 63 letters and digits";
}

std::string CheckApiVersion(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  std::string_view version = api_version;
  if (slash != std::string_view::npos) {
    version = api_version.substr(slash + 1);
    if (std::string problem = CheckDnsSubdomain(api_version.substr(0, slash)); !problem.empty()) {
      return StrCat("group: ", problem);
    }
  }
  if (std::string problem = CheckDnsLabel(version); !problem.empty()) {
    return StrCat("must be VERSION or GROUP/VERSION; version: ", problem);
  }
  return "";
}

std::string CheckName(NameRule rule, std::string_view name) {
  switch (rule) {
    case NameRule::kDnsSubdomain:
      return CheckDnsSubdomain(name);
    case NameRule::kDnsLabel:
      return CheckDnsLabel(name);
    case NameRule::kDns1035Label:
      if (!name.empty() && !(name[0] >= 'a' && name[0] <= 'z')) {
        return "must begin with a lower-case letter (RFC 1035 label)";
      }
      return CheckDnsLabel(name);
    case NameRule::kPathSegment:
      if (name == "." || name == ".." || name.find_first_of("/%") != std::string_view::npos) {
        return "may not be \".\" or \"..\" or contain '/' or '%'";
      }
      return name.size() > 253 ? "must be no more than 253 characters" : "";
  }
  return "";
}

// The string field, or nullptr after reporting what is wrong with it.
const std::string* StringField(const Json& parent, std::string_view name, std::string_view path,
                               bool required, std::vector<v1::FieldError>* errors) {
  const auto it = parent.find(name);
  if (it == parent.end() || it->is_null()) {
    if (required) AddFieldError(errors, path, "Required", StrCat(path, " is missing"));
    return nullptr;
  }
  if (!it->is_string()) {
    AddFieldError(errors, path, "TypeMismatch", StrCat("must be a string, not ", it->type_name()));
    return nullptr;
  }
  const auto* text = it->get_ptr<const std::string*>();
  if (text->empty()) {
    if (required) AddFieldError(errors, path, "Required", StrCat(path, " is empty"));
    return nullptr;
  }
  return text;
}

void ValidateStringMap(const Json& metadata, std::string_view name, bool labels,
                       std::vector<v1::FieldError>* errors) {
  const auto it = metadata.find(name);
  if (it == metadata.end() || it->is_null()) return;
  const std::string path = StrCat("metadata.", name);
  if (!it->is_object()) {
    AddFieldError(errors, path, "TypeMismatch", "must be a map of strings");
    return;
  }
  size_t bytes = 0;
  for (const auto& [key, value] : it->items()) {
    std::string lower = key;
    if (!labels) {
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    }
    if (const std::string problem = CheckLabelKey(lower); !problem.empty()) {
      AddFieldError(errors, path, "Invalid", StrCat("key \"", key, "\": ", problem));
    }
    if (!value.is_string()) {
      AddFieldError(errors, StrCat(path, ".", key), "TypeMismatch",
                    StrCat("must be a string, not ", value.type_name(),
                           " (quote numbers and true/false in YAML)"));
      continue;
    }
    const auto& text = value.get_ref<const std::string&>();
    bytes += key.size() + text.size();
    if (!labels) continue;
    if (const std::string problem = CheckLabelValue(text); !problem.empty()) {
      AddFieldError(errors, StrCat(path, ".", key), "Invalid", problem);
    }
  }
  if (!labels && bytes > kMaxAnnotationBytes) {
    AddFieldError(errors, path, "TooLong",
                  StrCat("annotations may have ", kMaxAnnotationBytes, " bytes together"));
  }
}

// Appends a document, or the items of a list.
absl::Status Append(Json value, int line, std::vector<Json>* manifests, std::vector<int>* lines) {
  if (!value.is_object()) {
    return InvalidArgument(StrCat("line ", line, ": a manifest must be a mapping, not ",
                                  value.is_null() ? "empty" : value.type_name()));
  }
  if (GetString(value, {"kind"}) == "List" && GetString(value, {"apiVersion"}) == "v1") {
    const auto items = value.find("items");
    if (items == value.end() || items->is_null()) return absl::OkStatus();
    if (!items->is_array()) return InvalidArgument(StrCat("line ", line, ": items must be a list"));
    for (Json& item : *items) {
      if (!item.is_object()) {
        return InvalidArgument(StrCat("line ", line, ": each item of a List must be a mapping"));
      }
      manifests->push_back(std::move(item));
      if (lines != nullptr) lines->push_back(line);
    }
    return absl::OkStatus();
  }
  manifests->push_back(std::move(value));
  if (lines != nullptr) lines->push_back(line);
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeJson(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos || text[first] != '{') {
    return first != std::string_view::npos && text[first] == '[';
  }
  const size_t next = text.find_first_not_of(kBlank, first + 1);
  return next == std::string_view::npos || text[next] == '"' || text[next] == '}';
}

absl::Status ParseManifests(std::string_view text, std::vector<Json>* manifests,
                            std::vector<int>* lines) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!IsUtf8(text)) return InvalidArgument("the text is not valid UTF-8");
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return absl::OkStatus();
  absl::Status json_status = absl::OkStatus();
  if (text[start] == '{') {
    Json value;
    json_status = ReadJson(text, &value);
    if (json_status.ok()) {
      const auto before = text.substr(0, start);
      const auto line = std::count(before.begin(), before.end(), '\n') + 1;
      return Append(std::move(value), static_cast<int>(line), manifests, lines);
    }
    // It may still be YAML: several documents of JSON, or a mapping in flow style.
    if (LooksLikeJson(text) && text.find("\n---") == std::string_view::npos) return json_status;
  }
  std::vector<Json> values;
  std::vector<int> value_lines;
  if (absl::Status status = ReadYaml(text, &values, &value_lines); !status.ok()) {
    return json_status.ok() ? status : json_status;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    SEALANE_RETURN_IF_ERROR(Append(std::move(values[i]), value_lines[i], manifests, lines));
  }
  return absl::OkStatus();
}

absl::Status ParseManifest(std::string_view text, Json* manifest) {
  if (text.size() > kMaxManifestBytes) {
    return InvalidArgument(StrCat("the manifest has ", text.size(), " bytes; at most ",
                                  kMaxManifestBytes, " are taken"));
  }
  std::vector<Json> manifests;
  SEALANE_RETURN_IF_ERROR(ParseManifests(text, &manifests));
  if (manifests.size() != 1) {
    return InvalidArgument(StrCat("expected one manifest, found ", manifests.size(), " documents"));
  }
  *manifest = std::move(manifests.front());
  return absl::OkStatus();
}

v1::ObjectRef RefOf(const Json& manifest) {
  v1::ObjectRef ref;
  ref.set_api_version(std::string(GetString(manifest, {"apiVersion"})));
  ref.set_kind(std::string(GetString(manifest, {"kind"})));
  ref.set_namespace_(std::string(GetString(manifest, {"metadata", "namespace"})));
  ref.set_name(std::string(GetString(manifest, {"metadata", "name"})));
  return ref;
}

ObjectKey ManifestKey(const Json& manifest) { return KeyOf(RefOf(manifest)); }

void DefaultNamespace(Json& manifest) {
  const std::string_view group = GroupOf(GetString(manifest, {"apiVersion"}));
  if (ScopeOf(group, GetString(manifest, {"kind"})) != Scope::kNamespaced) return;
  const auto metadata = manifest.find("metadata");
  if (metadata == manifest.end() || !metadata->is_object()) return;
  Json& ns = (*metadata)["namespace"];
  if (ns.is_null() || (ns.is_string() && ns.get_ref<const std::string&>().empty())) ns = "default";
}

void ValidateIdentity(const Json& manifest, std::vector<v1::FieldError>* errors) {
  if (!manifest.is_object()) {
    AddFieldError(errors, "", "TypeMismatch", "a manifest must be a mapping");
    return;
  }
  const std::string* api_version = StringField(manifest, "apiVersion", "apiVersion", true, errors);
  if (api_version != nullptr) {
    if (const std::string problem = CheckApiVersion(*api_version); !problem.empty()) {
      AddFieldError(errors, "apiVersion", "Invalid", problem);
    }
  }
  const std::string* kind = StringField(manifest, "kind", "kind", true, errors);
  if (kind != nullptr) {
    if (const std::string problem = CheckKind(*kind); !problem.empty()) {
      AddFieldError(errors, "kind", "Invalid", problem);
    }
  }
  const auto metadata = manifest.find("metadata");
  if (metadata == manifest.end() || metadata->is_null()) {
    AddFieldError(errors, "metadata.name", "Required", "metadata.name is missing");
    return;
  }
  if (!metadata->is_object()) {
    AddFieldError(errors, "metadata", "TypeMismatch", "must be a mapping");
    return;
  }
  const std::string_view group =
      api_version == nullptr ? std::string_view() : GroupOf(*api_version);
  const std::string_view kind_name = kind == nullptr ? std::string_view() : *kind;
  const bool generated = metadata->contains("generateName") && !metadata->contains("name");
  if (generated) {
    AddFieldError(errors, "metadata.generateName", "NotSupported",
                  "a desired object needs a name of its own: set metadata.name");
  } else if (const std::string* name =
                 StringField(*metadata, "name", "metadata.name", true, errors);
             name != nullptr) {
    if (const std::string problem = CheckName(NameRuleOf(group, kind_name), *name);
        !problem.empty()) {
      AddFieldError(errors, "metadata.name", "Invalid", StrCat("\"", *name, "\": ", problem));
    }
  }
  const Scope scope = ScopeOf(group, kind_name);
  const std::string* ns = StringField(*metadata, "namespace", "metadata.namespace",
                                      scope == Scope::kNamespaced, errors);
  if (ns != nullptr && scope == Scope::kCluster) {
    AddFieldError(errors, "metadata.namespace", "Forbidden",
                  StrCat(kind_name, " is cluster-scoped: it has no namespace"));
  } else if (ns != nullptr) {
    if (const std::string problem = CheckDnsLabel(*ns); !problem.empty()) {
      AddFieldError(errors, "metadata.namespace", "Invalid", StrCat("\"", *ns, "\": ", problem));
    }
  }
  ValidateStringMap(*metadata, "labels", true, errors);
  ValidateStringMap(*metadata, "annotations", false, errors);
}

}  // namespace sealane::kube
