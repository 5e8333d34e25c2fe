#include "lib/kube/reflector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/message.h"
#include "lib/kube/api_error.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

// A watch that ends sooner than this without an event counts as a failure for the back-off.
constexpr absl::Duration kShortWatch = absl::Seconds(1);
// A watch that the server ends this much before its time was ended for another reason.
constexpr absl::Duration kEarly = absl::Seconds(5);

uint64_t VersionNumber(std::string_view text) {
  uint64_t value = 0;
  return absl::SimpleAtoi(ToAbsl(text), &value) ? value : 0;
}

}  // namespace

Reflector::Reflector(KubeClient& client, ResourceType type, ReflectorOptions options,
                     Handler handler)
    : client_(client),
      env_(client.env()),
      type_(std::move(type)),
      options_(std::move(options)),
      handler_(std::move(handler)),
      backoff_(options_.backoff),
      executor_(env_.executor) {}

void Reflector::Start() { Relist(); }

void Reflector::Relist() {
  if (timer_ != 0) executor_.Cancel(std::exchange(timer_, 0));
  watch_.reset();
  resource_version_.clear();
  ++round_;
  floor_ = newest_;
  if (handler_.known_version) floor_ = std::max(floor_, handler_.known_version());
  ListPage("", round_);
}

void Reflector::ListPage(const std::string& continue_token, uint64_t round) {
  ++stats_.lists;
  client_.List(type_, "", options_.label_selector, options_.page_size, continue_token,
               [this, round, first = continue_token.empty(), alive = executor_.alive()](
                   const absl::Status& status, const Json* list) {
                 if (alive.expired() || round != round_) return;
                 if (first && status.ok()) {
                   list_version_ = VersionNumber(GetString(*list, {"metadata", "resourceVersion"}));
                   newest_ = list_version_;
                   handler_.on_reset(list_version_ != 0 && list_version_ < floor_);
                 }
                 if (!alive.expired()) OnPage(status, list, round);
               });
}

void Reflector::OnPage(const absl::Status& status, const Json* list, uint64_t round) {
  if (!status.ok()) return Fail(status, /*relist=*/true);
  const auto alive = executor_.alive();
  const Json* items = Find(*list, {"items"});
  if (items != nullptr && items->is_array()) {
    const std::string api_version = ApiVersionOf(type_);
    for (const Json& item : *items) {
      if (!item.is_object()) continue;
      // Items of a list carry no apiVersion and kind of their own.
      if (item.contains("kind") && item.contains("apiVersion")) {
        handler_.on_put(item);
      } else {
        Json object = item;
        object["apiVersion"] = api_version;
        object["kind"] = type_.kind;
        handler_.on_put(object);
      }
      if (alive.expired() || round != round_) return;
    }
  }
  const std::string next(GetString(*list, {"metadata", "continue"}));
  if (!next.empty()) return ListPage(next, round);
  resource_version_ = GetString(*list, {"metadata", "resourceVersion"});
  synced_ = true;
  backoff_.Reset();
  handler_.on_status(absl::OkStatus());
  if (alive.expired()) return;
  handler_.on_synced();
  if (!alive.expired() && round == round_) OpenWatch();
}

void Reflector::OpenWatch() {
  if (const absl::Duration pause = client_.PausedFor(); pause > absl::ZeroDuration()) {
    return After(pause, [this] { OpenWatch(); });
  }
  ++stats_.watches;
  const auto base = absl::ToInt64Seconds(options_.watch_timeout);
  const auto extra = static_cast<int64_t>(env_.random.Below(static_cast<uint64_t>(base) + 1));
  std::string path = StrCat(CollectionPath(type_, ""),
                            "?watch=true&allowWatchBookmarks=true&timeoutSeconds=", base + extra,
                            "&resourceVersion=", http::PercentEncode(resource_version_));
  if (!options_.label_selector.empty()) {
    path += StrCat("&labelSelector=", http::PercentEncode(options_.label_selector));
  }
  asked_ = absl::Seconds(base + extra);
  http_status_ = 0;
  expired_ = false;
  line_error_ = absl::OkStatus();
  lines_ = std::make_unique<LineBuffer>();
  opened_ = env_.clock.Monotonic();
  events_before_ = stats_.events;
  http::StreamCallbacks callbacks;
  callbacks.on_headers = [this](int status, const http::Headers& headers) {
    http_status_ = status;
    retry_after_ = headers.Get("Retry-After");
  };
  // The call must not be destroyed inside its own callbacks: ending it takes a turn of its own.
  callbacks.on_chunk = [this, alive = executor_.alive()](std::string_view chunk) {
    if (expired_ || !line_error_.ok()) return;
    const bool fits = lines_->Append(chunk, [this, &alive](std::string_view line) {
      // The body of an error response is read when the response ends.
      return http_status_ != 200 || (OnLine(line) && !alive.expired());
    });
    if (alive.expired()) return;
    if (!fits) line_error_ = absl::ResourceExhaustedError("a watch event is too large");
    if (expired_ || !line_error_.ok()) EndWatch(line_error_);
  };
  callbacks.on_done = [this](const absl::Status& status) { EndWatch(status); };
  http::RequestOptions options;
  options.idle_timeout = options_.idle_timeout;
  watch_ = client_.Stream(path, std::move(callbacks), options);
}

