#pragma once

#include <nlohmann/json_fwd.hpp>

namespace sealane {

// A JSON value with object keys in sorted order, so that dumping it is canonical. Headers use this
// forward declaration; a .cc file that looks inside includes "lib/core/json.h".
using Json = nlohmann::json;

}  // namespace sealane
