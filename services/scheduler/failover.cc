#include "services/scheduler/failover.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "lib/core/strings.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/failback.h"
#include "lib/model/toleration.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/placement.pb.h"
#include "services/scheduler/copies.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/reasons.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kDefaultTolerationSeconds = 300;
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
  return rules.has_grace_period_seconds() ? kMicrosPerSecond * rules.grace_period_seconds()
                                          : kDefaultGraceMicros;
}

std::string_view ModeOf(const std::string& purge_mode) {
  // Karmada's older word for it.
  if (purge_mode == kDirectly || purge_mode == "Immediately") return kDirectly;
  return purge_mode == kNever ? kNever : kGracefully;
}

// Texts that differ only in numbers ("2 of 3 pods", "3 of 3 pods") tell the same.
std::string WithoutNumbers(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c < '0' || c > '9') out.push_back(c);
  }
  return out;
}

bool IsFailure(const v1::Eviction& eviction) { return !eviction.tainted() && !eviction.moved(); }

std::string ReasonOf(const v1::ClusterAppStatus& part) {
  const std::string& reason = part.reason().empty() ? part.message() : part.reason();
  return reason.empty() ? "unhealthy" : reason.substr(0, kMaxReason);
}

class Judge {
 public:
  explicit Judge(const FailoverInput& input)
      : in_(input),
        rules_(input.binding.failover().application()),
        in_force_(input.placed.clusters()),
        copies_(input.binding, input.status_known ? input.status : nullptr) {
    wanted_ = input.binding.failover().has_application();
    for (const v1::Eviction& eviction : input.placed.evictions()) {
      if (IsCarried(eviction) && eviction.planned() == 0) left_.insert(eviction.cluster());
    }
  }

  Failover Run() {
    KeepGeneration();
    for (const v1::Eviction& eviction : in_.placed.evictions()) {
      if (IsCarried(eviction)) Review(eviction);
    }
    FindTainted();
    if (!wanted_) return std::move(out_);
    if (in_.status_known) {
      FindFailed();
      Hold();
    } else {
      Remember();
    }
    return std::move(out_);
  }

