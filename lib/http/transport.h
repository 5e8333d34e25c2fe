#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/message.h"

namespace sealane::http {

// Limits of one request.
struct RequestOptions {
  // For Send: until the whole response is there. For Stream: until the response headers are there.
  absl::Duration timeout = absl::Seconds(30);
  // Stream only: the longest silence between two chunks; a longer one ends the stream with
  // DeadlineExceeded. Infinite means no limit.
  absl::Duration idle_timeout = absl::InfiniteDuration();
};

// A request under way. Destroying or cancelling it stops the request: no callback of it runs
// afterwards (when called on the executor's thread). Finished requests may be cancelled freely.
class Call {
 public:
  virtual ~Call() = default;
  virtual void Cancel() = 0;
};

// What a stream tells. on_done comes exactly once, last, unless the call was cancelled.
struct StreamCallbacks {
  // The response began, with its HTTP status (also 4xx and 5xx: then the chunks are the error
  // body).
  std::function<void(int status, const Headers& headers)> on_headers;
  // A part of the body, as it arrived: any size, not aligned to lines.
  std::function<void(std::string_view chunk)> on_chunk;
  // OK: the server ended the response. Otherwise Unavailable, DeadlineExceeded, ...
  std::function<void(absl::Status)> on_done;
};

// Sends HTTP requests to one server. Implementations: CurlTransport (lib/http/curl_transport.h)
// over the network, DirectTransport (lib/kubeapi/direct_transport.h) into an API server of the same
// process.
//
// Thread rule: call from the executor's thread; all callbacks run on that executor, never inside
// the call that started the request.
class HttpTransport {
 public:
  using ResponseCallback = std::function<void(absl::StatusOr<HttpResponse>)>;

  virtual ~HttpTransport() = default;

  // Sends a request and gives the whole response. Errors: Unavailable (connection refused, reset,
  // DNS, TLS: the message says which), DeadlineExceeded, ResourceExhausted (response above the size
  // limit), InvalidArgument.
  // The callback may outlive its owner: give the transport a ScopedExecutor, or hold a weak guard.
  virtual void Send(HttpRequest request, ResponseCallback callback, RequestOptions options) = 0;
  void Send(HttpRequest request, ResponseCallback callback) {
    Send(std::move(request), std::move(callback), RequestOptions());
  }

  // Sends a request and gives the response as it arrives (for watches and logs).
  [[nodiscard]] virtual std::unique_ptr<Call> Stream(HttpRequest request, StreamCallbacks callbacks,
                                                     RequestOptions options) = 0;
  [[nodiscard]] std::unique_ptr<Call> Stream(HttpRequest request, StreamCallbacks callbacks) {
    return Stream(std::move(request), std::move(callbacks), RequestOptions());
  }
};

}  // namespace sealane::http
