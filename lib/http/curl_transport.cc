#include "lib/http/curl_transport.h"

#include <curl/curl.h>

#include <atomic>
#include <deque>
#include <set>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/core/mutex.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/curl_setup.h"
#include "lib/http/curl_sockets.h"

namespace sealane::http {
namespace {

// Bytes of a stream that the executor has not consumed yet before reading from the network pauses.
constexpr size_t kPauseBytes = 8 << 20;

}  // namespace

class CurlTransport::Impl {
 public:
  // One request. `callbacks` and `callback` belong to the executor's thread, the rest to curl's
  // thread, except for the atomics.
  struct Request {
    HttpRequest request;
    std::string authorization;
    std::shared_ptr<const TlsMaterial> tls;  // never null
    RequestOptions options;
    bool stream = false;
    ResponseCallback callback;
    StreamCallbacks callbacks;
    TimerId timer = 0;      // executor's thread: until headers, or until the next chunk
    bool finished = false;  // executor's thread: no callback runs any more
    bool got_headers = false;

    std::atomic<bool> cancelled{false};
    std::atomic<size_t> unread{0};
    std::atomic<bool> paused{false};

    Impl* impl = nullptr;
    CURL* easy = nullptr;
    curl_slist* header_list = nullptr;
    char error[CURL_ERROR_SIZE] = {};
    Headers headers;
    std::string body;
    bool headers_posted = false;
    bool too_large = false;
  };
  using RequestPtr = std::shared_ptr<Request>;

  Impl(CurlTransportOptions options, Executor& executor)
      : options_(UseServerName(std::move(options), &connect_to_)), executor_(executor) {
    curl_multi_setopt(sockets_.multi(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(sockets_.multi(), CURLMOPT_MAXCONNECTS,
                      static_cast<long>(options_.max_concurrent + 16));
    thread_ = std::thread([this] { Loop(); });
  }
  ~Impl() {
    {
      MutexLock lock(&mutex_);
      stop_ = true;
    }
    sockets_.Wake();
    thread_.join();
    curl_slist_free_all(connect_to_);
  }

  RequestPtr Make(HttpRequest request, const RequestOptions& options) {
    auto r = std::make_shared<Request>();
    r->request = std::move(request);
    r->options = options;
    r->impl = this;
    r->tls = options_.tls ? options_.tls() : fixed_tls_;
    if (options_.bearer_token) {
      const std::string token = options_.bearer_token();
      if (!token.empty()) r->authorization = "Authorization: Bearer " + token;
    }
    return r;
  }

  void Enqueue(RequestPtr request) {
    {
      MutexLock lock(&mutex_);
      (request->stream ? new_streams_ : new_requests_).push_back(std::move(request));
    }
    sockets_.Wake();
  }

  void Cancel(const RequestPtr& request) {
    if (request->finished) return;
    request->finished = true;
    executor_.Cancel(request->timer);
    request->cancelled = true;
    {
      MutexLock lock(&mutex_);
      touched_.push_back(request);
    }
    sockets_.Wake();
  }

  // Restarts the timer of a stream. Executor's thread.
  void ArmTimer(const RequestPtr& request, absl::Duration delay, const char* what) {
    executor_.Cancel(request->timer);
    request->timer = 0;
    if (delay == absl::InfiniteDuration()) return;
    request->timer = executor_.After(delay, [this, request, what] {
      if (request->finished) return;
      auto done = request->callbacks.on_done;
      Cancel(request);
      if (done) done(absl::DeadlineExceededError(what));
    });
  }

 private:
  void Loop() {
    while (true) {
      std::vector<RequestPtr> touched;
      {
        MutexLock lock(&mutex_);
        if (stop_) break;
        touched.swap(touched_);
      }
      // First, since it may make room for what waits.
      for (const RequestPtr& request : touched) Touch(request);
      bool moved = false;
      for (const RequestPtr& request : TakeWaiting()) moved = !Begin(request) || moved;
      sockets_.RunDue();
      moved = Collect() || moved;
      if (moved) continue;
      sockets_.Wait();
      Collect();
    }
    std::set<RequestPtr> rest;
    rest.swap(active_);
    for (const RequestPtr& request : rest) Release(*request);
  }

  // What may begin now.
  std::vector<RequestPtr> TakeWaiting() {
    std::vector<RequestPtr> taken;
    MutexLock lock(&mutex_);
    for (auto& stream : new_streams_) taken.push_back(std::move(stream));
    new_streams_.clear();
    while (!new_requests_.empty() && running_ < options_.max_concurrent) {
      taken.push_back(std::move(new_requests_.front()));
      new_requests_.pop_front();
      ++running_;
    }
    return taken;
  }

  void Touch(const RequestPtr& request) {
    if (request->easy == nullptr) return;
    if (request->cancelled) {
      Finish(request);
    } else if (request->paused.exchange(false)) {
      curl_easy_pause(request->easy, CURLPAUSE_CONT);
    }
  }

  // False: it was cancelled before.
  bool Begin(const RequestPtr& r) {
    if (r->cancelled) {
      if (!r->stream) --running_;
      return false;
    }
    CURL* easy = curl_easy_init();
    r->easy = easy;
    active_.insert(r);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, r.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
    SetUpConnection(easy, options_, *r->tls, connect_to_);
    r->header_list = SetUpRequest(easy, options_, r->request, r->authorization);
    if (!r->stream && r->options.timeout != absl::InfiniteDuration()) {
      curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                       static_cast<long>(absl::ToInt64Milliseconds(r->options.timeout)));
    }
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Impl::OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, r.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Impl::OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, r.get());
    sockets_.Prepare(easy);
    curl_multi_add_handle(sockets_.multi(), easy);
    return true;
  }

