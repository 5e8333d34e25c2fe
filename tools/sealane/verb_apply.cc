// sealane apply, sealane delete: manifests become deploy events, and the answers are shown.
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/deploy_plan.h"
#include "tools/sealane/input.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

bool AllAccepted(const v1::DeployResult& result) {
  for (const v1::OperationResult& operation : result.results()) {
    if (!operation.accepted()) return false;
  }
  return result.errors().empty();
}

int Deploy(const Invocation& invocation, bool deleting) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  std::vector<std::string> paths = args.All("filename");
  if (paths.empty() || !args.positional().empty()) {
    return Fail(terminal,
                absl::InvalidArgumentError(
                    "give the manifests with -f FILE, -f DIRECTORY or -f - (standard input)"));
  }
  const std::string format = args.Get("output");
  if (!format.empty() && format != "json" && format != "yaml") {
    return Fail(terminal, absl::InvalidArgumentError("--output: allowed: json, yaml"));
  }
  const auto documents = ReadDocuments(paths, args.Has("recursive"), terminal.in);
  if (!documents.ok()) return Fail(terminal, documents.status());
  const auto timeout = Timeout(args);
  if (!timeout.ok()) return Fail(terminal, timeout.status());

  DeployPlanOptions options;
  options.deleting = deleting;
  options.dry_run = args.Has("dry-run");
  options.all_or_nothing = args.Has("all-or-nothing");
  options.publisher = Publisher(invocation);
  auto events = PlanDeploy(*documents, options);
  if (!events.ok()) return Fail(terminal, events.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());

  int code = kOk;
  for (v1::DeployEvent& event : *events) {
    event.set_id((*fleet)->NewId());
    event.set_created_micros((*fleet)->NowMicros());
    const auto result = (*fleet)->Deploy(event, *timeout);
    if (!result.ok()) return Fail(terminal, result.status());
    if (format == "json") {
      terminal.out << MessageToJson(*result).dump(2) << "\n";
    } else if (format == "yaml") {
      terminal.out << "---\n" << kube::ToYaml(MessageToJson(*result));
    } else {
      terminal.out << FormatDeployResult(*result, deleting, options.dry_run, terminal.style);
    }
    if (!AllAccepted(*result)) code = kRefused;
  }
  return code;
}

std::vector<FlagSpec> DeployFlags() {
  return {{"filename", 'f', "FILE|DIR|-", "YAML or JSON, any number of documents", true},
          {"recursive", 'R', "", "also the directories below"},
          {"dry-run", 0, "", "only check and answer; change nothing"},
          {"all-or-nothing", 0, "", "refuse everything when one object is refused"},
          {"publisher", 0, "TEXT", "who did this, for events and history (default $USER)"},
          {"output", 'o', "json|yaml", "the whole answer instead of a line per object"}};
}

}  // namespace

Command ApplyCommand() {
  return {
      "apply",
      "-f FILE|DIR|-",
      "Send manifests to the fleet: workloads, policies, clusters",
      "Waits until the fleet has accepted or refused each object, and says which field is at "
      "fault.\n"
      "Accepted means: durable, and on its way to the clusters; `sealane status` shows how far.\n\n"
      "  sealane apply -f app.yaml\n"
      "  sealane apply -f examples/classroom/\n"
      "  generate | sealane apply -f - --dry-run\n",
      DeployFlags(),
      true,
      [](const Invocation& invocation) { return Deploy(invocation, false); }};
}

Command DeleteCommand() {
  return {"delete",
          "-f FILE|DIR|-",
          "Remove the objects that manifests name from the whole fleet",
          "Only the identity in the manifests counts. The objects go from every cluster; an object "
          "that\n"
          "is not there counts as deleted.\n\n"
          "  sealane delete -f examples/classroom/\n",
          DeployFlags(),
          true,
          [](const Invocation& invocation) { return Deploy(invocation, true); }};
}

}  // namespace sealane::cli
