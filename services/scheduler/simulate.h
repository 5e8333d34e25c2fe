#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sealane/v1/tables.pb.h"
#include "services/scheduler/world.h"

namespace sealane::scheduler {

// A question "what if": nothing of it has any effect.
struct WhatIf {
  std::vector<std::string> drain;  // clusters that everything must leave, whatever it tolerates
  std::vector<std::string> fail;   // clusters that are gone
  std::vector<v1::ClusterStatus> clusters;  // added, or in place of the present ones
  std::vector<v1::Binding> bindings;  // added, or in place of the present ones; deleting: leaves
};

// One binding whose placement would change, or which would not fit.
struct SimulatedMove {
  v1::ObjectRef ref;
  std::map<std::string, int64_t> before;  // cluster -> replicas
  std::map<std::string, int64_t> after;
  std::string state;
  std::string message;
  std::string cause;
  // It did not fit before either, and what is asked takes nothing from it.
  bool unfit_before = false;
};

// One cluster, summed over all bindings.
struct ClusterSums {
  int64_t replicas_before = 0;
  int64_t replicas_after = 0;
  int64_t objects_before = 0;
  int64_t objects_after = 0;
};

struct Simulation {
  std::vector<SimulatedMove> moves;                // in the order of the queue: priority, then key
  std::map<std::string, ClusterSums> clusters;     // all that there are or were, by name
  std::map<std::string, int64_t> replicas_before;  // per cluster in use, over all bindings
  std::map<std::string, int64_t> replicas_after;
  int64_t looked_at = 0;
  // Would not fit, or would lose clusters without another place, and that because of the question.
  int64_t unscheduled = 0;
  int64_t unfit_before = 0;  // does not fit now either
};

// Answers by running the same decision as the service over all bindings in order, on a copy of the
// clusters, counting what each move takes and frees, and where workload groups would be; what does
// not fit is tried once more when all others have moved. INVALID_ARGUMENT for a cluster that is not
// known.
[[nodiscard]] absl::StatusOr<Simulation> Simulate(const World& world, const WhatIf& what,
                                                  int64_t now_micros);

}  // namespace sealane::scheduler
