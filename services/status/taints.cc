#include "services/status/taints.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/json_reader.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"
#include "services/status/conditions.h"

namespace sealane::status {
namespace {

constexpr std::string_view kConditionSource = "condition";
constexpr std::string_view kFailoverSource = "failover";
constexpr std::string_view kPolicySource = "policy/";

using TaintKey = std::pair<std::string, std::string>;  // key, effect
using TaintMap = std::map<TaintKey, v1::Taint>;

TaintKey KeyOf(const v1::Taint& taint) { return {taint.key(), taint.effect()}; }

v1::Taint MakeTaint(std::string_view key, std::string_view value, std::string_view effect,
                    std::string_view source, int64_t added_micros) {
  v1::Taint taint;
  taint.set_key(std::string(key));
  taint.set_value(std::string(value));
  taint.set_effect(std::string(effect));
  taint.set_source(std::string(source));
  taint.set_time_added_micros(added_micros);
  return taint;
}

bool FromPolicy(const v1::Taint& taint) { return taint.source().rfind(kPolicySource, 0) == 0; }

// Since when a taint of that source is in force; `now` when there is none yet.
int64_t AddedBefore(const v1::ClusterStatus* row, std::string_view source, int64_t now_micros) {
  int64_t added = now_micros;
  if (row == nullptr) return added;
  for (const v1::Taint& taint : row->taints()) {
    if (taint.source() == source) added = std::min(added, taint.time_added_micros());
  }
  return added;
}

bool Holds(const v1::ClusterStatus& cluster, const std::vector<TaintPolicy::Match>& matches) {
  if (matches.empty()) return false;
  return std::all_of(matches.begin(), matches.end(), [&](const TaintPolicy::Match& match) {
    const v1::Condition* condition = FindCondition(cluster, match.condition_type);
    if (condition == nullptr) return false;
    const bool listed = std::find(match.values.begin(), match.values.end(), condition->status()) !=
                        match.values.end();
    return listed == match.in;
  });
}

// The Cluster object's own taints; one without a time has the time it was first seen here.
void AddOwn(const TaintInput& input, TaintMap& taints) {
  for (v1::Taint taint : input.registered.taints()) {
    if (taint.time_added_micros() == 0 && taint.effect() == "NoExecute") {
      taint.set_time_added_micros(input.now_micros);
      if (input.previous != nullptr) {
        for (const v1::Taint& old : input.previous->taints()) {
          if (KeyOf(old) == KeyOf(taint) && old.source().empty()) {
            taint.set_time_added_micros(old.time_added_micros());
          }
        }
      }
    }
    taints.emplace(KeyOf(taint), std::move(taint));
  }
}

void AddFromCondition(const FailoverOptions& options, const TaintInput& input, TaintMap& taints) {
  if (input.readiness == Readiness::kTrue) return;
  const std::string_view key =
      input.readiness == Readiness::kFalse ? kNotReadyTaint : kUnreachableTaint;
  const int64_t since = AddedBefore(input.previous, kConditionSource, input.now_micros);
  const v1::Taint no_schedule = MakeTaint(key, "", "NoSchedule", kConditionSource, since);
  taints.emplace(KeyOf(no_schedule), no_schedule);
  if (!options.enabled || input.storm) return;
  if (input.now_micros - std::max(since, input.well_micros) <
      absl::ToInt64Microseconds(options.after))
    return;
  const v1::Taint no_execute =
      MakeTaint(key, "", "NoExecute", kFailoverSource,
                AddedBefore(input.previous, kFailoverSource, input.now_micros));
  taints.emplace(KeyOf(no_execute), no_execute);
}

void AddFromPolicies(const TaintInput& input, TaintMap& taints) {
  TaintMap set;  // by policies, those of the past first
  if (input.previous != nullptr) {
    const bool object_changed = input.previous->generation() != input.registered.generation();
    for (const v1::Taint& taint : input.previous->taints()) {
      if (!FromPolicy(taint)) continue;
      const std::string_view policy = std::string_view(taint.source()).substr(kPolicySource.size());
      const bool exists =
          std::any_of(input.policies.begin(), input.policies.end(),
                      [&](const TaintPolicy& candidate) { return candidate.name == policy; });
      if (exists || !object_changed) set.emplace(KeyOf(taint), taint);
    }
  }
  for (const TaintPolicy& policy : input.policies) {
    if (!policy.target.Matches(input.registered)) continue;
    if (Holds(input.conditions, policy.add_on)) {
      for (const TaintPolicy::Item& item : policy.taints) {
        if (input.storm && item.effect == "NoExecute") continue;
        set.emplace(TaintKey(item.key, item.effect),
                    MakeTaint(item.key, item.value, item.effect, StrCat(kPolicySource, policy.name),
                              input.now_micros));
      }
    }
    if (Holds(input.conditions, policy.remove_on)) {
      for (const TaintPolicy::Item& item : policy.taints) {
        set.erase(TaintKey(item.key, item.effect));
      }
    }
  }
  for (auto& entry : set) taints.emplace(entry.first, std::move(entry.second));
}

std::vector<TaintPolicy::Match> ReadMatches(const JsonReader& list) {
  std::vector<TaintPolicy::Match> matches;
  list.Each([&](const JsonReader& item) {
    TaintPolicy::Match match;
    match.condition_type = item.Field("conditionType").String();
    const std::string op = item.Field("operator").String();
    match.in = op == "In";
    if (op != "In" && op != "NotIn") {
      item.Field("operator").Error("NotSupported", StrCat("must be In or NotIn, is \"", op, "\""));
    }
    item.Field("statusValues").Each([&](const JsonReader& value) {
      match.values.push_back(value.String());
    });
    matches.push_back(std::move(match));
  });
  return matches;
}

}  // namespace

bool IsStorm(const FailoverOptions& options, size_t not_ready, size_t total) {
  return total > 0 &&
         static_cast<double>(not_ready) > options.storm_share * static_cast<double>(total);
}

absl::StatusOr<TaintPolicy> ParseTaintPolicy(const Json& manifest, int64_t created_micros) {
  std::vector<v1::FieldError> errors;
  const JsonReader root(manifest, "", &errors);
  const JsonReader spec = root.Field("spec");
  TaintPolicy policy;
  policy.created_micros = created_micros;
  policy.name = root.Field("metadata").Field("name").String();
  if (spec.Has("targetClusters")) {
    v1::ClusterAffinity affinity;
    const Json& target = spec.Field("targetClusters").value();
    if (absl::Status parsed = MessageFromJson(target, &affinity); !parsed.ok()) {
      return Annotate(parsed, "spec.targetClusters");
    }
    policy.target = AffinityMatcher(affinity);
    if (!policy.target.status().ok()) {
      return Annotate(policy.target.status(), "spec.targetClusters");
    }
  }
  policy.add_on = ReadMatches(spec.Field("addOnConditions"));
  policy.remove_on = ReadMatches(spec.Field("removeOnConditions"));
  spec.Field("taints").Each([&](const JsonReader& item) {
    policy.taints.push_back(
        {item.Field("key").String(), item.Field("value").String(), item.Field("effect").String()});
    if (policy.taints.back().key.empty()) item.Field("key").Error("Required", "must be given");
  });
  if (!errors.empty()) {
    return InvalidArgument(StrCat(errors[0].field(), ": ", errors[0].message()));
  }
  return policy;
}

std::vector<v1::Taint> ComputeTaints(const FailoverOptions& options, const TaintInput& input) {
  TaintMap taints;
  AddOwn(input, taints);
  AddFromCondition(options, input, taints);
  AddFromPolicies(input, taints);
  std::vector<v1::Taint> result;
  result.reserve(taints.size());
  for (auto& entry : taints) result.push_back(std::move(entry.second));
  return result;
}

int64_t NextTaintChangeMicros(const FailoverOptions& options, const v1::ClusterStatus& row,
                              int64_t well_micros) {
  if (!options.enabled) return 0;
  int64_t since = 0;
  for (const v1::Taint& taint : row.taints()) {
    if (taint.source() == kFailoverSource) return 0;
    if (taint.source() == kConditionSource) since = taint.time_added_micros();
  }
  if (since == 0) return 0;
  return std::max(since, well_micros) + absl::ToInt64Microseconds(options.after);
}

}  // namespace sealane::status
