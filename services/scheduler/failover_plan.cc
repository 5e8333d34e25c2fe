#include "services/scheduler/failover_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lib/core/strings.h"
#include "lib/model/same_message.h"
#include "services/scheduler/assumed.h"
#include "services/scheduler/copies.h"
#include "services/scheduler/copy_keeper.h"
#include "services/scheduler/estimator.h"
#include "services/scheduler/failover.h"
#include "services/scheduler/failover_event.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/placed_rows.h"
#include "services/scheduler/reasons.h"

namespace sealane::scheduler {
namespace {

std::vector<std::string> NamesOf(const std::vector<v1::Eviction>& evictions) {
  std::vector<std::string> names;
  for (const v1::Eviction& eviction : evictions) names.push_back(eviction.cluster());
  return names;
}

std::string ScopeOf(const v1::Binding& binding) {
  const auto option = binding.options().find(std::string(kFailoverScopeOption));
  return option == binding.options().end() ? "" : option->second;
}

class FailoverPlanner {
 public:
  FailoverPlanner(const PlanInput& input, const v1::AppStatus* status, bool status_known,
                  bool may_return = true)
      : in_(input),
        placed_(*input.placed),
        request_(input.binding),
        copies_(input.binding, status_known ? status : nullptr),
        before_(TargetsOf(placed_)),
        core_(*input.placed) {
    FailoverInput judged{input.binding, placed_, input.snapshot, status, status_known};
    judged.rules_changed = !RulesChanged(input.binding, placed_).empty();
    judged.rebalance_micros = input.rebalance_micros;
    judged.limit = input.failover_limit;
    judged.failback_spread = input.failback_spread;
    judged.now_micros = input.now_micros;
    failover_ = JudgeFailover(judged);
    if (!may_return && returns()) {
      failover_.restore.clear();
      Again(in_.now_micros + kLookAgainMicros);
    }
    MakeCore();
  }

  FailoverPlan Run() {
    if (!Evict()) Stay();
    Finish();
    return std::move(out_);
  }

  // The plan starts from a placement that was left.
  [[nodiscard]] bool returns() const { return !failover_.restore.empty(); }

 private:
  [[nodiscard]] bool divided() const {
    return request_.workload && request_.strategy != Strategy::kDuplicated;
  }

  void Again(int64_t at_micros) { LookAgainAt(at_micros, failover_); }

  // The row without what only failover knows about.
  void MakeCore() {
    base_ = TargetsWithoutCopies(placed_);
    const bool waited = std::any_of(placed_.evictions().begin(), placed_.evictions().end(),
                                    [](const v1::Eviction& e) { return e.replaced_by().empty(); });
    SetTargets(base_, core_);
    core_.clear_evictions();
    // It was well placed, but for what failover asked in vain: no reason to schedule it anew.
    if (waited && core_.state() != Name(Outcome::kScheduled)) {
      reset_ = true;
      core_.set_state(std::string(Name(Outcome::kScheduled)));
      core_.clear_message();
    }
    if (!failover_.restore.empty()) Restore();
  }

  // Takes the placement that was left as the one in force.
  void Restore() {
    Targets targets;
    for (const v1::TargetCluster& target : failover_.restore) {
      targets[target.name()] = target.replicas();
    }
    if (!HasRoom(targets)) {
      failover_.restore.clear();
      Again(in_.now_micros + kLookAgainMicros);
      return;
    }
    for (const auto& entry : targets) {
      Forget(entry.first, failover_.standing);
      std::erase(failover_.staying, entry.first);
    }
    std::erase_if(failover_.due,
                  [&](const v1::Eviction& due) { return targets.count(due.cluster()) == 0; });
    SetTargets(targets, core_);
    core_.set_affinity_name(failover_.restore_group);
    // The plan takes them for placed already, though they have yet to find their room.
    if (in_.assumed != nullptr) assumed_ = *in_.assumed;
    for (const auto& [name, replicas] : targets) {
      if (before_.count(name) == 0) AddUnits(assumed_[name], UnitOf(request_), replicas);
    }
  }

