// sealane explain, sealane render: why an object runs where it runs, and what exactly each cluster
// gets.
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/apps.h"
#include "tools/sealane/command.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

struct Wanted {
  std::unique_ptr<Fleet> fleet;
  absl::Duration timeout;
  v1::AppStatus app;
};

absl::StatusOr<Wanted> Find(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().size() != 1) return InvalidArgument("give one NAME or KIND/NAME");
  Wanted wanted;
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(args.positional()[0]));
  SEALANE_ASSIGN_OR_RETURN(wanted.timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(wanted.fleet, Connect(invocation, &context));
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_name(name.name);
  request.set_namespace_(args.Has("namespace") ? args.Get("namespace") : context.default_namespace);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           wanted.fleet->Query("status", request, wanted.timeout));
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::AppStatus> apps, SelectApps(reply, name));
  wanted.app = apps.front();
  return wanted;
}

v1::QueryRequest About(std::string_view what, const v1::ObjectRef& ref) {
  v1::QueryRequest request;
  request.set_what(std::string(what));
  request.set_group(std::string(GroupOf(ref.api_version())));
  request.set_kind(ref.kind());
  request.set_namespace_(ref.namespace_());
  request.set_name(ref.name());
  return request;
}

std::string Scores(const v1::ClusterDecision& decision) {
  const std::map<std::string, int64_t> sorted(decision.scores().begin(), decision.scores().end());
  std::vector<std::string> words;
  for (const auto& [plugin, score] : sorted) words.push_back(StrCat(plugin, " ", score));
  return StrJoin(words, "\n");
}

int Explain(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto wanted = Find(invocation);
  if (!wanted.ok()) return Fail(terminal, wanted.status());
  const v1::AppStatus& app = wanted->app;
  const auto reply =
      wanted->fleet->Query("scheduler", About("placements", app.ref()), wanted->timeout);
  if (!reply.ok()) return Fail(terminal, reply.status());
  if (reply->placements().empty()) {
    terminal.out << FormatRef(app.ref()) << " has no placement: "
                 << (app.policy().empty() ? "no policy claims it" : app.policy() + " claims it")
                 << ". " << app.message() << "\n";
    return kRefused;
  }
  const v1::Placed& placed = reply->placements(0);
  if (invocation.args.Get("output") == "json") {
    terminal.out << MessageToJson(placed).dump(2) << "\n";
    return kOk;
  }
  terminal.out << FormatRef(app.ref()) << "  " << terminal.style.Word(placed.state()) << "  "
               << placed.message() << "\n\n";
  TextTable table({"CLUSTER", "CHOSEN", "REPLICAS", "ROOM FOR", "SCORES", "WHY"});
  for (const v1::ClusterDecision& decision : placed.decisions()) {
    std::vector<std::string> why(decision.reasons().begin(), decision.reasons().end());
    if (!decision.note().empty()) why.push_back(decision.note());
    table.Add({decision.cluster(), decision.selected() ? "yes" : "no", StrCat(decision.replicas()),
               decision.available_replicas() < 0 ? "-" : StrCat(decision.available_replicas()),
               Scores(decision), StrJoin(why, "\n")});
  }
  terminal.out << table.Render(terminal.style);
  return kOk;
}

int Render(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto wanted = Find(invocation);
  if (!wanted.ok()) return Fail(terminal, wanted.status());
  v1::QueryRequest request = About("works", wanted->app.ref());
  request.set_cluster(invocation.args.Get("cluster"));
  const auto reply = wanted->fleet->Query("policy", request, wanted->timeout);
  if (!reply.ok()) return Fail(terminal, reply.status());
  bool any = false;
  for (const v1::Work& work : reply->works()) {
    if (work.deleting()) continue;
    any = true;
    terminal.out << "---\n# cluster " << work.cluster() << "\n";
    for (const v1::AppliedOverride& applied : work.applied_overrides()) {
      terminal.out << "# " << FormatRef(applied.policy()) << " rule " << applied.rule() << " "
                   << applied.overrider() << ": " << applied.operator_() << " " << applied.path();
      if (!applied.value_json().empty()) terminal.out << " = " << applied.value_json();
      terminal.out << "\n";
    }
    const Json manifest = Json::parse(work.manifest(), nullptr, /*allow_exceptions=*/false);
    terminal.out << (manifest.is_discarded() ? work.manifest() + "\n" : kube::ToYaml(manifest));
  }
  if (any) return kOk;
  return Fail(terminal, NotFound(StrCat(FormatRef(wanted->app.ref()), " is in no such cluster; ",
                                        "`sealane status` shows where it is")));
}

}  // namespace

Command ExplainCommand() {
  return {"explain",
          "[KIND/]NAME",
          "Say for every cluster why an application runs there or not",
          "  sealane explain deployment/classroom -n classroom\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace"},
           {"output", 'o', "json", "the scheduler's whole answer"}},
          true,
          Explain};
}

Command RenderCommand() {
  return {"render",
          "[KIND/]NAME",
          "Print the manifest that each cluster gets, and which overrides made it so",
          "  sealane render deployment/classroom --cluster aws-virginia\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace"},
           {"cluster", 0, "NAME", "only this cluster"}},
          true,
          Render};
}

}  // namespace sealane::cli
