#include "services/source/state_json.h"

#include "lib/core/json.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "services/source/tree.h"

namespace sealane::source {
namespace {

std::string TimeText(int64_t micros) {
  return micros == 0 ? std::string() : FormatKubeTime(FromMicros(micros));
}

Json RefToJson(const v1::ObjectRef& ref) {
  Json out = {{"apiVersion", ref.api_version()}, {"kind", ref.kind()}, {"name", ref.name()}};
  if (!ref.namespace_().empty()) out["namespace"] = ref.namespace_();
  return out;
}

Json ProblemToJson(const v1::GitProblem& problem) {
  Json out = {{"reason", problem.error().reason()},
              {"field", problem.error().field()},
              {"message", problem.error().message()},
              {"text", Describe(problem)}};
  if (!problem.file().empty()) out["file"] = problem.file();
  if (problem.document() > 0) out["document"] = problem.document();
  if (problem.line() > 0) out["line"] = problem.line();
  if (!problem.ref().kind().empty()) out["object"] = RefToJson(problem.ref());
  return out;
}

}  // namespace

Json StateToJson(const v1::GitSourceState& state, int64_t checked_micros, bool objects) {
  Json out = {{"name", state.name()},
              {"url", state.url()},
              {"branch", state.branch()},
              {"path", state.path()},
              {"prune", state.prune()},
              {"state", state.state()},
              {"message", state.message()},
              {"observedGeneration", state.observed_generation()},
              {"handledSync", state.sync_request()},
              {"fetchedCommit", state.fetched_commit()},
              {"fetchedAt", TimeText(state.fetched_micros())},
              {"appliedCommit", state.applied_commit()},
              {"appliedAt", TimeText(state.applied_micros())},
              {"checkedAt", TimeText(checked_micros)},
              {"objectCount", state.objects_size()},
              {"problems", Json::array()}};
  for (const v1::GitProblem& problem : state.problems()) {
    out["problems"].push_back(ProblemToJson(problem));
  }
  if (!objects) return out;
  out["objects"] = Json::array();
  for (const v1::GitObject& object : state.objects()) {
    Json one = RefToJson(object.ref());
    one["file"] = object.file();
    if (object.keep()) one["prune"] = false;
    out["objects"].push_back(std::move(one));
  }
  return out;
}

}  // namespace sealane::source
