// One application in detail, for people.
#include <map>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tools/sealane/differences.h"
#include "tools/sealane/render_message.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

std::map<std::string, Json> Manifests(const v1::QueryReply& works) {
  std::map<std::string, Json> manifests;
  for (const v1::Work& work : works.works()) {
    if (work.deleting()) continue;
    Json manifest = Json::parse(work.manifest(), nullptr, /*allow_exceptions=*/false);
    if (manifest.is_object()) manifests.emplace(work.cluster(), std::move(manifest));
  }
  return manifests;
}

std::string Health(const v1::ClusterAppStatus& cluster) {
  if (cluster.state() == "Lost" || cluster.state() == "Failed" || cluster.state() == "Removing") {
    return cluster.state();
  }
  return cluster.health().empty() ? cluster.state() : cluster.health();
}

std::string Message(const v1::ClusterAppStatus& cluster) {
  if (cluster.reason().empty()) return cluster.message();
  if (cluster.message().empty()) return cluster.reason();
  return StrCat(cluster.reason(), ": ", cluster.message());
}

std::string ClustersTable(const AppDetails& details, const ViewOptions& options) {
  const std::map<std::string, Json> manifests = Manifests(details.works);
  std::map<std::string, std::vector<std::string>> differences;
  // What a Secret holds is not for the screen.
  if (details.app.ref().kind() != "Secret") differences = Differences(manifests);
  bool images = false;
  for (const auto& [cluster, manifest] : manifests) images = images || !Images(manifest).empty();

  std::vector<std::string> header = {"CLUSTER", "READY"};
  if (images) header.emplace_back("IMAGE");
  header.insert(header.end(), {"DIFFERS", "HEALTH", "LAST WORD", "MESSAGE"});
  TextTable table(std::move(header));
  for (const v1::ClusterAppStatus& cluster : details.app.clusters()) {
    std::vector<std::string> row = {cluster.cluster(), FormatReady(cluster.replicas())};
    const auto manifest = manifests.find(cluster.cluster());
    if (images) {
      row.push_back(manifest == manifests.end() ? "-" : StrJoin(Images(manifest->second), "\n"));
    }
    const std::string own = StrJoin(differences[cluster.cluster()], "\n");
    row.insert(row.end(),
               {own.empty() ? "-" : own, Health(cluster),
                FormatAge(options.now_micros, cluster.last_word_micros()), Message(cluster)});
    table.Add(std::move(row));
  }
  return table.empty() ? "" : table.Render(options.style);
}

// The scheduler's word on each cluster: where, and why not elsewhere.
std::string PlacementDecisions(const v1::Placed& placed, const ViewOptions& options) {
  TextTable table({"CLUSTER", "CHOSEN", "REPLICAS", "WHY"});
  for (const v1::ClusterDecision& decision : placed.decisions()) {
    std::vector<std::string> why(decision.reasons().begin(), decision.reasons().end());
    if (!decision.note().empty()) why.push_back(decision.note());
    table.Add({decision.cluster(), decision.selected() ? "yes" : "no",
               decision.selected() ? StrCat(decision.replicas()) : "-", StrJoin(why, "\n")});
  }
  return table.empty() ? "" : StrCat("\n", table.Render(options.style));
}

}  // namespace

std::string FormatAppDetails(const AppDetails& details, const ViewOptions& options) {
  const v1::AppStatus& app = details.app;
  std::string out = StrCat(options.style.Bold(FormatRef(app.ref())), "\n");
  AddLine(out, "phase",
          StrCat(options.style.Word(app.phase()),
                 app.message().empty() ? "" : StrCat("  ", app.message())));
  AddLine(out, "policy", app.policy().empty() ? "none claims it" : app.policy());
  if (app.replicas().wanted() > 0) {
    AddLine(out, "replicas",
            StrCat(app.replicas().wanted(), " wanted, ", app.replicas().updated(), " updated, ",
                   app.replicas().ready(), " ready, ", app.replicas().available(), " available"));
  }
  AddLine(
      out, "generation",
      StrCat(app.generation(), app.observed_generation() == app.generation()
                                   ? ", runs everywhere"
                                   : StrCat(", ", app.observed_generation(), " runs everywhere")));
  if (details.placed != nullptr) {
    AddLine(
        out, "scheduling",
        StrCat(options.style.Word(details.placed->state()),
               details.placed->message().empty() ? "" : StrCat("  ", details.placed->message())));
    for (const std::string& text : FormatEvictions(*details.placed)) AddLine(out, "moves", text);
  } else if (!app.schedule_state().empty()) {
    AddLine(out, "scheduling",
            StrCat(options.style.Word(app.schedule_state()),
                   app.schedule_message().empty() ? "" : StrCat("  ", app.schedule_message())));
  }
  for (const std::string& error : app.render_errors()) {
    AddLine(out, "error", options.style.Red(error));
  }
  const std::string clusters = ClustersTable(details, options);
  if (!clusters.empty()) out.append("\n").append(clusters);
  if (details.placed != nullptr) out.append(PlacementDecisions(*details.placed, options));
  if (options.wide && !app.status_json().empty()) {
    const Json status = Json::parse(app.status_json(), nullptr, /*allow_exceptions=*/false);
    if (!status.is_discarded()) out.append("\nstatus:\n").append(kube::ToYaml(status));
  }
  return out;
}

}  // namespace sealane::cli
