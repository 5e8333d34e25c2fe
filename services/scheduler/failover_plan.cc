#include "services/scheduler/failover_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "lib/model/same_message.h"
#include "services/scheduler/failover.h"
#include "services/scheduler/placement_event.h"
#include "services/scheduler/reasons.h"

namespace sealane::scheduler {
namespace {

using Targets = std::map<std::string, int32_t>;

Targets TargetsOf(const v1::Placed& placed) {
  Targets targets;
  for (const v1::TargetCluster& target : placed.clusters()) {
    targets[target.name()] = target.replicas();
  }
  return targets;
}

void SetTargets(const Targets& targets, v1::Placed& placed) {
  placed.clear_clusters();
  for (const auto& [name, replicas] : targets) {
    v1::TargetCluster* target = placed.add_clusters();
    target->set_name(name);
    target->set_replicas(replicas);
  }
}

std::vector<std::string> NamesOf(const std::vector<v1::Eviction>& evictions) {
  std::vector<std::string> names;
  for (const v1::Eviction& eviction : evictions) names.push_back(eviction.cluster());
  return names;
}

bool Same(const v1::Placed& a, const v1::Placed& b) {
  return TargetsOf(a) == TargetsOf(b) && a.state() == b.state() &&
         (a.message() == b.message() || a.state() == Name(Outcome::kScheduled)) &&
         a.failover_generation() == b.failover_generation() &&
         a.failover_since_micros() == b.failover_since_micros() &&
         std::equal(a.evictions().begin(), a.evictions().end(), b.evictions().begin(),
                    b.evictions().end(), SameMessage<v1::Eviction>);
}

// What is renewed when the row is written for another reason only.
v1::Placed WithoutDetails(v1::Placed row) {
  row.clear_decisions();
  row.clear_scheduled_micros();
  if (row.state() == Name(Outcome::kScheduled)) row.clear_message();
  return row;
}

class FailoverPlanner {
 public:
  FailoverPlanner(const PlanInput& input, const v1::AppStatus* status, bool status_known)
      : in_(input), placed_(*input.placed), request_(input.binding), core_(*input.placed) {
    FailoverInput judged{input.binding, placed_, input.snapshot, status, status_known};
    judged.rules_changed = !RulesChanged(input.binding, placed_).empty();
    judged.rebalance_micros = input.rebalance_micros;
    judged.now_micros = input.now_micros;
    failover_ = JudgeFailover(judged);
    MakeCore();
  }

  FailoverPlan Run() {
    if (!Evict()) Stay();
    Finish();
    return std::move(out_);
  }

 private:
  // The row without what only failover knows about.
  void MakeCore() {
    Targets targets = TargetsOf(placed_);
    bool waited = false;
    for (const v1::Eviction& eviction : placed_.evictions()) {
      if (eviction.replaced_by().empty()) {
        waited = true;
      } else {
        targets.erase(eviction.cluster());
      }
    }
    SetTargets(targets, core_);
    core_.clear_evictions();
    // It was well placed, but for what failover asked in vain: no reason to schedule it anew.
    if (waited && core_.state() != Name(Outcome::kScheduled)) {
      reset_ = true;
      core_.set_state(std::string(Name(Outcome::kScheduled)));
      core_.clear_message();
    }
  }

  [[nodiscard]] Plan PlanWithout(std::vector<std::string> clusters) const {
    PlanInput input = in_;
    input.placed = &core_;
    input.evicting = std::move(clusters);
    return PlanPlacement(input);
  }

  // Leaves as many of the clusters that are due as can be replaced, the longest failed first.
  bool Evict() {
    const std::vector<v1::Eviction>& due = failover_.due;
    for (size_t count = due.size(); count > 0; --count) {
      std::vector<std::string> without = NamesOf(failover_.standing);
      for (size_t i = 0; i < count; ++i) without.push_back(due[i].cluster());
      Plan plan = PlanWithout(std::move(without));
      std::vector<std::string> gained = Gained(plan);
      if (Replaces(plan, gained, count)) {
        out_.plan = std::move(plan);
        Carry(count, gained);
        return true;
      }
      failed_ = std::move(plan);
    }
    return false;
  }

