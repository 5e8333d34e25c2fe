#include "tools/sealane/address.h"

#include <charconv>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::cli {

absl::Status ParseAddress(std::string_view flag, std::string_view text, std::string* host,
                          int* port) {
  const size_t colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *port);
  if (error != std::errc() || end != digits.data() + digits.size() || *port < 1 || *port > 65535) {
    return InvalidArgument(StrCat("--", flag, " is \"", text, "\"; expected HOST:PORT"));
  }
  if (colon != std::string_view::npos) *host = std::string(text.substr(0, colon));
  return absl::OkStatus();
}

}  // namespace sealane::cli
