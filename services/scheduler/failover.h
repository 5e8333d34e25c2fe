#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/snapshot.h"

namespace sealane::v1 {
class AppStatus;
}  // namespace sealane::v1

namespace sealane::scheduler {

struct FailoverInput {
  const v1::Binding& binding;
  const v1::Placed& placed;  // the row in force, of this very object
  const Snapshot& snapshot;
  // What the status service says; nullptr: nothing yet. Only uid and, of each cluster, health,
  // unhealthy_since_micros, applied_generation, ready replicas, reason, message and
  // preserved_labels are looked at.
  const v1::AppStatus* status = nullptr;
  bool status_known = true;      // false: not read yet, so that what was decided before stands
  bool rules_changed = false;    // the placement in force was computed from other rules
  int64_t rebalance_micros = 0;  // newest manual rebalance; 0: none
  int limit = 0;                 // see PlanInput::failover_limit
  absl::Duration failback_spread = absl::ZeroDuration();  // see PlanInput
  int64_t now_micros = 0;
};

// What failover asks for at one binding.
struct Failover {
  // Clusters in force that have to be left because of a taint, then those where the application
  // failed for long enough, the longest first: to be left when others can take over. Complete but
  // for what the replacement decides.
  std::vector<v1::Eviction> due;
  // Earlier evictions that still stand, by cluster.
  std::vector<v1::Eviction> standing;
  // Of `standing`: clusters whose copy stays for now.
  std::vector<std::string> staying;
  std::string leaving;          // which copies go now and why, for people; empty: none does
  int64_t again_at_micros = 0;  // when the next of these times is over; 0: no need
  int64_t generation = 0;       // for Placed.failover_generation and failover_since_micros
  int64_t since_micros = 0;
  // Why those that failed are not left any more: too many did, for the same reason. Empty: they
  // are.
  std::string held;
  // The placement that is to be in force again, with its group, because the cluster that was left
  // is back; empty: none. `restore_cause`: which one and why, for people.
  std::vector<v1::TargetCluster> restore;
  std::string restore_group;
  std::string restore_cause;
};

// Judges, and keeps the time. Pure.
//
// A cluster is due when the application has been unhealthy there for longer than the tolerated
// time, by the status service's word, without a break, and its agent is heard: a lost cluster is no
// matter of application failover. The time before the object's present generation does not count.
// A cluster whose NoExecute taint is not tolerated (any more) is due, too.
// An eviction that has a replacement ends when the object's generation, the rules of its placement
// or a manual rebalance ask for another try, or the policy's failover goes; a copy that is left
// gracefully has its time all the same. One because of a taint ends with that, too, but not with
// a new generation.
// A copy goes when its replacement is healthy, or when the grace period is over, but then only if
// something else of the object certainly runs, or nothing of the copy does. It goes at once when no
// replicas are wanted any more.
[[nodiscard]] Failover JudgeFailover(const FailoverInput& input);

// The eviction is carried out now: its time begins.
void StartGrace(int64_t now_micros, v1::Eviction& eviction);

// The time a copy waits for its replacement when no policy says another, microseconds.
inline constexpr int64_t kDefaultGraceMicros = 600'000'000;

// Whether the object runs in a cluster with a NoExecute taint that it does not tolerate for ever.
[[nodiscard]] bool RunsInTainted(const v1::Binding& binding, const v1::Placed& placed,
                                 const Snapshot& snapshot);

// "application failover", "cluster failover", or "failover" when there are both.
[[nodiscard]] std::string_view NameOf(const std::vector<v1::Eviction>& evictions);

// Sets Failover.again_at_micros, unless an earlier time is set already; 0: no time.
void LookAgainAt(int64_t at_micros, Failover& failover);

// Whether the copy stays for a while, beside its replacement.
[[nodiscard]] bool LeavesCopy(const v1::Eviction& eviction);

// "failed in a: X"; "failed in a, b for the same reason: X"; "failed in a (X), b (Y)"; with taints
// alone "has to leave" instead of "failed in".
[[nodiscard]] std::string DescribeFailures(const std::vector<v1::Eviction>& evictions);

// Of these, the clusters in which the object may not be placed.
[[nodiscard]] std::vector<std::string> Refused(const std::vector<v1::Eviction>& evictions);
// The same of the row, for Request::Evict.
[[nodiscard]] std::vector<std::string> EvictedFrom(const v1::Placed& placed);

}  // namespace sealane::scheduler
