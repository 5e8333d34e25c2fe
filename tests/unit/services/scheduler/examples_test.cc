// Runs the examples of docs/scheduling.md as they stand there.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "lib/core/strings.h"
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
  cluster.set_provider(json.value("provider", ""));
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
  EXPECT_GE(examples.size(), 21u);
  for (const Json& example : examples) {
    SCOPED_TRACE(example["name"].get<std::string>());
    Snapshot snapshot;
    for (const auto& item : example["clusters"].items()) {
      snapshot.Set(ReadCluster(item.key(), item.value()));
    }
    v1::Binding binding = MakeBinding(example["replicas"], example["placement"].dump());
    const Amounts request = example.value("request", Amounts());
    *binding.mutable_replica_requirements()->mutable_resource_request() = ToProto(request);
    const Json options = example.value("options", Json::object());
    for (const auto& option : options.items()) {
      (*binding.mutable_options())[option.key()] = option.value();
    }
    if (example.contains("wantRoom")) {
      CheckRoom(example, binding, snapshot);
      continue;
    }
    const TargetMap before = example.value("before", TargetMap());
    const ScheduleResult result =
        Decide(binding, snapshot, before, example.value("rebalance", false));
    EXPECT_EQ(Name(result.outcome), example.value("wantState", "Scheduled")) << result.message;
    EXPECT_EQ(ToMap(result.targets), example.value("want", TargetMap()));
    if (example.contains("wantGroup")) {
      EXPECT_EQ(Request(binding).terms[result.term].name, example["wantGroup"]);
    }
  }
}

}  // namespace
}  // namespace sealane::scheduler
