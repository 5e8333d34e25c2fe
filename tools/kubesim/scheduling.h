#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubesim {

// What pods use, and what nodes have.
struct Amount {
  double cpu = 0;     // cores
  double memory = 0;  // bytes
  int pods = 0;

  void Add(const Amount& other, int sign);
  [[nodiscard]] bool Fits(const Amount& more, const Amount& capacity) const;
};

// The sum of a pod's requests.
[[nodiscard]] Amount RequestsOf(const Json& pod);
// A node's allocatable.
[[nodiscard]] Amount AllocatableOf(const Json& node);

// Chooses a node for a pod: Ready, not cordoned, its nodeSelector and tolerated taints right, room
// left; the one with the fewest pods, then by name. The error says how many nodes failed for what,
// in the scheduler's words.
[[nodiscard]] absl::StatusOr<std::string> ChooseNode(
    const Json& pod, const std::map<std::string, const Json*>& nodes,
    const std::map<std::string, Amount>& used);

}  // namespace sealane::kubesim