void Reflector::EndWatch(const absl::Status& status) {
  After(absl::ZeroDuration(), [this, status] {
    watch_.reset();
    OnWatchDone(status);
  });
}

void Reflector::Resume() {
  ++stats_.looks;
  client_.List(
      type_, "", options_.label_selector, 1, "",
      [this, round = round_, alive = executor_.alive()](const absl::Status& status,
                                                        const Json* list) {
        if (alive.expired() || round != round_) return;
        if (!status.ok()) return Fail(status, /*relist=*/false);
        const uint64_t version = VersionNumber(GetString(*list, {"metadata", "resourceVersion"}));
        if (version != 0 && version < newest_) return Relist();
        OpenWatch();
      });
}

bool Reflector::OnLine(std::string_view line) {
  const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const WatchLine parsed = InterpretWatchEvent(event);
  if (!parsed.resource_version.empty()) {
    resource_version_ = parsed.resource_version;
    newest_ = VersionNumber(resource_version_);
  }
  switch (parsed.verdict) {
    case WatchVerdict::kPut:
      ++stats_.events;
      handler_.on_put(*parsed.object);
      return true;
    case WatchVerdict::kDelete:
      ++stats_.events;
      handler_.on_delete(*parsed.object);
      return true;
    case WatchVerdict::kBookmark:
      return true;
    case WatchVerdict::kExpired:
      expired_ = true;
      return false;
    case WatchVerdict::kError:
      line_error_ = parsed.status;
      return false;
  }
  return false;
}

void Reflector::OnWatchDone(const absl::Status& status) {
  if (expired_ || http_status_ == 410) return Relist();
  if (http_status_ == 401) client_.InvalidateCredentials();
  if (http_status_ != 0 && http_status_ != 200) {
    const absl::Status refused = StatusOfResponse(http_status_, lines_->rest(), retry_after_);
    if (http_status_ == 429 || http_status_ == 503) {
      client_.Pause(ApiErrorOf(refused).value_or(ApiError()).retry_after);
    }
    return Fail(refused, http_status_ == 404);
  }
  const bool silence = status.code() == absl::StatusCode::kDeadlineExceeded && http_status_ == 200;
  if (!status.ok() && !silence) return Fail(status, /*relist=*/false);
  const bool short_lived = env_.clock.Monotonic() - opened_ < kShortWatch;
  if (short_lived && stats_.events == events_before_) {
    return After(backoff_.Next(env_.random), [this] { Resume(); });
  }
  backoff_.Reset();
  if (silence || env_.clock.Monotonic() - opened_ < asked_ - kEarly) return Resume();
  OpenWatch();
}

void Reflector::Fail(const absl::Status& status, bool relist) {
  ++stats_.failures;
  const auto alive = executor_.alive();
  handler_.on_status(status);
  if (alive.expired()) return;
  ++round_;
  After(backoff_.Next(env_.random), [this, relist] {
    if (relist) {
      Relist();
    } else {
      Resume();
    }
  });
}

void Reflector::After(absl::Duration delay, std::function<void()> fn) {
  if (timer_ != 0) executor_.Cancel(timer_);
  timer_ = executor_.After(delay, [this, fn = std::move(fn)] {
    timer_ = 0;
    fn();
  });
}

}  // namespace sealane::kube
