#pragma once

#include <string>
#include <string_view>

namespace sealane::cli {

// The difference between two texts line by line, as `diff -u` prints it with three lines around
// each change: "--- old_name", "+++ new_name", hunks. "" when they are equal. The script of changes
// is a shortest one, up to 2,000 changed lines; beyond that everything between the first and the
// last changed line counts as replaced.
[[nodiscard]] std::string UnifiedDiff(std::string_view old_text, std::string_view new_text,
                                      std::string_view old_name, std::string_view new_name);

}  // namespace sealane::cli