 private:
  // What has no replacement yet still waits for one.
  static bool IsCarried(const v1::Eviction& eviction) { return !eviction.replaced_by().empty(); }

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
    if (info == nullptr || !info->evicts) return nullptr;
    int64_t again_at = kForever;
    const v1::Taint* taint = UntoleratedTaint(in_.binding, *info, in_.now_micros, &again_at);
    if (again_at != kForever) LookAgainAt(again_at, out_);
    return taint;
  }

  // Somebody asked for another try.
  [[nodiscard]] bool TriedAgain(const v1::Eviction& eviction) const {
    return in_.rules_changed || in_.rebalance_micros > eviction.since_micros();
  }

  [[nodiscard]] bool Ended(const v1::Eviction& eviction) const {
    if (eviction.moved() || TriedAgain(eviction)) return true;
    if (eviction.tainted()) return eviction.recovered_micros() != 0;
    return !wanted_ || eviction.object_generation() != in_.binding.object_generation();
  }

  // The eviction, by the rules of today.
  [[nodiscard]] v1::Eviction Renewed(v1::Eviction eviction) {
    std::string_view mode = kGracefully;
    int64_t grace = kDefaultGraceMicros;
    if (eviction.moved()) return eviction;
    if (eviction.tainted()) {
      const v1::Taint* taint = TaintOf(eviction.cluster());
      if (taint == nullptr) {
        if (eviction.recovered_micros() == 0) eviction.set_recovered_micros(in_.now_micros);
        return eviction;
      }
      eviction.set_recovered_micros(0);
      mode = ModeOf(in_.binding.failover().cluster().purge_mode());
      // Who drains a cluster has the time.
      if (taint->key() == kDrainTaint) {
        mode = kGracefully;
        grace = 0;
      }
    } else if (!wanted_) {
      return eviction;
    } else {
      mode = ModeOf(rules_.purge_mode());
      grace = GraceMicros(rules_);
    }
    eviction.set_purge_mode(std::string(mode));
    eviction.set_grace_until_micros(
        mode == kGracefully && grace > 0 ? eviction.since_micros() + grace : 0);
    return eviction;
  }

  // Whether an earlier eviction still stands, and the copy there stays.
  void Review(const v1::Eviction& before) {
    const v1::Eviction eviction = Renewed(before);
    if (eviction.recovered_micros() != 0) FindRestore(eviction);
    const bool ended = Ended(eviction);
    std::string why;
    const bool here = in_force_.Contains(eviction.cluster());
    const bool stays = here && CopyStays(eviction, ended, &why);
    if (here && !stays) {
      const std::string_view name = eviction.moved() ? "moved" : NameOf({eviction});
      out_.leaving = StrCat(out_.leaving.empty() ? StrCat(name, ": ") : StrCat(out_.leaving, "; "),
                            "the copy in ", eviction.cluster(), " goes: ", why);
    }
    if (stays) out_.staying.push_back(eviction.cluster());
    if (stays || !ended || Returns(eviction)) out_.standing.push_back(eviction);
  }

  bool CopyStays(const v1::Eviction& eviction, bool ended, std::string* why) {
    const ClusterInfo* cluster = in_.snapshot.Find(eviction.cluster());
    if (cluster == nullptr || cluster->abandoned) {
      *why = cluster == nullptr ? "the cluster is gone" : "the cluster was given up";
      return false;
    }
    if (eviction.purge_mode() == kDirectly) {
      *why = "the policy says Directly";
      return false;
    }
    if (in_.binding.has_replica_requirements() && in_.binding.replicas() == 0) {
      *why = "no replicas are wanted";
      return false;
    }
    const bool may_run = !copies_.known() || copies_.MayRun(eviction.cluster());
    if (eviction.moved() && !may_run) {
      *why = "nothing runs there";
      return false;
    }
    if (ReplacementIsHealthy(eviction)) {
      *why = StrCat("healthy in ", StrJoin(ReplacementOf(eviction), ", "));
      // Who asked for it to stay has acted by now.
      return eviction.purge_mode() == kNever && !ended;
    }
    if (eviction.purge_mode() == kNever || eviction.grace_until_micros() == 0) return true;
    if (in_.now_micros < eviction.grace_until_micros()) {
      LookAgainAt(eviction.grace_until_micros(), out_);
      return true;
    }
    // The only healthy copy is not taken away, nor the last that may run, nor one that nothing is
    // known about yet.
    if (!copies_.known() || copies_.Healthy(eviction.cluster(), eviction.replicas())) return true;
    if (may_run && eviction.planned() == 0 && !RunsElsewhere()) return true;
    *why = "the grace period is over";
    return false;
  }

  [[nodiscard]] bool RunsElsewhere() const {
    return std::any_of(in_force_.entries().begin(), in_force_.entries().end(),
                       [&](const Previous::Entry& entry) {
                         return left_.count(entry.cluster) == 0 && copies_.Runs(entry.cluster);
                       });
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
      return copies_.Healthy(name, in_force_.Replicas(name));
    });
  }

  // --- The cluster that was left because of a taint is back.

  // Whether its policy lets the object return there later.
  [[nodiscard]] bool Returns(const v1::Eviction& eviction) const {
    return eviction.recovered_micros() != 0 && !TriedAgain(eviction) &&
           !eviction.before().empty() && ReturnsAfter() != absl::InfiniteDuration();
  }

  [[nodiscard]] absl::Duration ReturnsAfter() const {
    const auto option = in_.binding.options().find(std::string(kFailbackOption));
    if (option == in_.binding.options().end()) return absl::InfiniteDuration();
    const auto after = ParseFailback(option->second);
    return after.ok() ? *after : absl::InfiniteDuration();
  }

  // Whether everything of the earlier placement can be used again.
  [[nodiscard]] bool IsOpen(const v1::Eviction& eviction) {
    return std::all_of(
        eviction.before().begin(), eviction.before().end(), [&](const v1::TargetCluster& target) {
          const ClusterInfo* cluster = in_.snapshot.Find(target.name());
          return cluster != nullptr && !cluster->deleting && TaintOf(target.name()) == nullptr;
        });
  }

  // Before the replacement is healthy, the copy that is still there is used again; later, when the
  // policy asks for the return and its time has come.
  void FindRestore(const v1::Eviction& eviction) {
    if (TriedAgain(eviction) || eviction.before().empty() || !out_.restore.empty()) return;
    const std::string& cluster = eviction.cluster();
    if (!IsOpen(eviction)) return;
    const bool here = in_force_.Contains(cluster);
    if (here && copies_.Healthy(cluster, eviction.replicas()) && !ReplacementIsHealthy(eviction)) {
      Restore(eviction,
              StrCat("cluster failover: ", cluster, " is back before its replacement was healthy"));
      return;
    }
    if (here || !Returns(eviction)) return;
    const int64_t due = eviction.recovered_micros() +
                        absl::ToInt64Microseconds(
                            ReturnsAfter() + FailbackDelay(in_.binding.uid(), in_.failback_spread));
    if (in_.now_micros < due) {
      LookAgainAt(due, out_);
    } else {
      Restore(eviction, StrCat("failback: ", cluster, " is back for long enough"));
    }
  }

  void Restore(const v1::Eviction& eviction, std::string cause) {
    out_.restore.assign(eviction.before().begin(), eviction.before().end());
    out_.restore_group = eviction.before_group();
    out_.restore_cause = std::move(cause);
  }

  // --- What has to be left now.

  void FindTainted() {
    if (!in_.snapshot.any_evicts()) return;
    for (const Previous::Entry& entry : in_force_.entries()) {
      if (left_.count(entry.cluster) > 0) continue;
      const v1::Taint* taint = TaintOf(entry.cluster);
      if (taint == nullptr) continue;
      out_.due.push_back(Renewed(
          Known(entry.cluster, /*tainted=*/true, StrCat("taint {", Describe(*taint), "}"))));
    }
  }

  void FindFailed() {
    if (!copies_.known()) return;
    std::vector<std::pair<int64_t, v1::Eviction>> due;  // unhealthy since
    for (const v1::ClusterAppStatus& part : in_.status->clusters()) {
      if (!in_force_.Contains(part.cluster()) || left_.count(part.cluster()) > 0) continue;
      if (IsDue(part.cluster())) continue;
      // A lost cluster keeps its clock, but its health is Unknown.
      if (part.health() != "Unhealthy" || part.unhealthy_since_micros() == 0) continue;
      const int64_t since = std::max(part.unhealthy_since_micros(), out_.since_micros);
      const int64_t due_at = since + TolerationMicros(rules_);
      if (in_.now_micros < due_at) {
        LookAgainAt(due_at, out_);
      } else {
        due.emplace_back(since, Renewed(Known(part.cluster(), /*tainted=*/false, ReasonOf(part))));
      }
    }
    std::stable_sort(due.begin(), due.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& entry : due) out_.due.push_back(std::move(entry.second));
  }

  // Nothing is known yet: what waited for a replacement still does.
  void Remember() {
    for (const v1::Eviction& eviction : in_.placed.evictions()) {
      if (!IsCarried(eviction) && IsFailure(eviction) && in_force_.Contains(eviction.cluster()) &&
          !IsDue(eviction.cluster())) {
        out_.due.push_back(Renewed(eviction));
      }
    }
    out_.held = in_.placed.failover_held();
  }

  // A fault that comes along to every cluster is not the clusters': no more are tried.
  void Hold() {
    std::map<std::string, std::vector<std::string>> failed_in;  // by reason
    for (const auto* list : {&out_.standing, &out_.due}) {
      for (const v1::Eviction& eviction : *list) {
        if (IsFailure(eviction)) {
          failed_in[WithoutNumbers(eviction.reason())].push_back(eviction.cluster());
        }
      }
    }
    for (const v1::Eviction& due : out_.due) {
      if (!IsFailure(due) || in_.limit <= 0) continue;
      const auto& clusters = failed_in[WithoutNumbers(due.reason())];
      if (clusters.size() < static_cast<size_t>(in_.limit)) continue;
      out_.held =
          StrCat("it failed in ", clusters.size(), " clusters for the same reason (", due.reason(),
                 "), so it is not moved any more until it is changed or a "
                 "WorkloadRebalancer names it");
      return;
    }
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
      if (known.cluster() == cluster && known.tainted() == tainted && !IsCarried(known)) {
        eviction = known;
      }
    }
    eviction.set_replicas(static_cast<int32_t>(in_force_.Replicas(cluster)));
    eviction.set_object_generation(in_.binding.object_generation());
    if (in_.status_known && in_.status != nullptr) {
      for (const v1::ClusterAppStatus& part : in_.status->clusters()) {
        if (part.cluster() == cluster && !part.preserved_labels().empty()) {
          *eviction.mutable_preserved_labels() = part.preserved_labels();
        }
      }
    }
    return eviction;
  }

  const FailoverInput& in_;
  const v1::ApplicationFailover& rules_;
  const Previous in_force_;
  const Copies copies_;
  bool wanted_ = false;         // failover.application
  std::set<std::string> left_;  // clusters that others took over from
  Failover out_;
};

}  // namespace

