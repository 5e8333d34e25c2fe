#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/scheduler/request.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// Where the other bindings of workload affinity groups run. A group is "<namespace>/<key>=<value>".
class WorkloadGroups {
 public:
  virtual ~WorkloadGroups() = default;
  // Whether every other scheduled binding of the affinity group runs in the cluster.
  [[nodiscard]] virtual bool AllRunIn(const std::string& group, const v1::Binding& self,
                                      std::string_view cluster) const = 0;
  // Whether any other binding of the anti-affinity group runs in the cluster.
  [[nodiscard]] virtual bool AnyRunsIn(const std::string& group, const v1::Binding& self,
                                       std::string_view cluster) const = 0;
};

// What a filter sees besides the cluster.
struct FilterContext {
  const Request& request;
  const AffinityTerm& term;
  const WorkloadGroups* groups = nullptr;  // null: no other bindings
  int64_t now_micros = 0;                  // for tolerations that end; 0: none has ended
  // Whether the placement in force has the cluster that is looked at: set for each cluster.
  bool in_use = false;
  // Its tier in the term, when that is known: see ClusterTiers; kNotAsked: the filter asks.
  static constexpr int32_t kNotAsked = -2;
  int32_t tier = kNotAsked;
  // Clusters share their lists of kinds: what the last one asked said about this object.
  mutable const ApiSet* last_apis = nullptr;
  mutable bool last_apis_serve = false;
};

// For `relevant` below: not of what is meant for all clusters.
bool ChoosesClusters(const FilterContext& context);

// To which tier of a term the clusters of a snapshot belong.
class ClusterTiers {
 public:
  ClusterTiers(const Request& request, const AffinityTerm& term, const Snapshot& snapshot);
  // 0: the group itself; n: its n-th overflow tier; -1: none.
  [[nodiscard]] int32_t Of(size_t index, const ClusterInfo& cluster) const;

 private:
  std::vector<RuleInSnapshot> tiers_;
};

// Until when the binding tolerates the taint, in microseconds: 0: not at all; kForever: always.
// tolerationSeconds of a NoExecute taint count from the time it was added; the shortest of the
// tolerations that cover the taint holds.
inline constexpr int64_t kForever = INT64_MAX;
[[nodiscard]] int64_t ToleratedUntilMicros(const v1::Binding& binding, const v1::Taint& taint);

// A filter decides whether a cluster may be chosen at all. Both functions are pure; `why` is only
// called for a cluster that does not pass, when somebody wants to read the reason, and names
// everything that the filter holds against the cluster.
struct FilterPlugin {
  std::string_view name;
  bool (*passes)(const FilterContext& context, const ClusterInfo& cluster);
  std::string (*why)(const FilterContext& context, const ClusterInfo& cluster);
  // False when the filter refuses no cluster at all, whatever it is; null: never known in advance.
  bool (*relevant)(const FilterContext& context) = nullptr;
};

// The order is fixed: it is the order in which reasons are told. Every filter looks at every
// cluster, so that all reasons are known.
inline constexpr size_t kFilterCount = 9;
[[nodiscard]] const std::array<FilterPlugin, kFilterCount>& FilterPlugins();

// Bit i is set when filter i refuses the cluster; 0: feasible.
using FilterMask = uint32_t;

// The filters that matter to one binding; looks at one cluster after the other.
class Filters {
 public:
  // `context` must outlive it.
  explicit Filters(const FilterContext& context);
  // By context.in_use and the cluster.
  [[nodiscard]] FilterMask Run(const ClusterInfo& cluster) const;

 private:
  struct Active {
    bool (*passes)(const FilterContext& context, const ClusterInfo& cluster);
    FilterMask bit;
  };
  const FilterContext& context_;
  std::array<Active, kFilterCount> active_;
  size_t count_ = 0;
};

// "TaintToleration: untolerated taint {a=b:NoSchedule}" for each refusing filter, in order.
[[nodiscard]] std::vector<std::string> FilterReasons(const FilterContext& context,
                                                     const ClusterInfo& cluster, FilterMask mask);

// The plugins, one pair of functions each (services/scheduler/filters/).
extern const FilterPlugin kClusterDeletionFilter;
extern const FilterPlugin kApiEnablementFilter;
extern const FilterPlugin kTaintTolerationFilter;
extern const FilterPlugin kClusterAffinityFilter;
extern const FilterPlugin kSpreadConstraintFilter;
extern const FilterPlugin kClusterEvictionFilter;
extern const FilterPlugin kFailoverScopeFilter;
extern const FilterPlugin kWorkloadAffinityFilter;
extern const FilterPlugin kWorkloadAntiAffinityFilter;

}  // namespace sealane::scheduler
