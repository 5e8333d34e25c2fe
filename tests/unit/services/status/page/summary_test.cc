// The summary of large fleets stays small.

#include "services/status/page/fleet_summary.h"

#include <deque>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/cluster_marks.h"
#include "sealane/v1/cluster.pb.h"
#include "services/status/page/fleet_json.h"

namespace sealane::status {
namespace {

// What SummarizeClusters takes, and what it points to.
struct World {
  std::deque<v1::ClusterStatus> rows;
  std::vector<const v1::ClusterStatus*> pointers;

  v1::ClusterStatus& Add(const std::string& name, const std::string& provider,
                         const std::string& region, const std::string& ready = "True") {
    v1::ClusterStatus& row = rows.emplace_back();
    row.set_name(name);
    row.set_provider(provider);
    row.set_region(region);
    row.set_last_heartbeat_micros(1);
    v1::Condition* condition = row.add_conditions();
    condition->set_type("Ready");
    condition->set_status(ready);
    pointers.push_back(&row);
    return row;
  }
};

TEST(SummaryTest, AnEmptyFleetIsASummaryToo) {
  const Json summary = SummarizeClusters({});
  EXPECT_EQ(summary["clusters"]["total"], 0);
  EXPECT_EQ(summary["providers"], Json::array());
}

TEST(SummaryTest, WhatIsNotReadyComesFirstAndMarksAreTold) {
  World world;
  world.Add("b", "aws", "east");
  world.Add("c", "aws", "east", "False");
  v1::ClusterStatus& a = world.Add("a", "aws", "east");
  a.add_taints()->set_key(std::string(kCordonTaint));
  a.set_deleting(true);
  const Json summary = SummarizeClusters(world.pointers);
  const Json& region = summary["providers"][0]["regions"][0];
  EXPECT_EQ(region["clusters"],
            (Json::array({{{"name", "c"}, {"state", "NotReady"}, {"marks", Json::array()}},
                          {{"name", "a"}, {"state", "Ready"}, {"marks", {"Leaving", "Cordoned"}}},
                          {{"name", "b"}, {"state", "Ready"}, {"marks", Json::array()}}})));
  EXPECT_EQ(summary["clusters"]["marks"], (Json{{"Cordoned", 1}, {"Leaving", 1}}));
}

TEST(SummaryTest, ALargeFleetIsCountedWholeAndToldInPart) {
  World world;
  for (int i = 0; i < 1000; ++i) {
    world.Add(StrCat("cluster-", i), StrCat("provider-", i % 4), StrCat("region-", i % 8),
              i % 100 == 0 ? "Unknown" : "True");
  }
  Json summary = SummarizeClusters(world.pointers);
  EXPECT_EQ(summary["clusters"]["total"], 1000);
  EXPECT_EQ(summary["clusters"]["states"], (Json{{"Lost", 10}, {"Ready", 990}}));
  int told = 0;
  int lost = 0;
  for (const Json& provider : summary["providers"]) {
    for (const Json& region : provider["regions"]) {
      EXPECT_EQ(region["clusters"].size(), 60U);
      EXPECT_EQ(region["more"], 65);
      told += static_cast<int>(region["clusters"].size());
      for (const Json& cluster : region["clusters"]) lost += cluster["state"] == "Lost" ? 1 : 0;
    }
  }
  EXPECT_EQ(told, 480);
  EXPECT_EQ(lost, 10) << "none that is not well is left out";
  EXPECT_LT(summary.dump().size(), 60'000U);

  summary =
      SummarizeClusters(world.pointers, {.regions = 3, .clusters_per_region = 60, .clusters = 100});
  EXPECT_EQ(summary["moreRegions"], 5);
  EXPECT_EQ(summary["clusters"]["total"], 1000) << "the sums are of all";
  std::vector<size_t> sizes;
  for (const Json& provider : summary["providers"]) {
    for (const Json& region : provider["regions"]) sizes.push_back(region["clusters"].size());
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{60, 40, 0}));
}

TEST(SummaryTest, TextsAreCutBetweenCharacters) {
  EXPECT_EQ(Shortened("short", 10), "short");
  EXPECT_EQ(Shortened("aaaä", 4), "aaa…");
  EXPECT_EQ(Shortened("aaaäb", 5), "aaaä…");
}

}  // namespace
}  // namespace sealane::status
