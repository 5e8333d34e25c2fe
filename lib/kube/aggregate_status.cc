#include "lib/kube/aggregate_status.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/status_fields.h"

namespace sealane::kube {
namespace {

using Items = std::vector<AggregateItem>;

struct Input {
  const Json& object;
  const Json* old_status;  // nullptr: none
  const Items& items;
  absl::Time now;
};

const Json* Present(const Json* json) {
  return json == nullptr || json->is_null() ? nullptr : json;
}

absl::Status ItemError(const AggregateItem& item, const absl::Status& status) {
  return Annotate(status, StrCat("status of cluster ", item.cluster));
}

Json Unchanged(const Input& in) { return in.old_status == nullptr ? Json() : *in.old_status; }

int64_t TemplateGeneration(const Input& in) {
  FieldReader object(&in.object, "object");
  return FieldReader(object.Object("metadata"), "metadata").Int("generation");
}

// --- Sums ----------------------------------------------------------------------------------------

// A kind whose status is the sum of its clusters' numbers.
struct SumRule {
  std::vector<NumberField> numbers;
  bool generations = false;  // computes observedGeneration
};

const std::map<std::string_view, SumRule>& SumRules() {
  static const auto& rules = *new std::map<std::string_view, SumRule>{
      {"apps/Deployment",
       {{{"replicas"},
         {"readyReplicas"},
         {"updatedReplicas"},
         {"availableReplicas"},
         {"unavailableReplicas"}},
        true}},
      {"apps/ReplicaSet", {{{"replicas", true}, {"readyReplicas"}, {"availableReplicas"}}, true}},
      {"apps/StatefulSet",
       {{{"replicas", true},
         {"availableReplicas", true},
         {"currentReplicas"},
         {"readyReplicas"},
         {"updatedReplicas"}},
        true}},
      {"apps/DaemonSet",
       {{{"currentNumberScheduled", true},
         {"desiredNumberScheduled", true},
         {"numberMisscheduled", true},
         {"numberReady", true},
         {"numberAvailable"},
         {"numberUnavailable"},
         {"updatedNumberScheduled"}},
        true}},
      {"autoscaling/HorizontalPodAutoscaler",
       {{{"currentReplicas"}, {"desiredReplicas", true}}, false}},
  };
  return rules;
}

// True when the member's object was rendered from the current template and its controller has acted
// on it.
bool RunsGeneration(FieldReader& status, int64_t template_generation) {
  return status.Int("observedGeneration") >= status.Int("generation") &&
         status.Int("resourceTemplateGeneration") >= template_generation;
}

absl::StatusOr<Json> AggregateSums(const SumRule& rule, const Input& in) {
  std::vector<int64_t> sums(rule.numbers.size());
  const int64_t generation = TemplateGeneration(in);
  size_t up_to_date = 0;
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += status.Int(rule.numbers[i].name);
    if (rule.generations && RunsGeneration(status, generation)) ++up_to_date;
    if (!status.status().ok()) return ItemError(item, status.status());
  }

  FieldReader old(in.old_status, "status");
  const int64_t old_observed = old.Int("observedGeneration");
  const int64_t observed =
      rule.generations && up_to_date == in.items.size() ? generation : old_observed;
  bool changed = observed != old_observed;
  for (size_t i = 0; i < sums.size(); ++i) {
    changed = changed || sums[i] != old.Int(rule.numbers[i].name);
  }
  if (!changed) return Unchanged(in);

