#pragma once

#include <string_view>

namespace sealane {

// Whether a JSON text has more than `levels` lists and objects inside each other, without parsing
// it: what is too deep for the stack must not become a value, whose copies and ends are recursive.
// Texts that are no JSON give some answer. Any thread.
[[nodiscard]] bool NestedDeeperThan(std::string_view json, int levels);

}  // namespace sealane
