#include "services/gateway/key_fetcher.h"

#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/telemetry/log.h"

namespace sealane::gateway {
namespace {

constexpr absl::Duration kEvery = absl::Minutes(10);
constexpr absl::Duration kAfterFailure = absl::Seconds(30);
constexpr absl::Duration kAtMost = absl::Seconds(10);
constexpr absl::Duration kTimeout = absl::Seconds(10);

}  // namespace

KeyFetcher::KeyFetcher(Env env, std::unique_ptr<http::HttpTransport> transport, std::string path,
                       Counter& failed)
    : env_(env),
      transport_(std::move(transport)),
      path_(std::move(path)),
      failed_(failed),
      executor_(env.executor) {}

void KeyFetcher::Start() { Fetch(); }

void KeyFetcher::Missing() {
  if (env_.clock.Monotonic() - asked_ >= kAtMost) Fetch();
}

void KeyFetcher::Fetch() {
  if (std::exchange(asking_, true)) return;
  asked_ = env_.clock.Monotonic();
  executor_.Cancel(timer_);
  http::HttpRequest request;
  request.path = path_;
  request.headers.Set("Accept", "application/json");
  http::RequestOptions options;
  options.timeout = kTimeout;
  transport_->Send(
      std::move(request),
      [this, alive = executor_.alive()](const absl::StatusOr<http::HttpResponse>& response) {
        if (!alive.expired()) OnAnswer(response);
      },
      options);
}

void KeyFetcher::OnAnswer(const absl::StatusOr<http::HttpResponse>& response) {
  asking_ = false;
  absl::StatusOr<kubeauth::KeySet> keys = Unavailable("no answer");
  if (!response.ok()) {
    keys = response.status();
  } else if (response->status != 200) {
    keys = Unavailable(StrCat("HTTP status ", response->status));
  } else {
    keys = kubeauth::KeySet::Parse(response->body);
  }
  if (keys.ok()) {
    keys_ = std::make_shared<const kubeauth::KeySet>(*std::move(keys));
  } else {
    failed_.Increment();
    Logger("gateway").Warn("the issuer's keys cannot be read; those of before stay",
                           {{"error", keys.status().ToString()}});
  }
  timer_ = executor_.After(keys.ok() ? kEvery : kAfterFailure, [this] { Fetch(); });
}

}  // namespace sealane::gateway
