#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/model/selector.h"

namespace sealane {

namespace v1 {
class ClusterAffinity;
class ClusterAffinityTerm;
class ClusterStatus;
}  // namespace v1

// What an affinity looks at in a cluster. A view: the pointers must outlive it.
struct ClusterFacts {
  std::string_view name;
  LabelsView labels;
  const std::string* provider = nullptr;  // null or empty: unset
  const std::string* region = nullptr;
  const std::string* zones = nullptr;  // first of `zone_count`
  size_t zone_count = 0;
};

// A compiled ClusterAffinity. A cluster matches when it is not excluded and meets the label
// selector, the field selector and the list of names; an absent part is met by every cluster. In
// the field selector, `zone` In means any overlap with the cluster's zones and NotIn none; provider
// and region are like labels, absent when empty. Source: Karmada's pkg/util/selector.go,
// ClusterMatches.
class AffinityMatcher {
 public:
  // Matches every cluster.
  AffinityMatcher() = default;
  // An affinity with an invalid selector matches nothing; `status` says why.
  explicit AffinityMatcher(const v1::ClusterAffinity& affinity);
  // The group itself, without its overflow affinities.
  explicit AffinityMatcher(const v1::ClusterAffinityTerm& term);

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] bool Matches(const ClusterFacts& cluster) const;
  [[nodiscard]] bool Matches(const v1::ClusterStatus& cluster) const;
  // Everything by which the cluster does not match, for people; "" when it does.
  [[nodiscard]] std::string WhyNot(const ClusterFacts& cluster) const;

 private:
  template <typename Affinity>
  void Compile(const Affinity& affinity);
  [[nodiscard]] bool FieldMatches(const SelectorRequirement& requirement,
                                  const ClusterFacts& cluster) const;

  absl::Status status_;
  Selector labels_;
  std::vector<SelectorRequirement> fields_;
  std::vector<std::string> names_;    // sorted; empty: all
  std::vector<std::string> exclude_;  // sorted
};

// Compiles and matches. To match many clusters, keep an AffinityMatcher.
[[nodiscard]] bool ClusterMatches(const v1::ClusterAffinity& affinity,
                                  const v1::ClusterStatus& cluster);

}  // namespace sealane
