// sealane history, sealane rollback: what an object was, and making it so again.
#include <charconv>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/history.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/render_message.h"

namespace sealane::cli {
namespace {

struct AskedHistory {
  std::unique_ptr<Fleet> fleet;
  absl::Duration timeout;
  ObjectHistory history;
};

absl::StatusOr<AskedHistory> AskHistory(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (args.positional().size() != 1) {
    return InvalidArgument(
        "give one NAME or KIND/NAME; `sealane get objects -A` lists what there is");
  }
  AskedHistory asked;
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(args.positional()[0]));
  SEALANE_ASSIGN_OR_RETURN(asked.timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(asked.fleet, Connect(invocation, &context));
  v1::QueryRequest request;
  request.set_what("history");
  request.set_name(name.name);
  request.set_namespace_(args.Has("namespace") ? args.Get("namespace") : context.default_namespace);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           asked.fleet->Query("policy", request, asked.timeout));
  SEALANE_ASSIGN_OR_RETURN(asked.history, SelectHistory(reply, name));
  return asked;
}

absl::StatusOr<const v1::StoredObject*> RevisionOf(const ObjectHistory& history, const Args& args,
                                                   std::string_view flag) {
  const std::string text = args.Get(flag);
  int64_t revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size() || revision <= 0) {
    return InvalidArgument(
        StrCat("--", flag, " is \"", text, "\"; a revision is a number of ", "`sealane history`"));
  }
  return FindRevision(history, revision);
}

absl::Status ShowHistory(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  SEALANE_ASSIGN_OR_RETURN(const std::string format,
                           OutputFormat(invocation.args, {"table", "wide", "json", "yaml"}));
  if (invocation.args.Has("diff") && !invocation.args.Has("revision")) {
    return InvalidArgument("--diff needs --revision REV: it compares that one with the last");
  }
  SEALANE_ASSIGN_OR_RETURN(const AskedHistory asked, AskHistory(invocation));
  if (invocation.args.Has("revision")) {
    SEALANE_ASSIGN_OR_RETURN(const v1::StoredObject* revision,
                             RevisionOf(asked.history, invocation.args, "revision"));
    if (invocation.args.Has("diff")) {
      const std::string diff = RevisionDiff(*revision, asked.history.revisions.back());
      terminal.out << (diff.empty() ? "they are the same\n" : diff);
    } else if (format == "json") {
      terminal.out << Json::parse(revision->manifest(), nullptr, false).dump(2) << "\n";
    } else {
      terminal.out << RevisionText(*revision);
    }
    return absl::OkStatus();
  }
  if (format == "json" || format == "yaml") {
    const Json json = HistoryToJson(asked.history);
    terminal.out << (format == "json" ? json.dump(2) + "\n" : kube::ToYaml(json));
    return absl::OkStatus();
  }
  ViewOptions options;
  options.style = terminal.style;
  options.now_micros = asked.fleet->NowMicros();
  options.wide = format == "wide";
  terminal.out << FormatHistory(asked.history, options);
  if (!asked.history.in_force()) {
    terminal.out << "It is not in the fleet any more; `sealane rollback` brings it back.\n";
  }
  return absl::OkStatus();
}

