// sealane suspend, sealane resume: clusters keep what they have, whatever is published.
#include "lib/core/json.h"
#include "lib/core/same_word.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/policy_admission.h"
#include "tools/sealane/command.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/suspension.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

bool NamesPolicy(const AppName& name) {
  return SameWord(name.kind, "PropagationPolicy") ||
         SameWord(name.kind, "ClusterPropagationPolicy");
}

absl::StatusOr<v1::ObjectRef> PolicyByName(Fleet& fleet, const AppName& name, const std::string& ns,
                                           absl::Duration timeout) {
  v1::QueryRequest request;
  request.set_what("objects");
  request.set_group(std::string(kube::kPolicyGroup));
  request.set_name(name.name);
  if (SameWord(name.kind, "PropagationPolicy")) request.set_namespace_(ns);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("policy", request, timeout));
  std::vector<v1::ObjectRef> refs;
  for (const v1::StoredObject& object : reply.objects()) refs.push_back(object.ref());
  return SelectRef(refs, name);
}

// The policy that claims the application.
absl::StatusOr<v1::ObjectRef> PolicyOf(Fleet& fleet, const v1::AppStatus& app,
                                       absl::Duration timeout) {
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply,
                           fleet.Query("policy", About("bindings", app.ref()), timeout));
  for (const v1::Binding& binding : reply.bindings()) {
    if (binding.has_policy()) return binding.policy();
  }
  return NotFound(StrCat("no policy claims ", FormatRef(app.ref()), "; `sealane explain ",
                         app.ref().kind(), "/", app.ref().name(), "` tells why"));
}

absl::Status ChangeSuspension(const Invocation& invocation, bool suspend) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  if (args.positional().size() != 1) {
    return InvalidArgument("give one NAME, KIND/NAME or PropagationPolicy/NAME");
  }
  SEALANE_ASSIGN_OR_RETURN(const AppName name, ParseAppName(args.positional()[0]));
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(args));
  Context context;
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation, &context));
  const std::string ns = args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
  v1::ObjectRef policy;
  if (NamesPolicy(name)) {
    SEALANE_ASSIGN_OR_RETURN(policy, PolicyByName(*fleet, name, ns, timeout));
  } else {
    SEALANE_ASSIGN_OR_RETURN(const v1::AppStatus app, FindApp(*fleet, name, ns, timeout));
    SEALANE_ASSIGN_OR_RETURN(policy, PolicyOf(*fleet, app, timeout));
  }
  absl::Status wrong;
  SEALANE_ASSIGN_OR_RETURN(
      const bool changed,
      ChangeObject(*fleet, policy, Publisher(invocation), timeout, [&](Json& manifest) {
        const absl::StatusOr<bool> differs = suspend ? Suspend(args.All("cluster"), manifest)
                                                     : Resume(args.All("cluster"), manifest);
        wrong = differs.status();
        return differs.ok() && *differs;
      }));
  if (!wrong.ok()) return Annotate(wrong, FormatRef(policy));
  const std::string where = args.All("cluster").empty()
                                ? std::string("everywhere")
                                : StrCat("in ", StrJoin(args.All("cluster"), ", "));
  if (!changed) {
    terminal.out << FormatRef(policy) << " is as it was: nothing to do\n";
  } else if (suspend) {
    terminal.out << FormatRef(policy) << " suspended " << where
                 << ": what it claims stays as it is there until `sealane resume`\n";
  } else {
    terminal.out << FormatRef(policy) << " resumed " << where << "\n";
  }
  return absl::OkStatus();
}

int Run(const Invocation& invocation, bool suspend) {
  const absl::Status status = ChangeSuspension(invocation, suspend);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

std::vector<FlagSpec> SuspendFlags() {
  return {{"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
          {"cluster", 0, "CLUSTER", "only there", true},
          {"publisher", 0, "TEXT", "who did this, for events and history (default $USER)"}};
}

}  // namespace

Command SuspendCommand() {
  return {"suspend",
          "[KIND/]NAME",
          "Let clusters keep what they have, whatever is published",
          "Sets spec.suspension of the policy that claims the application, or of the policy that "
          "is named,\n"
          "so it concerns everything which that policy claims. Nothing is applied and nothing "
          "repaired\n"
          "there meanwhile; what is published is kept and delivered on resume.\n\n"
          "  sealane suspend deployment/classroom -n classroom\n"
          "  sealane suspend classroom -n classroom --cluster aws-virginia\n"
          "  sealane suspend propagationpolicy/classroom -n classroom\n",
          SuspendFlags(),
          true,
          [](const Invocation& invocation) { return Run(invocation, true); }};
}

Command ResumeCommand() {
  return {"resume",
          "[KIND/]NAME",
          "End suspend: deliver what was published meanwhile",
          "Takes spec.suspension away from the policy that claims the application, or with "
          "--cluster these\n"
          "clusters from it.\n\n"
          "  sealane resume deployment/classroom -n classroom\n"
          "  sealane resume classroom -n classroom --cluster aws-virginia\n",
          SuspendFlags(),
          true,
          [](const Invocation& invocation) { return Run(invocation, false); }};
}

}  // namespace sealane::cli
