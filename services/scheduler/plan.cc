#include "services/scheduler/plan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/failback.h"
#include "lib/model/same_message.h"
#include "services/scheduler/estimator.h"
#include "services/scheduler/explain.h"
#include "services/scheduler/placed_rows.h"
#include "services/scheduler/reasons.h"

namespace sealane::scheduler {
namespace {

constexpr char kSuspended[] = "Suspended";

Targets TargetsIn(const ScheduleResult& result) {
  Targets targets;
  for (const Target& target : result.targets) targets[target.cluster] = target.replicas;
  return targets;
}

bool Covers(const Targets& whole, const Targets& part) {
  return std::all_of(part.begin(), part.end(),
                     [&](const auto& entry) { return whole.count(entry.first) > 0; });
}

std::string OptionText(const v1::Binding& binding, std::string_view option) {
  const auto it = binding.options().find(std::string(option));
  return it == binding.options().end() ? "" : it->second;
}

class Planner {
 public:
  explicit Planner(const PlanInput& input) : in_(input), request_(input.binding) {
    if (input.placed != nullptr && input.placed->uid() == input.binding.uid()) {
      placed_ = input.placed;
    }
    if (input.placed != nullptr) old_revision_ = input.placed->revision();
    request_.Evict(input.evicting);
    request_.vicinity = input.vicinity;
  }

  Plan Run() {
    const v1::Binding& binding = in_.binding;
    Begin();
    if (binding.deleting()) return Unchanged();
    if (binding.suspension().scheduling()) {
      plan_.row.set_state(kSuspended);
      plan_.row.set_message("scheduling is suspended");
      return Finish();
    }
    // Unclaimed objects keep their last placement; those that others need follow them without one.
    if (!binding.has_policy() && !binding.explicit_all_clusters()) {
      return placed_ == nullptr ? Unchanged() : Finish();
    }
    Decide();
    return Finish();
  }

 private:
  // The row as it is, answering this binding.
  void Begin() {
    v1::Placed& row = plan_.row;
    if (placed_ != nullptr) row = *placed_;
    *row.mutable_ref() = in_.binding.ref();
    row.set_uid(in_.binding.uid());
    row.set_binding_revision(in_.binding.revision());
    row.set_trace_id(in_.binding.trace_id());
    row.set_revision(old_revision_);
    if (row.state() == kSuspended || row.state().empty()) {
      row.set_state(std::string(Name(Outcome::kScheduled)));
      row.clear_message();
    }
  }

  Plan Unchanged() {
    plan_.write = false;
    return std::move(plan_);
  }

  void Decide() {
    Previous previous;
    std::string hard;  // a reason that allows moves
    std::string rules;
    size_t term = 0;
    bool fresh = false;
    if (placed_ == nullptr) {
      hard = "first placement";
    } else {
      term = TermIndex(request_, placed_->affinity_name());
      Remaining remaining = RemainingPlacement(request_, request_.terms[term], *placed_,
                                               in_.snapshot, in_.groups, in_.now_micros);
      previous = std::move(remaining.previous);
      plan_.again_at_micros = remaining.again_at_micros;
      plan_.evicted = remaining.lost_count;
      fresh = in_.rebalance_micros > Rebalanced();
      rules = RulesChanged(in_.binding, *placed_);
      GiveUp(&previous);
      hard = HardReason(remaining.lost, rules, fresh);
    }
    ScheduleInput input{request_, in_.snapshot, previous, in_.groups, in_.assumed};
    input.accurate = in_.accurate;
    input.accurate_now = in_.accurate_now;
    input.now_micros = in_.now_micros;
    input.fresh = fresh;
    input.new_rules = !rules.empty();
    const ReplicaCounts full = FullClusters();
    input.full = full.empty() ? nullptr : &full;
    input.steady = true;
    input.first_term = fresh ? 0 : term;
    // Also when it must be scheduled anyway: that does not stop the clocks.
    if (placed_ != nullptr && !fresh && TryFailback(input, term)) return;
    if (!hard.empty()) {
      plan_.cause = hard;
      Apply(input, Schedule(input), fresh);
    } else if (request_.FollowsClusters()) {
      Grow(input);
    } else if (OptionText(in_.binding, kRebalanceOption) == "WhenClustersJoin") {
      Spread(input);
    }
  }

