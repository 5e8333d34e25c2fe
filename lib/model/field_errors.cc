#include "lib/model/field_errors.h"

#include "lib/core/strings.h"
#include "sealane/v1/common.pb.h"

namespace sealane {

void AddFieldError(std::vector<v1::FieldError>* errors, std::string_view field,
                   std::string_view reason, std::string_view message) {
  v1::FieldError& error = errors->emplace_back();
  error.set_field(std::string(field));
  error.set_reason(std::string(reason));
  error.set_message(std::string(message));
}

std::string Describe(const std::vector<v1::FieldError>& errors) {
  std::vector<std::string> parts;
  for (const v1::FieldError& error : errors) {
    parts.push_back(StrCat(error.field(), error.field().empty() ? "" : ": ", error.reason(), ": ",
                           error.message()));
  }
  return StrJoin(parts, "; ");
}

}  // namespace sealane
