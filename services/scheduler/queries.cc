#include "services/scheduler/queries.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/query.pb.h"
#include "services/scheduler/explain.h"
#include "services/scheduler/failover.h"
#include "services/scheduler/placed_rows.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/reasons.h"
#include "services/scheduler/simulate.h"

namespace sealane::scheduler {
namespace {

// Of a simulation's moves, how many are told one by one unless the request says so.
constexpr uint32_t kShownMoves = 1000;
constexpr int kDecisionsPerPart = 500;

bool Asks(const v1::QueryRequest& request, const v1::ObjectRef& ref) {
  return (request.group().empty() || request.group() == GroupOf(ref.api_version())) &&
         (request.kind().empty() || request.kind() == ref.kind()) &&
         (request.namespace_().empty() || request.namespace_() == ref.namespace_()) &&
         (request.name().empty() || request.name() == ref.name());
}

std::vector<std::string> SplitList(const v1::QueryRequest& request, const std::string& option) {
  std::vector<std::string> parts;
  const auto it = request.options().find(option);
  if (it == request.options().end()) return parts;
  std::string_view rest = it->second;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    if (comma != 0) parts.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return parts;
}

Json TargetsJson(const std::map<std::string, int64_t>& targets) {
  Json json = Json::object();
  for (const auto& entry : targets) json[entry.first] = entry.second;
  return json;
}

// What a decision from scratch reasons would say now, besides what is in force.
Json ExplainBody(const Request& request, const ScheduleResult& result) {
  Json body = {{"strategy", DescribeStrategy(request)},
               {"outcome", std::string(Name(result.outcome))},
               {"message", result.message},
               {"note", result.note},
               {"group", request.terms[result.term].name},
               {"failedGroups", Json::array()},
               {"would", Json::object()}};
  for (const Target& target : result.targets) body["would"][target.cluster] = target.replicas;
  for (const FailedTerm& failed : result.failed_terms) {
    body["failedGroups"].push_back({{"group", failed.name},
                                    {"outcome", std::string(Name(failed.outcome))},
                                    {"message", failed.message}});
  }
  return body;
}

// Sends what was decided about every cluster. `group`: the rows name the group of clusterAffinities
// and what became of it.
void SendDecisions(const ScheduleInput& input, const ScheduleResult& result, bool group,
                   QueryAnswer& answer) {
  v1::QueryReply part;
  v1::Placed* reasons = nullptr;
  for (v1::ClusterDecision& decision : Decisions(input, result)) {
    if (reasons == nullptr) {
      reasons = part.add_placements();
      *reasons->mutable_ref() = input.request.binding->ref();
      if (group) {
        reasons->set_affinity_name(input.request.terms[result.term].name);
        reasons->set_state(std::string(Name(result.outcome)));
        reasons->set_message(result.message);
      }
    }
    *reasons->add_decisions() = std::move(decision);
    if (reasons->decisions_size() < kDecisionsPerPart) continue;
    answer.Send(part);
    part.Clear();
    reasons = nullptr;
  }
  if (reasons != nullptr) answer.Send(part);
}

void ExplainOne(const World& world, int64_t now_micros, const std::string& key,
                const v1::Binding& binding, QueryAnswer& answer) {
  const Row<v1::Placed>* row = world.placements.Find(key);
  Request request(binding);
  Previous previous;
  size_t term = 0;
  if (row != nullptr && row->value.uid() == binding.uid()) {
    request.Evict(EvictedFrom(row->value));
    term = TermIndex(request, row->value.affinity_name());
    v1::Placed placement;  // without copies that only stay for a while
    SetTargets(TargetsWithoutCopies(row->value), placement);
    previous = RemainingPlacement(request, request.terms[term], placement, world.snapshot,
                                  &world.index, now_micros)
                   .previous;
  }
  ScheduleInput input{request, world.snapshot, previous, &world.index, &world.assumed.loads()};
  input.accurate = world.AccurateFor(binding);
  if (world.accurate_now) input.accurate_now = world.accurate_now();
  input.now_micros = now_micros;
  input.first_term = term;
  input.explain = true;
  input.steady = true;
  const ScheduleResult result = Schedule(input);

  v1::QueryReply first;
  *first.add_bindings() = binding;
  v1::Placed placed;
  if (row != nullptr) placed = row->value;
  *placed.mutable_ref() = binding.ref();
  placed.clear_decisions();
  *first.add_placements() = placed;
  first.set_body(ExplainBody(request, result).dump());
  answer.Send(first);
  SendDecisions(input, result, false, answer);
  // The other groups, each by itself: those that were tried in vain, and those that were not tried.
  for (size_t i = 0; i < request.terms.size(); ++i) {
    if (i == result.term) continue;
    input.first_term = i;
    input.term_count = 1;
    SendDecisions(input, Schedule(input), true, answer);
  }
}

void Explain(const World& world, int64_t now_micros, const v1::QueryRequest& request,
             QueryAnswer& answer) {
  if (request.name().empty()) {
    answer.Fail("explain needs the name of an object");
    return;
  }
  int found = 0;
  for (const auto& [key, row] : world.bindings.rows()) {
    if (!Asks(request, row.value.ref())) continue;
    ExplainOne(world, now_micros, key, row.value, answer);
    ++found;
  }
  if (found == 0) {
    answer.Fail(StrCat("no policy claims an object of this name: ", request.kind(),
                       request.kind().empty() ? "" : " ", request.namespace_(),
                       request.namespace_().empty() ? "" : "/", request.name()));
    return;
  }
  answer.End();
}

void Placements(const World& world, const v1::QueryRequest& request, QueryAnswer& answer) {
  uint32_t sent = 0;
  for (const auto& [key, row] : world.placements.rows()) {
    if (!Asks(request, row.value.ref())) continue;
    if (!request.cluster().empty() && !Previous(row.value.clusters()).Contains(request.cluster())) {
      continue;
    }
    if (request.limit() > 0 && sent == request.limit()) break;
    ++sent;
    v1::QueryReply part;
    *part.add_placements() = row.value;
    answer.Send(part);
  }
  answer.End();
}

// Replicas that would stand where they do not stand now.
int64_t ReplicasMoved(const SimulatedMove& move) {
  int64_t moved = 0;
  for (const auto& target : move.after) {
    const auto had = move.before.find(target.first);
    moved += std::max<int64_t>(0, target.second - (had == move.before.end() ? 0 : had->second));
  }
  return moved;
}

void AnswerSimulate(const World& world, int64_t now_micros, const v1::QueryRequest& request,
                    QueryAnswer& answer) {
  WhatIf what;
  what.drain = SplitList(request, "drain");
  what.fail = SplitList(request, "fail");
  v1::QueryReply added;
  if (!added.ParseFromString(request.body())) {
    answer.Fail("the body of simulate is not a QueryReply");
    return;
  }
  what.clusters.assign(added.clusters().begin(), added.clusters().end());
  what.bindings.assign(added.bindings().begin(), added.bindings().end());
  const auto simulation = Simulate(world, what, now_micros);
  if (!simulation.ok()) {
    answer.Fail(ToStd(simulation.status().message()));
    return;
  }
  const size_t shown = request.limit() > 0 ? request.limit() : kShownMoves;
  Json clusters = Json::object();
  for (const auto& [name, sums] : simulation->clusters) {
    clusters[name] = {{"replicasBefore", sums.replicas_before},
                      {"replicasAfter", sums.replicas_after},
                      {"objectsBefore", sums.objects_before},
                      {"objectsAfter", sums.objects_after}};
  }
  Json body = {{"moves", Json::array()},
               {"notFitting", Json::array()},
               {"unfitBefore", Json::array()},
               {"clusters", std::move(clusters)},
               {"replicasBefore", TargetsJson(simulation->replicas_before)},
               {"replicasAfter", TargetsJson(simulation->replicas_after)},
               {"lookedAt", simulation->looked_at},
               {"changed", simulation->moves.size()},
               {"unscheduled", simulation->unscheduled},
               {"unscheduledBefore", simulation->unfit_before}};
  for (const SimulatedMove& move : simulation->moves) {
    Json& moves = body["moves"];
    Json& unfit = body[move.unfit_before ? "unfitBefore" : "notFitting"];
    const bool fits = move.state == Name(Outcome::kScheduled);
    if (moves.size() == shown && (fits || unfit.size() == shown)) continue;
    const Json entry = {{"object", Describe(KeyOf(move.ref))},
                        {"ref",
                         {{"apiVersion", move.ref.api_version()},
                          {"kind", move.ref.kind()},
                          {"namespace", move.ref.namespace_()},
                          {"name", move.ref.name()}}},
                        {"before", TargetsJson(move.before)},
                        {"after", TargetsJson(move.after)},
                        {"replicasMoved", ReplicasMoved(move)},
                        {"state", move.state},
                        {"message", move.message},
                        {"cause", move.cause}};
    if (moves.size() < shown) moves.push_back(entry);
    if (!fits && unfit.size() < shown) unfit.push_back(entry);
  }
  body["shown"] = body["moves"].size();
  v1::QueryReply reply;
  reply.set_body(body.dump());
  answer.Send(reply);
  answer.End();
}

}  // namespace

void AnswerQuery(const World& world, int64_t now_micros, const v1::QueryRequest& request,
                 QueryAnswer& answer) {
  if (request.what() == "explain") {
    Explain(world, now_micros, request, answer);
  } else if (request.what() == "placements") {
    Placements(world, request, answer);
  } else if (request.what() == "simulate") {
    AnswerSimulate(world, now_micros, request, answer);
  } else {
    answer.Fail(StrCat("the scheduler does not answer \"", request.what(),
                       "\": explain, placements, simulate"));
  }
}

}  // namespace sealane::scheduler