Failover JudgeFailover(const FailoverInput& input) { return Judge(input).Run(); }

void StartGrace(int64_t now_micros, v1::Eviction& eviction) {
  if (eviction.grace_until_micros() > 0) {
    eviction.set_grace_until_micros(now_micros + eviction.grace_until_micros() -
                                    eviction.since_micros());
  }
  eviction.set_since_micros(now_micros);
}

bool RunsInTainted(const v1::Binding& binding, const v1::Placed& placed, const Snapshot& snapshot) {
  if (!snapshot.any_evicts() || binding.explicit_all_clusters()) return false;
  return std::any_of(placed.clusters().begin(), placed.clusters().end(),
                     [&](const v1::TargetCluster& target) {
                       const ClusterInfo* cluster = snapshot.Find(target.name());
                       return cluster != nullptr && cluster->evicts;
                     });
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

void LookAgainAt(int64_t at_micros, Failover& failover) {
  int64_t& again = failover.again_at_micros;
  if (at_micros > 0 && (again == 0 || at_micros < again)) again = at_micros;
}

std::vector<std::string> Refused(const std::vector<v1::Eviction>& evictions) {
  std::vector<std::string> names;
  for (const v1::Eviction& eviction : evictions) {
    if (!eviction.moved() && eviction.recovered_micros() == 0) names.push_back(eviction.cluster());
  }
  return names;
}

std::vector<std::string> EvictedFrom(const v1::Placed& placed) {
  return Refused({placed.evictions().begin(), placed.evictions().end()});
}

}  // namespace sealane::scheduler
