#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane::http {

// When the first certificate of a PEM text runs out: the one that a server with that text shows;
// those of authorities follow it. InvalidArgument: there is none.
[[nodiscard]] absl::StatusOr<absl::Time> CertificateExpiry(const std::string& pem);

}  // namespace sealane::http
