#pragma once

#include <memory>

#include "lib/http/server_writer.h"

// Boost's, whose headers are heavy.
namespace boost::asio {
class io_context;
namespace ssl {
class context;
}  // namespace ssl
}  // namespace boost::asio

namespace sealane::http {

// One connection of a server, over TLS unless `tls` is nullptr. Takes over the file descriptor of
// an accepted socket of that address family. nullptr: the system refused. `tls` is used here only,
// `io` must outlive the session.
[[nodiscard]] std::shared_ptr<SessionBase> MakeSession(std::shared_ptr<ServerCore> core,
                                                       boost::asio::io_context& io, int socket,
                                                       int family, boost::asio::ssl::context* tls);

}  // namespace sealane::http
