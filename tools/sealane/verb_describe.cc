// sealane describe, sealane top: all that is known of one thing; how full clusters are.
#include "lib/core/json.h"
#include "lib/core/same_word.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"
#include "tools/sealane/describe_view.h"
#include "tools/sealane/history.h"
#include "tools/sealane/lookup.h"

namespace sealane::cli {
namespace {

constexpr int kRevisions = 5;
constexpr int kEvents = 10;

ViewOptions OptionsFor(const Invocation& invocation, const Fleet& fleet) {
  ViewOptions options;
  options.style = invocation.terminal.style;
  options.now_micros = fleet.NowMicros();
  options.wide = true;
  return options;
}

void Section(Terminal& terminal, std::string_view title, const std::string& text) {
  if (text.empty()) return;
  terminal.out << "\n" << terminal.style.Bold(title) << "\n" << text;
}

absl::Status DescribeCluster(const Invocation& invocation, Fleet& fleet, const std::string& name,
                             absl::Duration timeout) {
  Terminal& terminal = invocation.terminal;
  v1::QueryRequest request;
  request.set_cluster(name);
  const auto ask = [&](const char* what) {
    request.set_what(what);
    return fleet.Query("status", request, timeout);
  };
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply clusters, ask("clusters"));
  if (clusters.clusters().empty()) {
    return NotFound(StrCat("there is no cluster ", name, "; `sealane get clusters` lists them"));
  }
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply progress, ask("cluster_progress"));
  Json counts = Json::parse(progress.body(), nullptr, /*allow_exceptions=*/false);
  if (!counts.is_object()) counts = Json::object();
  terminal.out << FormatClusterDetails(clusters.clusters(0), counts, OptionsFor(invocation, fleet));
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply events, ask("events"));
  Section(terminal, "Events", FormatRecentEvents(events, kEvents, terminal.style));
  return absl::OkStatus();
}

// Who published the object, and what it was before.
void DescribeRevisions(const Invocation& invocation, Fleet& fleet, const v1::ObjectRef& ref,
                       absl::Duration timeout, const ViewOptions& options) {
  Terminal& terminal = invocation.terminal;
  const auto reply = fleet.Query("policy", About("history", ref), timeout);
  if (!reply.ok()) return;  // the rest is worth showing
  auto history = SelectHistory(*reply, AppName{ref.kind(), ref.name()});
  if (!history.ok()) return;
  Section(terminal, "Published", FormatPublished(history->revisions.back(), options));
  std::vector<v1::StoredObject>& revisions = history->revisions;
  if (revisions.size() > kRevisions)
    revisions.erase(revisions.begin(), revisions.end() - kRevisions);
  ViewOptions brief = options;
  brief.wide = false;
  std::string table = FormatHistory(*history, brief);
  Section(terminal, "Revisions", table.substr(table.find('\n') + 1));
}

absl::Status DescribeApp(const Invocation& invocation, Fleet& fleet, const v1::AppStatus& app,
                         absl::Duration timeout) {
  Terminal& terminal = invocation.terminal;
  const ViewOptions options = OptionsFor(invocation, fleet);
  v1::QueryReply placements;
  const AppDetails details = FetchDetails(fleet, app, timeout, &placements);
  terminal.out << FormatAppDetails(details, options);
  DescribeRevisions(invocation, fleet, app.ref(), timeout, options);
  v1::QueryRequest request = About("events", app.ref());
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply events, fleet.Query("status", request, timeout));
  Section(terminal, "Events", FormatRecentEvents(events, kEvents, terminal.style));
  return absl::OkStatus();
}

absl::Status DescribeOne(const Invocation& invocation) {
  const Args& args = invocation.args;
  std::vector<std::string> words = args.positional();
  // `describe cluster aws` as well as `describe cluster/aws`.
  if (words.size() == 2) words = {StrCat(words[0], "/", words[1])};
  if (words.size() != 1) return InvalidArgument("give one NAME, KIND/NAME or cluster/NAME");
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(words[0]));
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  if (SameWord(name.kind, "cluster")) {
    return DescribeCluster(invocation, *fleet, name.name, timeout);
  }
  const std::string ns = args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
  SEALANE_ASSIGN_OR_RETURN(const v1::AppStatus app, FindApp(*fleet, name, ns, timeout));
  return DescribeApp(invocation, *fleet, app, timeout);
}

int Describe(const Invocation& invocation) {
  const absl::Status status = DescribeOne(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

absl::StatusOr<TopOrder> OrderOf(const Args& args) {
  const std::string by = args.Has("sort") ? args.Get("sort") : "cpu";
  if (by == "cpu") return TopOrder::kCpu;
  if (by == "memory") return TopOrder::kMemory;
  if (by == "pods") return TopOrder::kPods;
  if (by == "name") return TopOrder::kName;
  return InvalidArgument(StrCat("--sort is \"", by, "\"; allowed: cpu, memory, pods, name"));
}

absl::Status ShowTop(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().size() != 1 || args.positional()[0] != "clusters") {
    return InvalidArgument("top of what? Allowed: clusters");
  }
  SEALANE_ASSIGN_OR_RETURN(const TopOrder order, OrderOf(args));
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation));
  v1::QueryRequest request;
  request.set_what("clusters");
  request.set_label_selector(args.Get("selector"));
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet->Query("status", request, timeout));
  if (reply.clusters().empty()) {
    invocation.terminal.err << "no clusters\n";
  } else {
    invocation.terminal.out << FormatTopClusters(reply, order, OptionsFor(invocation, *fleet));
  }
  return absl::OkStatus();
}

int Top(const Invocation& invocation) {
  const absl::Status status = ShowTop(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

}  // namespace

Command DescribeCommand() {
  return {"describe",
          "[KIND/]NAME | cluster/NAME",
          "Show all that is known of one application or cluster",
          "Of an application: what `status -o wide` shows, who published it, its newest revisions "
          "and\n"
          "events. Of a cluster: labels, taints, resources, conditions, what is placed there, "
          "events.\n\n"
          "  sealane describe deployment/classroom -n classroom\n"
          "  sealane describe cluster/aws-virginia\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"}},
          true,
          Describe};
}

Command TopCommand() {
  return {
      "top",
      "clusters",
      "Show how full clusters are, the fullest first",
      "What pods ask for, of what ready and schedulable nodes have, as the agents last said.\n\n"
      "  sealane top clusters\n"
      "  sealane top clusters --sort memory -l tier=edge\n",
      {{"sort", 0, "BY", "cpu (default), memory, pods or name"},
       {"selector", 'l', "SELECTOR", "only clusters that have these labels"}},
      true,
      Top};
}

}  // namespace sealane::cli