  // Clusters that take over: new ones, and of divided replicas those that get more.
  [[nodiscard]] std::vector<std::string> Gained(const Plan& plan) const {
    const bool divided = request_.workload && request_.strategy != Strategy::kDuplicated;
    const Targets before = TargetsOf(core_);
    std::vector<std::string> gained;
    for (const auto& [name, replicas] : TargetsOf(plan.row)) {
      const auto had = before.find(name);
      if (had == before.end() || (divided && replicas > had->second)) gained.push_back(name);
    }
    return gained;
  }

  // Nothing is left for nobody, and nothing moves to where it failed, too.
  [[nodiscard]] bool Replaces(const Plan& plan, const std::vector<std::string>& gained,
                              size_t count) const {
    if (plan.outcome != Outcome::kScheduled || !plan.moved) return false;
    const bool divided = request_.workload && request_.strategy != Strategy::kDuplicated;
    if (gained.size() < (divided ? 1 : count)) return false;
    return std::none_of(failover_.due.begin(), failover_.due.end(), [&](const v1::Eviction& due) {
      return std::find(gained.begin(), gained.end(), due.cluster()) != gained.end();
    });
  }

  // The first `count` of those that are due are replaced.
  void Carry(size_t count, const std::vector<std::string>& gained) {
    const Targets before = TargetsOf(core_);
    std::vector<v1::Eviction> carried;
    for (size_t i = 0; i < count; ++i) {
      v1::Eviction eviction = failover_.due[i];
      StartGrace(in_.now_micros, eviction);
      for (const std::string& name : gained) eviction.add_replaced_by(name);
      out_.failovers.push_back(EventOf(eviction));
      if (LeavesCopy(eviction)) failover_.staying.push_back(eviction.cluster());
      const int64_t until = eviction.grace_until_micros();
      int64_t& again = failover_.again_at_micros;
      if (until > 0 && (again == 0 || until < again)) again = until;
      carried.push_back(std::move(eviction));
    }
    out_.plan.cause = StrCat(NameOf(carried), ": ", DescribeFailures(carried));
    out_.plan.row.set_cause(out_.plan.cause);
    failover_.due.erase(failover_.due.begin(),
                        failover_.due.begin() + static_cast<std::ptrdiff_t>(count));
    failover_.standing.insert(failover_.standing.end(), carried.begin(), carried.end());
  }

  [[nodiscard]] v1::Event EventOf(const v1::Eviction& eviction) const {
    v1::Event event;
    *event.mutable_ref() = in_.binding.ref();
    event.set_trace_id(in_.binding.trace_id());
    event.set_type("Warning");
    event.set_reason(eviction.tainted() ? std::string(kClusterFailoverEvent)
                                        : "ApplicationFailover");
    event.set_cluster(eviction.cluster());
    std::string copy = "; the copy there goes";
    if (eviction.purge_mode() == "Never") copy = "; the copy there stays";
    if (eviction.grace_until_micros() > 0) {
      copy = StrCat("; the copy there goes when the new one is healthy, or after ",
                    (eviction.grace_until_micros() - eviction.since_micros()) / 1'000'000, "s");
    }
    event.set_message(StrCat(Describe(KeyOf(in_.binding.ref())), ": ", DescribeFailures({eviction}),
                             "; it runs in ", DescribeClusters(out_.plan.row), " now", copy));
    return event;
  }

  // Plans without leaving anything more.
  void Stay() {
    out_.plan = PlanWithout(NamesOf(failover_.standing));
    LeaveTainted();
    if (out_.plan.outcome == Outcome::kScheduled || !failover_.due.empty()) return;
    // Better where it failed once than nowhere: only copies that are still there do not count.
    Plan anywhere = PlanWithout(failover_.staying);
    if (anywhere.outcome != Outcome::kScheduled || !anywhere.moved) return;
    const Targets used = TargetsOf(anywhere.row);
    std::vector<v1::Eviction>& standing = failover_.standing;
    standing.erase(
        std::remove_if(standing.begin(), standing.end(),
                       [&](const v1::Eviction& e) { return used.count(e.cluster()) > 0; }),
        standing.end());
    out_.plan = std::move(anywhere);
  }

