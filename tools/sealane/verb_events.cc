// sealane events: what the services decided and did.
#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/same_word.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

// Whether the cluster (empty: any) is the event's, or one of those that a decision was about.
bool IsAbout(const v1::Event& event, const std::string& cluster) {
  return cluster.empty() || event.cluster() == cluster ||
         std::find(event.clusters().begin(), event.clusters().end(), cluster) !=
             event.clusters().end();
}

struct Filter {
  AppName object;
  std::string ns, cluster, service, reason;
  bool warnings = false;
  int64_t since_micros = 0;
  uint32_t limit = 1000;  // of the past

  [[nodiscard]] bool Matches(const v1::Event& event) const {
    const auto fits = [](const std::string& wanted, const std::string& is) {
      return wanted.empty() || wanted == is;
    };
    return fits(ns, event.ref().namespace_()) && fits(object.name, event.ref().name()) &&
           (object.kind.empty() || SameWord(object.kind, event.ref().kind())) &&
           IsAbout(event, cluster) && fits(service, event.service()) &&
           fits(reason, event.reason()) && (!warnings || event.type() == "Warning") &&
           event.time_micros() >= since_micros;
  }

  [[nodiscard]] v1::QueryRequest Question() const {
    v1::QueryRequest request;
    request.set_what("events");
    request.set_namespace_(ns);
    request.set_name(object.name);
    request.set_cluster(cluster);
    request.set_limit(limit);
    auto& options = *request.mutable_options();
    if (!object.kind.empty()) options["kind"] = object.kind;
    if (!service.empty()) options["service"] = service;
    if (!reason.empty()) options["reason"] = reason;
    if (warnings) options["type"] = "Warning";
    if (since_micros > 0) options["since_micros"] = StrCat(since_micros);
    return request;
  }
};

absl::StatusOr<Filter> ReadFilter(const Args& args, const Fleet& fleet) {
  Filter filter;
  if (!args.positional().empty()) {
    SEALANE_ASSIGN_OR_RETURN(filter.object, ParseAppName(args.positional()[0]));
  }
  filter.ns = args.Get("namespace");
  filter.cluster = args.Get("cluster");
  filter.service = args.Get("service");
  filter.reason = args.Get("reason");
  filter.warnings = args.Has("warnings");
  if (args.Has("since")) {
    SEALANE_ASSIGN_OR_RETURN(const absl::Duration since,
                             args.Duration("since", absl::ZeroDuration()));
    filter.since_micros = fleet.NowMicros() - absl::ToInt64Microseconds(since);
  }
  if (args.Has("limit") &&
      (!absl::SimpleAtoi(args.Get("limit"), &filter.limit) || filter.limit == 0)) {
    return InvalidArgument(StrCat("--limit: \"", args.Get("limit"), "\" is not a number above 0"));
  }
  return filter;
}

int Events(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().size() > 1) {
    return Fail(terminal, InvalidArgument("events takes at most one NAME or KIND/NAME"));
  }
  const auto format = OutputFormat(args, {"json"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  const auto filter = ReadFilter(args, **fleet);
  if (!filter.ok()) return Fail(terminal, filter.status());

  std::set<std::string> shown;  // by id: an event may be told as history and as news
  const auto show = [&](const v1::Event& event) {
    if (!filter->Matches(event) || !shown.insert(event.id()).second) return;
    terminal.out << (*format == "json" ? MessageToJson(event).dump()
                                       : FormatEvent(event, terminal.style))
                 << "\n";
  };
  absl::Status history_status;
  const auto history = [&]() {
    const auto reply = (*fleet)->Query("status", filter->Question(), *timeout);
    history_status = reply.status();
    if (!reply.ok()) return false;
    for (const v1::Event& event : reply->events()) show(event);
    terminal.out.flush();
    if (reply->truncated()) {
      terminal.err << "note: these are the newest " << filter->limit
                   << "; there are older ones: --limit N shows more\n";
    }
    return true;
  };
  if (!args.Has("follow")) {
    history();
    return history_status.ok() ? kOk : Fail(terminal, history_status);
  }
  const absl::Status status =
      (*fleet)->Follow(platform::kEvents, absl::InfiniteDuration(), history,
                       [&](std::string_view, std::string_view payload) {
                         v1::Event event;
                         if (event.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
                           show(event);
                         terminal.out.flush();
                         return true;
                       });
  if (!history_status.ok()) return Fail(terminal, history_status);
  return status.ok() ? kOk : Fail(terminal, status);
}

}  // namespace

Command EventsCommand() {
  return {"events",
          "[[KIND/]NAME]",
          "Show what the fleet decided and did: accepted, claimed, placed, moved, lost, ...",
          "Oldest first. The fleet keeps them for a week. --cluster finds decisions about several "
          "clusters, too.\n\n"
          "  sealane events -n classroom\n"
          "  sealane events deployment/classroom --follow\n"
          "  sealane events --cluster aws-virginia --since 1h --warnings\n",
          {{"follow", 'f', "", "go on with what happens, until interrupted"},
           {"namespace", 'n', "NAMESPACE", "only about objects of this namespace"},
           {"cluster", 0, "NAME", "only about this cluster"},
           {"since", 0, "DURATION", "only of the last 30s, 5m, 1h"},
           {"reason", 0, "REASON", "only with this reason: Moved, RenderFailed, ClusterLost"},
           {"service", 0, "SERVICE", "only of policy, scheduler or status"},
           {"warnings", 0, "", "only what is not as it should be"},
           {"limit", 0, "N", "at most so many of the past, the newest (default 1000)"},
           {"output", 'o', "json", "one JSON object a line"}},
          true,
          Events};
}

}  // namespace sealane::cli
