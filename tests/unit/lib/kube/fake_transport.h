#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/transport.h"

namespace sealane {

// An HttpTransport whose answers a test gives: `answer` is asked for each request of Send; streams
// are kept for the test to feed. While `hang` is set, requests run into their timeouts.
class FakeTransport final : public http::HttpTransport {
 public:
  using Answer = std::function<absl::StatusOr<http::HttpResponse>(const http::HttpRequest&)>;
  struct FakeStream {
    http::HttpRequest request;
    http::StreamCallbacks callbacks;
    bool cancelled = false;

    void Headers(int status, const http::Headers& headers = {}) {
      if (!cancelled) callbacks.on_headers(status, headers);
    }
    void Chunk(std::string_view chunk) {
      if (!cancelled) callbacks.on_chunk(chunk);
    }
    void Done(absl::Status status) {
      if (!cancelled) callbacks.on_done(std::move(status));
    }
  };

  explicit FakeTransport(const Env& env) : executor_(env.executor) {}

  void Send(http::HttpRequest request, ResponseCallback callback,
            http::RequestOptions options) override {
    requests.push_back(request);
    if (hang) {
      executor_.After(options.timeout, [callback] {
        callback(absl::DeadlineExceededError("the request took too long"));
      });
      return;
    }
    executor_.After(latency,
                    [this, request = std::move(request), callback] { callback(answer(request)); });
  }
  [[nodiscard]] std::unique_ptr<http::Call> Stream(http::HttpRequest request,
                                                   http::StreamCallbacks callbacks,
                                                   http::RequestOptions) override {
    struct Handle final : http::Call {
      explicit Handle(std::shared_ptr<FakeStream> s) : stream(std::move(s)) {}
      ~Handle() override { stream->cancelled = true; }
      void Cancel() override { stream->cancelled = true; }
      std::shared_ptr<FakeStream> stream;
    };
    auto stream = std::make_shared<FakeStream>();
    stream->request = std::move(request);
    stream->callbacks = std::move(callbacks);
    streams.push_back(stream);
    return std::make_unique<Handle>(stream);
  }

  Answer answer;
  bool hang = false;
  absl::Duration latency = absl::Milliseconds(1);
  std::vector<http::HttpRequest> requests;
  std::vector<std::shared_ptr<FakeStream>> streams;

 private:
  ScopedExecutor executor_;
};

inline http::HttpResponse JsonResponse(int status, std::string body) {
  return {status, http::Headers{{"Content-Type", "application/json"}}, std::move(body)};
}

}  // namespace sealane
