#include "services/gateway/request_metrics.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/kubeapi/access.h"

namespace sealane::gateway {
namespace {

constexpr char kRequests[] = "sealane_gateway_requests_total";
constexpr char kRequestsHelp[] = "Requests answered, by verb and code.";
constexpr char kReads[] = "sealane_gateway_read_seconds";
constexpr char kReadsHelp[] = "From a get or list of a client to its answer.";

// Those that have a series for themselves, in order.
constexpr std::array<int, 13> kCodes = {200, 201, 400, 401, 403, 404, 409,
                                        410, 422, 429, 500, 503, 504};
// For the others. The first is for "no answer".
constexpr std::array<const char*, 5> kClasses = {"none", "2xx", "3xx", "4xx", "5xx"};

// A get of what is not there is answered as fully as one of what is. Refusals and failures are
// fast or slow for reasons of their own.
bool IsServed(int code) { return (code >= 200 && code < 300) || code == 404; }

}  // namespace

CodeCounters::CodeCounters(Registry& registry, std::string_view name, std::string_view help,
                           const Labels& labels)
    : counters_{} {
  static_assert(kSeries == kCodes.size() + kClasses.size());
  Labels with_code = labels;
  size_t next = 0;
  const auto add = [&](std::string code) {
    with_code["code"] = std::move(code);
    counters_[next++] = &registry.AddCounter(name, help, with_code);
  };
  for (const int code : kCodes) add(std::to_string(code));
  for (const char* name_of_class : kClasses) add(name_of_class);
}

void CodeCounters::Count(int code) const {
  const auto* const found = std::lower_bound(kCodes.begin(), kCodes.end(), code);
  size_t at = static_cast<size_t>(found - kCodes.begin());
  if (found == kCodes.end() || *found != code) {
    const int its_class = code == 0 ? 0 : std::clamp(code / 100, 2, 5) - 1;
    at = kCodes.size() + static_cast<size_t>(its_class);
  }
  counters_[at]->Increment();
}

RequestMetrics::RequestMetrics(Registry& r)
    : verbs_{[&r] {
        const auto verb = [&r](const char* name, bool timed = false) -> Verb {
          return {name, CodeCounters(r, kRequests, kRequestsHelp, {{"verb", name}}),
                  timed ? &r.AddHistogram(kReads, kReadsHelp, {{"verb", name}}) : nullptr};
        };
        return std::array<Verb, 9>{verb("get", true), verb("list", true),       verb("watch"),
                                   verb("create"),    verb("update"),           verb("patch"),
                                   verb("delete"),    verb("deletecollection"), verb("other")};
      }()},
      members_(r, "sealane_gateway_member_requests_total",
               "Requests into member clusters answered, by code.") {}

const RequestMetrics::Verb& RequestMetrics::Find(const http::HttpRequest& request) const {
  const kubeapi::Attributes asked =
      kubeapi::AttributesOf(request.method, http::ParseTarget(request.path));
  if (!asked.resource_request) return verbs_.back();
  const auto* const found = std::find_if(verbs_.begin(), verbs_.end() - 1,
                                         [&](const Verb& verb) { return verb.name == asked.verb; });
  return *found;
}

std::shared_ptr<http::ResponseWriter> RequestMetrics::Observe(
    std::shared_ptr<const RequestMetrics> metrics, const http::HttpRequest& request,
    const Clock& clock, std::shared_ptr<http::ResponseWriter> writer) {
  const Verb& verb = metrics->Find(request);
  return kubeapi::ObserveAnswer(std::move(writer), [metrics = std::move(metrics), &verb, &clock,
                                                    began = clock.Monotonic()](int code) {
    verb.answers.Count(code);
    if (verb.seconds == nullptr || !IsServed(code)) return;
    verb.seconds->Observe(absl::ToDoubleSeconds(clock.Monotonic() - began));
  });
}

std::shared_ptr<http::ResponseWriter> RequestMetrics::ObserveMember(
    std::shared_ptr<const RequestMetrics> metrics, std::shared_ptr<http::ResponseWriter> writer) {
  return kubeapi::ObserveAnswer(std::move(writer), [metrics = std::move(metrics)](int code) {
    metrics->members_.Count(code);
  });
}

}  // namespace sealane::gateway
