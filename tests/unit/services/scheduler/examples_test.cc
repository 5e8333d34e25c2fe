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

TEST(ExamplesTest, TheDocumentTellsTheTruth) {
  const std::vector<Json> examples = Examples();
  EXPECT_GE(examples.size(), 15u);
  for (const Json& example : examples) {
    SCOPED_TRACE(example["name"].get<std::string>());
    Snapshot snapshot;
    for (const auto& item : example["clusters"].items()) {
      snapshot.Set(ReadCluster(item.key(), item.value()));
    }
    v1::Binding binding = MakeBinding(example["replicas"], example["placement"].dump());
    const Json options = example.value("options", Json::object());
    for (const auto& option : options.items()) {
      (*binding.mutable_options())[option.key()] = option.value();
    }
    const TargetMap before = example.value("before", TargetMap());
    const ScheduleResult result =
        Decide(binding, snapshot, before, example.value("rebalance", false), /*steady=*/true);
    EXPECT_EQ(Name(result.outcome), example.value("wantState", "Scheduled")) << result.message;
    EXPECT_EQ(ToMap(result.targets), example.value("want", TargetMap()));
    if (example.contains("wantGroup")) {
      EXPECT_EQ(Request(binding).terms[result.term].name, example["wantGroup"]);
    }
  }
}

}  // namespace
}  // namespace sealane::scheduler
