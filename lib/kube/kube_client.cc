#include "lib/kube/kube_client.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane::kube {
namespace {

constexpr absl::Duration kMaxPause = absl::Seconds(60);
constexpr char kJson[] = "application/json";
// Servers that cannot send metadata alone send whole objects.
constexpr char kMetadataList[] =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

// A streaming call that first waits for credentials.
class AuthorizedCall final : public http::Call {
 public:
  void Cancel() override {
    cancelled_ = true;
    inner_.reset();
  }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  void set_inner(std::unique_ptr<http::Call> inner) { inner_ = std::move(inner); }

 private:
  bool cancelled_ = false;
  std::unique_ptr<http::Call> inner_;
};

// Owns a shared AuthorizedCall: destroying the handle cancels it.
class CallHandle final : public http::Call {
 public:
  explicit CallHandle(std::shared_ptr<AuthorizedCall> call) : call_(std::move(call)) {}
  ~CallHandle() override { call_->Cancel(); }
  void Cancel() override { call_->Cancel(); }

 private:
  std::shared_ptr<AuthorizedCall> call_;
};

}  // namespace

KubeClient::KubeClient(Env env, http::HttpTransport& transport,
                       std::unique_ptr<Credentials> credentials, KubeClientOptions options)
    : env_(env),
      transport_(transport),
      credentials_(std::move(credentials)),
      options_(std::move(options)),
      executor_(env.executor) {}

void KubeClient::GetPath(std::string_view path, std::string_view accept, ObjectCallback callback) {
  http::HttpRequest request;
  request.path = path;
  request.headers.Set("Accept", accept.empty() ? kJson : accept);
  Enqueue(std::move(request), std::move(callback));
}

void KubeClient::Probe(std::string_view path, absl::Duration timeout, ObjectCallback callback) {
  ++stats_.requests;
  credentials_->Authorize([this, path = std::string(path), timeout, callback,
                           alive = executor_.alive()](absl::StatusOr<std::string> header) {
    if (alive.expired()) return;
    if (!header.ok()) {
      executor_.Post([callback, status = header.status()] { callback(status, nullptr); });
      return;
    }
    http::HttpRequest request;
    request.path = path;
    if (!header->empty()) request.headers.Set("Authorization", *header);
    http::RequestOptions options;
    options.timeout = timeout;
    transport_.Send(
        std::move(request),
        [this, callback, alive](absl::StatusOr<http::HttpResponse> response) {
          if (alive.expired()) return;
          if (response.ok() && response->status == 401) credentials_->Invalidate();
          callback(response.ok() ? StatusOfResponse(*response) : response.status(), nullptr);
        },
        options);
  });
}

void KubeClient::Get(const ResourceType& type, std::string_view ns, std::string_view name,
                     ObjectCallback callback) {
  GetPath(ObjectPath(type, ns, name), kJson, std::move(callback));
}

void KubeClient::Apply(const ResourceType& type, std::string_view ns, std::string_view name,
                       std::string manifest, const ApplyOptions& options, ApplyCallback callback) {
  http::HttpRequest request;
  request.method = "PATCH";
  request.path = StrCat(ObjectPath(type, ns, name),
                        "?fieldManager=", http::PercentEncode(options_.field_manager));
  if (options.force) request.path += "&force=true";
  if (options.dry_run) request.path += "&dryRun=All";
  request.headers.Set("Accept", kJson);
  request.headers.Set("Content-Type", "application/apply-patch+yaml");
  request.body = std::move(manifest);
  Enqueue(std::move(request), std::move(callback));
}

void KubeClient::MergePatch(const ResourceType& type, std::string_view ns, std::string_view name,
                            std::string patch, ObjectCallback callback) {
  http::HttpRequest request;
  request.method = "PATCH";
  request.path = StrCat(ObjectPath(type, ns, name),
                        "?fieldManager=", http::PercentEncode(options_.field_manager));
  request.headers.Set("Accept", kJson);
  request.headers.Set("Content-Type", "application/merge-patch+json");
  request.body = std::move(patch);
  Enqueue(std::move(request), std::move(callback));
}

void KubeClient::Delete(const ResourceType& type, std::string_view ns, std::string_view name,
                        const DeleteOptions& options, ObjectCallback callback) {
  Json body = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", options.propagation}};
  if (!options.uid.empty()) body["preconditions"] = {{"uid", options.uid}};
  http::HttpRequest request;
  request.method = "DELETE";
  request.path = ObjectPath(type, ns, name);
  request.headers.Set("Accept", kJson);
  request.headers.Set("Content-Type", kJson);
  request.body = body.dump();
  Enqueue(std::move(request), std::move(callback));
}

void KubeClient::List(const ResourceType& type, std::string_view ns,
                      std::string_view label_selector, int limit, std::string_view continue_token,
                      ObjectCallback callback) {
  std::string path = StrCat(CollectionPath(type, ns), "?limit=", limit);
  if (!label_selector.empty())
    path += StrCat("&labelSelector=", http::PercentEncode(label_selector));
  if (!continue_token.empty()) path += StrCat("&continue=", http::PercentEncode(continue_token));
  GetPath(path, kJson, std::move(callback));
}

