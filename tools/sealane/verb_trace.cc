// sealane trace: how far a deploy event has come, and how long each step took.
#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/apps.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/trace_view.h"

namespace sealane::cli {
namespace {

// Of an event with more objects that were overtaken since, the others are not looked up.
constexpr int kMaxLookups = 50;

// `about`: narrows it further.
absl::StatusOr<v1::QueryReply> OfTrace(Fleet& fleet, std::string_view what, const std::string& id,
                                       const v1::ObjectRef& about, absl::Duration timeout) {
  v1::QueryRequest request = About(what, about);
  (*request.mutable_options())["trace"] = id;
  return fleet.Query("status", request, timeout);
}

// The event of that id, as far as it is still known. NOT_FOUND when nothing is.
absl::StatusOr<TraceDetails> FindEvent(Fleet& fleet, const std::string& id,
                                       absl::Duration timeout) {
  TraceDetails trace;
  trace.id = id;
  SEALANE_ASSIGN_OR_RETURN(trace.result, fleet.Result(id, timeout));
  if (trace.result.has_value() && !trace.result->trace_id().empty()) {
    trace.id = trace.result->trace_id();
  }
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           OfTrace(fleet, "apps", trace.id, {}, timeout));
  trace.apps.assign(reply.apps().begin(), reply.apps().end());
  if (!trace.result.has_value() && trace.apps.empty()) return NotFound("nothing is known of it");
  return trace;
}

absl::StatusOr<TraceDetails> TraceOfApp(Fleet& fleet, const AppName& name, const std::string& ns,
                                        absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_namespace_(ns);
  request.set_name(name.name);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::AppStatus> apps, SelectApps(reply, name));
  TraceDetails trace;
  trace.id = apps.front().trace_id();
  trace.apps.push_back(apps.front());
  return trace;
}

// What a newer event has changed since.
void LookUpOvertaken(Fleet& fleet, absl::Duration timeout, TraceDetails& trace) {
  if (!trace.result.has_value()) return;
  int looked_up = 0;
  for (const v1::OperationResult& operation : trace.result->results()) {
    if (!operation.accepted() || !operation.changed() || looked_up == kMaxLookups) continue;
    const auto same = [&](const v1::AppStatus& app) {
      return KeyOf(app.ref()) == KeyOf(operation.object());
    };
    if (std::any_of(trace.apps.begin(), trace.apps.end(), same)) continue;
    ++looked_up;
    const auto reply = fleet.Query("status", About("apps", operation.object()), timeout);
    if (!reply.ok()) return;  // without it the rest is still an answer
    for (const v1::AppStatus& app : reply->apps()) {
      if (same(app) && app.generation() > operation.generation()) trace.overtaken.push_back(app);
    }
  }
}

void FillIn(Fleet& fleet, absl::Duration timeout, bool one_object, TraceDetails& trace) {
  LookUpOvertaken(fleet, timeout, trace);
  for (const v1::AppStatus& app : trace.apps) {
    // What is not applied yet may have been rendered: only the policy service knows.
    if (app.observed_generation() >= app.generation()) continue;
    const auto works = fleet.Query("policy", About("works", app.ref()), timeout);
    if (works.ok()) trace.works.mutable_works()->MergeFrom(works->works());
  }
  // What people ask for first: what has replicas.
  std::stable_partition(trace.apps.begin(), trace.apps.end(),
                        [](const v1::AppStatus& app) { return app.replicas().wanted() > 0; });
  const v1::ObjectRef about = one_object ? trace.apps.front().ref() : v1::ObjectRef();
  const auto told = OfTrace(fleet, "events", trace.id, about, timeout);
  if (!told.ok()) return;
  trace.events.assign(told->events().begin(), told->events().end());
  // Several services wrote them.
  std::stable_sort(trace.events.begin(), trace.events.end(),
                   [](const auto& a, const auto& b) { return a.time_micros() < b.time_micros(); });
}

int Trace(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().size() != 1) {
    return Fail(terminal, InvalidArgument("trace of what? Give an EVENT-ID, NAME or KIND/NAME"));
  }
  const std::string& what = args.positional()[0];
  const auto format = OutputFormat(args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());
  Context context;
  const auto fleet = Connect(invocation, &context);
  if (!fleet.ok()) return Fail(terminal, fleet.status());

  absl::StatusOr<TraceDetails> trace = NotFound("");
  if (what.find('/') == std::string::npos) trace = FindEvent(**fleet, what, *timeout);
  const bool event = trace.ok();
  if (absl::IsNotFound(trace.status())) {
    const auto name = ParseAppName(what);
    if (!name.ok()) return Fail(terminal, name.status());
    const std::string ns =
        args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
    trace = TraceOfApp(**fleet, *name, ns, *timeout);
    if (absl::IsNotFound(trace.status())) {
      return Fail(terminal,
                  NotFound(StrCat("there is no event or application ", what,
                                  ": answers to events are kept for a day; `sealane get apps -A` "
                                  "lists the applications")));
    }
  }
  if (!trace.ok()) return Fail(terminal, trace.status());
  FillIn(**fleet, *timeout, !event, *trace);
  if (*format == "json") {
    terminal.out << TraceToJson(*trace).dump(2) << "\n";
  } else if (*format == "yaml") {
    terminal.out << kube::ToYaml(TraceToJson(*trace));
  } else {
    ViewOptions options;
    options.style = terminal.style;
    options.now_micros = (*fleet)->NowMicros();
    terminal.out << FormatTrace(*trace, options);
  }
  return kOk;
}

}  // namespace

Command TraceCommand() {
  return {
      "trace",
      "EVENT-ID | [KIND/]NAME",
      "Show how far a deploy event has come: each step and cluster, with its time",
      "The steps are accepted, claimed by a policy, placed, rendered, applied, healthy. Times\n"
      "are counted from the moment the event was received; of a name, its newest event counts.\n\n"
      "  sealane trace 5f0c2a1e-93c1-4f0e-9c1e-2f6d1a7b8c90\n"
      "  sealane trace deployment/classroom -n classroom\n",
      {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
       {"output", 'o', "json|yaml", "for programs; times in microseconds"}},
      true,
      Trace};
}

}  // namespace sealane::cli