  // A taint drives out also what nothing takes over, as long as the object runs elsewhere.
  void LeaveTainted() {
    const Targets kept = TargetsOf(out_.plan.row);
    std::vector<v1::Eviction>& due = failover_.due;
    due.erase(std::remove_if(due.begin(), due.end(),
                             [&](const v1::Eviction& eviction) {
                               return eviction.tainted() && kept.count(eviction.cluster()) == 0;
                             }),
              due.end());
  }

  void Finish() {
    Plan& plan = out_.plan;
    v1::Placed& row = plan.row;
    SayWhyItStays();
    Targets targets = TargetsOf(row);
    const Targets before = TargetsOf(placed_);
    for (const std::string& name : failover_.staying) {
      const auto copy = before.find(name);
      if (copy != before.end()) targets.insert(*copy);
    }
    SetTargets(targets, row);
    SetEvictions(row);
    row.set_failover_generation(failover_.generation);
    row.set_failover_since_micros(failover_.since_micros);
    const bool moved = targets != before;
    if (moved && !plan.moved) {
      plan.cause = failover_.leaving;
      row.set_cause(plan.cause);
    }
    plan.moved = moved;
    row.set_revision(placed_.revision() + (moved ? 1 : 0));
    // The plan was compared with a row that was said to be well placed.
    if (reset_) plan.write = !SameMessage(WithoutDetails(row), WithoutDetails(placed_));
    if (!Same(row, placed_)) {
      plan.write = true;
      row.set_scheduled_micros(in_.now_micros);
    }
    const int64_t again = failover_.again_at_micros;
    if (again > 0 && (plan.again_at_micros == 0 || again < plan.again_at_micros)) {
      plan.again_at_micros = again;
    }
  }

  void SayWhyItStays() {
    if (failover_.due.empty()) return;
    v1::Placed& row = out_.plan.row;
    const bool planned = failed_.outcome == Outcome::kScheduled;
    std::vector<v1::Eviction> failures = failover_.standing;
    failures.insert(failures.end(), failover_.due.begin(), failover_.due.end());
    std::sort(failures.begin(), failures.end(), [](const v1::Eviction& a, const v1::Eviction& b) {
      return a.cluster() < b.cluster();
    });
    const std::string text =
        StrCat(NameOf(failures), ": ", DescribeFailures(failures), "; it stays in ",
               StrJoin(NamesOf(failover_.due), ", "), ": ",
               planned ? "no other cluster can take over" : failed_.row.message());
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

  const PlanInput& in_;
  const v1::Placed& placed_;
  const Request request_;
  v1::Placed core_;
  bool reset_ = false;  // its state is not that of the row
  Failover failover_;
  Plan failed_;  // the last attempt that replaced nothing
  FailoverPlan out_;
};

}  // namespace

FailoverPlan PlanWithFailover(const PlanInput& input, const v1::AppStatus* status,
                              bool status_known) {
  const v1::Binding& binding = input.binding;
  const v1::Placed* placed = input.placed;
  const bool timed = binding.failover().has_application();
  const bool wanted = timed || LeavesTaintedGracefully(binding);
  const bool held =
      placed != nullptr && (placed->evictions_size() > 0 || placed->failover_since_micros() != 0);
  const bool rests = binding.deleting() || binding.suspension().scheduling() ||
                     (!binding.has_policy() && !binding.explicit_all_clusters());
  if ((!wanted && !held) || rests) return {PlanPlacement(input), {}};
  if (placed != nullptr && placed->uid() == binding.uid()) {
    return FailoverPlanner(input, status, status_known).Run();
  }
  FailoverPlan first{PlanPlacement(input), {}};
  if (timed) {
    first.plan.row.set_failover_generation(binding.object_generation());
    first.plan.row.set_failover_since_micros(input.now_micros);
  }
  return first;
}

}  // namespace sealane::scheduler
