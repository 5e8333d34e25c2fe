#include "tools/sealane/what_if.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/cluster_json.h"
#include "sealane/v1/common.pb.h"

namespace sealane::cli {
namespace {

using Kinds = std::set<std::pair<std::string, std::string>>;  // group version, kind

Kinds KindsOf(const v1::ClusterStatus& cluster) {
  Kinds kinds;
  for (const v1::ApiEnablement& enablement : cluster.api_enablements()) {
    for (const v1::ApiResource& resource : enablement.resources()) {
      kinds.emplace(enablement.group_version(), resource.kind());
    }
  }
  return kinds;
}

// The enablements of the first cluster, as far as every other one has them, too.
void ServeWhatAllServe(const v1::QueryReply& fleet, v1::ClusterStatus* cluster) {
  if (fleet.clusters().empty()) return;
  Kinds common = KindsOf(fleet.clusters(0));
  for (const v1::ClusterStatus& other : fleet.clusters()) {
    const Kinds kinds = KindsOf(other);
    if (kinds.empty()) continue;  // it has said nothing yet
    Kinds both;
    std::set_intersection(common.begin(), common.end(), kinds.begin(), kinds.end(),
                          std::inserter(both, both.end()));
    common = common.empty() ? kinds : std::move(both);
  }
  std::map<std::string, v1::ApiEnablement> enablements;
  for (const auto& [group_version, kind] : common) {
    v1::ApiEnablement& enablement = enablements[group_version];
    enablement.set_group_version(group_version);
    enablement.add_resources()->set_kind(kind);
  }
  for (auto& entry : enablements) *cluster->add_api_enablements() = std::move(entry.second);
}

void SetCondition(std::string_view type, v1::ClusterStatus* cluster) {
  for (const v1::Condition& condition : cluster->conditions()) {
    if (condition.type() == type) return;
  }
  v1::Condition* condition = cluster->add_conditions();
  condition->set_type(std::string(type));
  condition->set_status("True");
  condition->set_reason("Simulated");
}

}  // namespace

absl::StatusOr<v1::ClusterStatus> ImagineCluster(const Json& manifest, const v1::QueryReply& fleet,
                                                 std::vector<std::string>* notes) {
  std::vector<v1::FieldError> errors;
  v1::ClusterStatus cluster = ClusterFromJson(manifest, &errors);
  if (!errors.empty()) {
    return InvalidArgument(StrCat(errors[0].field(), ": ", errors[0].message()));
  }
  const auto present =
      std::find_if(fleet.clusters().begin(), fleet.clusters().end(),
                   [&](const v1::ClusterStatus& row) { return row.name() == cluster.name(); });
  if (present != fleet.clusters().end()) {
    if (cluster.api_enablements().empty()) {
      *cluster.mutable_api_enablements() = present->api_enablements();
    }
    if (!cluster.has_resource_summary()) {
      *cluster.mutable_resource_summary() = present->resource_summary();
    }
    if (!cluster.has_node_summary()) *cluster.mutable_node_summary() = present->node_summary();
    if (cluster.conditions().empty()) *cluster.mutable_conditions() = present->conditions();
    // What the status service holds against it stays.
    for (const v1::Taint& taint : present->taints()) {
      if (!taint.source().empty()) *cluster.add_taints() = taint;
    }
    return cluster;
  }
  if (cluster.api_enablements().empty()) {
    ServeWhatAllServe(fleet, &cluster);
    notes->push_back(StrCat(cluster.name(), ": its status names no apiEnablements: it is taken to ",
                            "serve what every cluster of the fleet serves"));
  }
  SetCondition("Ready", &cluster);
  SetCondition("CompleteAPIEnablements", &cluster);
  if (cluster.resource_summary().allocatable().empty()) {
    notes->push_back(StrCat(cluster.name(), ": its status names no resourceSummary.allocatable: ",
                            "it has no room where capacity counts"));
  }
  return cluster;
}

}  // namespace sealane::cli
