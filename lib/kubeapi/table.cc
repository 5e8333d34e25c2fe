#include "lib/kubeapi/table.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/selector.h"

namespace sealane::kubeapi {
namespace {

struct Column {
  const char* name;
  const char* type;
  int priority;
  std::function<Json(const Json& object, absl::Time now)> cell;
};

const Json& AtPath(const Json& object, std::string_view path) {
  static const Json* const null = new Json();
  const Json* at = &object;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    const auto it = at->is_object() ? at->find(std::string(path.substr(0, dot))) : at->end();
    if (!at->is_object() || it == at->end()) return *null;
    at = &*it;
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *at;
}

int64_t NumberAt(const Json& object, std::string_view path) {
  const Json& value = AtPath(object, path);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

std::string OrNone(const std::string& text) { return text.empty() ? "<none>" : text; }

Json Since(const Json& object, absl::Time now, std::string_view path) {
  const auto time = ParseKubeTime(FieldText(object, path));
  if (!time.ok()) return "<unknown>";
  return HumanDuration(now - *time);
}

Json Age(const Json& object, absl::Time now) {
  return Since(object, now, "metadata.creationTimestamp");
}

Column AgeColumn() { return {"Age", "string", 0, Age}; }
Column TextColumn(const char* name, std::string path, int priority = 0) {
  return {name, "string", priority, [path = std::move(path)](const Json& object, absl::Time) {
            return Json(OrNone(FieldText(object, path)));
          }};
}
Column NumberColumn(const char* name, std::string path) {
  return {name, "string", 0, [path = std::move(path)](const Json& object, absl::Time) {
            return Json(NumberAt(object, path));
          }};
}

std::string JoinField(const Json& list, const char* field) {
  std::vector<std::string> parts;
  if (list.is_array()) {
    for (const Json& item : list) parts.push_back(item.value(field, ""));
  }
  return StrJoin(parts, ",");
}

Column ContainersColumn() {
  return {"Containers", "string", 1, [](const Json& object, absl::Time) {
            return Json(JoinField(AtPath(object, "spec.template.spec.containers"), "name"));
          }};
}
Column ImagesColumn() {
  return {"Images", "string", 1, [](const Json& object, absl::Time) {
            return Json(JoinField(AtPath(object, "spec.template.spec.containers"), "image"));
          }};
}
Column SelectorColumn() {
  return {"Selector", "string", 1, [](const Json& object, absl::Time) {
            const auto query = LabelQuery::FromObject(AtPath(object, "spec.selector"));
            return Json(query.ok() ? OrNone(query->ToString()) : "<none>");
          }};
}

std::string MapText(const Json& map) {
  std::vector<std::string> parts;
  if (map.is_object()) {
    for (const auto& [key, value] : map.items()) {
      parts.push_back(
          StrCat(key, "=", value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
  return OrNone(StrJoin(parts, ","));
}

Json ServiceExternalIp(const Json& object, absl::Time) {
  const std::string type = FieldText(object, "spec.type");
  if (type == "ExternalName") return FieldText(object, "spec.externalName");
  std::vector<std::string> ips;
  const Json& ingress = AtPath(object, "status.loadBalancer.ingress");
  if (type == "LoadBalancer" && ingress.is_array()) {
    for (const Json& item : ingress) {
      ips.push_back(item.contains("ip") ? item.value("ip", "") : item.value("hostname", ""));
    }
  }
  const Json& external = AtPath(object, "spec.externalIPs");
  if (external.is_array()) {
    for (const Json& ip : external) ips.push_back(ip.get<std::string>());
  }
  if (ips.empty()) return type == "LoadBalancer" ? "<pending>" : "<none>";
  return StrJoin(ips, ",");
}

Json ServicePorts(const Json& object, absl::Time) {
  std::vector<std::string> parts;
  const Json& ports = AtPath(object, "spec.ports");
  if (ports.is_array()) {
    for (const Json& port : ports) {
      std::string text = std::to_string(port.value("port", 0));
      if (port.value("nodePort", 0) > 0) text += StrCat(":", port.value("nodePort", 0));
      parts.push_back(StrCat(text, "/", port.value("protocol", "TCP")));
    }
  }
  return OrNone(StrJoin(parts, ","));
}

Json PodReady(const Json& object, absl::Time) {
  size_t ready = 0;
  const Json& statuses = AtPath(object, "status.containerStatuses");
  if (statuses.is_array()) {
    for (const Json& status : statuses) ready += status.value("ready", false) ? 1 : 0;
  }
  return StrCat(ready, "/", AtPath(object, "spec.containers").size());
}

Json PodStatus(const Json& object, absl::Time) {
  std::string reason = FieldText(object, "status.phase");
  if (const std::string why = FieldText(object, "status.reason"); !why.empty()) reason = why;
  const Json& statuses = AtPath(object, "status.containerStatuses");
  if (statuses.is_array()) {
    for (const Json& status : statuses) {
      for (const char* state : {"state.waiting.reason", "state.terminated.reason"}) {
        if (const std::string why = FieldText(status, state); !why.empty()) reason = why;
      }
    }
  }
  if (!AtPath(object, "metadata.deletionTimestamp").is_null()) reason = "Terminating";
  return reason;
}

Json PodRestarts(const Json& object, absl::Time) {
  int64_t restarts = 0;
  const Json& statuses = AtPath(object, "status.containerStatuses");
  if (statuses.is_array()) {
    for (const Json& status : statuses) restarts += status.value("restartCount", 0);
  }
  return std::to_string(restarts);
}

Json NodeStatus(const Json& object, absl::Time) {
  std::string text = "Unknown";
  const Json& conditions = AtPath(object, "status.conditions");
  if (conditions.is_array()) {
    for (const Json& condition : conditions) {
      if (condition.value("type", "") == "Ready") {
        text = condition.value("status", "") == "True" ? "Ready" : "NotReady";
      }
    }
  }
  if (AtPath(object, "spec.unschedulable") == true) text += ",SchedulingDisabled";
  return text;
}

Json JobStatus(const Json& object, absl::Time) {
  const Json& conditions = AtPath(object, "status.conditions");
  if (conditions.is_array()) {
    for (const Json& condition : conditions) {
      const std::string type = condition.value("type", "");
      if (condition.value("status", "") == "True" &&
          (type == "Complete" || type == "Failed" || type == "Suspended")) {
        return type;
      }
    }
  }
  return "Running";
}

Json JobCompletions(const Json& object, absl::Time) {
  const Json& wanted = AtPath(object, "spec.completions");
  return StrCat(NumberAt(object, "status.succeeded"), "/",
                wanted.is_null() ? std::string("1") : wanted.dump());
}

Json EventObject(const Json& object, absl::Time) {
  std::string kind = FieldText(object, "involvedObject.kind");
  for (char& c : kind) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return StrCat(kind, "/", FieldText(object, "involvedObject.name"));
}

Json Ratio(const Json& object, const char* part, const char* whole) {
  return StrCat(NumberAt(object, part), "/", NumberAt(object, whole));
}

Json CountOf(const Json& object, const char* field) {
  const Json& map = AtPath(object, field);
  return map.is_structured() ? map.size() : 0;
}

using Tables = std::map<std::string, std::vector<Column>>;

Tables BuildTables() {
  Tables t;
  const auto count = [](const char* name, const char* field) {
    return Column{name, "string", 0,
                  [field](const Json& o, absl::Time) { return CountOf(o, field); }};
  };
  t["configmaps"] = {
      {"Data", "string", 0,
       [](const Json& o, absl::Time) {
         return Json(CountOf(o, "data").get<size_t>() + CountOf(o, "binaryData").get<size_t>());
       }},
      AgeColumn()};
  t["secrets"] = {TextColumn("Type", "type"), count("Data", "data"), AgeColumn()};
  t["serviceaccounts"] = {count("Secrets", "secrets"), AgeColumn()};
  t["namespaces"] = {TextColumn("Status", "status.phase"), AgeColumn()};
  t["services"] = {TextColumn("Type", "spec.type"),
                   TextColumn("Cluster-IP", "spec.clusterIP"),
                   {"External-IP", "string", 0, ServiceExternalIp},
                   {"Port(s)", "string", 0, ServicePorts},
                   AgeColumn(),
                   {"Selector", "string", 1, [](const Json& o, absl::Time) {
                      return Json(MapText(AtPath(o, "spec.selector")));
                    }}};
  t["pods"] = {{"Ready", "string", 0, PodReady},
               {"Status", "string", 0, PodStatus},
               {"Restarts", "string", 0, PodRestarts},
               AgeColumn(),
               TextColumn("IP", "status.podIP", 1),
               TextColumn("Node", "spec.nodeName", 1),
               TextColumn("Nominated Node", "status.nominatedNodeName", 1),
               {"Readiness Gates", "string", 1, [](const Json&, absl::Time) { return "<none>"; }}};
  t["nodes"] = {{"Status", "string", 0, NodeStatus},
                {"Roles", "string", 0, [](const Json&, absl::Time) { return "<none>"; }},
                AgeColumn(),
                TextColumn("Version", "status.nodeInfo.kubeletVersion"),
                TextColumn("OS-Image", "status.nodeInfo.osImage", 1),
                TextColumn("Kernel-Version", "status.nodeInfo.kernelVersion", 1),
                TextColumn("Container-Runtime", "status.nodeInfo.containerRuntimeVersion", 1)};
  t["events"] = {{"Last Seen", "string", 0,
                  [](const Json& o, absl::Time now) { return Since(o, now, "lastTimestamp"); }},
                 TextColumn("Type", "type"),
                 TextColumn("Reason", "reason"),
                 {"Object", "string", 0, EventObject},
                 TextColumn("Message", "message")};
  t["apps/deployments"] = {
      {"Ready", "string", 0,
       [](const Json& o, absl::Time) { return Ratio(o, "status.readyReplicas", "spec.replicas"); }},
      NumberColumn("Up-to-date", "status.updatedReplicas"),
      NumberColumn("Available", "status.availableReplicas"),
      AgeColumn(),
      ContainersColumn(),
      ImagesColumn(),
      SelectorColumn()};
  t["apps/replicasets"] = {NumberColumn("Desired", "spec.replicas"),
                           NumberColumn("Current", "status.replicas"),
                           NumberColumn("Ready", "status.readyReplicas"),
                           AgeColumn(),
                           ContainersColumn(),
                           ImagesColumn(),
                           SelectorColumn()};
  t["apps/statefulsets"] = {
      {"Ready", "string", 0,
       [](const Json& o, absl::Time) { return Ratio(o, "status.readyReplicas", "spec.replicas"); }},
      AgeColumn(),
      ContainersColumn(),
      ImagesColumn()};
  t["apps/daemonsets"] = {NumberColumn("Desired", "status.desiredNumberScheduled"),
                          NumberColumn("Current", "status.currentNumberScheduled"),
                          NumberColumn("Ready", "status.numberReady"),
                          NumberColumn("Up-to-date", "status.updatedNumberScheduled"),
                          NumberColumn("Available", "status.numberAvailable"),
                          {"Node Selector", "string", 0,
                           [](const Json& o, absl::Time) {
                             return Json(MapText(AtPath(o, "spec.template.spec.nodeSelector")));
                           }},
                          AgeColumn(),
                          ContainersColumn(),
                          ImagesColumn(),
                          SelectorColumn()};
  t["batch/jobs"] = {{"Status", "string", 0, JobStatus},
                     {"Completions", "string", 0, JobCompletions},
                     {"Duration", "string", 0,
                      [](const Json& o, absl::Time now) {
                        const auto start = ParseKubeTime(FieldText(o, "status.startTime"));
                        if (!start.ok()) return Json("");
                        const auto end = ParseKubeTime(FieldText(o, "status.completionTime"));
                        return Json(HumanDuration((end.ok() ? *end : now) - *start));
                      }},
                     AgeColumn(),
                     ContainersColumn(),
                     ImagesColumn(),
                     SelectorColumn()};
  t[kCrds] = {{"Created At", "date", 0, [](const Json& o, absl::Time) {
                 return Json(FieldText(o, "metadata.creationTimestamp"));
               }}};
  for (auto& entry : t) {
    Column name = {"Name", "string", 0,
                   [](const Json& o, absl::Time) { return Json(FieldText(o, "metadata.name")); }};
    const bool event = entry.first == "events";
    if (event) name.priority = 1;
    entry.second.insert(event ? entry.second.end() : entry.second.begin(), std::move(name));
  }
  return t;
}

const std::vector<Column>& BuiltinColumns(const Resource& resource) {
  static const Tables* const tables = new Tables(BuildTables());
  static const auto* const plain = new std::vector<Column>{
      {"Name", "string", 0,
       [](const Json& o, absl::Time) { return Json(FieldText(o, "metadata.name")); }},
      {"Created At", "date", 0,
       [](const Json& o, absl::Time) { return Json(FieldText(o, "metadata.creationTimestamp")); }}};
  const auto it = tables->find(resource.StorageName());
  return it == tables->end() ? *plain : it->second;
}

Json Definition(const std::string& name, const std::string& type, int priority,
                const std::string& format) {
  return {{"name", name},
          {"type", type},
          {"format", name == "Name" ? "name" : format},
          {"description", ""},
          {"priority", priority}};
}

// As At; a part may end in "[0]" or "[*]", which is the first element here.
const Json* Follow(const Json& object, std::string_view path) {
  const Json* at = &object;
  while (at != nullptr && !path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    std::string_view part = path.substr(0, dot);
    path.remove_prefix(std::min(dot + 1, path.size()));
    const size_t bracket = part.find('[');
    const std::string_view index =
        bracket == std::string_view::npos ? std::string_view() : part.substr(bracket);
    part = part.substr(0, bracket);
    if (!part.empty()) {
      const auto it = at->is_object() ? at->find(part) : at->end();
      at = at->is_object() && it != at->end() ? &*it : nullptr;
    }
    if (index.empty() || at == nullptr) continue;
    size_t number = 0;
    const bool any = index == "[*]";
    if (!any) number = static_cast<size_t>(std::atoi(std::string(index.substr(1)).c_str()));
    at = at->is_array() && number < at->size() ? &(*at)[number] : nullptr;
  }
  return at;
}

// A printer column's simple JSON path: ".spec.size", ".spec.ports[0].port",
// ".status.conditions[?(@.type==\"Ready\")].status".
Json CustomCell(const Json& object, std::string path, const std::string& type, absl::Time now) {
  if (!path.empty() && path.front() == '.') path.erase(0, 1);
  const Json* at = &object;
  const size_t filter = path.find("[?(@.");
  if (filter != std::string::npos) {
    const size_t close = path.find(")]", filter);
    const size_t equals = path.find("==", filter);
    if (close == std::string::npos || equals == std::string::npos || equals > close) return nullptr;
    const std::string key = path.substr(filter + 5, equals - filter - 5);
    std::string want = path.substr(equals + 2, close - equals - 2);
    if (want.size() >= 2) want = want.substr(1, want.size() - 2);
    const Json& list = AtPath(object, path.substr(0, filter));
    at = nullptr;
    if (list.is_array()) {
      for (const Json& item : list) {
        if (FieldText(item, key) == want) at = &item;
      }
    }
    if (at == nullptr) return nullptr;
    path = close + 3 <= path.size() ? path.substr(close + 3) : "";
  }
  const Json* const found = Follow(*at, path);
  if (found == nullptr || found->is_null()) return nullptr;
  const Json& value = *found;
  if (type == "date") {
    const auto time = value.is_string() ? ParseKubeTime(value.get<std::string>())
                                        : absl::StatusOr<absl::Time>(absl::UnknownError(""));
    return time.ok() ? Json(HumanDuration(now - *time)) : Json("<invalid>");
  }
  if (type == "string" && !value.is_string()) return value.dump();
  return value;
}

Json PrinterColumns(const Resource& resource) {
  Json columns = resource.crd_version->value("additionalPrinterColumns", Json::array());
  if (columns.empty()) {
    columns.push_back(
        {{"name", "Age"}, {"type", "date"}, {"jsonPath", ".metadata.creationTimestamp"}});
  }
  return columns;
}

}  // namespace

std::string HumanDuration(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return StrCat(seconds, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 10) {
    return seconds % 60 == 0 ? StrCat(minutes, "m") : StrCat(minutes, "m", seconds % 60, "s");
  }
  if (minutes < 180) return StrCat(minutes, "m");
  const int64_t hours = minutes / 60;
  if (hours < 8)
    return minutes % 60 == 0 ? StrCat(hours, "h") : StrCat(hours, "h", minutes % 60, "m");
  if (hours < 48) return StrCat(hours, "h");
  if (hours < 192) {
    return hours % 24 == 0 ? StrCat(hours / 24, "d") : StrCat(hours / 24, "d", hours % 24, "h");
  }
  if (hours < 24 * 365 * 2) return StrCat(hours / 24, "d");
  const int64_t years = hours / 24 / 365;
  const int64_t days = hours / 24 % 365;
  if (years < 8) return days == 0 ? StrCat(years, "y") : StrCat(years, "y", days, "d");
  return StrCat(years, "y");
}

Json PartialMetadata(const Json& object) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", object.value("metadata", Json::object())}};
}

Json TableColumns(const Resource& resource) {
  Json out = Json::array();
  if (resource.builtin) {
    for (const Column& column : BuiltinColumns(resource)) {
      out.push_back(Definition(column.name, column.type, column.priority, ""));
    }
    return out;
  }
  out.push_back(Definition("Name", "string", 0, "name"));
  for (const Json& column : PrinterColumns(resource)) {
    out.push_back(Definition(column.value("name", ""), column.value("type", "string"),
                             column.value("priority", 0), column.value("format", "")));
  }
  return out;
}

Json TableRow(const Resource& resource, const Json& object, absl::Time now,
              const std::string& include_object) {
  Json cells = Json::array();
  if (resource.builtin) {
    for (const Column& column : BuiltinColumns(resource)) cells.push_back(column.cell(object, now));
  } else {
    cells.push_back(FieldText(object, "metadata.name"));
    for (const Json& column : PrinterColumns(resource)) {
      cells.push_back(
          CustomCell(object, column.value("jsonPath", ""), column.value("type", "string"), now));
    }
  }
  Json row = {{"cells", std::move(cells)}};
  if (include_object == "Object") {
    row["object"] = object;
  } else if (include_object != "None") {
    row["object"] = PartialMetadata(object);
  }
  return row;
}

}  // namespace sealane::kubeapi
