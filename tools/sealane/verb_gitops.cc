// sealane gitops: paths of Git repositories as the desired state.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/git_source.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/command.h"
#include "tools/sealane/gitops_view.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/object_change.h"

namespace sealane::cli {
namespace {

// Between two looks at what became of a request.
constexpr absl::Duration kLookAtRequest = absl::Milliseconds(200);
// One look. Who asks while nobody leads gets no answer and asks again.
constexpr absl::Duration kAnswer = absl::Seconds(2);

struct AskedSource {
  std::unique_ptr<Fleet> fleet;
  absl::Duration timeout;
  std::string name;
};

absl::StatusOr<AskedSource> AskSource(const Invocation& invocation) {
  const auto& words = invocation.args.positional();
  if (words.size() != 2)
    return InvalidArgument(StrCat("give one NAME: gitops ", words[0], " NAME"));
  AskedSource asked;
  asked.name = words[1];
  SEALANE_ASSIGN_OR_RETURN(asked.timeout, Timeout(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(asked.fleet, Connect(invocation));
  return asked;
}

v1::ObjectRef SourceRef(const std::string& name) {
  v1::ObjectRef ref;
  ref.set_api_version(std::string(kube::kGitSourceApiVersion));
  ref.set_kind(std::string(kube::kGitSourceKind));
  ref.set_name(name);
  return ref;
}

Json Manifest(const std::string& name) {
  return {{"apiVersion", kube::kGitSourceApiVersion},
          {"kind", kube::kGitSourceKind},
          {"metadata", {{"name", name}}}};
}

absl::StatusOr<Json> Sources(Fleet& fleet, const std::string& name, absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("sources");
  request.set_name(name);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("source", request, timeout));
  Json sources = Json::parse(reply.body(), nullptr, /*allow_exceptions=*/false);
  if (!sources.is_array()) return Internal("sealane-source answered something else than sources");
  return sources;
}

// Looks at the source until `done` says so; it is given null when there is no such source.
absl::StatusOr<Json> WaitFor(AskedSource& asked, std::string_view what,
                             const std::function<bool(const Json&)>& done) {
  const int64_t until = asked.fleet->NowMicros() + absl::ToInt64Microseconds(asked.timeout);
  while (true) {
    const absl::StatusOr<Json> found =
        Sources(*asked.fleet, asked.name, std::min(kAnswer, asked.timeout));
    const bool time_is_up = asked.fleet->NowMicros() >= until;
    if (found.ok()) {
      Json source = found->empty() ? Json() : (*found)[0];
      if (done(source)) return source;
    } else if (time_is_up || (found.status().code() != absl::StatusCode::kDeadlineExceeded &&
                              found.status().code() != absl::StatusCode::kUnavailable)) {
      return found.status();
    }
    if (time_is_up) {
      return absl::DeadlineExceededError(
          ToAbsl(StrCat("sealane-source has not ", what, " within ",
                        absl::FormatDuration(asked.timeout), "; it goes on with it")));
    }
    (void)asked.fleet->Follow(
        "events.>", kLookAtRequest, [] { return true; },
        [](std::string_view, std::string_view) { return true; });
  }
}

// Waits until the request of this id was handled and tells how that ended.
absl::StatusOr<int> WaitHandled(const Invocation& invocation, AskedSource& asked,
                                const std::string& id) {
  Terminal& terminal = invocation.terminal;
  SEALANE_ASSIGN_OR_RETURN(const Json source,
                           WaitFor(asked, "read the repository", [&](const Json& found) {
                             return kube::GetString(found, {"handledSync"}) == id;
                           }));
  const std::string state(kube::GetString(source, {"state"}));
  if (state == "Applied") {
    terminal.out << asked.name << ": commit "
                 << kube::GetString(source, {"appliedCommit"}).substr(0, 8) << " is applied, "
                 << kube::GetInt(source, {"objectCount"}) << " objects\n";
    return kOk;
  }
  terminal.out << asked.name << ": " << terminal.style.Word(state) << "  "
               << kube::GetString(source, {"message"}) << "\n";
  for (const Json& problem : source["problems"]) {
    terminal.err << kube::GetString(problem, {"text"}) << "\n";
  }
  return state == "Suspended" ? kOk : kRefused;
}

absl::StatusOr<int> Add(const Invocation& invocation) {
  const Args& args = invocation.args;
  if (!args.Has("repo")) return InvalidArgument("--repo is missing: the repository's URL or path");
  std::string url = args.Get("repo");
  if (url.starts_with(".")) url = std::filesystem::absolute(url).lexically_normal().string();
  SEALANE_ASSIGN_OR_RETURN(AskedSource asked, AskSource(invocation));
  const std::string id = asked.fleet->NewId();
  Json manifest = Manifest(asked.name);
  manifest["metadata"]["annotations"][std::string(kube::kSyncAnnotation)] = id;
  Json& spec = manifest["spec"];
  spec["url"] = url;
  for (const char* field : {"branch", "path", "interval", "credentials"}) {
    if (args.Has(field)) spec[field] = args.Get(field);
  }
  if (args.Has("no-prune")) spec["prune"] = false;
  if (args.Has("take-over")) spec["takeOver"] = true;
  v1::Operation operation;
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(manifest.dump());
  operation.mutable_precondition()->set_must_not_exist(true);
  SEALANE_RETURN_IF_ERROR(
      PublishOne(*asked.fleet, std::move(operation), Publisher(invocation), asked.timeout)
          .status());
  invocation.terminal.out << "GitSource " << asked.name << " created\n";
  if (args.Has("no-wait")) return kOk;
  return WaitHandled(invocation, asked, id);
}

absl::StatusOr<bool> ChangeSource(const Invocation& invocation, AskedSource& asked,
                                  const std::function<bool(Json&)>& change) {
  return ChangeObject(*asked.fleet, SourceRef(asked.name), Publisher(invocation), asked.timeout,
                      change);
}

absl::StatusOr<std::string> RequestSync(const Invocation& invocation, AskedSource& asked,
                                        bool keep) {
  std::string id = asked.fleet->NewId();
  SEALANE_RETURN_IF_ERROR(
      ChangeSource(invocation, asked, [&](Json& manifest) {
        manifest["metadata"]["annotations"][std::string(kube::kSyncAnnotation)] = id;
        if (keep) manifest["spec"]["prune"] = false;
        return true;
      }).status());
  return id;
}

absl::StatusOr<int> Sync(const Invocation& invocation) {
  SEALANE_ASSIGN_OR_RETURN(AskedSource asked, AskSource(invocation));
  SEALANE_ASSIGN_OR_RETURN(const std::string id, RequestSync(invocation, asked, false));
  if (invocation.args.Has("no-wait")) return kOk;
  return WaitHandled(invocation, asked, id);
}

absl::StatusOr<int> SetSuspended(const Invocation& invocation, bool suspend) {
  SEALANE_ASSIGN_OR_RETURN(AskedSource asked, AskSource(invocation));
  SEALANE_ASSIGN_OR_RETURN(const bool changed, ChangeSource(invocation, asked, [&](Json& manifest) {
                             if (kube::GetBool(manifest, {"spec", "suspend"}) == suspend)
                               return false;
                             manifest["spec"]["suspend"] = suspend;
                             return true;
                           }));
  invocation.terminal.out << "GitSource " << asked.name
                          << (!changed  ? " is as it was: nothing to do\n"
                              : suspend ? " suspended: the fleet stays as it is\n"
                                        : " resumed\n");
  return kOk;
}

absl::StatusOr<int> Remove(const Invocation& invocation) {
  const bool keep = invocation.args.Has("keep");
  SEALANE_ASSIGN_OR_RETURN(AskedSource asked, AskSource(invocation));
  if (keep) {
    // The service must know it before the source is gone.
    SEALANE_ASSIGN_OR_RETURN(const std::string id, RequestSync(invocation, asked, true));
    SEALANE_RETURN_IF_ERROR(WaitFor(asked, "taken notice of --keep", [&](const Json& source) {
                              return kube::GetString(source, {"handledSync"}) == id;
                            }).status());
  }
  v1::Operation operation;
  operation.set_type(v1::Operation::DELETE);
  operation.set_manifest(Manifest(asked.name).dump());
  operation.mutable_precondition()->set_must_exist(true);
  SEALANE_RETURN_IF_ERROR(
      PublishOne(*asked.fleet, std::move(operation), Publisher(invocation), asked.timeout)
          .status());
  if (!invocation.args.Has("no-wait")) {
    SEALANE_RETURN_IF_ERROR(WaitFor(asked, "removed what the source owns", [](const Json& source) {
                              return source.is_null();
                            }).status());
  }
  invocation.terminal.out << "GitSource " << asked.name
                          << (keep ? " removed; its objects stay in the fleet\n"
                                   : " removed, with its objects\n");
  return kOk;
}

absl::StatusOr<int> ShowSources(const Invocation& invocation, bool one) {
  Terminal& terminal = invocation.terminal;
  SEALANE_ASSIGN_OR_RETURN(const std::string format,
                           OutputFormat(invocation.args, {"table", "wide", "json", "yaml"}));
  AskedSource asked;
  if (one) {
    SEALANE_ASSIGN_OR_RETURN(asked, AskSource(invocation));
  } else {
    if (invocation.args.positional().size() != 1) return InvalidArgument("list takes no name");
    SEALANE_ASSIGN_OR_RETURN(asked.timeout, Timeout(invocation.args));
    SEALANE_ASSIGN_OR_RETURN(asked.fleet, Connect(invocation));
  }
  SEALANE_ASSIGN_OR_RETURN(const Json found, Sources(*asked.fleet, asked.name, asked.timeout));
  if (one && found.empty()) {
    return NotFound(
        StrCat("there is no GitSource ", asked.name, "; `sealane gitops list` lists them"));
  }
  const Json& shown = one ? found[0] : found;
  ViewOptions options;
  options.style = terminal.style;
  options.now_micros = asked.fleet->NowMicros();
  options.wide = format == "wide";
  if (format == "json" || format == "yaml") {
    terminal.out << (format == "json" ? shown.dump(2) + "\n" : kube::ToYaml(shown));
  } else {
    terminal.out << (one ? FormatSource(shown, options) : FormatSources(shown, options));
  }
  return kOk;
}

absl::StatusOr<int> Gitops(const Invocation& invocation) {
  const auto& words = invocation.args.positional();
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "add") return Add(invocation);
  if (verb == "list") return ShowSources(invocation, false);
  if (verb == "get" || verb == "status") return ShowSources(invocation, true);
  if (verb == "sync") return Sync(invocation);
  if (verb == "suspend" || verb == "resume") return SetSuspended(invocation, verb == "suspend");
  if (verb == "remove") return Remove(invocation);
  return InvalidArgument(
      "gitops does add, list, status, sync, suspend, resume or remove; which one?");
}

int RunGitops(const Invocation& invocation) {
  const absl::StatusOr<int> code = Gitops(invocation);
  return code.ok() ? *code : Fail(invocation.terminal, code.status());
}

}  // namespace

Command GitopsCommand() {
  return {
      "gitops",
      "add|list|status|sync|suspend|resume|remove [NAME]",
      "Let a path of a Git repository be the desired state",
      "sealane-source follows the branch: what is below the path is applied, what leaves it is\n"
      "removed, a commit with an error in it changes nothing. add and sync wait until the head "
      "of\n"
      "the branch is applied, and end with exit code 1 when it is not.\n\n"
      "  sealane gitops add shop --repo https://git.example.com/shop.git --branch main --path "
      "deploy\n"
      "  sealane gitops list\n"
      "  sealane gitops status shop\n"
      "  sealane gitops sync shop                 # now, not at the next interval\n"
      "  sealane gitops suspend shop              # resume ends it\n"
      "  sealane gitops remove shop --keep        # without --keep its objects go, too\n",
      {{"repo", 0, "URL|PATH",
        "add: https, ssh, git, file, user@host:path, or a path that the "
        "service may read"},
       {"branch", 0, "NAME", "add: the branch to follow (default main)"},
       {"path", 0, "PATH", "add: the directory in the repository (default: all of it)"},
       {"interval", 0, "DURATION", "add: how often it is fetched (default 1m)"},
       {"credentials", 0, "NAME", "add: a login that the source service has (docs/gitops.md)"},
       {"no-prune", 0, "", "add: what leaves the path stays in the fleet"},
       {"take-over", 0, "", "add: objects that somebody else published become the source's"},
       {"keep", 0, "", "remove: its objects stay in the fleet"},
       {"no-wait", 0, "", "add, sync, remove: do not wait for the source service"},
       {"output", 'o', "table|wide|json|yaml", "list, status: the form of the answer"},
       {"publisher", 0, "TEXT", "who did this, for events and history (default $USER)"}},
      true,
      RunGitops};
}

}  // namespace sealane::cli
