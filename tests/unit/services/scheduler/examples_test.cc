// Runs the examples of docs/scheduling.md as they stand there.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "lib/core/strings.h"
#include "lib/model/divide.h"
#include "services/scheduler/plan.h"
#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {
namespace {

std::vector<Json> Examples() {
  std::ifstream file(StrCat(SEALANE_SOURCE_DIR, "/docs/scheduling.md"));
  std::vector<Json> examples;
  std::string line;
  std::string text;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line == "```json example") {
      inside = true;
      text.clear();
    } else if (inside && line == "```") {
      inside = false;
      examples.push_back(Json::parse(text));
    } else if (inside) {
      text += line + "\n";
    }
  }
  return examples;
}

v1::ClusterStatus ReadCluster(const std::string& name, const Json& json) {
  v1::ClusterStatus cluster = MakeRoomy(name, json.value("room", 1000), json.value("region", ""));
  if (json.contains("status")) {  // as in a Cluster object
    const Json object = {{"spec", json.value("spec", Json::object())}, {"status", json["status"]}};
    cluster = MakeCluster(name, object.dump().c_str());
  }
  v1::ApiEnablement* batch = cluster.add_api_enablements();
  batch->set_group_version("batch/v1");
  batch->add_resources()->set_kind("Job");
  cluster.set_provider(json.value("provider", ""));
  for (const Json& zone : json.value("zones", Json::array()))
    cluster.add_zones(zone.get<std::string>());
  const Json labels = json.value("labels", Json::object());
  for (const auto& label : labels.items()) {
    (*cluster.mutable_labels())[label.key()] = label.value();
  }
  const Json taints = json.value("taints", Json::array());
  for (const Json& item : taints) {
    v1::Taint* taint = cluster.add_taints();
    taint->set_key(item["key"]);
    taint->set_effect(item["effect"]);
  }
  return cluster;
}

using Amounts = std::map<std::string, std::string>;

google::protobuf::Map<std::string, std::string> ToProto(const Amounts& amounts) {
  return {amounts.begin(), amounts.end()};
}

v1::Binding ReadBinding(const Json& example) {
  v1::Binding binding = MakeBinding(example["replicas"], example["placement"].dump());
  if (example.value("kind", "") == "Job") {
    binding.mutable_ref()->set_api_version("batch/v1");
    binding.mutable_ref()->set_kind("Job");
  }
  const Amounts request = example.value("request", Amounts());
  *binding.mutable_replica_requirements()->mutable_resource_request() = ToProto(request);
  if (example.contains("uid")) binding.set_uid(example["uid"].get<std::string>());
  const Json options = example.value("options", Json::object());
  for (const auto& option : options.items()) {
    (*binding.mutable_options())[option.key()] = option.value();
  }
  return binding;
}

// What becomes of a placement in force in a group of clusterAffinities.
v1::Placed PlanAgain(const Json& example, const v1::Binding& binding, const Snapshot& snapshot) {
  v1::Placed row = PlacedIn(example["before"].get<TargetMap>());
  row.set_uid(binding.uid());
  row.set_state("Scheduled");
  row.set_affinity_name(example["group"].get<std::string>());
  row.set_last_scheduled_micros(1);
  *row.mutable_observed_placement() = binding.placement();
  PlanInput input{binding, &row, snapshot};
  input.now_micros = 1'750'000'000'000'000;
  FailbackClocks clocks;
  for (const auto& group : example["couldFor"].items()) {
    absl::Duration could;
    EXPECT_TRUE(absl::ParseDuration(group.value().get<std::string>(), &could));
    clocks[group.key()] = input.now_micros - absl::ToInt64Microseconds(could);
  }
  input.failback = &clocks;
  return PlanPlacement(input).row;
}

// As the renderer divides a Job's completions: by the replicas of each cluster.
TargetMap Completions(const v1::Binding& binding, int64_t completions, const TargetMap& replicas) {
  std::vector<Party> parties;
  for (const auto& entry : replicas) parties.push_back({entry.second});
  const auto shares = DivideWebster(completions, parties, Request(binding).names_descending);
  TargetMap result;
  size_t i = 0;
  for (const auto& entry : replicas) result[entry.first] = shares[i++];
  return result;
}

// The room that each cluster named in "wantRoom" has, after what agents counted and what was given
// to others.
void CheckRoom(const Json& example, const v1::Binding& binding, const Snapshot& snapshot) {
  AccurateAnswers answers;
  const Json agents = example.value("agents", Json::object());
  for (const auto& agent : agents.items()) {
    answers[agent.key()] = {agent.value().get<int64_t>(), absl::Seconds(1), "nodes"};
  }
  AssumedLoads given;
  const Json others = example.value("given", Json::object());
  for (const auto& other : others.items()) {
    AddLoad(given[other.key()], ParseResources(ToProto(other.value()["request"].get<Amounts>())),
            other.value()["replicas"].get<int64_t>());
  }
  const Request request(binding);
  const Previous previous;
  ScheduleInput input{request, snapshot, previous, nullptr, &given};
  input.accurate = &answers;
  TargetMap room;
  for (const ClusterVerdict& verdict : Schedule(input).verdicts) {
    room[verdict.cluster->name] = verdict.allocatable;
  }
  EXPECT_EQ(room, example["wantRoom"].get<TargetMap>());
}

TEST(ExamplesTest, TheDocumentTellsTheTruth) {
  const std::vector<Json> examples = Examples();
  EXPECT_GE(examples.size(), 25u);
  for (const Json& example : examples) {
    SCOPED_TRACE(example["name"].get<std::string>());
    Snapshot snapshot;
    for (const auto& item : example["clusters"].items()) {
      snapshot.Set(ReadCluster(item.key(), item.value()));
    }
    const v1::Binding binding = ReadBinding(example);
    if (example.contains("group")) {
      const v1::Placed row = PlanAgain(example, binding, snapshot);
      EXPECT_EQ(ToMap(row), example["want"].get<TargetMap>());
      EXPECT_EQ(row.affinity_name(), example["wantGroup"].get<std::string>());
      continue;
    }
    if (example.contains("wantRoom")) {
      CheckRoom(example, binding, snapshot);
      continue;
    }
    const TargetMap before = example.value("before", TargetMap());
    const ScheduleResult result =
        Decide(binding, snapshot, before, example.value("rebalance", false), /*steady=*/true);
    EXPECT_EQ(Name(result.outcome), example.value("wantState", "Scheduled")) << result.message;
    EXPECT_EQ(ToMap(result.targets), example.value("want", TargetMap()));
    if (example.contains("wantCompletions")) {
      EXPECT_EQ(Completions(binding, example["completions"], ToMap(result.targets)),
                example["wantCompletions"].get<TargetMap>());
    }
    if (example.contains("wantGroup")) {
      EXPECT_EQ(Request(binding).terms[result.term].name, example["wantGroup"]);
    }
  }
}

}  // namespace
}  // namespace sealane::scheduler
