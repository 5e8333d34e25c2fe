#pragma once

#include <string_view>

#include "absl/strings/match.h"
#include "lib/core/strings.h"

namespace sealane {

// Whether two words are the same but for the case of their (ASCII) letters, as people write kinds.
[[nodiscard]] inline bool SameWord(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace sealane
