#pragma once

#include <string>

#include "services/agent/item.h"

namespace sealane::agent {

// What to do next about one work.
enum class Step {
  kNothing,  // it is as it should be, or nothing can be known yet
  kLookUp,   // ask the API server for the object, then plan again
  kApply,
  kRefuse,   // the object is someone else's
  kRemove,   // delete the object
  kRelease,  // leave the object, take our marks off it
  kWait,     // deletion was asked for; finalizers hold the object
  kRemoved,  // it is gone: report it
  kForget,   // the row is gone and so is the object: drop everything
};

struct PlanInput {
  const Item* item = nullptr;
  // `item->observed` is the truth: the kind's list is complete, or the object was just looked up.
  bool observed_known = false;
  bool looked_up = false;  // in this attempt
  // The complete set of works was seen: what is not in it may be deleted.
  bool may_prune = false;
};

struct Decision {
  Step step = Step::kNothing;
  bool force = false;         // kApply: take over fields that others own
  bool repair = false;        // kApply: because of drift
  bool exists = false;        // kApply: the object is there already
  uint64_t seen_version = 0;  // kApply: its resourceVersion when that was decided; 0: not seen
};

// Pure. The rules: docs/agent.md, "What the agent does with a work".
[[nodiscard]] Decision Plan(const PlanInput& input);

// Namespaces that every cluster has and that no work may delete.
[[nodiscard]] bool IsSystemNamespace(std::string_view name);

}  // namespace sealane::agent
