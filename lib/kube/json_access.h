#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Reading JSON of unknown shape without exceptions: a path of object keys; anything missing or of
// another type gives the fallback.

// nullptr when a step is missing or not an object.
[[nodiscard]] const Json* Find(const Json& json, std::initializer_list<std::string_view> path);
// The string there, or "". The view lives as long as the JSON value.
[[nodiscard]] std::string_view GetString(const Json& json,
                                         std::initializer_list<std::string_view> path);
[[nodiscard]] int64_t GetInt(const Json& json, std::initializer_list<std::string_view> path,
                             int64_t fallback = 0);
[[nodiscard]] bool GetBool(const Json& json, std::initializer_list<std::string_view> path,
                           bool fallback = false);

}  // namespace sealane::kube
