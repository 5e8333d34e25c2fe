#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Applies one operation (add, remove, replace) of a JSON patch (RFC 6902) to the document.
// INVALID_ARGUMENT says what does not fit; the document is then unchanged. As in the library that
// Karmada uses, array indexes may be negative (from the end), and the text before the path's first
// '/' is ignored.
[[nodiscard]] absl::Status ApplyPatch(Json& document, std::string_view op, std::string_view path,
                                      const Json& value);

// Applies operations, a list of {"operator", "subPath", "value"}, to a document that is kept as
// text. The order of its keys is kept; new keys come last. The result is compact JSON, with <, >
// and & written as escapes.
[[nodiscard]] absl::StatusOr<std::string> PatchJsonText(std::string_view text,
                                                        const Json& operations);
// The same for YAML text; the result is YAML with sorted keys.
[[nodiscard]] absl::StatusOr<std::string> PatchYamlText(std::string_view text,
                                                        const Json& operations);

// The value at a JSON pointer (RFC 6901); nullptr when there is none.
[[nodiscard]] Json* FindPointer(Json& document, std::string_view pointer);
// "" when the text is a JSON pointer: empty, or beginning with '/'.
[[nodiscard]] std::string CheckPointer(std::string_view pointer);
// One key as a token of a JSON pointer: ~ and / escaped.
[[nodiscard]] std::string EscapePointerToken(std::string_view key);

}  // namespace sealane::kube