  // Clusters that get nothing more: they lack room, or are too far from those that are left.
  [[nodiscard]] ReplicaCounts FullClusters() const {
    ReplicaCounts full;
    if (in_.capacity_lost != nullptr) full = *in_.capacity_lost;
    if (in_.vicinity == nullptr || placed_ == nullptr) return full;
    for (const v1::TargetCluster& target : placed_->clusters()) {
      const ClusterInfo* cluster = in_.snapshot.Find(target.name());
      if (cluster != nullptr && !in_.vicinity->Has(*cluster)) full[target.name()] = 0;
    }
    return full;
  }

  // Takes from the placement what has to leave clusters that lost capacity.
  void GiveUp(Previous* previous) {
    if (in_.capacity_lost == nullptr) return;
    std::vector<std::string> names;
    for (const auto& entry : *in_.capacity_lost) {
      if (previous->Replicas(entry.first) <= 0) continue;
      previous->Reduce(entry.first, entry.second);
      names.push_back(entry.first);
    }
    if (!names.empty()) capacity_lost_ = StrCat("capacity lost in ", StrJoin(names, ", "));
  }

  std::string HardReason(const std::string& lost, const std::string& rules, bool fresh) const {
    if (placed_->last_scheduled_micros() == 0) return "first placement";
    if (!lost.empty()) return lost;
    if (!rules.empty()) return rules;
    if (std::string why = ReplicasChanged(request_, *placed_); !why.empty()) return why;
    if (!capacity_lost_.empty()) return capacity_lost_;
    if (fresh) return "manual rebalance";
    if (placed_->state() != Name(Outcome::kScheduled)) return "tried again";
    return "";
  }

  // Without a reason to move: only clusters that come in addition are taken over, and static
  // weights may be divided anew among more clusters.
  void Grow(const ScheduleInput& input) {
    const ScheduleResult result = Schedule(input);
    if (result.outcome != Outcome::kScheduled || result.term != input.first_term) return;
    const Targets targets = TargetsIn(result);
    const bool divides = request_.strategy == Strategy::kStaticWeight && request_.IgnoresSpread();
    const Targets now = TargetsOf(*placed_);
    if (targets == now || (!Covers(targets, now) && !divides)) return;
    plan_.cause = "clusters joined";
    Apply(input, result, false);
  }

  // --- Onto clusters that joined, step by step

  [[nodiscard]] int64_t JoinedUntil() const {
    const auto it = placed_->observed_options().find(std::string(kJoinedKey));
    return it == placed_->observed_options().end() ? placed_->last_scheduled_micros()
                                                   : std::atoll(it->second.c_str());
  }

  // Where the replicas should go because clusters joined; empty: nowhere else.
  Targets Goal(ScheduleInput input) {
    if (!placed_->rebalancing_to().empty()) return TargetsOf(placed_->rebalancing_to());
    const int64_t until = JoinedUntil();
    const auto& clusters = in_.snapshot.clusters();
    if (std::none_of(clusters.begin(), clusters.end(),
                     [&](const auto& c) { return c->joined_micros > until; })) {
      return {};
    }
    input.fresh = true;
    input.term_count = 1;
    const ScheduleResult result = Schedule(input);
    if (result.outcome != Outcome::kScheduled) return {};
    const Targets now = TargetsOf(*placed_);
    Targets goal = TargetsIn(result);
    for (const auto& [name, replicas] : goal) {
      const auto had = now.find(name);
      if (in_.snapshot.Find(name)->joined_micros > until &&
          replicas > (had == now.end() ? 0 : had->second)) {
        return goal;
      }
    }
    return {};
  }

  // Whether every cluster of the goal still takes the object: else the goal waits.
  [[nodiscard]] bool IsOpen(const Targets& goal, size_t term) const {
    const FilterContext context{request_, request_.terms[term], in_.groups, in_.now_micros};
    const Filters filters(context);
    return std::all_of(goal.begin(), goal.end(), [&](const auto& entry) {
      const ClusterInfo* cluster = in_.snapshot.Find(entry.first);
      return cluster != nullptr && filters.Run(*cluster) == 0;
    });
  }