  static size_t OnHeader(char* data, size_t size, size_t count, void* self) {
    auto* r = static_cast<Request*>(self);
    std::string_view line(data, size * count);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (line.substr(0, 5) == "HTTP/") r->headers = Headers();  // a new head, after 100 Continue
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size * count;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    r->headers.Add(line.substr(0, colon), value);
    return size * count;
  }

  static size_t OnBody(char* data, size_t size, size_t count, void* self) {
    auto* r = static_cast<Request*>(self);
    return r->impl->TakeBody(*r, std::string_view(data, size * count));
  }

  size_t TakeBody(Request& r, std::string_view data) {
    if (r.cancelled) return 0;
    if (!r.stream) {
      if (r.body.size() + data.size() > options_.max_response_bytes) {
        r.too_large = true;
        return 0;
      }
      r.body.append(data);
      return data.size();
    }
    if (r.unread > kPauseBytes) {
      r.paused = true;  // before the second look, so that Deliver cannot miss it
      if (r.unread > kPauseBytes / 2) return CURL_WRITEFUNC_PAUSE;
      r.paused = false;
    }
    const RequestPtr request = Find(r);
    PostHeaders(request);
    r.unread += data.size();
    executor_.Post([this, request, chunk = std::string(data)] { Deliver(request, chunk); });
    return data.size();
  }

  // Executor's thread.
  void Deliver(const RequestPtr& request, const std::string& chunk) {
    request->unread -= chunk.size();
    if (request->finished) return;
    ArmTimer(request, request->options.idle_timeout, "the stream fell silent");
    if (request->paused && request->unread < kPauseBytes / 2) {
      {
        MutexLock lock(&mutex_);
        touched_.push_back(request);
      }
      sockets_.Wake();
    }
    if (request->callbacks.on_chunk) request->callbacks.on_chunk(chunk);
  }

  void PostHeaders(const RequestPtr& request) {
    if (request->headers_posted) return;
    request->headers_posted = true;
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    executor_.Post([this, request, status, headers = request->headers] {
      if (request->finished) return;
      ArmTimer(request, request->options.idle_timeout, "the stream fell silent");
      if (request->callbacks.on_headers) {
        request->callbacks.on_headers(static_cast<int>(status), headers);
      }
    });
  }

  RequestPtr Find(Request& r) {
    // Aliasing is not needed: the set holds few entries, and the pointer is its key.
    for (const RequestPtr& candidate : active_) {
      if (candidate.get() == &r) return candidate;
    }
    return nullptr;
  }

  // Headers of a stream without a body yet are noticed here: curl calls OnHeader for the empty
  // line, but the status is complete only now.
  bool Collect() {
    bool any = false;
    for (const RequestPtr& request : active_) {
      if (!request->stream || request->headers_posted) continue;
      long status = 0;
      curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
      if (status >= 200 && !request->headers.fields().empty()) PostHeaders(request);
    }
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(sockets_.multi(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      Request* raw = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &raw);
      const CURLcode code = message->data.result;
      Done(Find(*raw), code);
    }
    return any;
  }

