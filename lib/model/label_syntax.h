#pragma once

#include <string>
#include <string_view>

namespace sealane {

// The text rules of Kubernetes names and labels (apimachinery's util/validation). Each function
// returns what is wrong, for people, or "" when the text is valid.

// A label key: [<DNS subdomain, at most 253>/]<name, at most 63 of [A-Za-z0-9._-], alphanumeric at
// both ends>.
[[nodiscard]] std::string CheckLabelKey(std::string_view key);
// A label value: empty, or at most 63 of [A-Za-z0-9._-], alphanumeric at both ends.
[[nodiscard]] std::string CheckLabelValue(std::string_view value);
// RFC 1123 label: at most 63 of [a-z0-9-], alphanumeric at both ends.
[[nodiscard]] std::string CheckDnsLabel(std::string_view text);
// RFC 1123 subdomain: DNS labels joined by dots, at most 253 characters.
[[nodiscard]] std::string CheckDnsSubdomain(std::string_view text);
// The name of a Cluster: a DNS label of at most 48 characters (Karmada reserves the rest for the
// prefix of its execution namespace).
[[nodiscard]] std::string CheckClusterName(std::string_view name);

}  // namespace sealane
