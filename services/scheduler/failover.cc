#include "services/scheduler/failover.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/core/strings.h"
#include "lib/model/toleration.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/placement.pb.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/reasons.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kDefaultTolerationSeconds = 300;
constexpr int64_t kDefaultGraceSeconds = 600;
constexpr size_t kMaxReason = 200;
constexpr std::string_view kDirectly = "Directly";
constexpr std::string_view kGracefully = "Gracefully";
constexpr std::string_view kNever = "Never";
constexpr std::string_view kClusterFailover = "cluster failover";

int64_t TolerationMicros(const v1::ApplicationFailover& rules) {
  const v1::DecisionConditions& conditions = rules.decision_conditions();
  return kMicrosPerSecond * (conditions.has_toleration_seconds() ? conditions.toleration_seconds()
                                                                 : kDefaultTolerationSeconds);
}

int64_t GraceMicros(const v1::ApplicationFailover& rules) {
  return kMicrosPerSecond *
         (rules.has_grace_period_seconds() ? rules.grace_period_seconds() : kDefaultGraceSeconds);
}

std::string_view ModeOf(const v1::ApplicationFailover& rules) {
  // Karmada's older word for it.
  if (rules.purge_mode() == kDirectly || rules.purge_mode() == "Immediately") return kDirectly;
  return rules.purge_mode() == kNever ? kNever : kGracefully;
}

std::string ReasonOf(const v1::ClusterAppStatus& part) {
  const std::string& reason = part.reason().empty() ? part.message() : part.reason();
  return reason.empty() ? "unhealthy" : reason.substr(0, kMaxReason);
}

// Keeps the earliest of the times.
void Again(int64_t at_micros, Failover& failover) {
  if (failover.again_at_micros == 0 || at_micros < failover.again_at_micros) {
    failover.again_at_micros = at_micros;
  }
}

class Judge {
 public:
  explicit Judge(const FailoverInput& input)
      : in_(input), rules_(input.binding.failover().application()), in_force_(Clusters(input)) {
    wanted_ = input.binding.failover().has_application();
    if (input.status != nullptr && input.status->uid() == input.binding.uid()) {
      status_ = input.status;
    }
    for (const v1::Eviction& eviction : input.placed.evictions()) {
      if (!eviction.replaced_by().empty()) left_.insert(eviction.cluster());
    }
  }

  Failover Run() {
    graceful_ = LeavesTaintedGracefully(in_.binding);
    KeepGeneration();
    for (const v1::Eviction& eviction : in_.placed.evictions()) {
      if (!eviction.replaced_by().empty()) Review(eviction);
    }
    if (graceful_) FindTainted();
    if (!wanted_) return std::move(out_);
    if (in_.status_known) {
      FindDue();
    } else {
      // What had no replacement yet still waits for one.
      for (const v1::Eviction& eviction : in_.placed.evictions()) {
        const bool here = in_force_.Contains(eviction.cluster());
        if (eviction.replaced_by().empty() && here && !eviction.tainted() &&
            !IsDue(eviction.cluster())) {
          out_.due.push_back(Renewed(eviction));
        }
      }
    }
    return std::move(out_);
  }

 private:
  static Previous Clusters(const FailoverInput& input) { return Previous(input.placed.clusters()); }

  void KeepGeneration() {
    if (!wanted_) return;
    out_.generation = in_.binding.object_generation();
    const bool same = in_.placed.failover_since_micros() != 0 &&
                      in_.placed.failover_generation() == out_.generation;
    out_.since_micros = same ? in_.placed.failover_since_micros() : in_.now_micros;
  }

  [[nodiscard]] bool IsDue(const std::string& cluster) const {
    return std::any_of(out_.due.begin(), out_.due.end(),
                       [&](const v1::Eviction& due) { return due.cluster() == cluster; });
  }

  // The taint that drives the object out of the cluster now; nullptr: none.
  const v1::Taint* TaintOf(const std::string& cluster) {
    const ClusterInfo* info = in_.snapshot.Find(cluster);
    if (info == nullptr) return nullptr;
    int64_t again_at = kForever;
    const v1::Taint* taint = UntoleratedTaint(in_.binding, *info, in_.now_micros, &again_at);
    if (again_at != kForever) Again(again_at, out_);
    return taint;
  }

  [[nodiscard]] bool Ended(const v1::Eviction& eviction) {
    if (eviction.tainted()) {
      return !in_.binding.failover().has_cluster() || in_.rules_changed ||
             in_.rebalance_micros > eviction.since_micros() ||
             TaintOf(eviction.cluster()) == nullptr;
    }
    return !wanted_ || in_.rules_changed ||
           eviction.object_generation() != in_.binding.object_generation() ||
           in_.rebalance_micros > eviction.since_micros();
  }

