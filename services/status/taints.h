#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/model/cluster_match.h"
#include "services/status/leases.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
class Taint;
}  // namespace v1

namespace status {

// Cluster failover: a cluster that stays not ready gets a NoExecute taint of the same key, and the
// scheduler moves its applications away.
struct FailoverOptions {
  bool enabled = true;
  // How long a cluster may be not ready before its applications move.
  absl::Duration after = absl::Minutes(5);
  // When more than this share of all clusters is not ready, the fault is likely on our side of the
  // network: no NoExecute taints then.
  double storm_share = 0.55;
};

// True when so many clusters are not ready that failover must wait.
[[nodiscard]] bool IsStorm(const FailoverOptions& options, size_t not_ready, size_t total);

// A ClusterTaintPolicy (policy.karmada.io/v1alpha1).
struct TaintPolicy {
  struct Match {
    std::string condition_type;
    bool in = true;  // In or NotIn
    std::vector<std::string> values;
  };
  std::string name;
  int64_t created_micros = 0;
  AffinityMatcher target;        // matches every cluster when the policy names none
  std::vector<Match> add_on;     // all must hold; empty: never
  std::vector<Match> remove_on;  // likewise
  struct Item {
    std::string key;
    std::string value;
    std::string effect;
  };
  std::vector<Item> taints;
};

// INVALID_ARGUMENT names the field.
[[nodiscard]] absl::StatusOr<TaintPolicy> ParseTaintPolicy(const Json& manifest,
                                                           int64_t created_micros);

struct TaintInput {
  // Labels, location and the Cluster object's own taints.
  const v1::ClusterStatus& registered;
  // The row in force, with its taints; nullptr: none.
  const v1::ClusterStatus* previous = nullptr;
  // Conditions as they are now.
  const v1::ClusterStatus& conditions;
  Readiness readiness = Readiness::kUnknown;
  bool storm = false;
  // When the agent last said that its cluster is well, microseconds; 0: not in this process' life.
  // Failover counts from there: a link that flaps moves nothing.
  int64_t well_micros = 0;
  // Sorted by creation, then name.
  const std::vector<TaintPolicy>& policies;
  int64_t now_micros = 0;
};

// All taints of a cluster, sorted by key and effect, each once (the Cluster object's word first):
// its own, those of its condition, those of failover, those of taint policies. A taint keeps the
// time it was added as long as it stays. In a storm neither failover nor a policy adds NoExecute.
// The taints of a policy stay when the policy goes, until the Cluster object changes.
[[nodiscard]] std::vector<v1::Taint> ComputeTaints(const FailoverOptions& options,
                                                   const TaintInput& input);

// When ComputeTaints will say something else if nothing else changes: when the tolerated time ends.
// Microseconds since the epoch; 0: never.
[[nodiscard]] int64_t NextTaintChangeMicros(const FailoverOptions& options,
                                            const v1::ClusterStatus& row, int64_t well_micros);

}  // namespace status
}  // namespace sealane