  Json result = Json::object();
  if (rule.generations && in.old_status != nullptr) result = *in.old_status;
  for (size_t i = 0; i < sums.size(); ++i) {
    const std::string name(rule.numbers[i].name);
    if (sums[i] != 0 || rule.numbers[i].keep_zero) {
      result[name] = sums[i];
    } else {
      result.erase(name);
    }
  }
  if (rule.generations && observed != 0) result["observedGeneration"] = observed;
  return result;
}

// --- Load balancers ------------------------------------------------------------------------------

using Port = std::tuple<int64_t, std::string, bool, std::string>;  // port, protocol, failed, error
using Address = std::tuple<bool, std::string, std::string, bool, std::string>;

// All addresses of all clusters, each once: those with a host name first, then by IP.
absl::StatusOr<Json> AggregateLoadBalancer(const Input& in) {
  std::map<Address, std::set<Port>> addresses;
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    FieldReader balancer(status.Object("loadBalancer"), "status.loadBalancer");
    const Json* entries = balancer.Array("ingress");
    if (!status.status().ok()) return ItemError(item, status.status());
    if (!balancer.status().ok()) return ItemError(item, balancer.status());
    if (entries == nullptr) continue;
    for (const Json& entry : *entries) {
      FieldReader fields(&entry, "status.loadBalancer.ingress");
      const std::string host = fields.String("hostname");
      std::set<Port>& ports = addresses[Address(host.empty(), host, fields.String("ip"),
                                                !fields.Has("ipMode"), fields.String("ipMode"))];
      const Json* entry_ports = fields.Array("ports");
      if (!fields.status().ok()) return ItemError(item, fields.status());
      if (entry_ports == nullptr) continue;
      for (const Json& entry_port : *entry_ports) {
        FieldReader port(&entry_port, "status.loadBalancer.ingress.ports");
        ports.emplace(port.Int("port"), port.String("protocol"), port.Has("error"),
                      port.String("error"));
        if (!port.status().ok()) return ItemError(item, port.status());
      }
    }
  }
  Json ingress = Json::array();
  for (const auto& [address, ports] : addresses) {
    Json entry = Json::object();
    if (!std::get<1>(address).empty()) entry["hostname"] = std::get<1>(address);
    if (!std::get<2>(address).empty()) entry["ip"] = std::get<2>(address);
    if (!std::get<3>(address)) entry["ipMode"] = std::get<4>(address);
    for (const Port& port : ports) {
      Json port_json = {{"port", std::get<0>(port)}, {"protocol", std::get<1>(port)}};
      if (std::get<2>(port)) port_json["error"] = std::get<3>(port);
      entry["ports"].push_back(std::move(port_json));
    }
    ingress.push_back(std::move(entry));
  }
  Json result = {{"loadBalancer", Json::object()}};
  if (!ingress.empty()) result["loadBalancer"]["ingress"] = std::move(ingress);
  return result;
}

absl::StatusOr<Json> AggregateService(const Input& in) {
  FieldReader object(&in.object, "object");
  if (FieldReader(object.Object("spec"), "spec").String("type") != "LoadBalancer") {
    return Unchanged(in);
  }
  return AggregateLoadBalancer(in);
}

// --- Jobs ----------------------------------------------------------------------------------------

bool ConditionIsTrue(FieldReader& status, std::string_view type) {
  const Json* conditions = status.Array("conditions");
  if (conditions == nullptr) return false;
  return std::any_of(conditions->begin(), conditions->end(), [&](const Json& condition) {
    FieldReader fields(&condition, "status.conditions");
    return fields.String("type") == type && fields.String("status") == "True";
  });
}

absl::StatusOr<std::optional<absl::Time>> ReadTime(FieldReader& status, std::string_view name) {
  const std::string text = status.String(name);
  if (text.empty()) return std::optional<absl::Time>();
  SEALANE_ASSIGN_OR_RETURN(const absl::Time time, ParseKubeTime(text));
  return std::optional<absl::Time>(time);
}

Json JobCondition(const Input& in, std::string_view type, std::string_view reason,
                  std::string_view message) {
  const std::string now = FormatKubeTime(in.now);
  return Json{{"type", std::string(type)},     {"status", "True"},
              {"reason", std::string(reason)}, {"message", std::string(message)},
              {"lastProbeTime", now},          {"lastTransitionTime", now}};
}

struct JobTotals {
  int64_t active = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;
  size_t complete = 0;      // clusters
  size_t criteria_met = 0;  // clusters
  size_t started = 0;       // clusters
  size_t completed = 0;     // clusters with a completion time
  std::vector<std::string> failed_in;
  absl::Time first_start = absl::InfiniteFuture();
  absl::Time last_completion = absl::InfinitePast();
};

absl::Status AddJob(const AggregateItem& item, JobTotals& totals) {
  FieldReader status(item.status, "status");
  totals.active += status.Int("active");
  totals.succeeded += status.Int("succeeded");
  totals.failed += status.Int("failed");
  if (ConditionIsTrue(status, "Complete")) {
    ++totals.complete;
  } else if (ConditionIsTrue(status, "Failed")) {
    totals.failed_in.push_back(item.cluster);
  }
  if (ConditionIsTrue(status, "SuccessCriteriaMet")) ++totals.criteria_met;
  SEALANE_ASSIGN_OR_RETURN(const auto start, ReadTime(status, "startTime"));
  if (start.has_value()) {
    ++totals.started;
    totals.first_start = std::min(totals.first_start, *start);
  }
  SEALANE_ASSIGN_OR_RETURN(const auto completion, ReadTime(status, "completionTime"));
  if (completion.has_value()) {
    ++totals.completed;
    totals.last_completion = std::max(totals.last_completion, *completion);
  }
  return status.status();
}

