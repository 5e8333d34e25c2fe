// sealane status: one application: where it runs, how well, and why there.
#include <algorithm>

#include "absl/time/time.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/apps.h"
#include "tools/sealane/cluster_change.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr std::string_view kHealthy = "Healthy";

struct Target {
  AppName name;
  std::string ns;
};

absl::StatusOr<std::vector<v1::AppStatus>> FindApps(Fleet& fleet, const Target& target,
                                                    absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_namespace_(target.ns);
  request.set_name(target.name.name);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  return SelectApps(reply, target.name);
}

Json DetailsToJson(const AppDetails& details) {
  Json json = MessageToJson(details.app);
  if (details.placed != nullptr) json["placement"] = MessageToJson(*details.placed);
  Json works = Json::array();
  for (const v1::Work& work : details.works.works()) works.push_back(MessageToJson(work));
  json["works"] = std::move(works);
  return json;
}

// A namespace that no policy claims goes where its content goes, and says nothing about health.
bool Healthy(const std::vector<v1::AppStatus>& apps) {
  return std::all_of(apps.begin(), apps.end(), [](const v1::AppStatus& app) {
    return app.phase() == kHealthy || (app.ref().kind() == "Namespace" && app.policy().empty());
  });
}

int Show(const Invocation& invocation, Fleet& fleet, const std::vector<v1::AppStatus>& apps,
         absl::Duration timeout) {
  Terminal& terminal = invocation.terminal;
  v1::QueryReply placements;
  const AppDetails details = FetchDetails(fleet, apps.front(), timeout, &placements);
  const std::string format = invocation.args.Get("output");
  if (format == "json" || format == "yaml") {
    const Json json = DetailsToJson(details);
    terminal.out << (format == "json" ? json.dump(2) + "\n" : kube::ToYaml(json));
  } else {
    ViewOptions options;
    options.style = terminal.style;
    options.now_micros = fleet.NowMicros();
    options.wide = format == "wide";
    terminal.out << FormatAppDetails(details, options);
    if (apps.size() > 1) {
      v1::QueryReply others;
      for (size_t i = 1; i < apps.size(); ++i) *others.add_apps() = apps[i];
      terminal.out << "\nWith the same name:\n" << FormatApps(others, options);
    }
  }
  return Healthy(apps) ? kOk : kNotHealthy;
}

// Prints a line whenever something changed; with `until_healthy` ends when all is well.
absl::Status Watch(Terminal& terminal, Fleet& fleet, const Target& target, bool until_healthy,
                   absl::Duration watch_time, absl::Duration timeout) {
  std::string last;
  bool done = false;
  absl::Status failed;
  const auto look = [&]() {
    const auto apps = FindApps(fleet, target, timeout);
    if (!apps.ok()) {
      // An application that was just published may not be known yet.
      if (until_healthy && absl::IsNotFound(apps.status())) return true;
      failed = apps.status();
      return false;
    }
    std::string lines;
    for (const v1::AppStatus& app : *apps) {
      lines.append(StrCat(FormatRef(app.ref()), "  ", ProgressLine(app), "\n"));
    }
    if (lines != last) {
      const std::string time = absl::FormatTime(
          "%H:%M:%E3S ", absl::FromUnixMicros(fleet.NowMicros()), absl::LocalTimeZone());
      for (const v1::AppStatus& app : *apps) {
        const std::string line = StrCat(FormatRef(app.ref()), "  ", ProgressLine(app), "\n");
        if (last.find(line) == std::string::npos) terminal.out << time << " " << line;
      }
      terminal.out.flush();
      last = lines;
    }
    done = until_healthy && Healthy(*apps);
    return !done;
  };
  const absl::Status status = fleet.Follow(
      platform::kAppStatus, watch_time, look, [&](std::string_view, std::string_view payload) {
        v1::AppStatus changed;
        const bool parsed =
            changed.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
        // A delete marker has no payload: it may be about the application.
        const bool other = parsed && !payload.empty() && changed.ref().name() != target.name.name;
        return other ? true : look();
      });
  if (!failed.ok()) return failed;
  return done ? absl::OkStatus() : status;
}

int StatusOfCluster(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  if (!invocation.args.positional().empty() || invocation.args.Has("watch") ||
      invocation.args.Has("wait") || invocation.args.Has("output")) {
    return Fail(terminal, InvalidArgument("--cluster stands alone: an application's status tells "
                                          "of each of its clusters"));
  }
  const auto timeout = Timeout(invocation.args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  return ShowCluster(invocation, **fleet, invocation.args.Get("cluster"), *timeout);
}

int Status(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.Has("cluster")) return StatusOfCluster(invocation);
  if (args.positional().size() != 1) {
    return Fail(terminal, InvalidArgument("status of what? Give NAME or KIND/NAME; "
                                          "`sealane get apps -A` lists what there is"));
  }
  const auto name = ParseAppName(args.positional()[0]);
  if (!name.ok()) return Fail(terminal, name.status());
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  Context context;
  const auto fleet = Connect(invocation, &context);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  const Target target{*name,
                      args.Has("namespace") ? args.Get("namespace") : context.default_namespace};

  if (args.Has("watch") || args.Has("wait")) {
    const bool wait = args.Has("wait");
    const absl::Status watched = Watch(terminal, **fleet, target, wait,
                                       wait ? *timeout : absl::InfiniteDuration(), *timeout);
    if (!watched.ok() && !absl::IsDeadlineExceeded(watched)) return Fail(terminal, watched);
    if (!watched.ok()) {
      terminal.err << terminal.style.Red("error:") << " not healthy after "
                   << absl::FormatDuration(*timeout) << "\n";
    }
  }
  const auto apps = FindApps(**fleet, target, *timeout);
  if (!apps.ok()) return Fail(terminal, apps.status());
  return Show(invocation, **fleet, *apps, *timeout);
}

}  // namespace

Command StatusCommand() {
  return {"status",
          "[KIND/]NAME | --cluster CLUSTER",
          "Show one application: health per cluster, replicas, differences, and why it runs there",
          "Ends with exit code 0 when the application is healthy, with 4 when it is not. With\n"
          "--cluster: how the cluster is, and how far what is placed there.\n\n"
          "  sealane status classroom -n classroom\n"
          "  sealane status deployment/classroom --wait --timeout 2m\n"
          "  sealane status classroom --watch\n"
          "  sealane status --cluster aws-virginia\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
           {"cluster", 0, "CLUSTER", "show this cluster instead"},
           {"output", 'o', "FORMAT", "wide, json or yaml"},
           {"watch", 'w', "", "print a line at each change, until interrupted"},
           {"wait", 0, "", "print a line at each change, until healthy or --timeout"}},
          true,
          Status};
}

}  // namespace sealane::cli