  // Moves a tenth of the replicas, from where most are too many to where most are missing.
  void Spread(const ScheduleInput& input) {
    if (in_.settling) return;
    const Targets goal = Goal(input);
    if (goal.empty() || !IsOpen(goal, input.first_term)) return;
    const Targets now = TargetsOf(*placed_);
    std::string from;
    std::string to;
    int64_t surplus = 0;
    int64_t missing = 0;
    Targets both = now;
    both.insert(goal.begin(), goal.end());
    const auto count = [](const Targets& targets, const std::string& name) {
      const auto it = targets.find(name);
      return it == targets.end() ? int64_t{0} : it->second;
    };
    for (const auto& entry : both) {
      const int64_t difference = count(now, entry.first) - count(goal, entry.first);
      if (difference > surplus) std::tie(surplus, from) = std::pair(difference, entry.first);
      if (-difference > missing) std::tie(missing, to) = std::pair(-difference, entry.first);
    }
    int64_t step = std::min({surplus, missing, std::max<int64_t>(1, request_.replicas / 10)});
    // The room that the goal counted on may be others' by now: then this is where it ends.
    if (step > 0 && request_.CountsCapacity()) {
      step = std::min(
          step, EstimateReplicas(request_, *in_.snapshot.Find(to), AssumedFor(in_.assumed, to)));
    }
    v1::Placed& row = plan_.row;
    Targets next = now;
    if (step > 0) {
      next[to] += step;
      if ((next[from] -= step) == 0) next.erase(from);
      plan_.step = true;
      Adopt(next, StrCat("clusters joined: ", step, " of ", request_.replicas,
                         " replicas move from ", from, " to ", to));
    }
    row.clear_rebalancing_to();
    auto& options = *row.mutable_observed_options();
    if (step == 0 || next == goal) {
      int64_t newest = JoinedUntil();
      for (const auto& c : in_.snapshot.clusters()) newest = std::max(newest, c->joined_micros);
      options[std::string(kJoinedKey)] = std::to_string(newest);
      return;
    }
    options[std::string(kJoinedKey)] = std::to_string(JoinedUntil());
    SetTargets(goal, row.mutable_rebalancing_to());
  }

  // Returns to the first of the earlier groups that has been able to take the object for long
  // enough. Each has its own clock.
  bool TryFailback(ScheduleInput input, size_t term) {
    if (term == 0) return false;
    const auto after = ParseFailback(OptionText(in_.binding, kFailbackOption));
    if (!after.ok() || *after == absl::InfiniteDuration()) return false;
    input.term_count = 1;
    for (size_t i = 0; i < term; ++i) {
      input.first_term = i;
      const ScheduleResult result = Schedule(input);
      if (result.outcome != Outcome::kScheduled) continue;
      const std::string& group = request_.terms[i].name;
      const int64_t since = FailbackSince(group);
      plan_.failback[group] = since;
      const int64_t due =
          since +
          absl::ToInt64Microseconds(*after + FailbackDelay(in_.binding.uid(), in_.failback_spread));
      if (in_.now_micros < due) {
        if (plan_.again_at_micros == 0 || due < plan_.again_at_micros) plan_.again_at_micros = due;
        continue;
      }
      plan_.cause = StrCat("group ", group, " is available again");
      Apply(input, result, false);
      return true;
    }
    return false;
  }

  [[nodiscard]] int64_t FailbackSince(const std::string& group) const {
    if (in_.failback == nullptr) return in_.now_micros;
    const auto it = in_.failback->find(group);
    return it == in_.failback->end() ? in_.now_micros : it->second;
  }