void KubeClient::ListMetadata(const ResourceType& type, std::string_view ns, int limit,
                              std::string_view continue_token, ObjectCallback callback) {
  std::string path = StrCat(CollectionPath(type, ns), "?limit=", limit);
  if (!continue_token.empty()) path += StrCat("&continue=", http::PercentEncode(continue_token));
  GetPath(path, kMetadataList, std::move(callback));
}

std::unique_ptr<http::Call> KubeClient::Stream(std::string_view path,
                                               http::StreamCallbacks callbacks,
                                               const http::RequestOptions& options) {
  http::HttpRequest request;
  request.path = path;
  request.headers.Set("Accept", kJson);
  return Stream(std::move(request), std::move(callbacks), options);
}

std::unique_ptr<http::Call> KubeClient::Stream(http::HttpRequest request,
                                               http::StreamCallbacks callbacks,
                                               const http::RequestOptions& options) {
  auto call = std::make_shared<AuthorizedCall>();
  ++stats_.requests;
  credentials_->Authorize([this, call, request = std::move(request), callbacks, options,
                           alive = executor_.alive()](absl::StatusOr<std::string> header) mutable {
    if (alive.expired() || call->cancelled()) return;
    if (!header.ok()) {
      executor_.Post([call, callbacks, status = header.status()] {
        if (!call->cancelled()) callbacks.on_done(status);
      });
      return;
    }
    if (!header->empty()) request.headers.Set("Authorization", *header);
    call->set_inner(transport_.Stream(std::move(request), std::move(callbacks), options));
  });
  return std::make_unique<CallHandle>(std::move(call));
}

void KubeClient::Pause(absl::Duration duration) {
  if (duration <= absl::ZeroDuration()) return;
  paused_until_ = std::max(paused_until_, env_.clock.Monotonic() + std::min(duration, kMaxPause));
}

absl::Duration KubeClient::PausedFor() const {
  return std::max(paused_until_ - env_.clock.Monotonic(), absl::ZeroDuration());
}

KubeClientStats KubeClient::stats() const {
  KubeClientStats stats = stats_;
  stats.waiting = waiting_.size();
  return stats;
}

void KubeClient::Enqueue(http::HttpRequest request, ObjectCallback callback) {
  Enqueue(std::move(request), ApplyCallback([callback = std::move(callback)](
                                                const absl::Status& status, const Json* object,
                                                bool /*created*/) { callback(status, object); }));
}

void KubeClient::Enqueue(http::HttpRequest request, ApplyCallback callback) {
  auto pending = std::make_shared<Pending>();
  pending->request = std::move(request);
  pending->callback = std::move(callback);
  waiting_.push_back(std::move(pending));
  Pump();
}

void KubeClient::Pump() {
  const absl::Duration now = env_.clock.Monotonic();
  if (now < paused_until_) {
    if (pause_timer_ == 0) {
      pause_timer_ = executor_.After(paused_until_ - now, [this] {
        pause_timer_ = 0;
        Pump();
      });
    }
    return;
  }
  while (!waiting_.empty() && stats_.in_flight < options_.max_in_flight) {
    std::shared_ptr<Pending> next = std::move(waiting_.front());
    waiting_.pop_front();
    ++stats_.in_flight;
    SendOne(std::move(next));
  }
}

void KubeClient::SendOne(std::shared_ptr<Pending> pending) {
  ++stats_.requests;
  credentials_->Authorize(
      [this, pending, alive = executor_.alive()](absl::StatusOr<std::string> header) {
        if (alive.expired()) return;
        if (!header.ok()) {
          // Never inside the caller's call.
          executor_.Post([this, pending, status = header.status()] { Finish(pending, status); });
          return;
        }
        if (!header->empty()) pending->request.headers.Set("Authorization", *header);
        http::RequestOptions options;
        options.timeout = options_.timeout;
        // Kept for the retry after a 401, unless this is the retry.
        http::HttpRequest request =
            pending->retried ? std::move(pending->request) : http::HttpRequest(pending->request);
        transport_.Send(
            std::move(request),
            [this, pending, alive](absl::StatusOr<http::HttpResponse> response) {
              if (!alive.expired()) Finish(pending, std::move(response));
            },
            options);
      });
}

void KubeClient::Finish(const std::shared_ptr<Pending>& pending,
                        absl::StatusOr<http::HttpResponse> response) {
  if (response.ok() && response->status == 401 && !pending->retried) {
    pending->retried = true;
    credentials_->Invalidate();
    SendOne(pending);
    return;
  }
  --stats_.in_flight;
  absl::Status status = response.ok() ? StatusOfResponse(*response) : response.status();
  Json object;
  if (!response.ok()) {
    ++stats_.errors;
  } else if (status.ok()) {
    object = Json::parse(response->body, nullptr, /*allow_exceptions=*/false);
    if (object.is_discarded()) {
      status = absl::InternalError("the API server's answer is not JSON");
    }
  } else if (response->status == 429 || response->status == 503) {
    if (response->status == 429) ++stats_.throttled;
    const auto error = ApiErrorOf(status);
    if (error) Pause(error->retry_after);
  }
  const auto alive = executor_.alive();
  pending->callback(status, status.ok() ? &object : nullptr,
                    response.ok() && response->status == 201);
  if (!alive.expired()) Pump();
}

}  // namespace sealane::kube
