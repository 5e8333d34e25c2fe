// sealane rebalance: replicas are divided anew.
#include <algorithm>
#include <optional>
#include <tuple>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr char kVersion[] = "apps.karmada.io/v1alpha1";
constexpr char kKind[] = "WorkloadRebalancer";

// The workloads that have the labels.
absl::StatusOr<std::vector<v1::ObjectRef>> BySelector(Fleet& fleet, const std::string& selector,
                                                      const std::string& ns,
                                                      absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("apps");
  request.set_namespace_(ns);
  request.set_label_selector(selector);
  (*request.mutable_options())["detail"] = "summary";
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("status", request, timeout));
  std::vector<v1::ObjectRef> refs;
  for (const v1::AppStatus& app : reply.apps()) {
    if (IsWorkloadKind(app.ref().kind()) || app.replicas().wanted() > 0) refs.push_back(app.ref());
  }
  if (refs.empty()) return NotFound(StrCat("no workload has the labels ", selector));
  return refs;
}

absl::StatusOr<std::vector<v1::ObjectRef>> Chosen(const Args& args, Fleet& fleet,
                                                  const std::string& ns, absl::Duration timeout) {
  if (args.Has("selector")) return BySelector(fleet, args.Get("selector"), ns, timeout);
  std::vector<v1::ObjectRef> refs;
  for (const std::string& word : args.positional()) {
    SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(word));
    SEALANE_ASSIGN_OR_RETURN(const v1::AppStatus app, FindApp(fleet, name, ns, timeout));
    refs.push_back(app.ref());
  }
  return refs;
}

Json RebalanceRequest(const std::string& name, const std::vector<v1::ObjectRef>& refs) {
  Json workloads = Json::array();
  for (const v1::ObjectRef& ref : refs) {
    Json& workload = workloads.emplace_back(
        Json{{"apiVersion", ref.api_version()}, {"kind", ref.kind()}, {"name", ref.name()}});
    if (!ref.namespace_().empty()) workload["namespace"] = ref.namespace_();
  }
  return {{"apiVersion", kVersion},
          {"kind", kKind},
          {"metadata", {{"name", name}}},
          {"spec", {{"workloads", std::move(workloads)}}}};
}

v1::Operation Operation(v1::Operation::Type type, const Json& manifest) {
  v1::Operation operation;
  operation.set_type(type);
  operation.set_manifest(manifest.dump());
  return operation;
}

// Publishes the request, waits until the scheduler has said what became of it, and takes the
// request away again: what it asked for stays asked.
absl::StatusOr<v1::Event> AskRebalance(const Invocation& invocation, Fleet& fleet,
                                       const Json& request, absl::Duration timeout) {
  const std::string name = request["metadata"]["name"];
  const std::string publisher = Publisher(invocation);
  absl::Status published;
  std::optional<v1::Event> answer;
  const absl::Status followed = fleet.Follow(
      platform::kEvents, timeout,
      [&] {
        published = PublishOne(fleet, Operation(v1::Operation::APPLY, request), publisher, timeout)
                        .status();
        return published.ok();
      },
      [&](std::string_view, std::string_view payload) {
        v1::Event event;
        if (!event.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return true;
        if (event.service() != "scheduler" || event.ref().kind() != kKind ||
            event.ref().name() != name) {
          return true;
        }
        answer = std::move(event);
        return false;
      });
  SEALANE_RETURN_IF_ERROR(published);
  if (!answer.has_value()) {
    if (!absl::IsDeadlineExceeded(followed)) return followed;
    return absl::DeadlineExceededError(
        ToAbsl(StrCat("sealane-scheduler has not taken it within ", absl::FormatDuration(timeout),
                      "; it will when it is back. `sealane events ", name, "` tells then")));
  }
  SEALANE_RETURN_IF_ERROR(
      PublishOne(fleet, Operation(v1::Operation::DELETE, request), publisher, timeout).status());
  return *std::move(answer);
}

absl::StatusOr<int> Rebalance(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().empty() == !args.Has("selector")) {
    return InvalidArgument("give the names of applications, or labels with -l");
  }
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  const std::string ns = args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
  SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::ObjectRef> refs,
                           Chosen(args, *fleet, ns, timeout));
  const std::string id = fleet->NewId();
  const Json request = RebalanceRequest(StrCat("sealane-", id.substr(0, 8)), refs);
  SEALANE_ASSIGN_OR_RETURN(const v1::Event event,
                           AskRebalance(invocation, *fleet, request, timeout));
  terminal.out << terminal.style.Bold(event.reason()) << "  " << event.message() << "\n";
  if (event.reason() != "Rebalanced") return kRefused;
  terminal.out << "What moves is told by `sealane events --reason Moved`.\n";
  return kOk;
}

int RunRebalance(const Invocation& invocation) {
  const absl::StatusOr<int> code = Rebalance(invocation);
  return code.ok() ? *code : Fail(invocation.terminal, code.status());
}

}  // namespace

Command RebalanceCommand() {
  return {
      "rebalance",
      "[KIND/]NAME... | -l SELECTOR",
      "Divide the replicas of applications anew among their clusters",
      "Publishes a WorkloadRebalancer, waits until the scheduler has taken it, and deletes it "
      "again.\n"
      "Moves leave no gap: a copy stays until what replaces it is healthy. Ends with exit code "
      "1 when\n"
      "something that was named has no placement.\n\n"
      "  sealane rebalance deployment/classroom -n classroom\n"
      "  sealane rebalance -l tier=web -n shop\n",
      {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
       {"selector", 'l', "SELECTOR", "all workloads that have these labels: app=web,tier!=edge"},
       {"publisher", 0, "TEXT", "who did this, for events and history (default $USER)"}},
      true,
      RunRebalance};
}

}  // namespace sealane::cli
