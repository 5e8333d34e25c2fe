#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane::agent {

// What the agent knows about the object it made (or took over) in the cluster for one work. Written
// to the state store before the first apply, so that nothing the agent makes is ever forgotten.
struct Inventory {
  std::string api_version;
  std::string kind;
  std::string ns;
  std::string name;
  std::string uid;        // of the member's object; "": an apply is intended, its outcome unknown
  bool created = false;   // the object did not exist before the agent applied it
  bool preserve = false;  // when the work goes, the object stays
  // Of the last apply that succeeded; manifest_hash 0: none yet.
  std::string fence_uid;
  int64_t fence_version = 0;
  int64_t object_generation = 0;
  uint64_t manifest_hash = 0;
  uint64_t fields_hash = 0;       // of the fields we owned afterwards (lib of ownership.h)
  uint64_t resource_version = 0;  // of the object afterwards; 0: unknown
  int64_t applied_micros = 0;
  int64_t drift_repairs = 0;

  friend bool operator==(const Inventory&, const Inventory&) = default;
};

[[nodiscard]] std::string EncodeInventory(const Inventory& inventory);
[[nodiscard]] absl::StatusOr<Inventory> DecodeInventory(std::string_view text);

}  // namespace sealane::agent
