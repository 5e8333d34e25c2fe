#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/http/handler.h"
#include "lib/http/message.h"
#include "lib/telemetry/metrics.h"

namespace sealane {
class Clock;
}  // namespace sealane

namespace sealane::gateway {

// Counts answers by status code: the usual codes each by itself, the others by their class ("4xx"),
// and requests whose client left before there was an answer as "none". So the label is bounded, and
// `code=~"5.."` finds all errors of the server. All series exist from the start. Thread rule: any.
class CodeCounters {
 public:
  CodeCounters(Registry& registry, std::string_view name, std::string_view help,
               const Labels& labels = {});
  // 0: there was no answer.
  void Count(int code) const;

 private:
  static constexpr size_t kSeries = 18;
  std::array<Counter*, kSeries> counters_;
};

// What clients asked of the API and how they were answered. The verb is one of Kubernetes' own, or
// "other" for all that is no object: discovery, the OpenAPI documents, methods that are not known.
// Paths are never a label. Thread rule: any; answers may end after the service.
class RequestMetrics {
 public:
  explicit RequestMetrics(Registry& registry);

  // A writer that passes the answer on, and counts it and its time when it begins (a watch: when it
  // is open). `clock` must outlive the writer, `metrics` is kept by it.
  [[nodiscard]] static std::shared_ptr<http::ResponseWriter> Observe(
      std::shared_ptr<const RequestMetrics> metrics, const http::HttpRequest& request,
      const Clock& clock, std::shared_ptr<http::ResponseWriter> writer);
  // The same for a request that is passed on to member clusters: counted only, and apart, because
  // the codes are the members' own.
  [[nodiscard]] static std::shared_ptr<http::ResponseWriter> ObserveMember(
      std::shared_ptr<const RequestMetrics> metrics, std::shared_ptr<http::ResponseWriter> writer);

 private:
  struct Verb {
    std::string name;
    CodeCounters answers;
    Histogram* seconds = nullptr;  // of reads
  };
  [[nodiscard]] const Verb& Find(const http::HttpRequest& request) const;

  std::array<Verb, 9> verbs_;  // the last one is "other"
  CodeCounters members_;
};

}  // namespace sealane::gateway
