#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/core/env.h"
#include "lib/telemetry/metrics.h"

namespace sealane {

namespace http {
class HttpServer;
struct HttpRequest;
struct HttpResponse;
}  // namespace http

// What the endpoints ask; runs on the executor.
struct EndpointsSources {
  Registry& metrics;
  // True when work is being done; `why_not` is for people: the reason, or what is wrong all the
  // same.
  std::function<bool(std::string* why_not)> ready;
};

// The answer to one request: /metrics (Prometheus text), /healthz (200 whenever the event loop
// runs), /readyz (200 "ok", with what is wrong all the same, or 503 and the reason), 404 and 405
// otherwise.
[[nodiscard]] http::HttpResponse AnswerEndpoint(const http::HttpRequest& request,
                                                const EndpointsSources& sources);

// Serves them. Thread rule: create and destroy it on one thread while the executor is not inside a
// request; requests are answered on the executor.
class Endpoints {
 public:
  // `listen` is "host:port"; port 0 takes a free one.
  static absl::StatusOr<std::unique_ptr<Endpoints>> Start(const std::string& listen,
                                                          Executor& executor,
                                                          EndpointsSources sources);
  ~Endpoints();
  Endpoints(const Endpoints&) = delete;
  Endpoints& operator=(const Endpoints&) = delete;

  // Where it really listens: "127.0.0.1:43121".
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  Endpoints(std::unique_ptr<http::HttpServer> server, std::string address);
  std::unique_ptr<http::HttpServer> server_;
  std::string address_;
};

}  // namespace sealane
