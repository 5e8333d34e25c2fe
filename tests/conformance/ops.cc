#include "tests/conformance/ops.h"

#include <algorithm>
#include <map>

#include "absl/status/statusor.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/conformance/compare.h"
#include "tests/conformance/ops_policy.h"
#include "tests/conformance/ops_schedule.h"
#include "tests/conformance/ops_status.h"

namespace sealane::conformance {
namespace {

using Run = absl::StatusOr<Json> (*)(const Json& in);
using Judge = std::string (*)(const Json& got, const Json& want);

struct Operation {
  Run run;
  Judge judge;
};

std::string JudgeEqual(const Json& got, const Json& want) { return Difference(got, want); }

// A refusal agrees when it names at least one of the fields at fault.
std::string JudgeAdmit(const Json& got, const Json& want) {
  const bool wanted = want.at("allowed").get<bool>();
  if (got.at("allowed").get<bool>() != wanted) {
    return wanted
               ? StrCat("refused because of ", got.at("fields").dump(), ", wanted allowed")
               : StrCat("allowed, wanted refused because of ", want.value("fields", Json()).dump());
  }
  if (wanted) return Difference(got.at("spec"), want.value("spec", Json()), "spec");
  const Json fields = want.value("fields", Json::array());
  const Json& named = got.at("fields");
  const bool agrees =
      fields.empty() || std::any_of(fields.begin(), fields.end(), [&](const Json& field) {
        return std::find(named.begin(), named.end(), field) != named.end();
      });
  return agrees ? "" : StrCat("refused because of ", named.dump(), ", wanted ", fields.dump());
}

std::string JudgeDependencies(const Json& got, const Json& want) {
  const auto sorted = [](const Json& answer) {
    Json list = answer.value("dependencies", Json::array());
    if (!list.is_array()) list = Json::array();
    std::sort(list.begin(), list.end());
    return list;
  };
  return Difference(sorted(got), sorted(want), "dependencies");
}

const std::map<std::string, Operation, std::less<>>& Operations() {
  static const auto& operations = *new std::map<std::string, Operation, std::less<>>{
      {"admit", {RunAdmit, JudgeAdmit}},
      {"aggregate_status", {RunAggregateStatus, JudgeEqual}},
      {"cluster_match", {RunClusterMatch, JudgeEqual}},
      {"dependencies", {RunDependencies, JudgeDependencies}},
      {"health", {RunHealth, JudgeEqual}},
      {"override", {RunOverride, JudgeEqual}},
      {"prune", {RunPrune, JudgeEqual}},
      {"reflect_status", {RunReflectStatus, JudgeEqual}},
      {"replicas", {RunReplicas, JudgeEqual}},
      {"revise_replica", {RunReviseReplica, JudgeEqual}},
      {"schedule", {RunSchedule, JudgeEqual}},
      {"select_policy", {RunSelectPolicy, JudgeEqual}},
  };
  return operations;
}

}  // namespace

std::string RunCase(const Json& test_case) {
  const std::string op = test_case.value("op", "");
  const auto it = Operations().find(op);
  if (it == Operations().end()) return StrCat("unknown operation \"", op, "\"");
  const Json& want = test_case.at("want");
  const bool want_error = want.is_object() && want.contains("error");
  const absl::StatusOr<Json> got = it->second.run(test_case.at("in"));
  if (!got.ok()) {
    return want_error ? ""
                      : StrCat("error: ", ToStd(got.status().message()), "; wanted ", want.dump());
  }
  if (want_error) return StrCat("wanted an error (", want.dump(), "), got ", got->dump());
  return it->second.judge(*got, want);
}

}  // namespace sealane::conformance
