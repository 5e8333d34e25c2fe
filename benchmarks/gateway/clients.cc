#include "benchmarks/gateway/clients.h"

#include <charconv>
#include <utility>

#include "lib/core/strings.h"

namespace sealane::bench {

Load::Load(http::HttpTransport& transport, Clock& clock, int count, int concurrency, Make make)
    : transport_(transport),
      clock_(clock),
      count_(count),
      concurrency_(concurrency),
      make_(std::move(make)) {}

void Load::Start() {
  start_ = clock_.Monotonic();
  for (int i = 0; i < concurrency_; ++i) Next();
}

void Load::Next() {
  if (next_ == count_ || !error_.empty()) return;
  const absl::Duration sent = clock_.Monotonic();
  http::RequestOptions options;
  options.timeout = absl::Minutes(2);
  transport_.Send(
      make_(next_++),
      [this, sent](const absl::StatusOr<http::HttpResponse>& response) {
        if (!response.ok() || response->status / 100 != 2) {
          error_ = response.ok() ? response->body : response.status().ToString();
          return;
        }
        end_ = clock_.Monotonic();
        latency_ms_.push_back(absl::ToDoubleMilliseconds(end_ - sent));
        bytes_ += response->body.size();
        ++done_;
        Next();
      },
      options);
}

Watchers::Watchers(Clock& clock, std::string request_path, std::string token)
    : clock_(clock), path_(std::move(request_path)), token_(std::move(token)) {}

void Watchers::Open(http::HttpTransport& transport, int count) {
  for (int i = 0; i < count; ++i) {
    http::HttpRequest request;
    request.path = path_;
    request.headers = {{"Accept", "application/json"}, {"Authorization", "Bearer " + token_}};
    lines_.push_back(std::make_unique<kube::LineBuffer>());
    kube::LineBuffer& lines = *lines_.back();
    http::StreamCallbacks callbacks;
    callbacks.on_headers = [this](int status, const http::Headers&) {
      status == 200 ? ++open_ : ++ended_;
    };
    callbacks.on_chunk = [this, &lines](std::string_view chunk) { OnChunk(lines, chunk); };
    callbacks.on_done = [this](const absl::Status&) { ++ended_; };
    http::RequestOptions options;
    options.timeout = absl::Minutes(2);
    calls_.push_back(transport.Stream(std::move(request), std::move(callbacks), options));
  }
}

void Watchers::OnChunk(kube::LineBuffer& lines, std::string_view chunk) {
  lines.Append(chunk, [this](std::string_view line) {
    if (line.find("\"type\":\"BOOKMARK\"") != std::string_view::npos) return true;
    ++events_;
    last_ = clock_.Monotonic();
    constexpr std::string_view kSent = "\"sent\":\"";
    const size_t at = line.find(kSent);
    if (at == std::string_view::npos) return true;
    int64_t micros = 0;
    const char* const first = line.data() + at + kSent.size();
    if (std::from_chars(first, line.data() + line.size(), micros).ec == std::errc()) {
      latency_ms_.push_back(absl::ToDoubleMilliseconds(last_ - absl::Microseconds(micros)));
    }
    return true;
  });
}

void Watchers::Forget() {
  events_ = 0;
  latency_ms_.clear();
}

}  // namespace sealane::bench
