#include "lib/model/label_syntax.h"

#include "absl/strings/ascii.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr size_t kNameLength = 63;
constexpr size_t kSubdomainLength = 253;
constexpr size_t kClusterNameLength = 48;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

// Alphanumeric at both ends, [A-Za-z0-9._-] between; not empty.
bool IsNamePart(std::string_view text) {
  if (text.empty() || !absl::ascii_isalnum(text.front()) || !absl::ascii_isalnum(text.back()))
    return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

bool IsDnsLabelText(std::string_view text) {
  if (text.empty() || text.front() == '-' || text.back() == '-') return false;
  for (char c : text) {
    if (!IsLower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

}  // namespace

std::string CheckLabelKey(std::string_view key) {
  std::string_view name = key;
  if (const size_t slash = key.find('/'); slash != std::string_view::npos) {
    const std::string_view prefix = key.substr(0, slash);
    name = key.substr(slash + 1);
    if (prefix.empty()) return "prefix part must be non-empty";
    if (std::string why = CheckDnsSubdomain(prefix); !why.empty()) return "prefix part " + why;
  }
  if (name.empty()) return "name part must be non-empty";
  if (name.size() > kNameLength) return "name part must be no more than 63 characters";
  if (!IsNamePart(name)) {
    return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "
           "end with an alphanumeric character";
  }
  return "";
}

std::string CheckLabelValue(std::string_view value) {
  if (value.empty()) return "";
  if (value.size() > kNameLength) return "must be no more than 63 characters";
  if (!IsNamePart(value)) {
    return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
           "or '.', and must start and end with an alphanumeric character";
  }
  return "";
}

std::string CheckDnsLabel(std::string_view text) {
  if (text.size() > kNameLength) return "must be no more than 63 characters";
  if (!IsDnsLabelText(text)) {
    return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
           "and must start and end with an alphanumeric character";
  }
  return "";
}

std::string CheckDnsSubdomain(std::string_view text) {
  if (text.size() > kSubdomainLength) return "must be no more than 253 characters";
  size_t begin = 0;
  while (true) {
    const size_t dot = text.find('.', begin);
    const size_t end = dot == std::string_view::npos ? text.size() : dot;
    if (!IsDnsLabelText(text.substr(begin, end - begin))) {
      return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
             "'-' or '.', and must start and end with an alphanumeric character";
    }
    if (dot == std::string_view::npos) return "";
    begin = dot + 1;
  }
}

std::string CheckClusterName(std::string_view name) {
  if (name.empty()) return "must be not empty";
  if (name.size() > kClusterNameLength) return "must be no more than 48 characters";
  return CheckDnsLabel(name);
}

}  // namespace sealane
