#include "tools/sealane/trace_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "tools/sealane/render_message.h"

namespace sealane::cli {
namespace {

// When a cluster took each step of the newest generation; 0: not yet.
struct ClusterTimes {
  int64_t placed = 0;
  int64_t rendered = 0;
  int64_t applied = 0;
  int64_t healthy = 0;
};

ClusterTimes TimesOf(const TraceDetails& trace, const v1::AppStatus& app,
                     const v1::ClusterAppStatus& cluster) {
  ClusterTimes times{.placed = cluster.placed_micros(), .rendered = cluster.rendered_micros()};
  if (cluster.applied_generation() >= app.generation()) {
    times.applied = cluster.applied_micros();
    times.healthy = cluster.healthy_micros();
  }
  if (times.rendered != 0) return times;
  for (const v1::Work& work : trace.works.works()) {
    if (work.cluster() == cluster.cluster() && KeyOf(work.ref()) == KeyOf(app.ref()) &&
        work.object_generation() >= app.generation()) {
      times.rendered = work.rendered_micros();
    }
  }
  return times;
}

// What a cluster that is not healthy waits for.
std::string WaitingLine(const v1::ClusterAppStatus& cluster) {
  std::string text = cluster.state();
  if (text == "Applied") text = cluster.health().empty() ? "Unknown" : cluster.health();
  for (const std::string* part : {&cluster.reason(), &cluster.message()}) {
    if (!part->empty()) text.append(": ").append(*part);
  }
  return text;
}

std::string ClockTime(int64_t micros) {
  return absl::FormatTime("%H:%M:%E3S", absl::FromUnixMicros(micros), absl::LocalTimeZone());
}

// What the times of this object are counted from.
int64_t Begin(const TraceDetails& trace, const v1::AppStatus& app) {
  return trace.result.has_value() && trace.result->received_micros() != 0
             ? trace.result->received_micros()
             : app.accepted_micros();
}

std::string FormatApp(const TraceDetails& trace, const v1::AppStatus& app, const Style& style) {
  const int64_t begin = Begin(trace, app);
  std::string out = StrCat(style.Bold(FormatRef(app.ref())), "  generation ", app.generation(),
                           "  ", style.Word(app.phase()), "\n");
  out.append(StrCat("accepted ", begin == app.accepted_micros()
                                     ? ClockTime(begin)
                                     : FormatOffset(begin, app.accepted_micros())));
  out.append(StrCat("  claimed ", FormatOffset(begin, app.claimed_micros())));
  std::vector<std::string> header = {"CLUSTER", "PLACED", "RENDERED", "APPLIED", "HEALTHY"};
  int64_t last = 0;
  const bool all_healthy =
      std::all_of(app.clusters().begin(), app.clusters().end(),
                  [&](const auto& cluster) { return TimesOf(trace, app, cluster).healthy != 0; });
  if (!all_healthy) header.emplace_back("WAITS FOR");
  TextTable table(std::move(header));
  for (const v1::ClusterAppStatus& cluster : app.clusters()) {
    const ClusterTimes times = TimesOf(trace, app, cluster);
    last = std::max(last, times.healthy);
    std::vector<std::string> row = {
        cluster.cluster(), FormatOffset(begin, times.placed), FormatOffset(begin, times.rendered),
        FormatOffset(begin, times.applied), FormatOffset(begin, times.healthy)};
    if (!all_healthy) row.push_back(times.healthy != 0 ? "" : WaitingLine(cluster));
    table.Add(std::move(row));
  }
  if (app.phase() == "Healthy") {
    out.append(StrCat("  healthy everywhere ", FormatOffset(begin, last)));
  }
  out.push_back('\n');
  if (table.empty()) return out.append(app.message()).append("\n");
  return out.append(table.Render(style));
}

// Objects of the event that have no rollout of their own to show.
std::string FormatOthers(const TraceDetails& trace, const Style& style) {
  std::string out;
  if (!trace.result.has_value()) return out;
  for (const v1::OperationResult& operation : trace.result->results()) {
    const ObjectKey key = KeyOf(operation.object());
    const auto same = [&key](const v1::AppStatus& app) { return KeyOf(app.ref()) == key; };
    if (std::any_of(trace.apps.begin(), trace.apps.end(), same)) continue;
    out.append(FormatRef(operation.object())).append("  ");
    const auto newer = std::find_if(trace.overtaken.begin(), trace.overtaken.end(), same);
    if (!operation.accepted()) {
      out.append(style.Red("refused"));
    } else if (newer != trace.overtaken.end()) {
      out.append(StrCat("generation ", operation.generation(), ", overtaken by generation ",
                        newer->generation(), ": sealane trace ", newer->trace_id()));
    } else if (!operation.changed()) {
      out.append("unchanged");
    } else {
      out.append(StrCat("accepted, generation ", operation.generation()));
    }
    out.push_back('\n');
  }
  return out;
}

}  // namespace

std::string FormatOffset(int64_t from_micros, int64_t to_micros) {
  if (to_micros == 0) return "-";
  // Clocks of two machines may contradict each other.
  const int64_t micros = std::max<int64_t>(0, to_micros - from_micros);
  if (micros < 10'000) return absl::StrFormat("+%.1fms", static_cast<double>(micros) / 1e3);
  if (micros < 1'000'000) return StrCat("+", micros / 1000, "ms");
  if (micros < 60'000'000) return absl::StrFormat("+%.2fs", static_cast<double>(micros) / 1e6);
  return StrCat("+", absl::FormatDuration(absl::Seconds(micros / 1'000'000)));
}

std::string FormatTrace(const TraceDetails& trace, const ViewOptions& options) {
  std::string out = StrCat("trace ", trace.id);
  if (trace.result.has_value()) {
    const v1::DeployResult& result = *trace.result;
    out.append(StrCat("\nevent ", result.event_id(), "  received ",
                      ClockTime(result.received_micros()), "  durable ",
                      FormatOffset(result.received_micros(), result.durable_micros()), "  ",
                      result.accepted() ? "accepted" : options.style.Red("not all accepted")));
  }
  out.push_back('\n');
  for (const v1::AppStatus& app : trace.apps) {
    out.append("\n").append(FormatApp(trace, app, options.style));
  }
  if (const std::string others = FormatOthers(trace, options.style); !others.empty()) {
    out.append("\n").append(others);
  }
  if (trace.events.empty()) return out;
  out.append("\n");
  for (const v1::Event& event : trace.events) {
    out.append(FormatEvent(event, options.style)).append("\n");
  }
  return out;
}

Json TraceToJson(const TraceDetails& trace) {
  Json json = {{"traceId", trace.id}, {"objects", Json::array()}, {"events", Json::array()}};
  if (trace.result.has_value()) {
    json["result"] = MessageToJson(*trace.result);
    json["receivedMicros"] = trace.result->received_micros();
    json["durableMicros"] = trace.result->durable_micros();
  }
  for (const v1::AppStatus& app : trace.apps) {
    Json clusters = Json::array();
    for (const v1::ClusterAppStatus& cluster : app.clusters()) {
      const ClusterTimes times = TimesOf(trace, app, cluster);
      clusters.push_back({{"cluster", cluster.cluster()},
                          {"placedMicros", times.placed},
                          {"renderedMicros", times.rendered},
                          {"appliedMicros", times.applied},
                          {"healthyMicros", times.healthy},
                          {"state", cluster.state()},
                          {"health", cluster.health()},
                          {"message", cluster.message()}});
    }
    json["objects"].push_back({{"ref", MessageToJson(app.ref())},
                               {"generation", app.generation()},
                               {"phase", app.phase()},
                               {"acceptedMicros", app.accepted_micros()},
                               {"claimedMicros", app.claimed_micros()},
                               {"clusters", std::move(clusters)}});
  }
  for (const v1::Event& event : trace.events) json["events"].push_back(MessageToJson(event));
  return json;
}

}  // namespace sealane::cli
