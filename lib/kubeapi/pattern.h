#pragma once

#include <string>

namespace sealane::kubeapi {

// Regular expressions of schemas ("pattern"), which are compiled once. Thread rule: any.

// False: it has something of Go's dialect that this one lacks, or is too large: 4 KiB, 200 groups
// in each other, 1000 repeats.
[[nodiscard]] bool KnowsPattern(const std::string& pattern);
// Whether it is found in `text`; true when the expression is not known. The time grows with the
// text as a polynomial at most, whatever the expression.
[[nodiscard]] bool PatternFinds(const std::string& pattern, const std::string& text);

}  // namespace sealane::kubeapi
