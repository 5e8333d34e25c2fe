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
};

// A list of resources, sorted by name.
using ResourceList = std::vector<ResourceAmount>;
// The amount of a resource, or nullptr.
[[nodiscard]] const ResourceAmount* FindAmount(const ResourceList& list, std::string_view name);

// `count` nodes, each with at least this capacity.
struct NodeGrade {
  int64_t count = 0;
  ResourceList capacity;
};

// The kinds a cluster serves, as "<apiVersion>|<kind>". Clusters with the same list share one set.
using ApiSet = StringSet;

// A cluster as the pipeline looks at it, computed once per change of its row. Immutable.
struct ClusterInfo {
  std::string name;
  LabelList labels;
  std::string provider;
  std::string region;
  std::vector<std::string> zones;
  std::vector<v1::Taint> taints;  // those that forbid scheduling
  bool deleting = false;
  std::shared_ptr<const ApiSet> apis;
  // What is free: allocatable - allocated - allocating. Without a summary nothing is.
  bool has_summary = false;
  int64_t free_pods = 0;
  ResourceList free;
  std::vector<NodeGrade> grades;  // of the resource models; empty: none known

  [[nodiscard]] ClusterFacts Facts() const {
    return {name, LabelsView(labels), &provider, &region, zones.data(), zones.size()};
  }
};

// Reads the resources of one replica or one node. Quantities that do not parse are left out.
[[nodiscard]] ResourceList ParseResources(
    const google::protobuf::Map<std::string, std::string>& quantities);

// All clusters at one moment. Cheap to copy: copies share the clusters (what-if questions copy it).
class Snapshot {
 public:
  using ClusterPtr = std::shared_ptr<const ClusterInfo>;

  // Adds the cluster or replaces it.
  void Set(const v1::ClusterStatus& status);
  void Remove(std::string_view name);

  // The place of the cluster in clusters(); their number when there is no such cluster.
  [[nodiscard]] size_t IndexOf(std::string_view name) const;
  // nullptr when there is no such cluster.
  [[nodiscard]] const ClusterInfo* Find(std::string_view name) const;
  // As Find, but the cluster stays alive when the snapshot changes.
  [[nodiscard]] ClusterPtr Share(std::string_view name) const;
  // In name order. A cluster's place in it is its index until the next change.
  [[nodiscard]] const std::vector<ClusterPtr>& clusters() const { return clusters_; }

 private:
  std::vector<ClusterPtr>::const_iterator Position(std::string_view name) const;
  std::shared_ptr<const ApiSet> InternApis(const v1::ClusterStatus& status);

  std::vector<ClusterPtr> clusters_;
  std::map<uint64_t, std::weak_ptr<const ApiSet>> api_sets_;  // by fingerprint
};

}  // namespace sealane::scheduler
