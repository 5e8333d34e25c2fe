#include "services/scheduler/explain.h"

#include <algorithm>

#include "lib/core/strings.h"
#include "services/scheduler/assign.h"
#include "services/scheduler/score.h"

namespace sealane::scheduler {
namespace {

// Votes of the selected clusters under static weights, by place in the verdicts; else empty.
std::vector<int64_t> VotesByVerdict(const ScheduleInput& input, const ScheduleResult& result) {
  const Request& request = input.request;
  if (request.strategy != Strategy::kStaticWeight || !request.workload) return {};
  Candidates selected;
  for (size_t i = 0; i < result.verdicts.size(); ++i) {
    const ClusterVerdict& verdict = result.verdicts[i];
    if (!verdict.selected) continue;
    Candidate& candidate = selected.emplace_back();
    candidate.cluster = verdict.cluster;
    candidate.index = static_cast<uint32_t>(i);
  }
  const std::vector<int64_t> votes = StaticVotes(request, input.snapshot, selected);
  std::vector<int64_t> by_verdict(result.verdicts.size(), 0);
  for (size_t i = 0; i < selected.size(); ++i) by_verdict[selected[i].index] = votes[i];
  return by_verdict;
}

// "room for 3 more (agent: quota shop/small)": how many, and who says that it is no more.
std::string RoomOf(const ScheduleInput& input, const ClusterVerdict& verdict) {
  if (verdict.allocatable >= kUnlimited) return "needs no room";
  const std::string& name = verdict.cluster->name;
  std::string by;
  if (verdict.accurate >= 0 && verdict.accurate <= verdict.allocatable) {
    const auto answer = input.accurate->find(name);
    const bool told = answer != input.accurate->end() && !answer->second.limited_by.empty();
    by = StrCat("agent: ", told ? answer->second.limited_by : "nodes");
  } else {
    by = LimitOf(input.request, *verdict.cluster, AssumedFor(input.assumed, name));
    if (by != "resource models") by = StrCat("heartbeat: ", by);
  }
  return StrCat("room for ", verdict.allocatable, " more (", by, ")");
}

std::string WhyByWeight(const ScheduleInput& input, const ClusterVerdict& verdict, int64_t vote) {
  const bool counts = input.request.respect_capacity;
  const bool full =
      counts && vote > 0 && verdict.replicas >= int64_t{verdict.allocatable} + verdict.assigned;
  std::string why = StrCat("weight ", vote);
  if (verdict.replicas == 0 && !full) {
    why += vote == 0 ? ": no rule gives it replicas" : ": too small for a replica";
  }
  if (!counts) return why;
  return StrCat(why, full ? "; full: " : "; ",
                verdict.assigned > 0 ? StrCat("had ", verdict.assigned, ", ") : "",
                RoomOf(input, verdict));
}

std::string WhyByRoom(const ScheduleInput& input, const ClusterVerdict& verdict) {
  const std::string room = RoomOf(input, verdict);
  if (verdict.replicas == 0 && verdict.assigned == 0) {
    if (verdict.allocatable == 0) return room;
    return StrCat(room, input.request.strategy == Strategy::kAggregated
                            ? "; not needed: the clusters before it have room for all"
                            : "; too small a share for a replica");
  }
  if (input.fresh || verdict.assigned == 0) return room;
  if (verdict.replicas == verdict.assigned) return StrCat("kept; ", room);
  return StrCat("had ", verdict.assigned, "; ", room);
}

std::string WhyTheseReplicas(const ScheduleInput& input, const ClusterVerdict& verdict,
                             int64_t vote) {
  const Request& request = input.request;
  if (!request.workload) return "runs in every chosen cluster";
  std::string tier = verdict.tier == 0 ? "" : StrCat("overflow tier ", verdict.tier, "; ");
  switch (request.strategy) {
    case Strategy::kDuplicated:
      return StrCat(tier, "every chosen cluster gets all replicas");
    case Strategy::kStaticWeight:
      return StrCat(tier, WhyByWeight(input, verdict, vote));
    case Strategy::kDynamicWeight:
    case Strategy::kAggregated:
      return StrCat(tier, WhyByRoom(input, verdict));
    case Strategy::kUnsupported:
      break;
  }
  return tier;
}

v1::ClusterDecision DecisionOn(const ScheduleInput& input, const ScheduleResult& result,
                               const ClusterVerdict& verdict, int64_t vote) {
  FilterContext context{input.request, input.request.terms[result.term], input.groups,
                        input.now_micros};
  context.in_use = verdict.in_use;
  v1::ClusterDecision decision;
  decision.set_cluster(verdict.cluster->name);
  decision.set_available_replicas(verdict.estimated ? verdict.allocatable : -1);
  for (std::string& reason : FilterReasons(context, *verdict.cluster, verdict.refused_by)) {
    decision.add_reasons(std::move(reason));
  }
  if (verdict.refused_by != 0) return decision;
  for (const ScorePlugin& plugin : ScorePlugins()) {
    (*decision.mutable_scores())[std::string(plugin.name)] =
        plugin.score(context, *verdict.cluster);
  }
  const bool scheduled = result.outcome == Outcome::kScheduled;
  decision.set_selected(scheduled && verdict.selected &&
                        (!input.request.workload || verdict.replicas > 0));
  if (scheduled) decision.set_replicas(static_cast<int32_t>(verdict.replicas));
  std::string note =
      scheduled ? "feasible, but the spread constraints chose others" : result.message;
  if (scheduled && verdict.selected) {
    note = WhyTheseReplicas(input, verdict, vote);
  } else if (verdict.estimated && input.request.workload && input.request.CountsCapacity()) {
    note += StrCat("; ", RoomOf(input, verdict));
  }
  decision.set_note(std::move(note));
  return decision;
}

}  // namespace

std::vector<v1::ClusterDecision> Decisions(const ScheduleInput& input, const ScheduleResult& result,
                                           size_t limit) {
  const std::vector<int64_t> votes = VotesByVerdict(input, result);
  // Who is told about: everybody, or those that matter and then the first of the others.
  std::vector<bool> told(result.verdicts.size(), result.verdicts.size() <= limit);
  size_t left = limit;
  for (const bool important : {true, false}) {
    if (result.verdicts.size() <= limit) break;
    for (size_t i = 0; i < told.size() && left > 0; ++i) {
      const ClusterVerdict& verdict = result.verdicts[i];
      const bool matters = verdict.selected || verdict.assigned > 0;
      if (told[i] || matters != important) continue;
      told[i] = true;
      --left;
    }
  }
  std::vector<v1::ClusterDecision> decisions;
  for (size_t i = 0; i < told.size(); ++i) {
    if (!told[i]) continue;
    decisions.push_back(
        DecisionOn(input, result, result.verdicts[i], votes.empty() ? 0 : votes[i]));
  }
  return decisions;
}

std::string DescribeStrategy(const Request& request) {
  if (!request.workload) {
    return request.components ? "placed whole in every chosen cluster"
                              : "not a workload: it runs in every chosen cluster";
  }
  const std::string count = StrCat(request.replicas, " replicas");
  switch (request.strategy) {
    case Strategy::kDuplicated:
      return StrCat(count, " in every chosen cluster (Duplicated)");
    case Strategy::kStaticWeight:
      return StrCat(count,
                    request.weights.empty() ? " divided evenly" : " divided by static weights",
                    request.respect_capacity ? " within capacity" : "");
    case Strategy::kDynamicWeight:
      return StrCat(count, " divided by the room that clusters have (dynamic weights)");
    case Strategy::kAggregated:
      return StrCat(count, " in as few clusters as have room (Aggregated)");
    case Strategy::kUnsupported:
      break;
  }
  return "replicaScheduling is not supported";
}

}  // namespace sealane::scheduler
