#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/http/handler.h"
#include "lib/http/handshake_gate.h"

namespace sealane::http {

struct HttpServerOptions {
  // "host:port"; port 0 takes a free one. The host is an IP address.
  std::string listen = "127.0.0.1:0";
  // PEM texts; both set means TLS.
  std::string certificate_pem;
  std::string private_key_pem;
  // PEM of the CA that client certificates must be signed by; empty: none is asked for.
  std::string client_ca_pem;
  // Whether a client may also come without a certificate. One that it shows must be good either
  // way.
  bool client_certificate_optional = false;
  // How many TLS handshakes begin; the others wait for their turn (lib/http/handshake_gate.h) and
  // hold no more than a connection meanwhile. A source is an IPv4 address, or a /64 of IPv6.
  HandshakeLimits handshakes;
  size_t max_body_bytes = 8 << 20;
  // For one more, the connection that waits longest gives way (lib/http/connection_line.h). None of
  // those on which a request is answered does: if there are only such, the new one is closed.
  size_t max_connections = 4096;
  // Unread bytes of one streamed response after which a slow client is cut off.
  size_t max_pending_bytes = 64 << 20;
  // Bytes of all bodies together that are read and that no handler has seen yet: for more, the
  // connections that wait longest give way.
  size_t max_reading_bytes = 256 << 20;
  absl::Duration handshake_timeout = absl::Seconds(10);  // of TLS, with the wait for its turn
  absl::Duration idle_timeout = absl::Minutes(2);        // until the next request begins
  absl::Duration head_timeout = absl::Seconds(10);       // from then until its head is whole
  absl::Duration request_timeout = absl::Seconds(30);    // and then to read its whole body
  // For a client to take the next 16 KiB of an answer.
  absl::Duration write_timeout = absl::Seconds(30);
};

// An HTTP/1.1 server with keep-alive and chunked responses, on one I/O thread of its own. Handlers
// run on the given executor. Too large a body is answered 413, too large a head 431, a malformed
// request 400; whoever is too slow is cut off.
//
// Thread rule: create and destroy it on one thread, not the executor's own callbacks of requests.
class HttpServer {
 public:
  // Binds and begins to serve. Errors: InvalidArgument (address, certificate), Unavailable (bind).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                           Executor& executor, Handler handler);
  // Stop.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Uses other certificates for the connections to come; those of now go on with theirs. Errors:
  // InvalidArgument (a bad certificate, or the server was started without TLS), and then the old
  // ones stay. Thread rule: that of Stop.
  absl::Status SetTls(std::string certificate_pem, std::string private_key_pem,
                      std::string client_ca_pem);

  // Closes every connection and joins the thread. No handler is posted afterwards.
  void Stop();
  [[nodiscard]] int port() const;
  // Number of connections now open. Thread rule: any.
  [[nodiscard]] size_t connections() const;
  // Connections that were closed while they waited, to make room, and new ones that found none,
  // since the start. Thread rule: any.
  [[nodiscard]] uint64_t gave_way() const;
  [[nodiscard]] uint64_t refused() const;
  // Connections that were closed since the start because the client did not take an answer: not
  // soon enough, or too much of it waited. Thread rule: any.
  [[nodiscard]] uint64_t not_taken() const;
  // TLS handshakes that had to wait for their turn, and those whose connection ended before it
  // came: closed here, or by a client that had waited enough. Thread rule: any.
  [[nodiscard]] uint64_t handshakes_delayed() const;
  [[nodiscard]] uint64_t handshakes_refused() const;

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane::http
