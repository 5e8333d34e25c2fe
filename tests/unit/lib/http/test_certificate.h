#pragma once

#include <string>

namespace sealane::http {

// A self-signed certificate for 127.0.0.1, as PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};
[[nodiscard]] TestCertificate MakeCertificate();

}  // namespace sealane::http
