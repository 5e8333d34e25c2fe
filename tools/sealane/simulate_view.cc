// What would happen, for people.
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

std::string TextIn(const Json& json, const char* field) {
  const auto it = json.find(field);
  if (it == json.end() || it->is_null()) return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

int64_t Number(const Json& json, const char* field) {
  const auto it = json.find(field);
  return it != json.end() && it->is_number() ? it->get<int64_t>() : 0;
}

// "aws-virginia 2" a line; without the number where objects have no replicas.
std::string TargetsIn(const Json& move, const char* field) {
  const Json targets = move.value(field, Json::object());
  if (!targets.is_object() || targets.empty()) return "-";
  std::vector<std::string> words;
  for (const auto& [cluster, replicas] : targets.items()) {
    words.push_back(replicas == 0 ? cluster : StrCat(cluster, " ", replicas.dump()));
  }
  return StrJoin(words, "\n");
}

std::string Signed(int64_t number) {
  return number == 0 ? "-" : StrCat(number > 0 ? "+" : "", number);
}

std::string Moves(const Json& moves, bool fitting, const ViewOptions& options) {
  TextTable table({"OBJECT", "BEFORE", "AFTER", "STATE", "WHY"});
  for (const Json& move : moves) {
    if (!move.is_object() || (TextIn(move, "state") == "Scheduled") != fitting) continue;
    std::vector<std::string> why;
    for (const char* field : {"cause", "message"}) {
      if (std::string text = TextIn(move, field); !text.empty()) why.push_back(std::move(text));
    }
    table.Add({TextIn(move, "object"), TargetsIn(move, "before"), TargetsIn(move, "after"),
               TextIn(move, "state"), StrJoin(why, "\n")});
  }
  return table.empty() ? "" : table.Render(options.style);
}

std::string Clusters(const Json& simulation, const ViewOptions& options) {
  const Json clusters = simulation.value("clusters", Json::object());
  TextTable table({"CLUSTER", "REPLICAS BEFORE", "AFTER", "CHANGE", "OBJECTS BEFORE", "AFTER"});
  if (!clusters.is_object()) return "";
  for (const auto& [name, sums] : clusters.items()) {
    const int64_t before = Number(sums, "replicasBefore");
    const int64_t after = Number(sums, "replicasAfter");
    table.Add({name, StrCat(before), StrCat(after), Signed(after - before),
               StrCat(Number(sums, "objectsBefore")), StrCat(Number(sums, "objectsAfter"))});
  }
  return table.empty() ? "" : table.Render(options.style);
}

}  // namespace

std::string FormatSimulation(const Json& simulation, const ViewOptions& options) {
  if (!simulation.is_object()) return "";
  const Json moves = simulation.value("moves", Json::array());
  std::string out;
  if (const std::string moving = Moves(moves, true, options); !moving.empty()) {
    out.append(options.style.Bold("Would move:")).append("\n").append(moving).append("\n");
  }
  const Json not_fitting = simulation.value("notFitting", moves);
  if (const std::string stuck = Moves(not_fitting, false, options); !stuck.empty()) {
    out.append(options.style.Bold("Would not fit (what it has stays in force):"));
    out.append("\n").append(stuck).append("\n");
  }
  const Json unfit_before = simulation.value("unfitBefore", Json::array());
  if (const std::string before = Moves(unfit_before, false, options); !before.empty()) {
    out.append(options.style.Bold("Does not fit now either:")).append("\n");
    out.append(before).append("\n");
  }
  if (const std::string clusters = Clusters(simulation, options); !clusters.empty()) {
    out.append(clusters).append("\n");
  }
  const int64_t changed = Number(simulation, "changed");
  const int64_t stuck = Number(simulation, "unscheduled");
  const int64_t stuck_before = Number(simulation, "unscheduledBefore");
  out.append(StrCat(Number(simulation, "lookedAt"), " objects looked at: ",
                    changed - stuck - stuck_before, " would move, ", stuck, " would not fit"));
  if (stuck_before > 0) out.append(StrCat(", ", stuck_before, " do not fit now either"));
  out.append(". Nothing was changed.\n");
  const int64_t shown = Number(simulation, "shown");
  if (shown < changed) out.append(StrCat("Shown are the first ", shown, "; --limit shows more.\n"));
  return out;
}

}  // namespace sealane::cli
