#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/strings.h"
#include "services/scheduler/request.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// What is promised to placements that the clusters' heartbeats do not show yet.
struct AssumedLoad {
  int64_t pods = 0;
  ResourceList amounts;  // by name
};
using AssumedLoads = std::map<std::string, AssumedLoad, std::less<>>;  // by cluster
// That of one cluster; nullptr when there is none. `loads` may be nullptr.
[[nodiscard]] const AssumedLoad* AssumedFor(const AssumedLoads* loads, std::string_view cluster);

// Adds `replicas` of `request` to a cluster's load (negative: takes away).
void AddLoad(AssumedLoad& load, const ResourceList& request, int64_t replicas);

// What a cluster's agent said about one shape of replica: how many more fit into its nodes.
struct AccurateAnswer {
  int64_t replicas = 0;
  absl::Duration until = absl::ZeroDuration();  // monotonic; later it counts no more
  std::string limited_by;
};
using AccurateAnswers = StringMap<AccurateAnswer>;  // by cluster

// How many of the replicas that an agent counted are left for the request, when `assumed` is taken
// by others: what they ask, measured in replicas of the request.
[[nodiscard]] int64_t LeftOf(int64_t replicas, const Request& request, const AssumedLoad* assumed);

// What bounds EstimateReplicas, for people: "pods", a resource, "resource models", "no summary of
// its resources yet".
[[nodiscard]] std::string LimitOf(const Request& request, const ClusterInfo& cluster,
                                  const AssumedLoad* assumed);

// How many more replicas of the request fit into the cluster, by what its last heartbeat said less
// what is assumed: pods and every requested resource; node by node where the cluster has resource
// models. kUnlimited for objects that are no workload. For components that are placed whole: how
// many whole sets. Source: Karmada's general estimator.
[[nodiscard]] int64_t EstimateReplicas(const Request& request, const ClusterInfo& cluster,
                                       const AssumedLoad* assumed);

}  // namespace sealane::scheduler