  // The eviction, by the rules of today.
  [[nodiscard]] v1::Eviction Renewed(v1::Eviction eviction) const {
    if (eviction.tainted()) {
      eviction.set_purge_mode(std::string(graceful_ ? kGracefully : kDirectly));
      eviction.set_grace_until_micros(
          graceful_ ? eviction.since_micros() + kMicrosPerSecond * kDefaultGraceSeconds : 0);
      return eviction;
    }
    if (!wanted_) return eviction;
    const std::string_view mode = ModeOf(rules_);
    eviction.set_purge_mode(std::string(mode));
    eviction.set_grace_until_micros(
        mode == kGracefully ? eviction.since_micros() + GraceMicros(rules_) : 0);
    return eviction;
  }

  // Whether an earlier eviction still stands, and the copy there stays.
  void Review(const v1::Eviction& before) {
    const v1::Eviction eviction = Renewed(before);
    const bool ended = Ended(eviction);
    std::string why;
    const bool here = in_force_.Contains(eviction.cluster());
    const bool stays = here && CopyStays(eviction, ended, &why);
    if (here && !stays) {
      out_.leaving = StrCat(
          out_.leaving.empty() ? StrCat(NameOf({eviction}), ": ") : StrCat(out_.leaving, "; "),
          "the copy in ", eviction.cluster(), " goes: ", why);
    }
    if (stays) out_.staying.push_back(eviction.cluster());
    if (stays || !ended) out_.standing.push_back(eviction);
  }

  bool CopyStays(const v1::Eviction& eviction, bool ended, std::string* why) {
    const ClusterInfo* cluster = in_.snapshot.Find(eviction.cluster());
    if (cluster == nullptr || cluster->deleting) {
      *why = "the cluster is gone";
      return false;
    }
    if (eviction.purge_mode() == kDirectly) {
      *why = "the policy says Directly";
      return false;
    }
    if (ReplacementIsHealthy(eviction)) {
      *why = StrCat("healthy in ", StrJoin(ReplacementOf(eviction), ", "));
      // Who asked for it to stay has acted by now.
      return eviction.purge_mode() == kNever && !ended;
    }
    if (eviction.purge_mode() == kNever) return true;
    if (in_.now_micros < eviction.grace_until_micros()) {
      Again(eviction.grace_until_micros(), out_);
      return true;
    }
    // The only healthy copy is not taken away, nor one that nothing is known about yet.
    if (!in_.status_known || IsHealthy(eviction.cluster(), eviction.replicas())) return true;
    *why = "the grace period is over";
    return false;
  }

  // Those that took over, as far as they are in force; else all that are and did not fail.
  [[nodiscard]] std::vector<std::string> ReplacementOf(const v1::Eviction& eviction) const {
    std::vector<std::string> names;
    for (const std::string& name : eviction.replaced_by()) {
      if (in_force_.Contains(name) && left_.count(name) == 0) names.push_back(name);
    }
    if (!names.empty()) return names;
    for (const Previous::Entry& entry : in_force_.entries()) {
      if (left_.count(entry.cluster) == 0) names.push_back(entry.cluster);
    }
    return names;
  }

