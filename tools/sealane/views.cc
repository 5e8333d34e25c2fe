#include "tools/sealane/views.h"

#include <algorithm>
#include <map>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::cli {
namespace {

std::string OrDash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

// The clusters of an application that are as they should be, of all of them: "2/3".
std::string HealthyClusters(const v1::AppStatus& app) {
  if (app.clusters().empty()) return "-";
  const auto healthy = std::count_if(
      app.clusters().begin(), app.clusters().end(),
      [](const v1::ClusterAppStatus& c) { return c.health() == "Healthy" && c.state() != "Lost"; });
  return StrCat(healthy, "/", app.clusters_size());
}

std::string ReadyWord(const v1::ClusterStatus& cluster) {
  for (const v1::Condition& condition : cluster.conditions()) {
    if (condition.type() != "Ready") continue;
    if (condition.status() == "True") return "Ready";
    if (condition.status() == "False") return "NotReady";
    // Its agent has spoken once: it is lost, not on its way.
    return cluster.last_heartbeat_micros() != 0 ? "Lost" : "Unknown";
  }
  return "Unknown";
}

std::string ReadyReason(const v1::ClusterStatus& cluster) {
  for (const v1::Condition& condition : cluster.conditions()) {
    if (condition.type() == "Ready" && condition.status() != "True") return condition.message();
  }
  return "";
}

std::string Quantity(const google::protobuf::Map<std::string, std::string>& resources,
                     const std::string& name) {
  const auto it = resources.find(name);
  return it == resources.end() ? "0" : it->second;
}

// "1500m/8": asked for by pods, of what the nodes have.
std::string Usage(const v1::ClusterStatus& cluster, const std::string& resource) {
  const v1::ResourceSummary& summary = cluster.resource_summary();
  if (!summary.allocatable().contains(resource)) return "-";
  return StrCat(Quantity(summary.allocated(), resource), "/",
                Quantity(summary.allocatable(), resource));
}

std::string Taints(const v1::ClusterStatus& cluster) {
  std::vector<std::string> taints;
  for (const v1::Taint& taint : cluster.taints()) {
    taints.push_back(StrCat(taint.key(), taint.value().empty() ? "" : StrCat("=", taint.value()),
                            ":", taint.effect()));
  }
  return OrDash(StrJoin(taints, "\n"));
}

std::string_view WorkWord(const v1::Work& work, const v1::WorkStatus* status) {
  const bool answered = status != nullptr && status->fence().uid() == work.fence().uid() &&
                        status->fence().version() >= work.fence().version();
  if (work.suspended()) return "Suspended";
  if (work.deleting())
    return answered && status->state() == v1::WorkStatus::REMOVED ? "Removed" : "Removing";
  if (!answered) return "Pending";
  switch (status->state()) {
    case v1::WorkStatus::APPLIED:
      return "Applied";
    case v1::WorkStatus::FAILED:
      return "Failed";
    case v1::WorkStatus::REMOVING:
      return "Removing";
    case v1::WorkStatus::REMOVED:
      return "Removed";
    default:
      return "Pending";
  }
}

// "cluster names a, b; labels tier=edge" in one line, for people.
std::string PlacementWords(const Json& spec) {
  const auto placement = spec.find("placement");
  if (placement == spec.end()) return "every cluster";
  std::vector<std::string> words;
  const auto affinity = placement->find("clusterAffinity");
  if (affinity != placement->end() && affinity->contains("clusterNames")) {
    std::vector<std::string> names;
    for (const Json& name : affinity->at("clusterNames")) names.push_back(name.get<std::string>());
    words.push_back(StrJoin(names, ","));
  }
  if (affinity != placement->end() &&
      (affinity->contains("labelSelector") || affinity->contains("fieldSelector"))) {
    words.emplace_back("by selector");
  }
  if (placement->contains("clusterAffinities")) {
    words.push_back(StrCat(placement->at("clusterAffinities").size(), " groups"));
  }
  if (words.empty()) words.emplace_back("every cluster");
  static const Json::json_pointer kType("/replicaScheduling/replicaSchedulingType");
  words.push_back(placement->contains(kType) ? placement->at(kType).get<std::string>()
                                             : "Duplicated");
  return StrJoin(words, "; ");
}

std::string SelectorWords(const std::string& kind, const Json& spec) {
  if (kind == "ClusterTaintPolicy") return "clusters";
  std::vector<std::string> kinds;
  const auto selectors = spec.find("resourceSelectors");
  if (selectors == spec.end() || !selectors->is_array()) return "everything";
  for (const Json& selector : *selectors) {
    kinds.push_back(StrCat(selector.value("kind", "?"), selector.contains("name")
                                                            ? "/" + selector.value("name", "")
                                                            : std::string()));
  }
  return StrJoin(kinds, "\n");
}

// "lost:NoExecute" per taint of a ClusterTaintPolicy.
std::string TaintWords(const Json& spec) {
  std::vector<std::string> words;
  for (const Json& taint : spec.value("taints", Json::array())) {
    words.push_back(StrCat(taint.value("key", "?"), ":", taint.value("effect", "?")));
  }
  return StrJoin(words, "\n");
}

std::string PolicyTarget(const std::string& kind, const Json& spec) {
  if (kind == "ClusterTaintPolicy") return TaintWords(spec);
  if (kind.find("Propagation") != std::string::npos) return PlacementWords(spec);
  if (spec.contains("overrideRules")) return StrCat(spec.at("overrideRules").size(), " rules");
  return "-";
}

}  // namespace

