#include "tools/sealane/describe_view.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/quantity.h"

namespace sealane::cli {
namespace {

using QuantityTexts = google::protobuf::Map<std::string, std::string>;

constexpr size_t kLongestValue = 100;

// The first line "name  value", the others below the value.
void AddLines(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) AddLine(out, i == 0 ? name : " ", values[i]);
}

std::string Shortened(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > kLongestValue) text = text.substr(0, kLongestValue) + "...";
  return text;
}

std::vector<std::string> Pairs(const Json& manifest, const char* field) {
  std::vector<std::string> pairs;
  const auto metadata = manifest.find("metadata");
  if (metadata == manifest.end() || !metadata->is_object()) return pairs;
  const auto found = metadata->find(field);
  if (found == metadata->end() || !found->is_object()) return pairs;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) pairs.push_back(StrCat(key, "=", Shortened(value.get<std::string>())));
  }
  return pairs;
}

std::vector<std::string> Pairs(const QuantityTexts& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  std::vector<std::string> pairs;
  for (const auto& [key, value] : sorted) pairs.push_back(StrCat(key, "=", Shortened(value)));
  return pairs;
}

Quantity Of(const QuantityTexts& texts, const std::string& resource) {
  const auto it = texts.find(resource);
  if (it == texts.end()) return {};
  return Quantity::Parse(it->second).value_or(Quantity());
}

// How much of a resource is asked for, in percent; nullopt: it is not known how much there is.
std::optional<int64_t> PercentUsed(const v1::ClusterStatus& cluster, const std::string& resource) {
  const v1::ResourceSummary& summary = cluster.resource_summary();
  const double have = static_cast<double>(Of(summary.allocatable(), resource).MilliValue());
  if (have <= 0) return std::nullopt;
  const double used = static_cast<double>(Of(summary.allocated(), resource).MilliValue());
  return std::llround(used * 100 / have);
}

std::string Percent(const v1::ClusterStatus& cluster, const std::string& resource) {
  const std::optional<int64_t> percent = PercentUsed(cluster, resource);
  return percent.has_value() ? StrCat(*percent, "%") : "-";
}

std::string ResourcesTable(const v1::ClusterStatus& cluster, const ViewOptions& options) {
  const v1::ResourceSummary& summary = cluster.resource_summary();
  const std::map<std::string, std::string> all(summary.allocatable().begin(),
                                               summary.allocatable().end());
  TextTable table({"RESOURCE", "ALLOCATABLE", "ASKED FOR", "WAITING", "FREE", "USED"});
  for (const auto& [resource, text] : all) {
    const Quantity asked = Of(summary.allocated(), resource);
    const Quantity waiting = Of(summary.allocating(), resource);
    const Quantity free = Of(summary.allocatable(), resource) - asked - waiting;
    table.Add({resource, text, asked.ToString(), waiting.ToString(), free.ToString(),
               Percent(cluster, resource)});
  }
  return table.empty() ? "" : StrCat("\n", table.Render(options.style));
}

std::string ConditionsTable(const v1::ClusterStatus& cluster, const ViewOptions& options) {
  TextTable table({"CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"});
  for (const v1::Condition& condition : cluster.conditions()) {
    table.Add({condition.type(), condition.status(),
               FormatAge(options.now_micros, condition.last_transition_micros()),
               condition.reason(), condition.message()});
  }
  return table.empty() ? "" : StrCat("\n", table.Render(options.style));
}

std::string ReadyStatus(const v1::ClusterStatus& cluster) {
  for (const v1::Condition& condition : cluster.conditions()) {
    if (condition.type() == "Ready") {
      return condition.status() == "True"    ? "Ready"
             : condition.status() == "False" ? "NotReady"
                                             : "Unknown";
    }
  }
  return "Unknown";
}

std::string_view ResourceOf(TopOrder order) {
  switch (order) {
    case TopOrder::kMemory:
      return "memory";
    case TopOrder::kPods:
      return "pods";
    default:
      return "cpu";
  }
}

}  // namespace

std::string FormatPublished(const v1::StoredObject& object, const ViewOptions& options) {
  std::string out;
  AddLine(out, "published",
          StrCat(FormatAge(options.now_micros, object.updated_micros()), " ago",
                 object.publisher().empty() ? "" : StrCat(" by ", object.publisher()),
                 object.event_id().empty() ? "" : StrCat(", event ", object.event_id())));
  AddLine(out, "created", StrCat(FormatAge(options.now_micros, object.created_micros()), " ago"));
  const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
  if (manifest.is_object()) {
    AddLines(out, "labels", Pairs(manifest, "labels"));
    AddLines(out, "annotations", Pairs(manifest, "annotations"));
  }
  return out;
}

