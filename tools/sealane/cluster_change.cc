#include "tools/sealane/cluster_change.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr int kShownMoves = 20;

const v1::Condition* Find(const v1::ClusterStatus& cluster, std::string_view type) {
  for (const v1::Condition& condition : cluster.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

// "not ready: the cluster's API server ...", "lost, last heard 3m ago", "ready".
std::string HowItIs(const v1::ClusterStatus& cluster, int64_t now_micros) {
  const v1::Condition* ready = Find(cluster, "Ready");
  if (ready != nullptr && ready->status() == "True") return "Ready";
  if (cluster.last_heartbeat_micros() == 0) return "its agent has never connected";
  const bool lost = ready == nullptr || ready->status() == "Unknown";
  return StrCat(lost ? "Lost" : "NotReady", ", last heard ",
                FormatAge(now_micros, cluster.last_heartbeat_micros()), " ago",
                ready == nullptr ? "" : StrCat(": ", ready->message()));
}

const v1::ClusterAppStatus* PartOf(const v1::AppStatus& app, const std::string& cluster) {
  for (const v1::ClusterAppStatus& part : app.clusters()) {
    if (part.cluster() == cluster) return &part;
  }
  return nullptr;
}

std::string Unhealthy(const v1::QueryReply& apps, const std::string& cluster, const Style& style) {
  TextTable table({"KIND", "NAMESPACE", "NAME", "STATE", "HEALTH", "MESSAGE"});
  int more = 0;
  int shown = 0;
  for (const v1::AppStatus& app : apps.apps()) {
    const v1::ClusterAppStatus* part = PartOf(app, cluster);
    // A namespace goes where its content goes, and says nothing about health.
    if (app.ref().kind() == "Namespace" && app.policy().empty()) continue;
    if (part == nullptr || (part->health() == "Healthy" && part->state() == "Applied")) continue;
    if (++shown > kShownMoves) {
      ++more;
      continue;
    }
    table.Add(
        {app.ref().kind(), app.ref().namespace_(), app.ref().name(), part->state(), part->health(),
         part->message().empty() ? part->reason() : StrCat(part->reason(), ": ", part->message())});
  }
  if (table.empty()) return "";
  return StrCat("\n", table.Render(style), more > 0 ? StrCat("... and ", more, " more\n") : "");
}

}  // namespace

absl::StatusOr<bool> ChangeCluster(Fleet& fleet, const std::string& name,
                                   const std::string& publisher, absl::Duration timeout,
                                   const std::function<bool(Json& manifest)>& change) {
  v1::ObjectRef ref;
  ref.set_api_version("cluster.karmada.io/v1alpha1");
  ref.set_kind("Cluster");
  ref.set_name(name);
  return ChangeObject(fleet, ref, publisher, timeout, change);
}

int ShowCluster(const Invocation& invocation, Fleet& fleet, const std::string& name,
                absl::Duration timeout) {
  Terminal& terminal = invocation.terminal;
  v1::QueryRequest request;
  request.set_cluster(name);
  const auto ask = [&](const char* service, const char* what) {
    request.set_what(what);
    return fleet.Query(service, request, timeout);
  };
  const auto clusters = ask("status", "clusters");
  if (!clusters.ok()) return Fail(terminal, clusters.status());
  if (clusters->clusters().empty()) {
    return Fail(terminal, NotFound(StrCat("there is no cluster ", name,
                                          "; `sealane get clusters` lists them")));
  }
  const v1::ClusterStatus& cluster = clusters->clusters(0);
  const auto progress = ask("status", "cluster_progress");
  if (!progress.ok()) return Fail(terminal, progress.status());
  const Json counts = Json::parse(progress->body(), nullptr, /*allow_exceptions=*/false);
  if (!counts.is_object()) return Fail(terminal, Internal("the progress is not JSON"));
  const int64_t placed = counts.value("placed", int64_t{0});
  const int64_t healthy = counts.value("healthy", int64_t{0});
  const auto apps = ask("status", "apps");
  if (!apps.ok()) return Fail(terminal, apps.status());

  const v1::Condition* ready = Find(cluster, "Ready");
  const v1::Condition* settled = Find(cluster, "Settled");
  const bool is_ready = ready != nullptr && ready->status() == "True";
  const bool joining = settled != nullptr && settled->status() != "True";
  std::ostream& out = terminal.out;
  out << terminal.style.Bold(name) << "  " << HowItIs(cluster, fleet.NowMicros()) << "\n";
  for (const v1::Taint& taint : cluster.taints()) {
    out << "taint: " << taint.key() << (taint.value().empty() ? "" : StrCat("=", taint.value()))
        << ":" << taint.effect() << "\n";
  }
  if (const v1::Condition* paused = Find(cluster, "FailoverPaused");
      paused != nullptr && paused->status() == "True") {
    out << "failover is paused: " << paused->message() << "\n";
  }
  if (cluster.deleting()) {
    const auto works = ask("policy", "works");
    out << "it is leaving: " << (works.ok() ? StrCat(works->works_size()) : "unknown how many")
        << " objects of the fleet are still there\n";
  } else if (!is_ready) {
    out << placed << " objects are placed there; how they are is not known\n";
  } else {
    out << healthy << " of " << placed << (joining ? " base services healthy" : " objects healthy")
        << ", " << counts.value("applied", int64_t{0}) << " applied\n";
  }
  if (settled != nullptr && !joining) out << "joined: " << settled->message() << "\n";
  out << Unhealthy(*apps, name, terminal.style);
  return is_ready && !cluster.deleting() && healthy == placed ? kOk : kNotHealthy;
}

}  // namespace sealane::cli
