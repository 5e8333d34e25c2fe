#pragma once

#include "sealane/v1/cluster.pb.h"

namespace sealane::status {

// Adds the nine grades, by CPU and memory, that Karmada's webhook writes into a Cluster without
// resourceModels: from 0-1 CPU with 0-4Gi to 128 CPU and more with 1Ti and more.
void AddDefaultResourceModels(v1::ClusterStatus& row);

// Sets row.resource_summary.allocatable_modelings: how many nodes are of which of
// row.resource_models by what they have left, every grade once, also with 0. A node is of the
// highest grade whose lower ends it reaches in every resource. Nothing is set without models, and
// where the agent did not tell its nodes. Source: Karmada's pkg/modeling.
void CountGrades(const v1::Heartbeat& heartbeat, v1::ClusterStatus& row);

// Whether both have the same resource models.
[[nodiscard]] bool SameResourceModels(const v1::ClusterStatus& a, const v1::ClusterStatus& b);

}  // namespace sealane::status