absl::StatusOr<Json> AggregateJob(const Input& in) {
  FieldReader old(in.old_status, "status");
  // A finished job stays as it finished.
  if (ConditionIsTrue(old, "Complete") || ConditionIsTrue(old, "Failed")) return Unchanged(in);

  JobTotals totals;
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    if (absl::Status status = AddJob(item, totals); !status.ok()) return ItemError(item, status);
  }
  Json result = Json::object();
  if (totals.active != 0) result["active"] = totals.active;
  if (totals.succeeded != 0) result["succeeded"] = totals.succeeded;
  if (totals.failed != 0) result["failed"] = totals.failed;
  if (!totals.failed_in.empty()) {
    result["conditions"].push_back(JobCondition(
        in, "Failed", "JobFailed",
        StrCat("Job executed failed in member clusters ", StrJoin(totals.failed_in, ","))));
  }
  const size_t all = in.items.size();
  if (all > 0 && totals.complete == all) {
    result["conditions"].push_back(JobCondition(in, "Complete", "Completed", "Job completed"));
    if (totals.criteria_met == all) {
      result["conditions"].push_back(JobCondition(in, "SuccessCriteriaMet", "CompletionsReached",
                                                  "All member clusters have met success criteria"));
    }
  }
  if (old.Has("startTime")) {
    result["startTime"] = old.String("startTime");
  } else if (all > 0 && totals.started == all) {
    result["startTime"] = FormatKubeTime(totals.first_start);
  }
  if (all > 0 && totals.completed == all) {
    result["completionTime"] = FormatKubeTime(totals.last_completion);
  }
  if (result.empty()) return Unchanged(in);
  return result;
}

absl::StatusOr<Json> AggregateCronJob(const Input& in) {
  Json active = Json::array();
  absl::Time last_schedule = absl::InfinitePast();
  absl::Time last_success = absl::InfinitePast();
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    if (const Json* entries = status.Array("active"); entries != nullptr) {
      active.insert(active.end(), entries->begin(), entries->end());
    }
    for (auto [name, latest] :
         {std::pair("lastScheduleTime", &last_schedule), {"lastSuccessfulTime", &last_success}}) {
      const auto time = ReadTime(status, name);
      if (!time.ok()) return ItemError(item, Annotate(time.status(), name));
      if (time->has_value()) *latest = std::max(*latest, **time);
    }
    if (!status.status().ok()) return ItemError(item, status.status());
  }
  Json result = Json::object();
  if (!active.empty()) result["active"] = std::move(active);
  if (last_schedule != absl::InfinitePast()) {
    result["lastScheduleTime"] = FormatKubeTime(last_schedule);
  }
  if (last_success != absl::InfinitePast()) {
    result["lastSuccessfulTime"] = FormatKubeTime(last_success);
  }
  if (result.empty() && in.old_status == nullptr) return Json();
  return result;
}

// --- Phases --------------------------------------------------------------------------------------

// The phases of all clusters; a cluster that reports nothing counts as `missing`.
absl::StatusOr<std::set<std::string>> Phases(const Input& in, std::string_view missing) {
  std::set<std::string> phases;
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) {
      phases.emplace(missing);
      continue;
    }
    FieldReader status(item.status, "status");
    phases.insert(status.String("phase"));
    if (!status.status().ok()) return ItemError(item, status.status());
  }
  return phases;
}

// The first of `order` that some cluster is in; empty when none is.
std::string WorstPhase(const std::set<std::string>& phases,
                       std::initializer_list<const char*> order) {
  for (const char* phase : order) {
    if (phases.count(phase) > 0) return phase;
  }
  return {};
}