std::string FormatRecentEvents(const v1::QueryReply& events, int most, const Style& style) {
  std::string out;
  for (int i = std::max(0, events.events_size() - most); i < events.events_size(); ++i) {
    out.append(FormatEvent(events.events(i), style)).append("\n");
  }
  return out;
}

std::string FormatClusterDetails(const v1::ClusterStatus& cluster, const Json& progress,
                                 const ViewOptions& options) {
  std::string out = StrCat(options.style.Bold(StrCat("Cluster ", cluster.name())), "\n");
  AddLine(out, "state",
          cluster.deleting() ? options.style.Word("Deleting")
                             : options.style.Word(ReadyStatus(cluster)));
  AddLine(out, "last word",
          StrCat(FormatAge(options.now_micros, cluster.last_heartbeat_micros()),
                 cluster.last_heartbeat_micros() == 0 ? "" : " ago"));
  AddLine(out, "provider", cluster.provider());
  AddLine(out, "region", cluster.region());
  AddLine(out, "zones", StrJoin(cluster.zones(), ", "));
  AddLines(out, "labels", Pairs(cluster.labels()));
  AddLines(out, "annotations", Pairs(cluster.annotations()));
  std::vector<std::string> taints;
  for (const v1::Taint& taint : cluster.taints()) {
    taints.push_back(StrCat(taint.key(), taint.value().empty() ? "" : StrCat("=", taint.value()),
                            ":", taint.effect(),
                            taint.source().empty() ? "" : StrCat("  set by ", taint.source())));
  }
  AddLines(out, "taints", taints);
  AddLine(out, "kubernetes", cluster.kubernetes_version());
  AddLine(
      out, "agent",
      StrCat(cluster.agent_version(),
             cluster.agent_bus_user().empty() ? "" : StrCat("  as ", cluster.agent_bus_user())));
  AddLine(out, "nodes",
          StrCat(cluster.node_summary().ready_num(), " of ", cluster.node_summary().total_num(),
                 " ready"));
  AddLine(out, "objects",
          StrCat(progress.value("placed", int64_t{0}), " placed, ",
                 progress.value("applied", int64_t{0}), " applied, ",
                 progress.value("healthy", int64_t{0}), " healthy"));
  return out.append(ResourcesTable(cluster, options)).append(ConditionsTable(cluster, options));
}

std::string FormatTopClusters(const v1::QueryReply& reply, TopOrder order,
                              const ViewOptions& options) {
  std::vector<const v1::ClusterStatus*> clusters;
  for (const v1::ClusterStatus& cluster : reply.clusters()) clusters.push_back(&cluster);
  const std::string resource(ResourceOf(order));
  std::stable_sort(clusters.begin(), clusters.end(), [&](const auto* a, const auto* b) {
    const int64_t left = order == TopOrder::kName ? 0 : PercentUsed(*a, resource).value_or(-1);
    const int64_t right = order == TopOrder::kName ? 0 : PercentUsed(*b, resource).value_or(-1);
    return left != right ? left > right : a->name() < b->name();
  });
  TextTable table(
      {"CLUSTER", "STATE", "NODES", "CPU", "CPU%", "MEMORY", "MEMORY%", "PODS", "PODS%"});
  for (const v1::ClusterStatus* cluster : clusters) {
    const v1::ResourceSummary& summary = cluster->resource_summary();
    const auto amount = [&](const std::string& name) {
      return summary.allocatable().contains(name)
                 ? StrCat(Of(summary.allocated(), name).ToString(), "/",
                          Of(summary.allocatable(), name).ToString())
                 : std::string("-");
    };
    table.Add(
        {cluster->name(), cluster->deleting() ? "Deleting" : ReadyStatus(*cluster),
         StrCat(cluster->node_summary().ready_num(), "/", cluster->node_summary().total_num()),
         amount("cpu"), Percent(*cluster, "cpu"), amount("memory"), Percent(*cluster, "memory"),
         amount("pods"), Percent(*cluster, "pods")});
  }
  return table.Render(options.style);
}

}  // namespace sealane::cli