  // Whether clusters that the object would return to can take it.
  [[nodiscard]] bool HasRoom(const Targets& targets) const {
    const AffinityTerm& term = request_.terms[TermIndex(request_, failover_.restore_group)];
    const FilterContext context{request_, term, in_.groups, in_.now_micros};
    const Filters filters(context);
    for (const auto& [name, replicas] : targets) {
      const ClusterInfo* cluster = in_.snapshot.Find(name);
      if (cluster == nullptr || filters.Run(*cluster) != 0) return false;
      if (before_.count(name) > 0) continue;
      if (!request_.workload || !request_.CountsCapacity()) continue;
      if (EstimateReplicas(request_, *cluster, AssumedFor(in_.assumed, name)) < replicas) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] Plan PlanWithout(std::vector<std::string> clusters,
                                 const Vicinity* vicinity = nullptr) const {
    PlanInput input = in_;
    input.placed = &core_;
    input.evicting = std::move(clusters);
    input.vicinity = vicinity;
    if (returns()) input.assumed = &assumed_;
    input.settling = !failover_.staying.empty();
    return PlanPlacement(input);
  }

  // How far from the clusters that are left their replacements may be, in the order in which it is
  // tried; nullopt: anywhere.
  [[nodiscard]] std::vector<std::optional<Vicinity>> Scopes(size_t count) const {
    const std::string scope = ScopeOf(in_.binding);
    if (scope.empty()) return {std::nullopt};
    std::set<std::string> providers;
    std::set<std::string> regions;
    for (size_t i = 0; i < count; ++i) {
      const ClusterInfo* cluster = in_.snapshot.Find(failover_.due[i].cluster());
      if (cluster == nullptr) continue;
      if (scope != "SameRegion" && !cluster->provider.empty()) providers.insert(cluster->provider);
      if (scope != "SameProvider" && !cluster->region.empty()) regions.insert(cluster->region);
    }
    Vicinity near{{providers.begin(), providers.end()}, {regions.begin(), regions.end()}};
    std::vector<std::optional<Vicinity>> scopes = {std::move(near)};
    if (scope == "Any") scopes.emplace_back();
    return scopes;
  }

  // Leaves as many of the clusters that are due as can be replaced, the longest failed first, and
  // as near as the policy wants it.
  bool Evict() {
    const std::vector<v1::Eviction>& due = failover_.due;
    size_t most = due.size();
    // Those with taints come first.
    while (!failover_.held.empty() && most > 0 && !due[most - 1].tainted()) --most;
    for (size_t count = most; count > 0; --count) {
      std::vector<std::string> without = Refused(failover_.standing);
      for (size_t i = 0; i < count; ++i) without.push_back(due[i].cluster());
      for (const std::optional<Vicinity>& scope : Scopes(count)) {
        const Vicinity* vicinity = scope.has_value() ? &*scope : nullptr;
        Plan plan = PlanWithout(without, vicinity);
        std::vector<std::string> gained = Gained(plan);
        if (Replaces(plan, gained, count, vicinity)) {
          out_.plan = std::move(plan);
          Carry(count, gained);
          return true;
        }
        failed_ = std::move(plan);
      }
    }
    return false;
  }

  // Clusters that take over: new ones, and of divided replicas those that get more.
  [[nodiscard]] std::vector<std::string> Gained(const Plan& plan) const {
    const Targets before = TargetsOf(core_);
    std::vector<std::string> gained;
    for (const auto& [name, replicas] : TargetsOf(plan.row)) {
      const auto had = before.find(name);
      if (had == before.end() || (divided() && replicas > had->second)) gained.push_back(name);
    }
    return gained;
  }

  // Nothing is left for nobody, and nothing moves to where it failed, too, or too far.
  [[nodiscard]] bool Replaces(const Plan& plan, const std::vector<std::string>& gained,
                              size_t count, const Vicinity* vicinity) const {
    if (plan.outcome != Outcome::kScheduled || !plan.moved) return false;
    if (gained.size() < (divided() ? 1 : count)) return false;
    if (vicinity != nullptr && !std::all_of(gained.begin(), gained.end(), [&](const auto& name) {
          return vicinity->Has(*in_.snapshot.Find(name));
        })) {
      return false;
    }
    return std::none_of(failover_.due.begin(), failover_.due.end(), [&](const v1::Eviction& due) {
      return std::find(gained.begin(), gained.end(), due.cluster()) != gained.end();
    });
  }

  // The first `count` of those that are due are replaced.
  void Carry(size_t count, const std::vector<std::string>& gained) {
    std::vector<v1::Eviction> carried;
    for (size_t i = 0; i < count; ++i) {
      v1::Eviction eviction = failover_.due[i];
      StartGrace(in_.now_micros, eviction);
      for (const std::string& name : gained) eviction.add_replaced_by(name);
      *eviction.mutable_before() = core_.clusters();
      eviction.set_before_group(core_.affinity_name());
      out_.failovers.push_back(FailoverEvent(in_.binding, eviction, out_.plan.row));
      Forget(eviction.cluster(), failover_.standing);
      std::erase(failover_.staying, eviction.cluster());
      if (LeavesCopy(eviction)) failover_.staying.push_back(eviction.cluster());
      Again(eviction.grace_until_micros());
      carried.push_back(std::move(eviction));
    }
    out_.plan.cause = StrCat(NameOf(carried), ": ", DescribeFailures(carried));
    out_.plan.row.set_cause(out_.plan.cause);
    failover_.due.erase(failover_.due.begin(),
                        failover_.due.begin() + static_cast<std::ptrdiff_t>(count));
    failover_.standing.insert(failover_.standing.end(), carried.begin(), carried.end());
  }

  // Plans without leaving anything more.
  void Stay() {
    // The planner leaves clusters with taints, too: no farther than failover does.
    const bool tainted = !failover_.due.empty() && failover_.due.front().tainted();
    const std::optional<Vicinity> scope =
        tainted ? Scopes(failover_.due.size()).back() : std::nullopt;
    out_.plan = PlanWithout(Refused(failover_.standing), scope.has_value() ? &*scope : nullptr);
    LeaveAnyway();
    if (out_.plan.outcome == Outcome::kScheduled || !failover_.due.empty()) return;
    // Better where it failed once than nowhere: only copies that are still there do not count.
    std::vector<v1::Eviction> copies = failover_.standing;
    std::erase_if(copies, [&](const v1::Eviction& e) {
      return std::find(failover_.staying.begin(), failover_.staying.end(), e.cluster()) ==
             failover_.staying.end();
    });
    Plan anywhere = PlanWithout(Refused(copies));
    if (anywhere.outcome != Outcome::kScheduled || !anywhere.moved) return;
    for (const auto& entry : TargetsOf(anywhere.row)) Forget(entry.first, failover_.standing);
    out_.plan = std::move(anywhere);
  }

  // A taint drives out also what nothing takes over, as long as the object runs elsewhere; and what
  // the plan moves away for another reason is not asked to leave as well.
  void LeaveAnyway() {
    const Targets kept = TargetsOf(out_.plan.row);
    std::erase_if(failover_.due, [&](const v1::Eviction& eviction) {
      if (kept.count(eviction.cluster()) > 0) return false;
      if (eviction.tainted()) left_.push_back(eviction);
      return true;
    });
  }

  void Finish() {
    Plan& plan = out_.plan;
    v1::Placed& row = plan.row;
    SayWhyItStays();
    Targets targets = TargetsOf(row);
    if (!in_.settled) {
      CopyKeeper({in_, copies_, base_, before_, left_, divided()}, failover_).Keep(plan, targets);
    }
    SetTargets(targets, row);
    WantNothing(in_.binding, row);
    SetEvictions(row);
    row.set_failover_generation(failover_.generation);
    row.set_failover_since_micros(failover_.since_micros);
    const bool moved = TargetsOf(row) != before_;
    if (moved && !plan.moved) {
      // That a copy goes is no other reason to run where it runs.
      plan.cause = failover_.restore.empty() ? failover_.leaving : failover_.restore_cause;
      if (!failover_.restore.empty()) row.set_cause(plan.cause);
    }
    plan.moved = moved;
    row.set_revision(placed_.revision() + (moved ? 1 : 0));
    // The plan was compared with a row that was said to be well placed.
    if (reset_) plan.write = !SameMessage(WithoutDetails(row), WithoutDetails(placed_));
    if (!SameDecision(row, placed_)) {
      plan.write = true;
      row.set_scheduled_micros(in_.now_micros);
    }
    const int64_t again = failover_.again_at_micros;
    if (again > 0 && (plan.again_at_micros == 0 || again < plan.again_at_micros)) {
      plan.again_at_micros = again;
    }
  }

  [[nodiscard]] std::string WhyItStays(bool planned) const {
    const bool failed = std::any_of(failover_.due.begin(), failover_.due.end(),
                                    [](const v1::Eviction& due) { return !due.tainted(); });
    if (!failover_.held.empty() && failed) return failover_.held;
    const std::string scope = ScopeOf(in_.binding);
    return StrCat(planned ? "no other cluster can take over" : failed_.row.message(),
                  scope.empty() || scope == "Any" ? "" : StrCat(" (failover-scope ", scope, ")"));
  }

  void SayWhyItStays() {
    v1::Placed& row = out_.plan.row;
    row.clear_failover_held();
    if (failover_.due.empty()) return;
    if (!failover_.held.empty()) {
      row.set_failover_held(failover_.held);
      if (placed_.failover_held().empty()) {
        out_.failovers.push_back(
            FailoverHeldEvent(in_.binding, failover_.due.back().cluster(), failover_.held));
      }
    }
    const bool planned = failed_.outcome == Outcome::kScheduled;
    std::vector<v1::Eviction> failures = failover_.standing;
    std::erase_if(failures, [](const v1::Eviction& e) { return e.moved(); });
    failures.insert(failures.end(), failover_.due.begin(), failover_.due.end());
    std::sort(failures.begin(), failures.end(), [](const v1::Eviction& a, const v1::Eviction& b) {
      return a.cluster() < b.cluster();
    });
    const std::string text =
        StrCat(NameOf(failures), ": ", DescribeFailures(failures), "; it stays in ",
               StrJoin(NamesOf(failover_.due), ", "), ": ", WhyItStays(planned));
    if (row.state() != Name(Outcome::kScheduled)) {
      row.set_message(StrCat(row.message(), "; ", text));
      return;
    }
    row.set_state(std::string(Name(planned ? Outcome::kUnschedulable : failed_.outcome)));
    row.set_message(text);
    if (!out_.plan.moved) *row.mutable_decisions() = failed_.row.decisions();
  }

  void SetEvictions(v1::Placed& row) {
    std::map<std::string, const v1::Eviction*> all;
    for (const v1::Eviction& eviction : failover_.standing) all[eviction.cluster()] = &eviction;
    for (const v1::Eviction& eviction : failover_.due) all[eviction.cluster()] = &eviction;
    row.clear_evictions();
    for (const auto& entry : all) *row.add_evictions() = *entry.second;
  }

  static constexpr int64_t kLookAgainMicros = 60'000'000;

  const PlanInput& in_;
  const v1::Placed& placed_;
  const Request request_;
  const Copies copies_;
  const Targets before_;  // in force, with the copies that stay
  Targets base_;          // ... without
  v1::Placed core_;       // what is planned from
  bool reset_ = false;    // its state is not that of the row
  Failover failover_;
  AssumedLoads assumed_;            // when it returns
  std::vector<v1::Eviction> left_;  // because of a taint, and nothing takes over
  Plan failed_;                     // the last attempt that replaced nothing
  FailoverPlan out_;
};

}  // namespace

FailoverPlan PlanWithFailover(const PlanInput& input, const v1::AppStatus* status,
                              bool status_known) {
  const v1::Binding& binding = input.binding;
  const v1::Placed* placed = input.placed;
  const bool timed = binding.failover().has_application();
  const bool rests = binding.deleting() || binding.suspension().scheduling() ||
                     (!binding.has_policy() && !binding.explicit_all_clusters());
  if (rests) return {PlanPlacement(input), {}};
  if (placed != nullptr && placed->uid() == binding.uid()) {
    const bool known = placed->evictions_size() > 0 || placed->failover_since_micros() != 0;
    if (!timed && !known && !RunsInTainted(binding, *placed, input.snapshot)) {
      Plan plan = PlanPlacement(input);
      if (!plan.moved || placed->clusters().empty()) return {std::move(plan), {}};
    }
    FailoverPlanner planner(input, status, status_known);
    FailoverPlan plan = planner.Run();
    if (!planner.returns() || plan.plan.outcome == Outcome::kScheduled) return plan;
    // More is wanted by now than there is room for where it would return to: it stays.
    return FailoverPlanner(input, status, status_known, /*may_return=*/false).Run();
  }
  FailoverPlan first{PlanPlacement(input), {}};
  if (timed) {
    first.plan.row.set_failover_generation(binding.object_generation());
    first.plan.row.set_failover_since_micros(input.now_micros);
  }
  return first;
}

}  // namespace sealane::scheduler
