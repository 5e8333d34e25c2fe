#pragma once

#include <cstdint>
#include <string>

namespace sealane::http {

// A self-signed certificate for 127.0.0.1 that runs out so many seconds from now, as PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};
[[nodiscard]] TestCertificate MakeCertificate(int64_t lifetime_seconds = 3600);

}  // namespace sealane::http
