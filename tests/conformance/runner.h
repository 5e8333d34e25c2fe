#pragma once

#include <string>
#include <vector>

namespace sealane::conformance {

// Checks the recorded cases of files and folders; prints a line for each failure and ends with
// "N passed, M failed". Returns the exit code: 0 all passed, 1 some failed, 2 nothing to check.
int RunConformance(const std::vector<std::string>& paths);

}  // namespace sealane::conformance
