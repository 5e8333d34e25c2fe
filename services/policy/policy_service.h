#pragma once

#include <memory>

#include "lib/runtime/service.h"
#include "services/policy/matcher.h"

namespace sealane::policy {

struct PolicyOptions {
  MatchOptions match;
  // Take part in the election of one leader; without it, this process always leads.
  bool elect_leader = true;
};

// The policy service: intake, match, render; the snapshots that agents ask for; queries about
// objects, bindings and works (docs/events.md). Thread rule: the context's executor.
[[nodiscard]] std::unique_ptr<Service> MakePolicyService(ServiceContext context,
                                                         PolicyOptions options);

// Flags, options and service for main.
[[nodiscard]] ServiceDefinition PolicyDefinition();

}  // namespace sealane::policy
