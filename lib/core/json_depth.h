#pragma once

#include <string_view>

namespace sealane {

// Whether a JSON text has more than `levels` lists and objects inside each other. Parsing such a
// text does no harm, but what is too deep for the stack must not be copied or written: that is
// recursive. Texts that are no JSON give some answer. Any thread.
[[nodiscard]] bool NestedDeeperThan(std::string_view json, int levels);

}  // namespace sealane
