// sealane events: what the services decided and did.
#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

struct Filter {
  std::string ns, name, cluster;
  [[nodiscard]] bool Matches(const v1::Event& event) const {
    return (ns.empty() || event.ref().namespace_() == ns) &&
           (name.empty() || event.ref().name() == name) &&
           (cluster.empty() || event.cluster() == cluster ||
            std::find(event.clusters().begin(), event.clusters().end(), cluster) !=
                event.clusters().end());
  }
};

absl::StatusOr<uint32_t> Limit(const Args& args) {
  constexpr uint32_t kUsual = 1000;
  if (!args.Has("limit")) return kUsual;
  uint32_t limit = 0;
  if (!absl::SimpleAtoi(args.Get("limit"), &limit) || limit == 0) {
    return InvalidArgument(StrCat("--limit: \"", args.Get("limit"), "\" is not a number above 0"));
  }
  return limit;
}

int Events(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().size() > 1) {
    return Fail(terminal, InvalidArgument("events takes at most one NAME"));
  }
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  const auto limit = Limit(args);
  if (!limit.ok()) return Fail(terminal, limit.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());

  Filter filter{args.Get("namespace"), args.positional().empty() ? "" : args.positional()[0],
                args.Get("cluster")};
  const bool json = args.Get("output") == "json";
  std::set<std::string> shown;  // by id: an event may be told as history and as news
  const auto show = [&](const v1::Event& event) {
    if (!filter.Matches(event) || !shown.insert(event.id()).second) return;
    terminal.out << (json ? MessageToJson(event).dump() : FormatEvent(event, terminal.style))
                 << "\n";
  };
  absl::Status history_status;
  const auto history = [&]() {
    v1::QueryRequest request;
    request.set_what("events");
    request.set_namespace_(filter.ns);
    request.set_name(filter.name);
    request.set_cluster(filter.cluster);
    request.set_limit(static_cast<uint32_t>(*limit));
    const auto reply = (*fleet)->Query("status", request, *timeout);
    history_status = reply.status();
    if (!reply.ok()) return false;
    for (const v1::Event& event : reply->events()) show(event);
    terminal.out.flush();
    if (reply->truncated()) {
      terminal.err << "note: these are the newest " << *limit
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
          "[NAME]",
          "Show what the fleet decided and did: accepted, claimed, placed, moved, lost, ...",
          "  sealane events -n classroom\n"
          "  sealane events classroom --follow\n",
          {{"follow", 'f', "", "go on with what happens, until interrupted"},
           {"namespace", 'n', "NAMESPACE", "only about objects of this namespace"},
           {"cluster", 0, "NAME", "only about this cluster"},
           {"limit", 0, "N", "at most so many of the past, the newest (default 1000)"},
           {"output", 'o', "json", "one JSON object a line"}},
          true,
          Events};
}

}  // namespace sealane::cli
