#include "lib/kubeapi/validate_meta.h"

#include <algorithm>
#include <cctype>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"

namespace sealane::kubeapi {
namespace {

constexpr size_t kMaxAnnotationBytes = 256 << 10;

bool IsLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool IsDnsLabel(std::string_view name) {
  if (name.empty() || !IsLowerAlnum(name.front()) || !IsLowerAlnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return IsLowerAlnum(c) || c == '-'; });
}

bool IsQualifiedName(std::string_view name) {
  if (name.empty() || !IsAlnum(name.front()) || !IsAlnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string TooLong(size_t limit) { return StrCat("must be no more than ", limit, " bytes"); }

}  // namespace

std::string WhyNotDnsLabel(std::string_view name) {
  if (name.size() > 63) return TooLong(63);
  if (IsDnsLabel(name)) return "";
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
         "and "
         "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
         "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

std::string WhyNotDnsSubdomain(std::string_view name) {
  if (name.size() > 253) return TooLong(253);
  std::string_view rest = name;
  bool good = !name.empty();
  while (good && !rest.empty()) {
    const size_t dot = rest.find('.');
    good = IsDnsLabel(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest = rest.substr(dot + 1);
    good = good && !rest.empty();
  }
  if (good) return "";
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
         "or "
         "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
         "used "
         "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

std::string WhyNotDns1035Label(std::string_view name) {
  if (name.size() > 63) return TooLong(63);
  if (IsDnsLabel(name) && std::isdigit(static_cast<unsigned char>(name.front())) == 0) return "";
  return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
         "an "
         "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
         "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
}

std::string WhyNotPathSegment(std::string_view name) {
  if (name == "." || name == "..") return StrCat("may not be '", name, "'");
  for (const char c : {'/', '%'}) {
    if (name.find(c) != std::string_view::npos) return StrCat("may not contain '", c, "'");
  }
  return "";
}

std::string WhyNotLabelKey(std::string_view key) {
  const size_t slash = key.find('/');
  std::string_view name = key;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = key.substr(0, slash);
    name = key.substr(slash + 1);
    if (prefix.empty()) return "prefix part must be non-empty";
    if (const std::string why = WhyNotDnsSubdomain(prefix); !why.empty()) {
      return StrCat("prefix part ", why);
    }
  }
  if (name.empty()) return "name part must be non-empty";
  if (name.size() > 63) return StrCat("name part ", TooLong(63));
  if (IsQualifiedName(name)) return "";
  return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "
         "end "
         "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
         "for "
         "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

std::string WhyNotLabelValue(std::string_view value) {
  if (value.size() > 63) return TooLong(63);
  if (value.empty() || IsQualifiedName(value)) return "";
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
         "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
         "'my_value',  or '12345', regex used for validation is "
         "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

void CheckLabelKey(const Json& object, const char* field, const FieldPath& path,
                   FieldErrors& errors) {
  const std::string_view key = TextView(object, field);
  if (const std::string why = WhyNotLabelKey(key); !why.empty()) {
    errors.push_back(InvalidField(path.Text(field), key, why));
  }
}

void CheckLabels(const Json& labels, const FieldPath& path, FieldErrors& errors) {
  if (!labels.is_object()) return;
  for (const auto& [key, value] : labels.items()) {
    if (const std::string why = WhyNotLabelKey(key); !why.empty()) {
      errors.push_back(InvalidField(path.Text(), key, why));
    }
    if (!value.is_string()) continue;
    if (const std::string why = WhyNotLabelValue(value.get_ref<const std::string&>());
        !why.empty()) {
      errors.push_back(InvalidField(path.Text(), value, why));
    }
  }
}

void CheckAnnotations(const Json& annotations, const FieldPath& path, FieldErrors& errors) {
  if (!annotations.is_object()) return;
  size_t bytes = 0;
  for (const auto& [key, value] : annotations.items()) {
    std::string lower = key;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const std::string why = WhyNotLabelKey(lower); !why.empty()) {
      errors.push_back(InvalidField(path.Text(), key, why));
    }
    bytes += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
  }
  if (bytes > kMaxAnnotationBytes) {
    errors.push_back(TooLongField(path.Text(), kMaxAnnotationBytes));
  }
}

void CheckTemplateMetadata(const Json& pod_template, const FieldPath& path, FieldErrors& errors) {
  const Json& metadata = At(pod_template, "metadata");
  // The real server leaves "metadata" out of these two paths.
  CheckLabels(At(metadata, "labels"), path.Child("labels"), errors);
  CheckAnnotations(At(metadata, "annotations"), path.Child("annotations"), errors);
}

bool CheckSetOperator(std::string_view op, const Json& values, const FieldPath& path,
                      FieldErrors& errors) {
  if (op == "In" || op == "NotIn") {
    if (values.empty()) {
      errors.push_back(RequiredField(path.Text("values"),
                                     "must be specified when `operator` is 'In' or 'NotIn'"));
    }
    return true;
  }
  if (op != "Exists" && op != "DoesNotExist") return false;
  if (!values.empty()) {
    errors.push_back(ForbiddenField(
        path.Text("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  }
  return true;
}

void CheckLabelSelector(const Json& selector, const FieldPath& path, FieldErrors& errors) {
  CheckLabels(At(selector, "matchLabels"), path.Child("matchLabels"), errors);
  const Json& expressions = ListAt(selector, "matchExpressions");
  for (size_t i = 0; i < expressions.size(); ++i) {
    const FieldPath at = path.Child("matchExpressions", i);
    const Json& values = ListAt(expressions[i], "values");
    const std::string_view op = TextView(expressions[i], "operator");
    if (!CheckSetOperator(op, values, at, errors)) {
      errors.push_back(InvalidField(at.Text("operator"), op, "not a valid selector operator"));
    }
    CheckLabelKey(expressions[i], "key", at, errors);
    for (size_t j = 0; j < values.size(); ++j) {
      if (!values[j].is_string()) continue;
      const std::string why = WhyNotLabelValue(values[j].get_ref<const std::string&>());
      if (!why.empty()) {
        errors.push_back(InvalidField(at.Child("values", j).Text(), values[j], why));
      }
    }
  }
}

void CheckMetadata(const Json& metadata, FieldErrors& errors) {
  const FieldPath path("metadata");
  CheckLabels(At(metadata, "labels"), path.Child("labels"), errors);
  CheckAnnotations(At(metadata, "annotations"), path.Child("annotations"), errors);
  for (const Json& finalizer : ListAt(metadata, "finalizers")) {
    if (!finalizer.is_string()) continue;
    if (const std::string why = WhyNotLabelKey(finalizer.get_ref<const std::string&>());
        !why.empty()) {
      errors.push_back(InvalidField("metadata.finalizers", finalizer, why));
    }
  }
  size_t controllers = 0;
  const Json& owners = ListAt(metadata, "ownerReferences");
  for (size_t i = 0; i < owners.size(); ++i) {
    const FieldPath at = path.Child("ownerReferences", i);
    for (const char* field : {"apiVersion", "kind", "name", "uid"}) {
      if (TextView(owners[i], field).empty()) {
        errors.push_back(
            InvalidField(at.Text(field), "",
                         StrCat(field == std::string_view("apiVersion") ? "version" : field,
                                " must not be empty")));
      }
    }
    if (BoolAt(owners[i], "controller")) ++controllers;
  }
  if (controllers > 1) {
    errors.push_back(InvalidField("metadata.ownerReferences", owners,
                                  "Only one reference can have Controller set to true"));
  }
}

}  // namespace sealane::kubeapi
