#pragma once

#include <string>

#include "lib/core/json_fwd.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// Lines about who published the object and when, its labels and annotations.
[[nodiscard]] std::string FormatPublished(const v1::StoredObject& object,
                                          const ViewOptions& options);
// The newest `most` events, oldest first, a line each; "" when there is none.
[[nodiscard]] std::string FormatRecentEvents(const v1::QueryReply& events, int most,
                                             const Style& style);

// Everything about one cluster. `progress`: what query.status says as cluster_progress.
[[nodiscard]] std::string FormatClusterDetails(const v1::ClusterStatus& cluster,
                                               const Json& progress, const ViewOptions& options);

enum class TopOrder { kName, kCpu, kMemory, kPods };
// How full clusters are: what pods ask for, of what ready nodes have. The fullest first, by name
// where nothing is known or asked for.
[[nodiscard]] std::string FormatTopClusters(const v1::QueryReply& reply, TopOrder order,
                                            const ViewOptions& options);

}  // namespace sealane::cli
