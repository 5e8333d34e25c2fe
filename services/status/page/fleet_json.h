#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "services/status/status_metrics.h"

namespace sealane {

namespace v1 {
class AppStatus;
class ClusterStatus;
class Event;
class ObjectRef;
}  // namespace v1

namespace status {

// The page's JSON: what people may see of the rows, and nothing else. No manifests, no status of
// Kubernetes objects, no annotations. Times are milliseconds since 1970, or absent; CPU is in
// thousandths of a core, memory in bytes. docs/web-page.md describes the fields. Pure functions.

// How a cluster is, in the words of `sealane get clusters`: Ready, NotReady, Lost (it has spoken
// once), Unknown.
[[nodiscard]] std::string_view ClusterStateOf(const v1::ClusterStatus& cluster);
// What else is to be said of it, in a fixed order: Leaving, Draining, Cordoned, Joining.
[[nodiscard]] std::vector<std::string_view> ClusterMarksOf(const v1::ClusterStatus& cluster);

// What is used of what there is. Absent resources count as 0.
struct Capacity {
  int64_t cpu_used_milli = 0;
  int64_t cpu_milli = 0;
  int64_t memory_used_bytes = 0;
  int64_t memory_bytes = 0;
  int64_t pods_used = 0;
  int64_t pods = 0;
  int64_t nodes_ready = 0;
  int64_t nodes = 0;

  Capacity& operator+=(const Capacity& other);
};
[[nodiscard]] Capacity CapacityOf(const v1::ClusterStatus& cluster);
[[nodiscard]] Json ToJson(const Capacity& capacity);

// `age_seconds` of the last heartbeat; below zero: not heard by this process.
[[nodiscard]] Json ClusterJson(const v1::ClusterStatus& cluster, const ClusterGauges::Works& works,
                               double age_seconds);

// At most `clusters` of the clusters, those that are not well first; "clusterCount" has their
// number.
[[nodiscard]] Json AppJson(const v1::AppStatus& app, size_t clusters);

[[nodiscard]] Json EventJson(const v1::Event& event);
[[nodiscard]] Json RefJson(const v1::ObjectRef& ref);

// At most `bytes` of the text, not ending within a character.
[[nodiscard]] std::string Shortened(std::string_view text, size_t bytes);
// As much of a message as the page shows: 1,000 bytes.
[[nodiscard]] std::string MessageText(std::string_view message);

}  // namespace status
}  // namespace sealane
