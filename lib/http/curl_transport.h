#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/http/transport.h"

namespace sealane::http {

// What TLS verifies and shows, as PEM texts.
struct TlsMaterial {
  std::string ca_pem;  // empty: the system's authorities
  std::string client_certificate_pem;
  std::string client_key_pem;
};

struct CurlTransportOptions {
  // "http://host:port" or "https://host:port/prefix", put before each request's path.
  std::string base_url;
  // TLS: PEM texts, or files when the name ends in _file. Empty CA: the system's.
  std::string ca_pem;
  std::string ca_file;
  std::string client_certificate_pem;
  std::string client_key_pem;
  // Asked before each request, on the executor's thread, instead of these texts; a certificate that
  // changed is shown on new connections, and old ones are not used any more. May be empty.
  std::function<std::shared_ptr<const TlsMaterial>()> tls;
  // Accept any server certificate (kubeconfig's insecure-skip-tls-verify).
  bool insecure_skip_verify = false;
  // The name to verify and to send as SNI instead of the URL's host; empty: the URL's.
  std::string tls_server_name;
  // Asked before each request, on the executor's thread; empty or "" sends no token.
  std::function<std::string()> bearer_token;
  // "http://host:port"; empty: what the environment says (https_proxy, no_proxy), except for
  // loopback addresses.
  std::string proxy;
  std::string user_agent = "sealane";
  absl::Duration connect_timeout = absl::Seconds(10);
  // Requests of Send that run at once; more wait in order. Streams are not counted.
  size_t max_concurrent = 64;
  size_t max_response_bytes = 64 << 20;
};

// HttpTransport over libcurl's multi interface on one thread of its own: connections are kept alive
// and reused, HTTP/2 is used where TLS negotiates it.
//
// Thread rule: as HttpTransport. Destroy it on the executor's thread, or after the executor ended;
// callbacks still waiting do not run afterwards.
class CurlTransport final : public HttpTransport {
 public:
  // Errors: InvalidArgument when the base URL is not http or https.
  static absl::StatusOr<std::unique_ptr<CurlTransport>> Create(CurlTransportOptions options,
                                                               Executor& executor);
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  using HttpTransport::Send;
  using HttpTransport::Stream;
  void Send(HttpRequest request, ResponseCallback callback, RequestOptions options) override;
  [[nodiscard]] std::unique_ptr<Call> Stream(HttpRequest request, StreamCallbacks callbacks,
                                             RequestOptions options) override;

 private:
  class Impl;
  explicit CurlTransport(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane::http