  [[nodiscard]] bool ReplacementIsHealthy(const v1::Eviction& eviction) const {
    const std::vector<std::string> names = ReplacementOf(eviction);
    return !names.empty() && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return IsHealthy(name, in_force_.Replicas(name));
    });
  }

  [[nodiscard]] bool IsHealthy(const std::string& cluster, int64_t replicas) const {
    if (status_ == nullptr) return false;
    return std::any_of(status_->clusters().begin(), status_->clusters().end(),
                       [&](const v1::ClusterAppStatus& part) {
                         // Kinds without replicas report none as ready. Others may report an
                         // earlier, smaller number for a moment.
                         const int64_t ready = part.replicas().ready();
                         return part.cluster() == cluster && part.health() == "Healthy" &&
                                part.applied_generation() >= in_.binding.object_generation() &&
                                (ready == 0 || ready >= replicas);
                       });
  }

  void FindTainted() {
    for (const Previous::Entry& entry : in_force_.entries()) {
      if (left_.count(entry.cluster) > 0) continue;
      const v1::Taint* taint = TaintOf(entry.cluster);
      if (taint == nullptr) continue;
      out_.due.push_back(Renewed(
          Known(entry.cluster, /*tainted=*/true, StrCat("taint {", Describe(*taint), "}"))));
    }
  }

  void FindDue() {
    if (status_ == nullptr) return;
    std::vector<std::pair<int64_t, v1::Eviction>> due;  // unhealthy since
    for (const v1::ClusterAppStatus& part : status_->clusters()) {
      if (!in_force_.Contains(part.cluster()) || left_.count(part.cluster()) > 0) continue;
      if (IsDue(part.cluster())) continue;
      // A lost cluster keeps its clock, but its health is Unknown.
      if (part.health() != "Unhealthy" || part.unhealthy_since_micros() == 0) continue;
      const int64_t since = std::max(part.unhealthy_since_micros(), out_.since_micros);
      const int64_t due_at = since + TolerationMicros(rules_);
      if (in_.now_micros < due_at) {
        Again(due_at, out_);
      } else {
        due.emplace_back(since, Renewed(Known(part.cluster(), /*tainted=*/false, ReasonOf(part))));
      }
    }
    std::stable_sort(due.begin(), due.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& entry : due) out_.due.push_back(std::move(entry.second));
  }

  // A cluster to be left, new or as it is in the row.
  [[nodiscard]] v1::Eviction Known(const std::string& cluster, bool tainted,
                                   std::string reason) const {
    v1::Eviction eviction;
    eviction.set_tainted(tainted);
    eviction.set_cluster(cluster);
    eviction.set_reason(std::move(reason));
    eviction.set_since_micros(in_.now_micros);
    // Told once; details that change with every look are no news.
    for (const v1::Eviction& known : in_.placed.evictions()) {
      if (known.cluster() == cluster && known.tainted() == tainted) eviction = known;
    }
    eviction.set_replicas(static_cast<int32_t>(in_force_.Replicas(cluster)));
    eviction.set_object_generation(in_.binding.object_generation());
    return eviction;
  }

  const FailoverInput& in_;
  const v1::ApplicationFailover& rules_;
  const Previous in_force_;
  bool wanted_ = false;                    // failover.application
  bool graceful_ = false;                  // failover.cluster
  const v1::AppStatus* status_ = nullptr;  // of this very object
  std::set<std::string> left_;             // have a replacement
  Failover out_;
};

}  // namespace

Failover JudgeFailover(const FailoverInput& input) { return Judge(input).Run(); }

void StartGrace(int64_t now_micros, v1::Eviction& eviction) {
  if (eviction.purge_mode() == kGracefully) {
    eviction.set_grace_until_micros(now_micros + eviction.grace_until_micros() -
                                    eviction.since_micros());
  }
  eviction.set_since_micros(now_micros);
}

bool LeavesTaintedGracefully(const v1::Binding& binding) {
  if (!binding.failover().has_cluster()) return false;
  const std::string& mode = binding.failover().cluster().purge_mode();
  return mode != kDirectly && mode != "Immediately";
}

std::string_view NameOf(const std::vector<v1::Eviction>& evictions) {
  const auto tainted = [](const v1::Eviction& eviction) { return eviction.tainted(); };
  if (std::all_of(evictions.begin(), evictions.end(), tainted)) return kClusterFailover;
  if (std::any_of(evictions.begin(), evictions.end(), tainted)) return "failover";
  return "application failover";
}

bool LeavesCopy(const v1::Eviction& eviction) { return eviction.purge_mode() != kDirectly; }

std::string DescribeFailures(const std::vector<v1::Eviction>& evictions) {
  if (evictions.empty()) return "";
  const std::string& first = evictions.front().reason();
  const bool tainted = NameOf(evictions) == kClusterFailover;
  const std::string_view verb = tainted ? "has to leave " : "failed in ";
  std::vector<std::string> names;
  std::vector<std::string> texts;
  bool same = true;
  for (const v1::Eviction& eviction : evictions) {
    names.push_back(eviction.cluster());
    texts.push_back(StrCat(eviction.cluster(), " (", eviction.reason(), ")"));
    same = same && eviction.reason() == first;
  }
  if (!same) return StrCat(verb, StrJoin(texts, ", "));
  return StrCat(verb, StrJoin(names, ", "),
                names.size() > 1 && !tainted ? " for the same reason: " : ": ", first);
}

std::vector<std::string> EvictedFrom(const v1::Placed& placed) {
  std::vector<std::string> names;
  for (const v1::Eviction& eviction : placed.evictions()) names.push_back(eviction.cluster());
  return names;
}

}  // namespace sealane::scheduler
