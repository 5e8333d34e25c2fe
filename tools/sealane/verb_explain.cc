// sealane explain: which policy claimed an object, and why it runs where it runs.
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/lookup.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

Json ParseOr(const std::string& text, Json otherwise) {
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? otherwise : parsed;
}

// Fills in what the policy service and the scheduler say. The scheduler has nothing to say about
// what no policy claims. `placements` holds what the details point to.
absl::Status AskExplain(const Subject& subject, v1::QueryReply* placements,
                        ExplainDetails* details) {
  const v1::ObjectRef& ref = subject.app.ref();
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply policies,
                           subject.fleet->Query("policy", About("explain", ref), subject.timeout));
  const Json list = ParseOr(policies.body(), Json::array());
  if (list.is_array() && !list.empty()) details->policies = list.front().dump();
  details->render_errors = RenderErrors(policies.body());
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply bindings,
                           subject.fleet->Query("policy", About("bindings", ref), subject.timeout));
  for (const v1::Binding& binding : bindings.bindings()) {
    for (const v1::BindingSnapshot& parent : binding.required_by()) {
      details->needed_by.push_back(FormatRef(parent.ref()));
    }
  }
  SEALANE_ASSIGN_OR_RETURN(
      *placements, subject.fleet->Query("scheduler", About("placements", ref), subject.timeout));
  if (placements->placements().empty()) return absl::OkStatus();
  details->placed = &placements->placements(0);
  details->decisions.assign(details->placed->decisions().begin(),
                            details->placed->decisions().end());
  // As of now, with scores; when the claim has just gone, what was decided at the time remains.
  const auto now = subject.fleet->Query("scheduler", About("explain", ref), subject.timeout);
  if (!now.ok())
    return now.status().code() == absl::StatusCode::kAborted ? absl::OkStatus() : now.status();
  std::vector<v1::ClusterDecision> decisions;
  for (const v1::Placed& part : now->placements()) {
    std::vector<v1::ClusterDecision>* list = &decisions;
    if (part.decisions().empty()) continue;
    if (const std::string& group = part.affinity_name(); !group.empty()) {
      std::vector<ExplainedGroup>& groups = details->other_groups;
      if (groups.empty() || groups.back().name != group) {
        groups.push_back({group, part.state(), part.message(), {}});
      }
      list = &groups.back().decisions;
    }
    list->insert(list->end(), part.decisions().begin(), part.decisions().end());
  }
  if (!decisions.empty()) details->decisions = std::move(decisions);
  details->decision = now->body();
  return absl::OkStatus();
}

Json ExplainToJson(const ExplainDetails& details) {
  Json json = {{"object", FormatRef(details.app.ref())},
               {"app", MessageToJson(details.app)},
               {"neededBy", details.needed_by},
               {"policies", ParseOr(details.policies, Json::object())},
               {"decision", ParseOr(details.decision, Json::object())},
               {"clusters", Json::array()}};
  if (details.placed != nullptr) {
    v1::Placed placed = *details.placed;
    placed.clear_decisions();
    json["placement"] = MessageToJson(placed);
  }
  for (const v1::ClusterDecision& decision : details.decisions) {
    json["clusters"].push_back(MessageToJson(decision));
  }
  for (const ExplainedGroup& group : details.other_groups) {
    Json entry = {{"group", group.name},
                  {"outcome", group.outcome},
                  {"message", group.message},
                  {"clusters", Json::array()}};
    for (const v1::ClusterDecision& decision : group.decisions) {
      entry["clusters"].push_back(MessageToJson(decision));
    }
    json["otherGroups"].push_back(std::move(entry));
  }
  return json;
}

int Explain(const Invocation& invocation) {
  Terminal& terminal = invocation.terminal;
  const auto format = OutputFormat(invocation.args, {"json", "yaml"});
  if (!format.ok()) return Fail(terminal, format.status());
  const auto subject = FindSubject(invocation);
  if (!subject.ok()) return Fail(terminal, subject.status());
  v1::QueryReply placements;
  ExplainDetails details;
  details.app = subject->app;
  const absl::Status asked = AskExplain(*subject, &placements, &details);
  if (!asked.ok()) return Fail(terminal, asked);
  if (*format == "json") {
    terminal.out << ExplainToJson(details).dump(2) << "\n";
  } else if (*format == "yaml") {
    terminal.out << kube::ToYaml(ExplainToJson(details));
  } else {
    ViewOptions options;
    options.style = terminal.style;
    terminal.out << FormatExplanation(details, options);
  }
  return details.placed == nullptr && details.needed_by.empty() ? kRefused : kOk;
}

}  // namespace

Command ExplainCommand() {
  return {"explain",
          "[KIND/]NAME",
          "Say which policy claimed an object, and for every cluster why it runs there or not",
          "Shows every policy that speaks about the object and why it won or lost, the overrides "
          "in their\n"
          "order, what cannot be rendered, and for each cluster every reason against it, its "
          "scores by\n"
          "plugin, the replicas it has room for and why it gets as many as it gets.\n"
          "Ends with exit code 1 when the object has no placement.\n\n"
          "  sealane explain deployment/classroom -n classroom\n"
          "  sealane explain classroom -o json\n",
          {{"namespace", 'n', "NAMESPACE", "only this namespace"},
           {"output", 'o', "json|yaml", "everything that is known, as data"}},
          true,
          Explain};
}

}  // namespace sealane::cli
