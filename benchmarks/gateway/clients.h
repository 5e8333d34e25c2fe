#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/http/transport.h"
#include "lib/kube/watch_stream.h"

namespace sealane::bench {

// Sends numbered requests, so many at a time. Thread rule: the loop's thread.
class Load {
 public:
  using Make = std::function<http::HttpRequest(int index)>;
  Load(http::HttpTransport& transport, Clock& clock, int count, int concurrency, Make make);
  void Start();
  [[nodiscard]] bool done() const { return done_ == count_ || !error_.empty(); }
  // The first answer that is no 2xx; empty: none.
  [[nodiscard]] const std::string& error() const { return error_; }
  // From the start to the last answer.
  [[nodiscard]] absl::Duration took() const { return end_ - start_; }
  [[nodiscard]] absl::Duration start() const { return start_; }
  [[nodiscard]] const std::vector<double>& latency_ms() const { return latency_ms_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }  // of the answers' bodies

 private:
  void Next();

  http::HttpTransport& transport_;
  Clock& clock_;
  const int count_;
  const int concurrency_;
  Make make_;
  int next_ = 0;
  int done_ = 0;
  size_t bytes_ = 0;
  absl::Duration start_;
  absl::Duration end_;
  std::vector<double> latency_ms_;
  std::string error_;
};

// Open watches of one collection. Each event's object may carry the annotation "sent" with the
// monotonic time in microseconds at which it was written. Thread rule: the loop's thread.
class Watchers {
 public:
  Watchers(Clock& clock, std::string request_path, std::string token);
  void Open(http::HttpTransport& transport, int count);
  [[nodiscard]] int open() const { return open_; }
  [[nodiscard]] size_t events() const { return events_; }  // bookmarks not counted
  [[nodiscard]] int ended() const { return ended_; }
  [[nodiscard]] absl::Duration last() const { return last_; }  // when the last event came
  [[nodiscard]] const std::vector<double>& latency_ms() const { return latency_ms_; }
  void Forget();  // events and latencies so far

 private:
  void OnChunk(kube::LineBuffer& lines, std::string_view chunk);

  Clock& clock_;
  const std::string path_;
  const std::string token_;
  std::vector<std::unique_ptr<kube::LineBuffer>> lines_;
  std::vector<std::unique_ptr<http::Call>> calls_;
  int open_ = 0;
  int ended_ = 0;
  size_t events_ = 0;
  absl::Duration last_;
  std::vector<double> latency_ms_;
};

}  // namespace sealane::bench
