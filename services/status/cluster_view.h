#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "sealane/v1/cluster.pb.h"
#include "services/status/leases.h"
#include "services/status/taints.h"

namespace sealane {

namespace v1 {
class StoredObject;
}  // namespace v1

namespace status {

// A Cluster object as a row: name, uid, generation, labels, location, its own taints, deleting.
// INVALID_ARGUMENT when the manifest is not readable.
[[nodiscard]] absl::StatusOr<v1::ClusterStatus> RegisteredCluster(const v1::StoredObject& object);

// What is known of one cluster besides the row in force.
struct ClusterInput {
  const v1::ClusterStatus& registered;
  const v1::ClusterStatus* previous = nullptr;  // the row in force
  const v1::Heartbeat* heartbeat = nullptr;     // the last one, of this process' life
  int64_t heard_micros = 0;                     // when it came, by our clock
  Readiness readiness = Readiness::kUnknown;
  bool storm = false;
  int64_t well_micros = 0;  // see TaintInput
  // Everything that is placed in the cluster is healthy; empty: not, or not yet. What to say of it.
  std::string settled;
  bool default_models = false;  // a Cluster without resource models gets Karmada's
  const std::vector<TaintPolicy>& policies;
  int64_t now_micros = 0;
};

// The row of `cluster_status`: the Cluster object, what the agent said last (kept over a restart of
// this service), and the conclusions.
[[nodiscard]] v1::ClusterStatus BuildClusterStatus(const FailoverOptions& options,
                                                   const ClusterInput& input);

enum class ClusterChange {
  kNone,   // nothing but the time of the last heartbeat
  kMinor,  // capacity and use: may wait to be coalesced
  kMajor,  // anything a decision may hang on
};

[[nodiscard]] ClusterChange CompareClusters(const v1::ClusterStatus& before,
                                            const v1::ClusterStatus& after);

}  // namespace status
}  // namespace sealane
