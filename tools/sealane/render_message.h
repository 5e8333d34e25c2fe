#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace sealane::cli {

// A row as JSON for people and scripts: camelCase fields, unset fields left out, enums by name,
// numbers as numbers, `*_micros` as RFC 3339 times without the suffix, and bytes that hold JSON
// (manifests,
// `*_json`) as what they are, without the suffix. Other bytes are text.
[[nodiscard]] Json MessageToJson(const google::protobuf::Message& message);

}  // namespace sealane::cli
