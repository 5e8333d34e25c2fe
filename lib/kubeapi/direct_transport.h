#pragma once

#include <memory>
#include <string>

#include "lib/core/env.h"
#include "lib/http/handler.h"
#include "lib/http/transport.h"

namespace sealane::kubeapi {

// HttpTransport into a handler of the same process, without sockets: requests and answers are
// callbacks on one executor, so a simulation runs on virtual time. `Disconnect` makes the server
// unreachable: requests fail as Unavailable and open streams end so.
//
// Thread rule: the executor's.
class DirectTransport final : public http::HttpTransport {
 public:
  // `latency` delays each request and each answer. `token` is sent as bearer token when not empty.
  DirectTransport(Executor& executor, http::Handler handler,
                  absl::Duration latency = absl::ZeroDuration(), std::string token = "");
  ~DirectTransport() override;

  using http::HttpTransport::Send;
  using http::HttpTransport::Stream;
  void Send(http::HttpRequest request, ResponseCallback callback,
            http::RequestOptions options) override;
  [[nodiscard]] std::unique_ptr<http::Call> Stream(http::HttpRequest request,
                                                   http::StreamCallbacks callbacks,
                                                   http::RequestOptions options) override;

  void Disconnect();
  void Reconnect();

 private:
  class Exchange;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sealane::kubeapi
