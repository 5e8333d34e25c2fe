#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/cluster_match.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// The annotations of a policy that change decisions (Binding.options), docs/scheduling.md.
inline constexpr std::string_view kHonourSpreadOption = "sealane.io/honour-spread";
inline constexpr std::string_view kRespectCapacityOption = "sealane.io/respect-capacity";
inline constexpr std::string_view kFailbackOption = "sealane.io/failback";
inline constexpr std::string_view kRebalanceOption = "sealane.io/rebalance";
inline constexpr std::string_view kFailoverScopeOption = "sealane.io/failover-scope";

// How replicas come to clusters.
enum class Strategy { kDuplicated, kStaticWeight, kDynamicWeight, kAggregated, kUnsupported };
[[nodiscard]] std::string_view Name(Strategy strategy);

// Selects clusters, and finds again what a snapshot remembers of it.
struct ClusterRule {
  // Every cluster.
  ClusterRule() = default;
  template <typename Affinity>
  explicit ClusterRule(const Affinity& affinity)
      : matcher(affinity), memo_key(affinity.SerializeAsString()) {}

  AffinityMatcher matcher;
  std::string memo_key;
};

// One group of clusters to try: a term of clusterAffinities, or the only one.
struct AffinityTerm {
  std::string name;  // empty for the only one
  ClusterRule primary;
  std::vector<ClusterRule> overflow;  // tiers 1, 2, ...
};

// A rule, asked about the clusters of one snapshot.
class RuleInSnapshot {
 public:
  RuleInSnapshot(const ClusterRule& rule, const Snapshot& snapshot)
      : matcher_(&rule.matcher), memo_(snapshot.MemoFor(rule.memo_key)) {}
  [[nodiscard]] bool Matches(size_t index, const ClusterInfo& cluster) const {
    return memo_->Matches(*matcher_, index, cluster);
  }

 private:
  const AffinityMatcher* matcher_;
  Snapshot::MemoPtr memo_;
};

// One spread constraint.
struct SpreadRule {
  enum class By { kCluster, kRegion, kZone, kProvider, kLabel };
  By by = By::kCluster;
  std::string label;  // kLabel: the key
  int64_t min_groups = 0;
  int64_t max_groups = 0;  // unbounded: the largest number

  // "region", "label disktype".
  [[nodiscard]] std::string Describe() const;
};

struct StaticWeight {
  ClusterRule clusters;
  int64_t weight = 0;
};

// One pod template that is placed as a whole with the others of its workload.
struct ComponentRequest {
  int64_t replicas = 0;
  ResourceList request;
};

// Clusters that are near those that are left: of the same provider, the same region, or one of
// both.
struct Vicinity {
  std::vector<std::string> providers;  // sorted; empty: the provider does not make a cluster near
  std::vector<std::string> regions;    // likewise

  [[nodiscard]] bool Has(const ClusterInfo& cluster) const {
    return std::binary_search(providers.begin(), providers.end(), cluster.provider) ||
           std::binary_search(regions.begin(), regions.end(), cluster.region);
  }
};

// A binding, read once into the form that the pipeline uses. Keeps a pointer to the binding.
class Request {
 public:
  explicit Request(const v1::Binding& binding);

  const v1::Binding* binding;
  std::string api_key;  // "<apiVersion>|<kind>"
  int64_t replicas = 0;
  bool workload = false;            // replicas are counted and divided
  bool components = false;          // several pod templates: placed whole, replicas 0
  bool component_sets = false;      // components that must fit whole into one cluster
  bool all_clusters = false;        // namespaces and the like: every cluster, whatever the rules
  std::vector<AffinityTerm> terms;  // never empty
  std::vector<SpreadRule> spread;
  Strategy strategy = Strategy::kDuplicated;
  std::vector<StaticWeight> weights;  // kStaticWeight; empty: all clusters alike
  bool has_requirements = false;
  ResourceList request;  // of one replica
  std::vector<ComponentRequest> component_requests;
  std::vector<std::string> evicting;  // clusters that are being left, sorted
  const Vicinity* vicinity =
      nullptr;                 // where it may go besides the clusters in use; null: anywhere
  std::string affinity_group;  // "<namespace>/<key>=<value>"; empty: none
  std::string anti_affinity_group;
  bool names_descending = false;  // how ties of the division are broken
  bool honour_spread = false;
  bool respect_capacity = false;

  // These clusters are being left, too.
  void Evict(const std::vector<std::string>& clusters);
  // Spread constraints that this strategy ignores, as Karmada does, unless honour_spread is set.
  [[nodiscard]] bool IgnoresSpread() const;
  // Whether the result depends on which clusters match, and not on what room they have at the
  // moment: then it follows clusters that join.
  [[nodiscard]] bool FollowsClusters() const {
    return !workload || strategy == Strategy::kDuplicated ||
           (strategy == Strategy::kStaticWeight && !respect_capacity);
  }
  // The same of a binding that is not read yet; may be true for an object that is no workload.
  [[nodiscard]] static bool CountsCapacity(const v1::Binding& binding);
  // Whether a binding's replicas are divided by what fits, so that some may give way when the room
  // is lost. Neither duplicated ones nor whole workloads are.
  [[nodiscard]] static bool DividesByRoom(const v1::Binding& binding);
  // Whether replicas are given by what fits.
  [[nodiscard]] bool CountsCapacity() const {
    return strategy == Strategy::kDynamicWeight || strategy == Strategy::kAggregated ||
           (strategy == Strategy::kStaticWeight && respect_capacity);
  }
};

// The placement in force: cluster -> replicas.
class Previous {
 public:
  Previous() = default;
  explicit Previous(const google::protobuf::RepeatedPtrField<v1::TargetCluster>& clusters);

  // Replicas, or -1 when the cluster is not part of it.
  [[nodiscard]] int64_t Replicas(std::string_view cluster) const;
  [[nodiscard]] bool Contains(std::string_view cluster) const { return Replicas(cluster) >= 0; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  void Remove(std::string_view cluster);
  // Takes replicas from a cluster of the placement, all at most; it stays part of it.
  void Reduce(std::string_view cluster, int64_t replicas);
  struct Entry {
    std::string cluster;
    int64_t replicas = 0;
  };
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }  // by name

 private:
  std::vector<Entry> entries_;
};

}  // namespace sealane::scheduler