// Only what makes sense for all clusters together: readiness and state of each container.
absl::Status AppendContainers(FieldReader& status, std::string_view field, Json& result) {
  const Json* containers = status.Array(field);
  if (containers == nullptr) return status.status();
  for (const Json& container : *containers) {
    FieldReader fields(&container, StrCat("status.", field));
    Json entry = {{"name", ""},
                  {"image", ""},
                  {"imageID", ""},
                  {"ready", fields.Bool("ready")},
                  {"restartCount", 0},
                  {"state", Json::object()},
                  {"lastState", Json::object()}};
    if (const Json* state = fields.Object("state"); state != nullptr) entry["state"] = *state;
    if (!fields.status().ok()) return fields.status();
    result[std::string(field)].push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> AggregatePod(const Input& in) {
  Json result = Json::object();
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    for (const std::string_view field : {"containerStatuses", "initContainerStatuses"}) {
      if (absl::Status appended = AppendContainers(status, field, result); !appended.ok()) {
        return ItemError(item, appended);
      }
    }
  }
  SEALANE_ASSIGN_OR_RETURN(const std::set<std::string> phases, Phases(in, "Pending"));
  const std::string phase = WorstPhase(phases, {"Failed", "Pending", "Running", "Succeeded"});
  if (!phase.empty()) result["phase"] = phase;
  return result;
}

absl::StatusOr<Json> AggregatePersistentVolume(const Input& in) {
  SEALANE_ASSIGN_OR_RETURN(const std::set<std::string> phases, Phases(in, "Pending"));
  const std::string phase =
      WorstPhase(phases, {"Failed", "Pending", "Available", "Bound", "Released"});
  if (phase.empty()) return in.old_status == nullptr ? Json() : Json::object();
  return Json{{"phase", phase}};
}

absl::StatusOr<Json> AggregatePersistentVolumeClaim(const Input& in) {
  std::string result = "Bound";
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    const std::string phase = status.String("phase");
    if (!status.status().ok()) return ItemError(item, status.status());
    if (phase == "Lost") return Json{{"phase", "Lost"}};
    if (phase != "Bound") result = phase;
  }
  return Json{{"phase", result}};
}

absl::StatusOr<Json> AggregatePodDisruptionBudget(const Input& in) {
  Json result = {
      {"currentHealthy", 0}, {"desiredHealthy", 0}, {"disruptionsAllowed", 0}, {"expectedPods", 0}};
  Json disrupted = Json::object();
  for (const AggregateItem& item : in.items) {
    if (Present(item.status) == nullptr) continue;
    FieldReader status(item.status, "status");
    for (auto& [name, sum] : result.items()) sum = sum.get<int64_t>() + status.Int(name);
    const Json* pods = status.Object("disruptedPods");
    if (!status.status().ok()) return ItemError(item, status.status());
    if (pods == nullptr) continue;
    for (const auto& [pod, time] : pods->items()) {
      disrupted[StrCat(item.cluster, "/", pod)] = time;
    }
  }
  if (!disrupted.empty()) result["disruptedPods"] = std::move(disrupted);
  return result;
}

// --- Dispatch ------------------------------------------------------------------------------------

using CombineRule = absl::StatusOr<Json> (*)(const Input&);

const std::map<std::string_view, CombineRule>& CombineRules() {
  static const auto& rules = *new std::map<std::string_view, CombineRule>{
      {"/PersistentVolume", AggregatePersistentVolume},
      {"/PersistentVolumeClaim", AggregatePersistentVolumeClaim},
      {"/Pod", AggregatePod},
      {"/Service", AggregateService},
      {"batch/CronJob", AggregateCronJob},
      {"batch/Job", AggregateJob},
      {"networking.k8s.io/Ingress", AggregateLoadBalancer},
      {"policy/PodDisruptionBudget", AggregatePodDisruptionBudget},
  };
  return rules;
}

}  // namespace

bool CanAggregate(const Json& object) {
  const std::string group_kind = GroupKind(object);
  return SumRules().count(group_kind) > 0 || CombineRules().count(group_kind) > 0;
}

absl::StatusOr<Json> AggregateStatus(const Json& object, const std::vector<AggregateItem>& items,
                                     absl::Time now) {
  FieldReader reader(&object, "object");
  const Input input{object, reader.Object("status"), items, now};
  if (!reader.status().ok()) return reader.status();
  const std::string group_kind = GroupKind(object);
  if (const auto sums = SumRules().find(group_kind); sums != SumRules().end()) {
    return AggregateSums(sums->second, input);
  }
  const auto rule = CombineRules().find(group_kind);
  if (rule == CombineRules().end()) return Unchanged(input);
  return rule->second(input);
}

}  // namespace sealane::kube
