#include "services/scheduler/copies.h"

#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {
namespace {

constexpr std::string_view kHealthy = "Healthy";
constexpr std::string_view kUnknown = "Unknown";

}  // namespace

Copies::Copies(const v1::Binding& binding, const v1::AppStatus* status) : binding_(binding) {
  known_ = status != nullptr && status->uid() == binding.uid();
  if (!known_) return;
  for (const v1::ClusterAppStatus& part : status->clusters()) parts_[part.cluster()] = &part;
}

const v1::ClusterAppStatus* Copies::Find(std::string_view cluster) const {
  const auto it = parts_.find(cluster);
  return it == parts_.end() ? nullptr : it->second;
}

bool Copies::Healthy(std::string_view cluster, int64_t replicas) const {
  const v1::ClusterAppStatus* part = Find(cluster);
  if (part == nullptr || part->health() != kHealthy) return false;
  // Kinds without replicas report none as ready. Others may report an earlier, smaller number for a
  // moment.
  const int64_t ready = part->replicas().ready();
  return part->applied_generation() >= binding_.object_generation() &&
         (ready == 0 || ready >= replicas);
}

bool Copies::Runs(std::string_view cluster) const {
  const v1::ClusterAppStatus* part = Find(cluster);
  return part != nullptr && (part->health() == kHealthy || part->replicas().ready() > 0);
}

bool Copies::MayRun(std::string_view cluster) const {
  const v1::ClusterAppStatus* part = Find(cluster);
  // The status service speaks of every cluster of a placement: it has not seen this one yet.
  if (part == nullptr) return true;
  if (part->health() == kUnknown) return part->applied_generation() > 0;
  return Runs(cluster);
}

}  // namespace sealane::scheduler
