#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/agent/inventory.h"

namespace sealane::v1 {
class Work;
}  // namespace sealane::v1

namespace sealane::agent {

// Remark on an applied work whose object somebody changed and which is only reported.
inline constexpr std::string_view kDrifted = "Drifted";

// What the agent keeps of an object that it saw in the cluster: not the object itself.
struct Observed {
  std::string uid;
  uint64_t resource_version = 0;  // 0: not a number
  uint64_t fields_hash = 0;       // OwnedFieldsHash
  bool managed = false;           // our label and fields of ours
  bool deleting = false;          // has a deletionTimestamp
  std::string finalizers;         // joined, for people; only when deleting
  std::string owner;              // DescribeOwner, only when not managed
  int64_t generation = 0;
  int64_t observed_generation = 0;
  std::string health;  // Healthy, Unhealthy, Unknown
  std::string health_reason;
  std::string status_json;  // reflected status, size-bounded
  // Label selector of the workload's pods, when they are to be looked at: something is not as it
  // should be with them. Else "".
  std::string pod_selector;
};

// The outcome of the last attempt, as it is reported.
enum class Outcome { kNone, kApplied, kFailed, kRemoving, kRemoved };

// One work and its object. Key: RowKey of the object's identity.
struct Item {
  // The newest desired state; nullptr when the row is gone (the object may still have to go).
  std::shared_ptr<const v1::Work> work;
  uint64_t manifest_hash = 0;  // of work->manifest
  std::optional<Inventory> inventory;
  std::optional<Observed> observed;  // nullopt: not there, as far as is known

  Outcome outcome = Outcome::kNone;
  std::string reason;  // of kFailed, or a remark on kApplied (kDrifted)
  std::string message;
  std::string detail;       // why the pods are not ready
  bool recreating = false;  // deleted in order to be made again
  int64_t drift_repairs = 0;
  int repairs_in_a_row = 0;  // for the back-off of a fight with another writer
  absl::Duration last_repair = -absl::InfiniteDuration();  // monotonic
  absl::Duration received;  // monotonic time at which the work arrived
};

using Items = std::map<std::string, Item, std::less<>>;

}  // namespace sealane::agent
