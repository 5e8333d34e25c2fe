#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/http/message.h"

// OpenSSL's and Boost's, whose headers are heavy.
struct ssl_st;
namespace boost::asio::ssl {
class context;
}  // namespace boost::asio::ssl

namespace sealane::http {

// The TLS settings of a server from PEM texts: TLS 1.2 and newer. With `client_ca` clients are
// asked for a certificate of it, and refused without one unless `optional`. Errors:
// InvalidArgument.
[[nodiscard]] absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeServerTls(
    const std::string& certificate, const std::string& key, const std::string& client_ca,
    bool optional);

// The certificate that the client of a finished handshake showed and that was verified; nullptr
// when it showed none.
[[nodiscard]] std::shared_ptr<const PeerCertificate> VerifiedPeer(ssl_st* ssl);

}  // namespace sealane::http
