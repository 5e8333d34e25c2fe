#pragma once

#include "tools/kubesim/options.h"

namespace sealane::kubesim {

// Runs a simulated cluster behind an HTTP server until SIGTERM or SIGINT. Returns the exit code.
int RunServer(const ProgramOptions& options);

}  // namespace sealane::kubesim
