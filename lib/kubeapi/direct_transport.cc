#include "lib/kubeapi/direct_transport.h"

#include <set>
#include <utility>

#include "lib/core/scoped_executor.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {

struct DirectTransport::State {
  State(Executor& e, http::Handler h, absl::Duration l, std::string t)
      : parent(e),
        executor(std::make_unique<ScopedExecutor>(e)),
        handler(std::move(h)),
        latency(l),
        token(std::move(t)) {}

  Executor& parent;
  std::unique_ptr<ScopedExecutor> executor;  // gone once the transport is
  http::Handler handler;
  absl::Duration latency;
  std::string token;
  bool connected = true;
  std::set<Exchange*> open;
};

// One request and its answer. The server holds it as ResponseWriter, the client as Call.
class DirectTransport::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<State> state, bool stream) : state_(std::move(state)), stream_(stream) {
    state_->open.insert(this);
  }
  ~Exchange() { state_->open.erase(this); }

  ResponseCallback callback;
  http::StreamCallbacks callbacks;

  void Start(http::HttpRequest request, const http::RequestOptions& options) {
    if (!state_->token.empty()) {
      request.headers.Set("Authorization", StrCat("Bearer ", state_->token));
    }
    if (options.timeout != absl::InfiniteDuration()) {
      timer_ = state_->executor->After(options.timeout, [self = shared_from_this()] {
        if (!self->answered_) self->Fail(absl::DeadlineExceededError("no answer in time"));
      });
    }
    Later([self = shared_from_this(), request = std::move(request)] {
      if (self->done_) return;
      if (!self->state_->connected) return self->Fail(Unavailable("connection refused"));
      self->state_->handler(request, std::make_shared<Writer>(self));
    });
  }

  // The client does not want the answer any more.
  void Cancel() {
    if (done_) return;
    Finish();
    NotifyServer();
  }

  // The connection breaks.
  void Break() {
    if (done_) return;
    NotifyServer();
    Fail(Unavailable("connection reset by peer"));
  }

 private:
  class Writer final : public http::ResponseWriter {
   public:
    explicit Writer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
    ~Writer() override {
      if (!started_) {
        Send({500, {}, "no answer\n"});
      } else if (!ended_) {
        exchange_->Later([e = exchange_] { e->Break(); });
      }
    }
    void Send(http::HttpResponse response) override {
      if (std::exchange(started_, true)) return;
      ended_ = true;
      exchange_->Later([e = exchange_, response = std::move(response)]() mutable {
        e->Deliver(std::move(response));
      });
    }
    void StartStream(int status, http::Headers headers) override {
      if (std::exchange(started_, true)) return;
      exchange_->Later(
          [e = exchange_, status, headers = std::move(headers)] { e->Headers(status, headers); });
    }
    void Write(std::string chunk) override {
      if (!started_ || ended_) return;
      exchange_->Later([e = exchange_, chunk = std::move(chunk)] { e->Chunk(chunk); });
    }
    void End() override {
      if (!started_ || std::exchange(ended_, true)) return;
      exchange_->Later([e = exchange_] { e->Ended(); });
    }
    void OnClose(std::function<void()> fn) override { exchange_->on_close_ = std::move(fn); }
    size_t pending_bytes() const override { return 0; }

   private:
    std::shared_ptr<Exchange> exchange_;
    bool started_ = false;
    bool ended_ = false;
  };

  void Later(std::function<void()> fn) {
    if (state_->executor) state_->executor->After(state_->latency, std::move(fn));
  }

  void Finish() {
    done_ = true;
    if (state_->executor) state_->executor->Cancel(timer_);
  }

  void NotifyServer() {
    if (auto fn = std::exchange(on_close_, nullptr)) state_->parent.Post(std::move(fn));
  }

  void Fail(const absl::Status& status) {
    if (done_) return;
    Finish();
    NotifyServer();
    if (stream_) {
      if (callbacks.on_done) callbacks.on_done(status);
    } else {
      callback(status);
    }
  }

  void Deliver(http::HttpResponse response) {
    if (done_) return;
    if (stream_) {
      Headers(response.status, response.headers);
      if (!done_ && !response.body.empty()) Chunk(response.body);
      return Ended();
    }
    Finish();
    callback(std::move(response));
  }

  void Headers(int status, const http::Headers& headers) {
    if (done_) return;
    answered_ = true;
    response_.status = status;
    response_.headers = headers;
    if (stream_ && callbacks.on_headers) callbacks.on_headers(status, headers);
  }

  void Chunk(const std::string& chunk) {
    if (done_) return;
    if (!stream_) {
      response_.body += chunk;
    } else if (callbacks.on_chunk) {
      callbacks.on_chunk(chunk);
    }
  }

  void Ended() {
    if (done_) return;
    Finish();
    on_close_ = nullptr;
    if (!stream_) {
      callback(std::move(response_));
    } else if (callbacks.on_done) {
      callbacks.on_done(absl::OkStatus());
    }
  }

  std::shared_ptr<State> state_;
  bool stream_;
  bool answered_ = false;
  bool done_ = false;
  TimerId timer_ = 0;
  std::function<void()> on_close_;
  http::HttpResponse response_;
};

namespace {

template <typename Exchange>
class DirectCall final : public http::Call {
 public:
  explicit DirectCall(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~DirectCall() override { exchange_->Cancel(); }
  void Cancel() override { exchange_->Cancel(); }

 private:
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace

DirectTransport::DirectTransport(Executor& executor, http::Handler handler, absl::Duration latency,
                                 std::string token)
    : state_(std::make_shared<State>(executor, std::move(handler), latency, std::move(token))) {}
DirectTransport::~DirectTransport() {
  state_->executor.reset();
  const std::set<Exchange*> open = state_->open;
  for (Exchange* exchange : open) {
    if (state_->open.count(exchange) != 0) exchange->shared_from_this()->Cancel();
  }
}

void DirectTransport::Send(http::HttpRequest request, ResponseCallback callback,
                           http::RequestOptions options) {
  auto exchange = std::make_shared<Exchange>(state_, /*stream=*/false);
  exchange->callback = std::move(callback);
  exchange->Start(std::move(request), options);
}

std::unique_ptr<http::Call> DirectTransport::Stream(http::HttpRequest request,
                                                    http::StreamCallbacks callbacks,
                                                    http::RequestOptions options) {
  auto exchange = std::make_shared<Exchange>(state_, /*stream=*/true);
  exchange->callbacks = std::move(callbacks);
  exchange->Start(std::move(request), options);
  return std::make_unique<DirectCall<Exchange>>(exchange);
}

void DirectTransport::Disconnect() {
  state_->connected = false;
  const std::set<Exchange*> open = state_->open;
  for (Exchange* exchange : open) {
    if (state_->open.count(exchange) != 0) exchange->shared_from_this()->Break();
  }
}

void DirectTransport::Reconnect() { state_->connected = true; }

}  // namespace sealane::kubeapi
