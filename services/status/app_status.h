#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "services/status/app_facts.h"
#include "services/status/leases.h"

namespace sealane::status {

// The phases of an application, from birth to end.
inline constexpr std::string_view kPending = "Pending";      // no policy, or no cluster for it
inline constexpr std::string_view kScheduled = "Scheduled";  // placed, no cluster has spoken yet
inline constexpr std::string_view kApplying = "Applying";    // some cluster lacks this generation
inline constexpr std::string_view kProgressing =
    "Progressing";                                         // applied, not healthy everywhere yet
inline constexpr std::string_view kHealthy = "Healthy";    // runs everywhere it should
inline constexpr std::string_view kDegraded = "Degraded";  // was or is healthy in part only
inline constexpr std::string_view kFailed = "Failed";      // no cluster could apply or finish it
inline constexpr std::string_view kDeleting = "Deleting";

// What is known of a cluster, for the applications in it.
struct ClusterWord {
  bool registered = false;
  Readiness readiness = Readiness::kUnknown;
  int64_t last_heartbeat_micros = 0;
};

struct AppInput {
  const ObjectKey& key;
  const ObjectFacts& object;
  const BindingFacts* binding = nullptr;
  const PlacementFacts* placement = nullptr;
  std::vector<const WorkFacts*> works;   // sorted by the clusters' names
  const Published* published = nullptr;  // the row in force
  const ClusterNames& names;
  // By cluster number.
  const std::function<ClusterWord(uint32_t)>& cluster_word;
  int64_t now_micros = 0;
};

// A row that says which object it is about, and no more.
[[nodiscard]] v1::AppStatus RowFor(const ObjectKey& key, const ObjectFacts& object);

// The row of `app_status`: one picture of an object in all its clusters. Pure: the same input gives
// the same row. The part of a cluster that is not ready is marked Lost, with the time of its last
// word, and counts as nothing; observed_generation grows only when every cluster that should run
// the object does run its newest generation.
[[nodiscard]] v1::AppStatus ComputeAppStatus(const AppInput& input);

}  // namespace sealane::status
