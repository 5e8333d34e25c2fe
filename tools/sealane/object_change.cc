#include "tools/sealane/object_change.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

// "Cluster aws" for people: "cluster aws" as the verbs about clusters say it.
std::string Name(const v1::ObjectRef& ref) {
  return ref.kind() == "Cluster" ? StrCat("cluster ", ref.name()) : FormatRef(ref);
}

absl::Status Refused(const v1::FieldError& error) {
  std::string why = error.field().empty() ? "" : StrCat(error.field(), ": ");
  why.append(error.message().empty() ? error.reason() : error.message());
  return absl::AbortedError(ToAbsl(StrCat("the fleet did not take it: ", why)));
}

}  // namespace

std::string Publisher(const Invocation& invocation) {
  if (invocation.args.Has("publisher")) return invocation.args.Get("publisher");
  const Environment& environment = invocation.terminal.environment;
  const auto user = environment.find("USER");
  return user == environment.end() || user->second.empty() ? "sealane" : user->second;
}

absl::StatusOr<v1::OperationResult> PublishOne(Fleet& fleet, v1::Operation operation,
                                               const std::string& publisher,
                                               absl::Duration timeout) {
  v1::DeployEvent event;
  event.set_id(fleet.NewId());
  event.set_created_micros(fleet.NowMicros());
  event.set_publisher(publisher);
  *event.add_operations() = std::move(operation);
  SEALANE_ASSIGN_OR_RETURN(const v1::DeployResult result, fleet.Deploy(event, timeout));
  if (!result.errors().empty()) return Refused(result.errors(0));
  if (result.results().empty()) return v1::OperationResult();
  const v1::OperationResult& one = result.results(0);
  if (!one.errors().empty()) return Refused(one.errors(0));
  return one;
}

absl::StatusOr<bool> ChangeObject(Fleet& fleet, const v1::ObjectRef& ref,
                                  const std::string& publisher, absl::Duration timeout,
                                  const std::function<bool(Json& manifest)>& change) {
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           fleet.Query("policy", About("objects", ref), timeout));
  if (reply.objects().empty() || reply.objects(0).deleting()) {
    const bool cluster = ref.kind() == "Cluster";
    return NotFound(StrCat("there is no ", Name(ref),
                           !reply.objects().empty() ? " any more: it is being removed"
                           : cluster                ? "; `sealane get clusters` lists them"
                                     : "; `sealane get objects -A` lists what there is"));
  }
  Json manifest = Json::parse(reply.objects(0).manifest(), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return Internal(StrCat(Name(ref), " is not JSON"));
  if (!change(manifest)) return false;
  v1::Operation operation;
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(manifest.dump());
  if (reply.revisions_size() > 0) {
    operation.mutable_precondition()->set_expected_revision(reply.revisions(0));
  }
  const auto taken = PublishOne(fleet, std::move(operation), publisher, timeout);
  if (!taken.ok()) return Annotate(taken.status(), Name(ref));
  return true;
}

}  // namespace sealane::cli
