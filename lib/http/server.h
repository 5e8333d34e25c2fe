#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/http/handler.h"

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
  size_t max_body_bytes = 8 << 20;
  size_t max_connections = 4096;
  // Unread bytes of one response after which a slow client is cut off.
  size_t max_pending_bytes = 64 << 20;
  // How long a connection may be idle, the reading of the next request's whole head included.
  absl::Duration idle_timeout = absl::Minutes(2);
  absl::Duration request_timeout = absl::Seconds(30);  // to read one whole request
};

// An HTTP/1.1 server with keep-alive and chunked responses, on one I/O thread of its own. Handlers
// run on the given executor. Too large a body is answered 413, a malformed request 400; connections
// above the limit are closed at once.
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

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane::http
