#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/strings.h"
#include "lib/model/cluster_match.h"
#include "lib/model/labels_view.h"
#include "sealane/v1/cluster.pb.h"

namespace sealane::scheduler {

// An amount of one resource, in whole units and in thousandths; both rounded up.
struct ResourceAmount {
  std::string name;
  int64_t value = 0;
  int64_t milli = 0;
  friend bool operator==(const ResourceAmount&, const ResourceAmount&) = default;
};

// A list of resources, sorted by name.
using ResourceList = std::vector<ResourceAmount>;
// The amount of a resource, or nullptr.
[[nodiscard]] const ResourceAmount* FindAmount(const ResourceList& list, std::string_view name);

// `count` nodes, each with at least this capacity.
struct NodeGrade {
  int64_t count = 0;
  ResourceList capacity;
  friend bool operator==(const NodeGrade&, const NodeGrade&) = default;
};

// The kinds a cluster serves, as "<apiVersion>|<kind>". Clusters with the same list share one set.
using ApiSet = StringSet;

// A cluster as the pipeline looks at it, computed once per change of its row. Immutable.
struct ClusterInfo {
  // What every decision looks at comes first, side by side: with ten thousand clusters, fetching it
  // from memory is what a decision costs.
  std::shared_ptr<const ApiSet> apis;
  std::vector<v1::Taint> taints;  // those that forbid scheduling
  bool deleting = false;
  bool drained = false;    // in a what-if question: everything must leave, whatever it tolerates
  bool evicts = false;     // has a NoExecute taint
  bool abandoned = false;  // on its way out, and nobody waits for what is there: `unjoin --force`
  std::string name;
  int64_t joined_micros = 0;  // when it was ready for the first time, or settled; 0: not yet
  // What is free: allocatable - allocated - allocating. Without a summary nothing is.
  bool has_summary = false;
  // Not ready or silent: what was free may not be any more, so nothing more is given to it.
  bool out_of_touch = false;
  int64_t free_pods = 0;
  ResourceList free;
  // Of the resource models, also those without nodes; empty: there are no models, or nobody has
  // counted nodes by them.
  std::vector<NodeGrade> grades;
  LabelList labels;
  std::string provider;
  std::string region;
  std::vector<std::string> zones;

  [[nodiscard]] ClusterFacts Facts() const {
    return {name, LabelsView(labels), &provider, &region, zones.data(), zones.size()};
  }
};

// Whether the filters see the same in both: everything but capacity and conditions.
[[nodiscard]] bool SameForFilters(const ClusterInfo& a, const ClusterInfo& b);

// Whether as much fits into both, whatever is asked, as far as heartbeats tell.
[[nodiscard]] bool SameCapacity(const ClusterInfo& a, const ClusterInfo& b);

// Which clusters of a snapshot an affinity matches, asked once for each and then remembered:
// objects of one policy, and one object after the other, share the answer.
class MatchMemo {
 public:
  explicit MatchMemo(size_t clusters) : known_(clusters, kUnknown) {}
  // `index`: the place of the cluster in the snapshot.
  [[nodiscard]] bool Matches(const AffinityMatcher& affinity, size_t index,
                             const ClusterInfo& cluster) {
    int8_t& known = known_[index];
    if (known == kUnknown) known = affinity.Matches(cluster.Facts()) ? 1 : 0;
    return known == 1;
  }

 private:
  friend class Snapshot;
  static constexpr int8_t kUnknown = -1;
  std::vector<int8_t> known_;
};

// Reads the resources of one replica or one node. Quantities that do not parse are left out.
[[nodiscard]] ResourceList ParseResources(
    const google::protobuf::Map<std::string, std::string>& quantities);

// All clusters at one moment. Cheap to copy: copies share the clusters (what-if questions copy it).
// Thread rule: one thread, also for const calls.
class Snapshot {
 public:
  using ClusterPtr = std::shared_ptr<const ClusterInfo>;
  using MemoPtr = std::shared_ptr<MatchMemo>;

  // Adds the cluster or replaces it.
  void Set(const v1::ClusterStatus& status);
  void Remove(std::string_view name);
  // Marks the cluster as drained, until it is set again; nothing when there is no such cluster.
  void Drain(std::string_view name);

  // The place of the cluster in clusters(); their number when there is no such cluster.
  [[nodiscard]] size_t IndexOf(std::string_view name) const;
  // nullptr when there is no such cluster.
  [[nodiscard]] const ClusterInfo* Find(std::string_view name) const;
  // As Find, but the cluster stays alive when the snapshot changes.
  [[nodiscard]] ClusterPtr Share(std::string_view name) const;
  // Whether any cluster has a NoExecute taint.
  [[nodiscard]] bool any_evicts() const { return evicting_ > 0; }
  // In name order. A cluster's place in it is its index until the next change.
  [[nodiscard]] const std::vector<ClusterPtr>& clusters() const { return clusters_; }
  // What is remembered of the affinity that `key` stands for (its serialized form). It follows the
  // changes of the snapshot while that lives.
  [[nodiscard]] MemoPtr MemoFor(const std::string& key) const;

 private:
  std::vector<ClusterPtr>::const_iterator Position(std::string_view name) const;
  std::shared_ptr<const ApiSet> InternApis(const v1::ClusterStatus& status);

  std::vector<ClusterPtr> clusters_;
  size_t evicting_ = 0;                                       // clusters with a NoExecute taint
  std::map<uint64_t, std::weak_ptr<const ApiSet>> api_sets_;  // by fingerprint

  // Not copied: a copy is changed and asks anew.
  struct Memos {
    Memos() = default;
    Memos(const Memos& /*other*/) {}
    Memos(Memos&&) = default;
    Memos& operator=(const Memos& /*other*/) {
      by_key.clear();
      return *this;
    }
    Memos& operator=(Memos&&) = default;
    ~Memos() = default;
    StringMap<MemoPtr> by_key;
  };
  mutable Memos memos_;
};

}  // namespace sealane::scheduler
