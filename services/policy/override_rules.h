#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "lib/core/json.h"
#include "lib/model/cluster_match.h"

namespace sealane::policy {

// One rule of an override policy: for which clusters, and what.
struct OverrideRule {
  bool every_cluster = true;
  AffinityMatcher target;
  Json overriders;
  std::set<std::string> references;  // what of the cluster is expanded in them
};

// What an override policy does. Internal to the engine: .cc files only.
struct OverrideRules {
  bool all_containers = false;  // sealane.io/containers: All
  bool expand = false;          // sealane.io/expand: "true"
  // Labels of what it concerns that it may change; "": any.
  std::set<std::string, std::less<>> relabels;
  std::vector<OverrideRule> rules;
};

}  // namespace sealane::policy