  void Done(const RequestPtr& request, CURLcode code) {
    long http_status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &http_status);
    absl::Status status;
    if (request->too_large) {
      status = absl::ResourceExhaustedError("the response is larger than the limit");
    } else if (code != CURLE_OK) {
      status = CurlError(code, request->error);
    }
    if (request->stream) {
      if (status.ok()) PostHeaders(request);
      executor_.Post([this, request, status] {
        if (request->finished) return;
        request->finished = true;
        executor_.Cancel(request->timer);
        if (request->callbacks.on_done) request->callbacks.on_done(status);
      });
    } else {
      auto response = std::make_shared<HttpResponse>();
      response->status = static_cast<int>(http_status);
      response->headers = std::move(request->headers);
      response->body = std::move(request->body);
      executor_.Post([request, status, response] {
        if (request->finished) return;
        request->finished = true;
        auto callback = std::move(request->callback);
        if (status.ok()) {
          callback(std::move(*response));
        } else {
          callback(status);
        }
      });
    }
    Finish(request);
  }

  // Takes a request from curl, and lets a waiting one begin.
  void Finish(const RequestPtr& request) {
    if (request->easy == nullptr) return;
    Release(*request);
    if (!request->stream) --running_;
    active_.erase(request);
  }

  void Release(Request& request) {
    curl_multi_remove_handle(sockets_.multi(), request.easy);
    curl_easy_cleanup(request.easy);
    curl_slist_free_all(request.header_list);
    request.easy = nullptr;
    request.header_list = nullptr;
  }

  curl_slist* connect_to_ = nullptr;
  const CurlTransportOptions options_;
  const std::shared_ptr<const TlsMaterial> fixed_tls_ = std::make_shared<const TlsMaterial>(
      TlsMaterial{options_.ca_pem, options_.client_certificate_pem, options_.client_key_pem});
  ScopedExecutor executor_;
  CurlSockets sockets_;
  std::set<RequestPtr> active_;  // curl's thread
  size_t running_ = 0;           // curl's thread
  Mutex mutex_;
  std::deque<RequestPtr> new_requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<RequestPtr> new_streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<RequestPtr> touched_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

namespace {

template <typename Impl, typename RequestPtr>
class CurlCall final : public Call {
 public:
  CurlCall(std::weak_ptr<Impl> impl, RequestPtr request)
      : impl_(std::move(impl)), request_(std::move(request)) {}
  ~CurlCall() override { CurlCall::Cancel(); }
  void Cancel() override {
    if (auto impl = impl_.lock()) impl->Cancel(request_);
  }

 private:
  std::weak_ptr<Impl> impl_;
  RequestPtr request_;
};

}  // namespace

CurlTransport::CurlTransport(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
CurlTransport::~CurlTransport() = default;

absl::StatusOr<std::unique_ptr<CurlTransport>> CurlTransport::Create(CurlTransportOptions options,
                                                                     Executor& executor) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialized != CURLE_OK) return Internal("libcurl does not start");
  const std::string_view url = options.base_url;
  if (url.substr(0, 7) != "http://" && url.substr(0, 8) != "https://") {
    return InvalidArgument(StrCat("the server's URL must be http or https, not \"", url, "\""));
  }
  while (!options.base_url.empty() && options.base_url.back() == '/') options.base_url.pop_back();
  return std::unique_ptr<CurlTransport>(
      new CurlTransport(std::make_shared<Impl>(std::move(options), executor)));
}

void CurlTransport::Send(HttpRequest request, ResponseCallback callback, RequestOptions options) {
  auto r = impl_->Make(std::move(request), options);
  r->callback = std::move(callback);
  impl_->Enqueue(std::move(r));
}

std::unique_ptr<Call> CurlTransport::Stream(HttpRequest request, StreamCallbacks callbacks,
                                            RequestOptions options) {
  auto r = impl_->Make(std::move(request), options);
  r->stream = true;
  r->callbacks = std::move(callbacks);
  impl_->ArmTimer(r, options.timeout, "no response in time");
  impl_->Enqueue(r);
  return std::make_unique<CurlCall<Impl, Impl::RequestPtr>>(impl_, r);
}

}  // namespace sealane::http