void AddLine(std::string& out, std::string_view name, std::string_view value) {
  constexpr size_t kNameWidth = 12;
  if (value.empty()) return;
  out.append(name).append(kNameWidth - std::min(kNameWidth - 1, name.size()), ' ');
  out.append(value).append("\n");
}

std::string FormatReady(const v1::Replicas& replicas) {
  if (replicas.wanted() == 0 && replicas.ready() == 0) return "-";
  return StrCat(replicas.ready(), "/", replicas.wanted());
}

std::vector<std::string> FormatEvictions(const v1::Placed& placed) {
  std::vector<std::string> texts;
  for (const v1::Eviction& eviction : placed.evictions()) {
    // What nothing has taken over from is told by the placement's own message.
    if (eviction.replaced_by().empty()) continue;
    const std::string& cluster = eviction.cluster();
    const bool here = std::any_of(placed.clusters().begin(), placed.clusters().end(),
                                  [&](const auto& target) { return target.name() == cluster; });
    const std::string why = StrCat(eviction.moved() ? "" : "left because of: ", eviction.reason());
    if (!here) {
      if (eviction.recovered_micros() == 0) texts.push_back(StrCat(cluster, ": ", why));
      continue;
    }
    const std::vector<std::string> others(eviction.replaced_by().begin(),
                                          eviction.replaced_by().end());
    const std::string until = eviction.purge_mode() == "Never"
                                  ? "until the application or its policy is changed"
                                  : StrCat("until it is healthy in ", StrJoin(others, ", "));
    texts.push_back(
        StrCat(cluster, ": a copy of ", eviction.replicas(), " stays ", until, "; ", why));
  }
  return texts;
}

std::string FormatRef(const v1::ObjectRef& ref) { return Describe(KeyOf(ref)); }

std::string FormatApps(const v1::QueryReply& reply, const ViewOptions& options) {
  std::vector<std::string> header;
  if (options.show_namespace) header.emplace_back("NAMESPACE");
  header.insert(header.end(), {"KIND", "NAME", "PHASE", "READY", "CLUSTERS", "CHANGED"});
  if (options.wide) header.insert(header.end(), {"GENERATION", "POLICY", "MESSAGE"});
  TextTable table(std::move(header));
  for (const v1::AppStatus& app : reply.apps()) {
    std::vector<std::string> row;
    if (options.show_namespace) row.push_back(OrDash(app.ref().namespace_()));
    row.insert(row.end(), {app.ref().kind(), app.ref().name(), OrDash(app.phase()),
                           FormatReady(app.replicas()), HealthyClusters(app),
                           FormatAge(options.now_micros, app.updated_micros())});
    if (options.wide) {
      row.insert(row.end(), {StrCat(app.observed_generation(), "/", app.generation()),
                             OrDash(app.policy()), app.message()});
    }
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header, options.widths);
}

std::string FormatClusters(const v1::QueryReply& reply, const ViewOptions& options) {
  std::vector<std::string> header = {"NAME", "READY",  "PROVIDER", "REGION",   "NODES",
                                     "CPU",  "MEMORY", "VERSION",  "LAST WORD"};
  if (options.wide) header.insert(header.end(), {"ZONES", "TAINTS", "AGENT", "MESSAGE"});
  TextTable table(std::move(header));
  for (const v1::ClusterStatus& cluster : reply.clusters()) {
    const bool ready = ReadyWord(cluster) == "Ready";
    std::vector<std::string> row = {
        cluster.name(), cluster.deleting() ? "Deleting" : ReadyWord(cluster),
        OrDash(cluster.provider()), OrDash(cluster.region()),
        // The last word of a cluster that is not ready says nothing about now.
        ready ? StrCat(cluster.node_summary().ready_num(), "/", cluster.node_summary().total_num())
              : "-",
        ready ? Usage(cluster, "cpu") : "-", ready ? Usage(cluster, "memory") : "-",
        OrDash(cluster.kubernetes_version()),
        FormatAge(options.now_micros, cluster.last_heartbeat_micros())};
    if (options.wide) {
      row.insert(row.end(), {OrDash(StrJoin(cluster.zones(), ",")), Taints(cluster),
                             OrDash(cluster.agent_version()), ReadyReason(cluster)});
    }
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header, options.widths);
}