  void Apply(const ScheduleInput& input, const ScheduleResult& result, bool fresh) {
    v1::Placed& row = plan_.row;
    plan_.outcome = result.outcome;
    row.clear_decisions();
    for (v1::ClusterDecision& decision : Decisions(input, result, kMaxDecisions)) {
      *row.add_decisions() = std::move(decision);
    }
    row.set_state(std::string(Name(result.outcome)));
    std::string message =
        result.note.empty() ? result.message : StrCat(result.message, "; ", result.note);
    if (result.outcome != Outcome::kScheduled && !capacity_lost_.empty()) {
      message = StrCat(capacity_lost_, ": ", message);
    }
    row.set_message(message);
    // A rebalance that cannot be done is not repeated for ever.
    if (fresh || in_.rebalance_micros > Rebalanced()) rebalanced_ = in_.rebalance_micros;
    if (result.outcome != Outcome::kScheduled) return;
    plan_.unknown_capacity = result.unknown_capacity;
    row.set_affinity_name(request_.terms[result.term].name);
    row.clear_rebalancing_to();
    row.set_last_scheduled_micros(in_.now_micros);
    *row.mutable_observed_placement() = in_.binding.placement();
    const auto joined = row.observed_options().find(std::string(kJoinedKey));
    const std::string joined_until =
        joined == row.observed_options().end() || fresh ? "" : joined->second;
    row.mutable_observed_options()->clear();
    if (!joined_until.empty())
      (*row.mutable_observed_options())[std::string(kJoinedKey)] = joined_until;
    for (std::string_view option : {kHonourSpreadOption, kRespectCapacityOption}) {
      const std::string text = OptionText(in_.binding, option);
      if (!text.empty()) (*row.mutable_observed_options())[std::string(option)] = text;
    }
    Adopt(TargetsIn(result), plan_.cause);
  }

  void Adopt(const Targets& targets, const std::string& cause) {
    v1::Placed& row = plan_.row;
    if (placed_ != nullptr && targets == TargetsOf(*placed_)) return;
    plan_.moved = true;
    plan_.cause = cause;
    row.set_cause(cause);
    SetTargets(targets, row);
  }

  [[nodiscard]] int64_t Rebalanced() const {
    if (placed_ == nullptr) return 0;
    const auto it = placed_->observed_options().find(std::string(kRebalancedKey));
    return it == placed_->observed_options().end() ? 0 : std::atoll(it->second.c_str());
  }

  Plan Finish() {
    v1::Placed& row = plan_.row;
    const int64_t rebalanced = std::max(rebalanced_, Rebalanced());
    if (rebalanced > 0) {
      (*row.mutable_observed_options())[std::string(kRebalancedKey)] = std::to_string(rebalanced);
    }
    if (placed_ != nullptr && !plan_.moved) {
      WantNothing(in_.binding, row);
      plan_.moved = TargetsOf(row) != TargetsOf(*placed_);
      if (plan_.moved) {
        plan_.cause = ReplicasChanged(request_, *placed_);
        row.set_cause(plan_.cause);
      }
    }
    if (plan_.moved) row.set_revision(old_revision_ + 1);
    plan_.write = placed_ == nullptr || Differs(row, *placed_);
    if (plan_.write) row.set_scheduled_micros(in_.now_micros);
    return std::move(plan_);
  }

  // Whether somebody who reads the row would care. Estimates and counts inside the decisions change
  // with every heartbeat; they are renewed when the row is written for another reason.
  // The decisions are by far the largest part of a row: they are neither copied nor compared.
  static bool Differs(const v1::Placed& a, const v1::Placed& b) {
    if (a.uid() != b.uid() || a.binding_revision() != b.binding_revision() ||
        a.revision() != b.revision() || a.affinity_name() != b.affinity_name() ||
        a.state() != b.state() || a.cause() != b.cause() ||
        a.clusters_size() != b.clusters_size()) {
      return true;
    }
    if (a.state() != Name(Outcome::kScheduled) && a.message() != b.message()) return true;
    for (int i = 0; i < a.clusters_size(); ++i) {
      if (!SameMessage(a.clusters(i), b.clusters(i))) return true;
    }
    if (a.observed_options_size() != b.observed_options_size()) return true;
    for (const auto& option : a.observed_options()) {
      const auto other = b.observed_options().find(option.first);
      if (other == b.observed_options().end() || other->second != option.second) return true;
    }
    return a.has_observed_placement() != b.has_observed_placement() ||
           !SameMessage(a.ref(), b.ref()) ||
           !SameMessage(a.observed_placement(), b.observed_placement());
  }

  const PlanInput& in_;
  Request request_;
  const v1::Placed* placed_ = nullptr;  // of this very object
  int64_t old_revision_ = 0;
  int64_t rebalanced_ = 0;
  std::string capacity_lost_;  // the reason
  Plan plan_;
};

}  // namespace

Plan PlanPlacement(const PlanInput& input) { return Planner(input).Run(); }

absl::StatusOr<absl::Duration> ParseFailback(std::string_view text) {
  return sealane::ParseFailback(text);
}

}  // namespace sealane::scheduler
