// Applications in the status service, restarts and leadership.

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {
namespace {

using ::testing::Contains;

TEST_F(StatusServiceTest, AppStatusFollowsItsClusters) {
  Register("a");
  Register("b");
  Beat("a");
  Beat("b");
  Deploy("web", {"a", "b"});
  ASSERT_NE(App("web"), nullptr);
  EXPECT_EQ(App("web")->phase(), "Scheduled");
  Say(MakeWord("a", "web", 2), "a");
  EXPECT_EQ(App("web")->phase(), "Applying");
  Say(MakeWord("b", "web", 1), "b");
  EXPECT_EQ(App("web")->phase(), "Progressing");
  Say(MakeWord("b", "web", 2), "b");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  EXPECT_EQ(App("web")->observed_generation(), 1);
  EXPECT_EQ(App("web")->replicas().ready(), 4);
  EXPECT_EQ(App("web")->policy(), "PropagationPolicy n/p");
  EXPECT_THAT(events_, Contains("AppHealthy"));

  BeatFor({"a"}, absl::Seconds(60));
  EXPECT_EQ(App("web")->phase(), "Degraded");
  EXPECT_EQ(App("web")->clusters(1).state(), "Lost");
  EXPECT_THAT(events_, Contains("AppDegraded"));

  const std::string key = RowKey(ObjectKey{"apps", "Deployment", "n", "web"});
  Put(kObjectsTable, key, "");
  EXPECT_EQ(App("web"), nullptr);
  EXPECT_TRUE(service_->Idle());
}

TEST_F(StatusServiceTest, ForgedAndStaleWordsAreDropped) {
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  v1::WorkStatus first = MakeWord("a", "web", 1);
  v1::WorkStatus second = MakeWord("a", "web", 2);
  Say(second, "a");
  Say(first, "a");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  v1::WorkStatus forged = MakeWord("a", "web", 1);
  forged.set_counter(1000);
  Say(forged, "b");
  EXPECT_EQ(App("web")->phase(), "Healthy");
  EXPECT_EQ(Metric("sealane_status_work_statuses_total{result=\"stale\"}"), 1);
  EXPECT_EQ(Metric("sealane_status_work_statuses_total{result=\"wrong_cluster\"}"), 1);
}

TEST_F(StatusServiceTest, WhatAgentsMeetIsToldAsEvents) {
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  v1::WorkStatus word = MakeWord("a", "web", 0);
  word.set_state(v1::WorkStatus::FAILED);
  word.set_reason("Conflict");
  word.set_message("Deployment n/web belongs to helm");
  Say(word, "a");
  word.set_counter(++counter_);  // another attempt, the same answer
  Say(word, "a");
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "Conflict"), 1);

  word = MakeWord("a", "web", 2);
  word.set_drift_repairs(3);
  Say(word, "a");
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "DriftRepaired"), 1);
  for (int i = 4; i < 10; ++i) {  // somebody fights with us
    word.set_counter(++counter_);
    word.set_drift_repairs(i);
    Say(word, "a");
  }
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "DriftRepaired"), 1);
  BeatFor({"a"}, absl::Seconds(60));
  word.set_counter(++counter_);
  word.set_drift_repairs(10);
  Say(word, "a");
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "DriftRepaired"), 2);
  EXPECT_THAT(last_event_.message(), ::testing::HasSubstr("7 times"));
  EXPECT_EQ(last_event_.cluster(), "a");
  EXPECT_EQ(last_event_.ref().name(), "web");
}

TEST_F(StatusServiceTest, RestartRepeatsNothing) {
  Register("a");
  Beat("a");
  Deploy("web", {"a"});
  Say(MakeWord("a", "web", 2), "a");
  ASSERT_EQ(App("web")->phase(), "Healthy");
  BeatFor({"a"}, absl::Seconds(20));  // joining ends
  const v1::AppStatus before = *App("web");
  const int apps = app_changes_;
  const int clusters = cluster_changes_;
  const size_t events = events_.size();
  StartService();
  Beat("a");
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(app_changes_, apps);
  EXPECT_EQ(cluster_changes_, clusters);
  EXPECT_EQ(events_.size(), events);
  EXPECT_EQ(App("web")->SerializeAsString(), before.SerializeAsString());
}

TEST_F(StatusServiceTest, RowOfManyClustersIsNotWrittenForEachWord) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back(StrCat("c", i));
  for (const std::string& name : names) Register(name, "uid-" + name);
  for (const std::string& name : names) Beat(name);
  Deploy("base", names);
  const int before = app_changes_;
  for (const std::string& name : names) {
    AppendRequest request;
    const v1::WorkStatus word = MakeWord(name, "base", 2);
    request.subject = agent::WorkStatus(RowKey(word.ref()));
    request.payload = word.SerializeAsString();
    Agent(name).Append(std::move(request), [](const absl::StatusOr<Appended>&) {});
    sim_.RunFor(absl::Milliseconds(1));
  }
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(App("base")->phase(), "Healthy");
  EXPECT_LT(app_changes_ - before, 10);
}

TEST_F(StatusServiceTest, StatesThatPassAtOnceAreToldAsOne) {
  Register("a");
  Beat("a");
  const absl::Duration step = absl::Milliseconds(3);
  Deploy("web", {"a"}, step);
  EXPECT_EQ(app_changes_, 1);
  EXPECT_EQ(App("web")->phase(), "Pending");
  Say(MakeWord("a", "web", 2), "a");
  EXPECT_EQ(app_changes_, 2);
  EXPECT_EQ(App("web")->phase(), "Healthy");

  // What lasts is told.
  Deploy("slow", {"a"}, step);
  EXPECT_EQ(App("slow")->phase(), "Pending");
  sim_.RunFor(options_.app_gather);
  EXPECT_EQ(App("slow")->phase(), "Scheduled");
  EXPECT_EQ(app_changes_, 4);
}

}  // namespace
}  // namespace sealane::status
