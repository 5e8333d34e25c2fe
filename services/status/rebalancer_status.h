#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "services/status/app_facts.h"

namespace sealane::status {

// An object that the scheduler knows.
struct BoundObject {
  const ObjectKey& key;
  const ObjectFacts& object;
};

struct RebalancerInput {
  const ObjectKey& key;
  const ObjectFacts& object;             // with `rebalancer`
  const Published* published = nullptr;  // the row in force
  std::function<bool(const std::string& row_key)> is_bound;
  // In an order that does not change.
  std::function<void(const std::function<void(const BoundObject&)>&)> for_each_bound;
  int64_t now_micros = 0;
};

// The row of `app_status` of a WorkloadRebalancer, with Karmada's status: `observedWorkloads`, each
// Successful (the scheduler was asked to divide it anew) or Failed with ReferencedBindingNotFound
// (no policy has claimed such an object), `observedGeneration`, `finishTime`. Of an entry with a
// labelSelector, each object that it selected. It is said once for each generation of the
// WorkloadRebalancer and stays: what comes or goes later is not concerned. Pure.
[[nodiscard]] v1::AppStatus ComputeRebalancerStatus(const RebalancerInput& input);

}  // namespace sealane::status
