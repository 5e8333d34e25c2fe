#include "services/status/page/explain_json.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/query.pb.h"
#include "services/status/page/fleet_json.h"

namespace sealane::status {
namespace {

constexpr int kEvictions = 100;
constexpr int kReasons = 20;  // of one cluster

// "TaintToleration: untolerated taint {...}" -> "TaintToleration".
std::string FilterOf(std::string_view reason) {
  return std::string(reason.substr(0, reason.find(':')));
}

// 0: selected, 1: could be, 2: refused.
int RankOf(const v1::ClusterDecision& decision) {
  if (decision.selected()) return 0;
  return decision.reasons().empty() ? 1 : 2;
}

Json DecisionJson(const v1::ClusterDecision& decision) {
  Json json = {{"cluster", decision.cluster()},   {"selected", decision.selected()},
               {"replicas", decision.replicas()}, {"reasons", Json::array()},
               {"scores", Json::object()},        {"note", MessageText(decision.note())}};
  for (int i = 0; i < std::min(kReasons, decision.reasons_size()); ++i) {
    json["reasons"].push_back(MessageText(decision.reasons(i)));
  }
  for (const auto& score : decision.scores()) json["scores"][score.first] = score.second;
  if (decision.available_replicas() >= 0) json["available"] = decision.available_replicas();
  return json;
}

Json TargetsJson(const v1::Placed& placed) {
  Json targets = Json::array();
  for (const v1::TargetCluster& target : placed.clusters()) {
    targets.push_back({{"cluster", target.name()}, {"replicas", target.replicas()}});
  }
  return targets;
}

Json EvictionsJson(const v1::Placed& placed) {
  Json evictions = Json::array();
  for (int i = 0; i < std::min(kEvictions, placed.evictions_size()); ++i) {
    const v1::Eviction& eviction = placed.evictions(i);
    Json entry = {{"cluster", eviction.cluster()},
                  {"reason", MessageText(eviction.reason())},
                  {"replacedBy", Json::array()}};
    for (const std::string& name : eviction.replaced_by()) entry["replacedBy"].push_back(name);
    if (eviction.since_micros() > 0) entry["since"] = eviction.since_micros() / 1000;
    if (eviction.grace_until_micros() > 0) {
      entry["graceUntil"] = eviction.grace_until_micros() / 1000;
    }
    evictions.push_back(std::move(entry));
  }
  return evictions;
}

}  // namespace

Json ExplainJson(const v1::QueryReply& reply, const ExplainSlice& slice) {
  static const v1::Placed& nothing = v1::Placed::default_instance();
  const v1::Placed& row = reply.placements().empty() ? nothing : reply.placements(0);
  std::vector<const v1::ClusterDecision*> decisions;
  for (int i = 1; i < reply.placements_size(); ++i) {
    // Rows with a state are other groups of clusterAffinities.
    if (!reply.placements(i).state().empty()) continue;
    for (const auto& decision : reply.placements(i).decisions()) decisions.push_back(&decision);
  }
  std::stable_sort(decisions.begin(), decisions.end(), [](const auto* a, const auto* b) {
    return std::forward_as_tuple(RankOf(*a), a->cluster()) <
           std::forward_as_tuple(RankOf(*b), b->cluster());
  });
  int64_t ranks[3] = {0, 0, 0};
  std::map<std::string, int64_t> filters;
  for (const v1::ClusterDecision* decision : decisions) {
    ++ranks[RankOf(*decision)];
    std::set<std::string> own;
    for (const std::string& reason : decision->reasons()) own.insert(FilterOf(reason));
    for (const std::string& filter : own) ++filters[filter];
  }
  const Json body = Json::parse(reply.body(), nullptr, /*allow_exceptions=*/false);
  const auto word = [&body](const char* name) {
    if (!body.is_object()) return std::string();
    const auto it = body.find(name);
    return it != body.end() && it->is_string() ? MessageText(it->get_ref<const std::string&>())
                                               : std::string();
  };
  Json json = {{"state", row.state()},
               {"message", MessageText(row.message())},
               {"cause", MessageText(row.cause())},
               {"policy", ""},
               {"strategy", word("strategy")},
               {"outcome", word("outcome")},
               {"note", word("note")},
               {"group", word("group")},
               {"clusters", TargetsJson(row)},
               {"evictions", EvictionsJson(row)},
               {"selected", ranks[0]},
               {"feasible", ranks[1]},
               {"refused", ranks[2]},
               {"reasons", Json::array()},
               {"decisions", Json::array()},
               {"decisionCount", decisions.size()}};
  if (!reply.bindings().empty() && reply.bindings(0).has_policy()) {
    json["policy"] = Describe(KeyOf(reply.bindings(0).policy()));
  }
  if (row.scheduled_micros() > 0) json["scheduled"] = row.scheduled_micros() / 1000;
  for (const auto& [filter, clusters] : filters) {
    json["reasons"].push_back({{"filter", filter}, {"clusters", clusters}});
  }
  const size_t begin = std::min(slice.from, decisions.size());
  const size_t end = std::min(decisions.size(), begin + slice.limit);
  for (size_t i = begin; i < end; ++i) json["decisions"].push_back(DecisionJson(*decisions[i]));
  if (end < decisions.size()) json["next"] = end;
  return json;
}

}  // namespace sealane::status