int History(const Invocation& invocation) {
  const absl::Status status = ShowHistory(invocation);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

// --- Back ----------------------------------------------------------------------------------------

v1::DeployEvent RollbackEvent(const Invocation& invocation, const AskedHistory& asked,
                              const v1::StoredObject& target) {
  v1::DeployEvent event;
  event.set_id(asked.fleet->NewId());
  event.set_created_micros(asked.fleet->NowMicros());
  event.set_publisher(Publisher(invocation));
  event.set_dry_run(invocation.args.Has("dry-run"));
  v1::Operation& operation = *event.add_operations();
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(target.manifest());
  operation.set_source(
      StrCat("revision ", target.generation(), " of ", FormatRef(asked.history.ref)));
  // Only what was looked at is replaced.
  v1::Precondition& precondition = *operation.mutable_precondition();
  if (asked.history.in_force()) {
    precondition.set_expected_revision(asked.history.row_revision);
  } else {
    precondition.set_must_not_exist(true);
  }
  return event;
}

std::string StatusCommandFor(const v1::ObjectRef& ref) {
  return StrCat("sealane status ", ref.kind(), "/", ref.name(),
                ref.namespace_().empty() ? "" : StrCat(" -n ", ref.namespace_()), " --wait");
}

absl::StatusOr<int> RollBack(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  SEALANE_ASSIGN_OR_RETURN(const std::string format, OutputFormat(args, {"json", "yaml"}));
  SEALANE_ASSIGN_OR_RETURN(const AskedHistory asked, AskHistory(invocation));
  SEALANE_ASSIGN_OR_RETURN(
      const v1::StoredObject* target,
      args.Has("to") ? RevisionOf(asked.history, args, "to") : PreviousRevision(asked.history));
  const std::string name = FormatRef(asked.history.ref);
  const v1::StoredObject& last = asked.history.revisions.back();
  if (asked.history.in_force() && target->manifest() == last.manifest()) {
    terminal.out << name << " is as revision " << target->generation()
                 << " already: nothing to do\n";
    return kOk;
  }
  SEALANE_ASSIGN_OR_RETURN(
      const v1::DeployResult result,
      asked.fleet->Deploy(RollbackEvent(invocation, asked, *target), asked.timeout));
  const bool taken =
      result.errors().empty() && result.results_size() == 1 && result.results(0).errors().empty();
  const bool dry_run = args.Has("dry-run");
  if (format == "json") {
    terminal.out << MessageToJson(result).dump(2) << "\n";
  } else if (format == "yaml") {
    terminal.out << kube::ToYaml(MessageToJson(result));
  } else {
    terminal.out << FormatDeployResult(result, /*deleting=*/false, dry_run, terminal.style);
    if (taken && dry_run) {
      terminal.out << RevisionDiff(last, *target);
    } else if (taken) {
      terminal.out << "revision " << result.results(0).generation() << " is what revision "
                   << target->generation() << " was; `" << StatusCommandFor(asked.history.ref)
                   << "` follows it\n";
    }
  }
  return taken ? kOk : kRefused;
}

int Rollback(const Invocation& invocation) {
  const absl::StatusOr<int> code = RollBack(invocation);
  return code.ok() ? *code : Fail(invocation.terminal, code.status());
}

}  // namespace

Command HistoryCommand() {
  return {
      "history",
      "[KIND/]NAME",
      "Show the revisions of an object and who published them",
      "A revision is a generation of the published manifest. The one in force and the ten before "
      "it are\n"
      "kept, of any kind of object, and also after the object was deleted.\n\n"
      "  sealane history deployment/classroom -n classroom\n"
      "  sealane history classroom -n classroom --revision 3\n"
      "  sealane history classroom -n classroom --revision 3 --diff\n",
      {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
       {"revision", 0, "REV", "print the manifest of this revision"},
       {"diff", 0, "", "with --revision: what changed from it to the last one"},
       {"output", 'o', "FORMAT", "table (default), wide, json or yaml"}},
      true,
      History};
}

Command RollbackCommand() {
  return {
      "rollback",
      "[KIND/]NAME [--to REV]",
      "Publish an earlier revision of an object again",
      "Without --to: the newest one that differs from what is in force; of an object that was "
      "deleted,\n"
      "its last. It becomes a new revision, and is refused when somebody changed the object "
      "meanwhile. A\n"
      "revision that is not kept is refused, and those that are kept are named. --dry-run shows "
      "what would\n"
      "change.\n\n"
      "  sealane rollback deployment/classroom -n classroom --to 3\n"
      "  sealane rollback classroom -n classroom --dry-run\n",
      {{"to", 0, "REV", "the revision, as `sealane history` numbers them"},
       {"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
       {"dry-run", 0, "", "only check, and show what would change"},
       {"publisher", 0, "TEXT", "who did this, for events and history (default $USER)"},
       {"output", 'o', "json|yaml", "the whole answer instead of a line"}},
      true,
      Rollback};
}

}  // namespace sealane::cli
