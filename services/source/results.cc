#include "services/source/results.h"

#include <algorithm>

#include "lib/core/strings.h"

namespace sealane::source {

bool IsConflict(const v1::DeployResult& result) {
  return std::any_of(result.results().begin(), result.results().end(), [](const auto& one) {
    return std::any_of(one.errors().begin(), one.errors().end(), [](const v1::FieldError& error) {
      return error.reason() == "Conflict" || error.reason() == "AlreadyExists";
    });
  });
}

std::vector<v1::GitProblem> ProblemsOf(const std::vector<v1::DeployResult>& results) {
  std::vector<v1::GitProblem> problems;
  for (const v1::DeployResult& result : results) {
    for (const v1::FieldError& error : result.errors()) {
      *problems.emplace_back().mutable_error() = error;
    }
    for (const v1::OperationResult& one : result.results()) {
      for (const v1::FieldError& error : one.errors()) {
        // Those that are refused only because others are say nothing.
        if (error.reason() == "Forbidden" && error.message().starts_with("refused with the others"))
          continue;
        v1::GitProblem& problem = problems.emplace_back();
        problem.set_file(one.source());
        *problem.mutable_ref() = one.object();
        *problem.mutable_error() = error;
      }
    }
  }
  return problems;
}

std::string CountText(int count, std::string_view what) {
  return StrCat(count, " ", what, count == 1 ? "" : "s");
}

std::string StayText(const Plan& plan) {
  if (plan.kept == 0) return "";
  std::string out = StrCat("; left in the fleet: ", CountText(plan.kept, "object"));
  if (!plan.held_clusters.empty()) {
    out.append(StrCat(", and because of that its clusters: ", StrJoin(plan.held_clusters, ", ")));
  }
  return out;
}

std::string ChangeText(const Plan& plan) {
  std::string out = StrCat(plan.applied, " applied, ", plan.removed, " removed");
  if (plan.kept > 0) out.append(StrCat(", ", plan.kept, " left in the fleet"));
  return out;
}

}  // namespace sealane::source
