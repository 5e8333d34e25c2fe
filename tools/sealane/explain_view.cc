// Who claimed an object and why it runs where it runs, for people.
#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tools/sealane/differences.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

std::string FieldText(const Json& json, const char* field) {
  const auto it = json.is_object() ? json.find(field) : json.end();
  if (!json.is_object() || it == json.end() || it->is_null()) return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

// The policies that speak about the object's kind, and the overrides in the order they apply.
std::string Policies(const Json& explained, const ViewOptions& options) {
  std::string out;
  const Json policies = explained.is_object() ? explained.value("policies", Json()) : Json();
  TextTable table({"POLICY", "PRIORITY", "MATCHES", "CLAIMS", "WHY"});
  if (policies.is_array()) {
    for (const Json& policy : policies) {
      table.Add({FieldText(policy, "policy"), FieldText(policy, "priority"),
                 FieldText(policy, "matches"), FieldText(policy, "claims") == "true" ? "yes" : "no",
                 FieldText(policy, "why")});
    }
  }
  if (table.empty()) {
    out.append("No propagation policy speaks about objects of this kind and namespace.\n");
  } else {
    out.append(table.Render(options.style));
  }
  const Json overrides =
      explained.is_object() ? explained.value("overridesInOrder", Json()) : Json();
  if (overrides.is_array() && !overrides.empty()) {
    std::vector<std::string> names;
    for (const Json& name : overrides) names.push_back(PlainText(name));
    out.append(StrCat("\nOverrides, the later wins: ", StrJoin(names, ", then "), "\n"));
  }
  return out;
}

std::string Targets(const Json& targets) {
  std::vector<std::string> words;
  for (const auto& [cluster, replicas] : targets.items()) {
    words.push_back(replicas == 0 ? cluster : StrCat(cluster, " ", replicas.dump()));
  }
  return words.empty() ? "nowhere" : StrJoin(words, ", ");
}

Json InForce(const v1::Placed& placed) {
  Json targets = Json::object();
  for (const v1::TargetCluster& target : placed.clusters())
    targets[target.name()] = target.replicas();
  return targets;
}

std::string Placement(const ExplainDetails& details, const ViewOptions& options) {
  std::string out;
  const v1::Placed& placed = *details.placed;
  AddLine(out, "placement",
          StrCat(options.style.Word(placed.state()),
                 placed.message().empty() ? "" : StrCat("  ", placed.message())));
  const Json in_force = InForce(placed);
  AddLine(out, "in force", Targets(in_force));
  if (!placed.cause().empty()) AddLine(out, "because", placed.cause());
  for (const std::string& text : FormatEvictions(placed)) AddLine(out, "moves", text);
  const Json now = Json::parse(details.decision, nullptr, /*allow_exceptions=*/false);
  AddLine(out, "rules", FieldText(now, "strategy"));
  const std::string group = FieldText(now, "group");
  if (!group.empty()) AddLine(out, "group", group);
  const Json failed = now.is_object() ? now.value("failedGroups", Json()) : Json();
  if (failed.is_array()) {
    for (const Json& entry : failed) {
      AddLine(out, "not in",
              StrCat(FieldText(entry, "group"), ": ", FieldText(entry, "outcome"), "  ",
                     FieldText(entry, "message")));
    }
  }
  AddLine(out, "note", FieldText(now, "note"));
  const Json would = now.is_object() ? now.value("would", Json()) : Json();
  if (would.is_object() && !would.empty() && would != in_force) {
    AddLine(out, "now", StrCat("a decision from now on would give ", Targets(would)));
  }
  return out;
}

std::string Scores(const v1::ClusterDecision& decision) {
  const std::map<std::string, int64_t> sorted(decision.scores().begin(), decision.scores().end());
  std::vector<std::string> words;
  words.reserve(sorted.size());
  for (const auto& [plugin, score] : sorted) words.push_back(StrCat(plugin, " ", score));
  return words.empty() ? "-" : StrJoin(words, "\n");
}

std::string Decisions(const std::vector<v1::ClusterDecision>& decisions,
                      const ViewOptions& options) {
  TextTable table({"CLUSTER", "CHOSEN", "REPLICAS", "ROOM FOR", "SCORES", "WHY"});
  for (const v1::ClusterDecision& decision : decisions) {
    std::vector<std::string> why(decision.reasons().begin(), decision.reasons().end());
    if (!decision.note().empty()) why.push_back(decision.note());
    table.Add({decision.cluster(), decision.selected() ? "yes" : "no",
               decision.selected() ? StrCat(decision.replicas()) : "-",
               decision.available_replicas() < 0 ? "-" : StrCat(decision.available_replicas()),
               Scores(decision), StrJoin(why, "\n")});
  }
  return table.empty() ? "" : table.Render(options.style);
}

}  // namespace

std::string FormatExplanation(const ExplainDetails& details, const ViewOptions& options) {
  const v1::AppStatus& app = details.app;
  std::string out = StrCat(options.style.Bold(FormatRef(app.ref())), "\n");
  AddLine(out, "claimed by", app.policy().empty() ? "no policy claims it" : app.policy());
  AddLine(out, "goes with", StrJoin(details.needed_by, ", "));
  AddLine(out, "phase",
          StrCat(options.style.Word(app.phase()),
                 app.message().empty() ? "" : StrCat("  ", app.message())));
  const Json policies = Json::parse(details.policies, nullptr, /*allow_exceptions=*/false);
  out.append("\n").append(Policies(policies, options));
  for (const auto& [cluster, why] : details.render_errors) {
    out.append(StrCat("\n", options.style.Red("cannot be rendered"), " for ", cluster, ": ", why,
                      "\nits last good version, if there is one, stays in force there\n"));
  }
  if (details.placed == nullptr) {
    if (!details.needed_by.empty()) {
      return out.append("\nIt has no placement of its own: it is where what needs it is.\n");
    }
    return out.append(app.ref().kind() == "Namespace"
                          ? "\nIt has no placement: a namespace is where its content is.\n"
                          : "\nIt has no placement.\n");
  }
  out.append("\n").append(Placement(details, options));
  if (const std::string table = Decisions(details.decisions, options); !table.empty()) {
    out.append("\n").append(table);
  }
  for (const ExplainedGroup& group : details.other_groups) {
    out.append(StrCat("\nBy itself, group ", group.name, ": ", options.style.Word(group.outcome),
                      group.message.empty() ? "" : StrCat("  ", group.message), "\n",
                      Decisions(group.decisions, options)));
  }
  return out;
}

}  // namespace sealane::cli
