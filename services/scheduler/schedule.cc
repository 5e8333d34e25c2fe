#include "services/scheduler/schedule.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "lib/core/strings.h"
#include "services/scheduler/assign.h"
#include "services/scheduler/candidate.h"
#include "services/scheduler/score.h"
#include "services/scheduler/select.h"

namespace sealane::scheduler {
namespace {

// Thousands of clusters do not stay in the processor's caches from one decision to the next: the
// one that is looked at so much later is fetched now.
constexpr size_t kAhead = 8;

bool Selects(const Request& request) {
  return !request.spread.empty() && !request.all_clusters && !request.IgnoresSpread();
}

// Estimates matter where capacity counts: in the division, in the choice of clusters, and for how
// much flows over into the next tier.
bool NeedsEstimates(const ScheduleInput& input, const AffinityTerm& term) {
  const Request& request = input.request;
  if (input.explain) return true;
  if (request.workload && (request.CountsCapacity() || !term.overflow.empty())) return true;
  return Selects(request);
}

// Whether anything depends on the order of the candidates: the choice among them, and Aggregated,
// which fills the first that have room. Divisions by weight only look at names.
bool NeedsOrder(const Request& request) {
  return Selects(request) || request.strategy == Strategy::kAggregated;
}

// "2/5 clusters fit; refused by: ClusterAffinity 2, TaintToleration 1".
std::string FilterSummary(const std::vector<ClusterVerdict>& verdicts) {
  std::array<int64_t, kFilterCount> counts{};
  int64_t feasible = 0;
  for (const ClusterVerdict& verdict : verdicts) {
    if (verdict.refused_by == 0) {
      ++feasible;
      continue;
    }
    for (size_t i = 0; i < kFilterCount; ++i) counts[i] += verdict.refused_by >> i & 1;
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < kFilterCount; ++i) {
    if (counts[i] > 0) parts.push_back(StrCat(FilterPlugins()[i].name, " ", counts[i]));
  }
  std::string text = StrCat(feasible, "/", verdicts.size(), " clusters fit");
  return parts.empty() ? text : StrCat(text, "; refused by: ", StrJoin(parts, ", "));
}

Outcome OutcomeOf(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? Outcome::kError : Outcome::kUnschedulable;
}

// One pass of the pipeline: filter, score, select, assign.
class Pipeline {
 public:
  Pipeline(const ScheduleInput& input, const AffinityTerm& term)
      : input_(input), term_(term), context_{input.request, term, input.groups, input.now_micros} {}

  // True when scheduled; else `result` says why not.
  bool Run(ScheduleResult* result) {
    result->targets.clear();
    result->note.clear();
    result->verdicts.assign(input_.snapshot.clusters().size(), ClusterVerdict());
    Filter(result);
    if (candidates_.empty()) {
      return Fail(result, Outcome::kNoClusterFit, FilterSummary(result->verdicts));
    }
    if (NeedsOrder(input_.request)) SortCandidates(candidates_);
    auto selection =
        SelectClusters(input_.request, std::move(candidates_), input_.steady && !input_.fresh);
    if (!selection.ok()) {
      return Fail(result, OutcomeOf(selection.status()),
                  std::string(ToStd(selection.status().message())));
    }
    const Candidates& chosen = selection->chosen;
    for (const Candidate& candidate : chosen) result->verdicts[candidate.index].selected = true;
    result->note = std::move(selection->note);
    const Keep keep = input_.fresh       ? Keep::kNothing
                      : input_.new_rules ? Keep::kNewRules
                                         : Keep::kAll;
    auto replicas = AssignReplicas(input_.request, term_, input_.snapshot, chosen, keep);
    if (!replicas.ok()) {
      return Fail(result, OutcomeOf(replicas.status()),
                  std::string(ToStd(replicas.status().message())));
    }
    for (size_t i = 0; i < chosen.size(); ++i) {
      result->verdicts[chosen[i].index].replicas = static_cast<int32_t>((*replicas)[i]);
    }
    const std::string shortfall = SpreadShortfall(input_.request, chosen, *replicas);
    if (!shortfall.empty()) {
      result->note = result->note.empty() ? shortfall : StrCat(result->note, "; ", shortfall);
    }
    Finish(result);
    return true;
  }

 private:
  // The smaller of the estimate and what the agent's answer leaves.
  int64_t AskedToo(int64_t room, const AssumedLoad* assumed, ClusterVerdict& verdict) const {
    const auto answer = input_.accurate->find(verdict.cluster->name);
    if (answer == input_.accurate->end() || answer->second.until <= input_.accurate_now) {
      return room;
    }
    const int64_t left = LeftOf(answer->second.replicas, input_.request, assumed);
    verdict.accurate = static_cast<int32_t>(std::min(kUnlimited, left));
    return std::min(room, left);
  }

