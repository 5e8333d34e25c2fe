#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/source.pb.h"
#include "services/source/plan.h"

// What became of a publication, read and put into words. Pure.
namespace sealane::source {

// An operation met another writer: the plan was made from what is not so any more.
[[nodiscard]] bool IsConflict(const v1::DeployResult& result);
// Why it was refused, in the order of the operations.
[[nodiscard]] std::vector<v1::GitProblem> ProblemsOf(const std::vector<v1::DeployResult>& results);

// "1 object", "2 objects".
[[nodiscard]] std::string CountText(int count, std::string_view what);
// "2 applied, 1 removed".
[[nodiscard]] std::string ChangeText(const Plan& plan);
// "; left in the fleet: ..." of what did not go with a source; "" when all did.
[[nodiscard]] std::string StayText(const Plan& plan);

}  // namespace sealane::source
