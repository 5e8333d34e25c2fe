#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

// Appends one reason why an input was refused. The words for `reason`: see v1::FieldError.
void AddFieldError(std::vector<v1::FieldError>* errors, std::string_view field,
                   std::string_view reason, std::string_view message);

// "spec.a: Required: text; spec.b: Invalid: text".
[[nodiscard]] std::string Describe(const std::vector<v1::FieldError>& errors);

}  // namespace sealane
