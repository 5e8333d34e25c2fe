#pragma once

#include <memory>

#include "lib/runtime/service.h"
#include "services/source/git.h"

namespace sealane::source {

struct SourceOptions {
  bool elect_leader = true;  // without it, this process always leads
};

// The source service: turns paths of Git repositories into deploy events (docs/gitops.md). Thread
// rule: the context's executor.
[[nodiscard]] std::unique_ptr<Service> MakeSourceService(ServiceContext context,
                                                         SourceOptions options,
                                                         std::unique_ptr<GitReader> git);

// Flags, options and service for main.
[[nodiscard]] ServiceDefinition SourceDefinition();

}  // namespace sealane::source