std::string FormatWorks(const v1::QueryReply& works, const v1::QueryReply& statuses,
                        const ViewOptions& options) {
  std::map<std::string, const v1::WorkStatus*> by_key;
  for (const v1::WorkStatus& status : statuses.work_statuses()) {
    by_key[ClusterRowKey(status.cluster(), KeyOf(status.ref()))] = &status;
  }
  std::vector<std::string> header = {"CLUSTER"};
  if (options.show_namespace) header.emplace_back("NAMESPACE");
  header.insert(header.end(), {"KIND", "NAME", "STATE", "HEALTH", "RENDERED"});
  if (options.wide) header.insert(header.end(), {"GENERATION", "OVERRIDES", "MESSAGE"});
  TextTable table(std::move(header));
  for (const v1::Work& work : works.works()) {
    const auto found = by_key.find(ClusterRowKey(work.cluster(), KeyOf(work.ref())));
    const v1::WorkStatus* status = found == by_key.end() ? nullptr : found->second;
    std::vector<std::string> row = {work.cluster()};
    if (options.show_namespace) row.push_back(OrDash(work.ref().namespace_()));
    row.insert(row.end(),
               {work.ref().kind(), work.ref().name(), std::string(WorkWord(work, status)),
                OrDash(status == nullptr ? "" : status->health()),
                FormatAge(options.now_micros, work.rendered_micros())});
    if (options.wide) {
      std::string message = status == nullptr ? "" : status->message();
      if (status != nullptr && !status->reason().empty()) {
        message = StrCat(status->reason(), ": ", message);
      }
      row.insert(row.end(), {StrCat(work.object_generation()),
                             StrCat(work.applied_overrides_size()), message});
    }
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header, options.widths);
}

std::string FormatPolicies(const v1::QueryReply& reply, const ViewOptions& options) {
  std::vector<std::string> header;
  if (options.show_namespace) header.emplace_back("NAMESPACE");
  header.insert(header.end(), {"KIND", "NAME", "SELECTS", "TO", "GENERATION", "CHANGED"});
  if (options.wide) header.emplace_back("PUBLISHER");
  TextTable table(std::move(header));
  for (const v1::StoredObject& object : reply.objects()) {
    const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
    const Json spec = manifest.is_object() ? manifest.value("spec", Json::object()) : Json();
    std::vector<std::string> row;
    if (options.show_namespace) row.push_back(OrDash(object.ref().namespace_()));
    const std::string& kind = object.ref().kind();
    row.insert(row.end(), {kind, object.ref().name(), SelectorWords(kind, spec),
                           PolicyTarget(kind, spec), StrCat(object.generation()),
                           FormatAge(options.now_micros, object.updated_micros())});
    if (options.wide) row.push_back(OrDash(object.publisher()));
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header, options.widths);
}

std::string FormatObjects(const v1::QueryReply& reply, const ViewOptions& options) {
  std::vector<std::string> header;
  if (options.show_namespace) header.emplace_back("NAMESPACE");
  header.insert(header.end(), {"KIND", "NAME", "GENERATION", "CHANGED"});
  if (options.wide) header.insert(header.end(), {"PUBLISHER", "EVENT"});
  TextTable table(std::move(header));
  for (const v1::StoredObject& object : reply.objects()) {
    std::vector<std::string> row;
    if (options.show_namespace) row.push_back(OrDash(object.ref().namespace_()));
    row.insert(row.end(), {object.ref().kind(), object.ref().name(),
                           object.deleting() ? "Deleting" : StrCat(object.generation()),
                           FormatAge(options.now_micros, object.updated_micros())});
    if (options.wide) {
      row.insert(row.end(), {OrDash(object.publisher()), OrDash(object.event_id())});
    }
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header, options.widths);
}

std::string FormatEvent(const v1::Event& event, const Style& style) {
  const std::string time = absl::FormatTime("%H:%M:%E3S", absl::FromUnixMicros(event.time_micros()),
                                            absl::LocalTimeZone());
  std::string subject;
  std::string_view message = event.message();
  if (event.has_ref()) {
    subject = FormatRef(event.ref());
    // Messages that stand alone begin with it.
    if (const std::string begin = subject + ": "; message.starts_with(begin)) {
      message.remove_prefix(begin.size());
    }
  }
  if (!event.cluster().empty()) {
    subject.append(subject.empty() ? "" : " on ").append(event.cluster());
  }
  const std::string reason =
      event.type() == "Warning" ? style.Red(event.reason()) : style.Bold(event.reason());
  return StrCat(time, "  ", event.service(), "  ", reason, "  ", subject,
                message.empty() || subject.empty() ? "" : ": ", message);
}

}  // namespace sealane::cli
