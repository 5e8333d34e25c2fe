#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// A path to one value, in the notation of kubectl's JSONPath: "{.a.b}", ".a['b.c'][0]", "a.b[-1]".
// What may find several values (wildcards, filters, slices, "..") is refused: a value is wanted.
class JsonPath {
 public:
  // INVALID_ARGUMENT says what is wrong, and where.
  [[nodiscard]] static absl::StatusOr<JsonPath> Parse(std::string_view text);

  // The value; nullptr when there is none.
  [[nodiscard]] const Json* Find(const Json& root) const;

 private:
  std::vector<std::variant<std::string, int64_t>> steps_;  // field or place; negative: from the end
};

}  // namespace sealane::kube