  void Filter(ScheduleResult* result) {
    std::vector<ClusterVerdict>& verdicts = result->verdicts;
    const auto& clusters = input_.snapshot.clusters();
    for (const Previous::Entry& entry : input_.previous.entries()) {
      const size_t index = input_.snapshot.IndexOf(entry.cluster);
      if (index == clusters.size()) continue;
      verdicts[index].in_use = true;
      verdicts[index].assigned = static_cast<int32_t>(std::max<int64_t>(0, entry.replicas));
    }
    const bool estimate = NeedsEstimates(input_, term_);
    const Filters filters(context_);
    const ClusterTiers tiers(input_.request, term_, input_.snapshot);
    candidates_.reserve(clusters.size());
    for (size_t i = 0; i < clusters.size(); ++i) {
      if (i + kAhead < clusters.size()) __builtin_prefetch(clusters[i + kAhead].get());
      const ClusterInfo& cluster = *clusters[i];
      ClusterVerdict& verdict = verdicts[i];
      verdict.cluster = &cluster;
      context_.in_use = verdict.in_use;
      context_.tier = tiers.Of(i, cluster);
      verdict.refused_by = filters.Run(cluster);
      if (verdict.refused_by == 0) {
        verdict.score = static_cast<int32_t>(Score(context_, cluster));
        verdict.tier = std::max(0, context_.tier);
      }
      if (estimate && (verdict.refused_by == 0 || input_.explain)) {
        verdict.estimated = true;
        const AssumedLoad* assumed = AssumedFor(input_.assumed, cluster.name);
        int64_t room = EstimateReplicas(input_.request, cluster, assumed);
        if (input_.full != nullptr && input_.full->count(cluster.name) > 0) room = 0;
        if (Asks() && room > 0) room = AskedToo(room, assumed, verdict);
        verdict.allocatable = static_cast<int32_t>(room);
      }
      if (verdict.refused_by == 0) {
        candidates_.push_back({&cluster, static_cast<uint32_t>(i), verdict.tier, verdict.score,
                               verdict.allocatable, verdict.assigned, verdict.in_use});
      }
    }
  }

  [[nodiscard]] bool Asks() const {
    return input_.accurate != nullptr && input_.request.workload && input_.request.replicas > 0;
  }

  // Whose agents could tell more: those that the decision uses come first, then those it prefers.
  void NameUnknown(ScheduleResult* result) const {
    std::vector<const ClusterVerdict*> unknown;
    for (const ClusterVerdict& verdict : result->verdicts) {
      if (verdict.refused_by == 0 && verdict.estimated && verdict.allocatable > 0 &&
          verdict.accurate < 0) {
        unknown.push_back(&verdict);
      }
    }
    const size_t count = std::min(unknown.size(), kMaxUnknownCapacity);
    const auto rank = [](const ClusterVerdict* v) {
      const bool used = v->replicas > 0 || v->assigned > 0;
      return std::tuple(!used, !v->selected, v->tier, -v->allocatable, v);
    };
    std::partial_sort(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(count),
                      unknown.end(),
                      [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
    for (size_t i = 0; i < count; ++i) {
      result->unknown_capacity.push_back(unknown[i]->cluster->name);
    }
  }

  bool Fail(ScheduleResult* result, Outcome outcome, std::string message) {
    result->outcome = outcome;
    result->message = std::move(message);
    return false;
  }

  void Finish(ScheduleResult* result) {
    const bool counted = input_.request.workload;
    const auto is_target = [counted](const ClusterVerdict& verdict) {
      return verdict.selected && (!counted || verdict.replicas > 0);
    };
    result->targets.reserve(static_cast<size_t>(
        std::count_if(result->verdicts.begin(), result->verdicts.end(), is_target)));
    for (const ClusterVerdict& verdict : result->verdicts) {
      if (is_target(verdict)) {
        result->targets.push_back({verdict.cluster->name, verdict.replicas});
      }
    }
    if (Asks()) NameUnknown(result);
    result->outcome = Outcome::kScheduled;
    result->message = FilterSummary(result->verdicts);
  }

  const ScheduleInput& input_;
  const AffinityTerm& term_;
  FilterContext context_;
  Candidates candidates_;
};

}  // namespace

std::string_view Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kScheduled:
      return "Scheduled";
    case Outcome::kNoClusterFit:
      return "NoClusterFit";
    case Outcome::kUnschedulable:
      return "Unschedulable";
    case Outcome::kError:
      break;
  }
  return "Error";
}

size_t TermIndex(const Request& request, std::string_view name) {
  for (size_t i = 0; i < request.terms.size(); ++i) {
    if (request.terms[i].name == name) return i;
  }
  return 0;
}

ScheduleResult Schedule(const ScheduleInput& input) {
  ScheduleResult result;
  const std::vector<AffinityTerm>& terms = input.request.terms;
  const size_t count = std::min(terms.size(), input.term_count);
  for (size_t i = 0; i < count; ++i) {
    result.term = (input.first_term + i) % terms.size();
    if (Pipeline(input, terms[result.term]).Run(&result)) return result;
    result.failed_terms.push_back({terms[result.term].name, result.outcome, result.message});
  }
  if (terms.size() > 1) {
    std::vector<std::string> parts;
    for (const FailedTerm& failed : result.failed_terms) {
      parts.push_back(StrCat("group ", failed.name, ": ", failed.message));
    }
    result.message = StrJoin(parts, "; ");
  }
  return result;
}

}  // namespace sealane::scheduler
