#include "tools/sealane/bus_fleet.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "tests/support/status_matchers.h"

namespace sealane::cli {
namespace {

using ::testing::HasSubstr;

// A bus in memory on the fleet's own thread, and a policy service that never answers on the
// event's subject: every answer gets lost. Looked at only when the fleet's thread has ended.
struct LostAnswers {
  std::unique_ptr<MemoryServer> server;
  std::unique_ptr<Bus> hub;
  std::unique_ptr<QueryServer> queries;
  std::vector<v1::QueryRequest> asked;
  size_t keeps_from = 1;   // the result is there from this question on
  size_t stores_from = 0;  // the deploy stream is there from this question on
  bool serves_queries = true;

  void MakeStream() const {
    StreamConfig deploy;
    deploy.name = std::string(kDeployLog);
    deploy.subjects = {"deploy.>"};
    deploy.last_per_subject = false;
    hub->EnsureStream(deploy, [](const absl::Status&) {});
  }
  void Answer(const v1::QueryRequest& request, QueryAnswer& answer) {
    asked.push_back(request);
    if (asked.size() == stores_from) MakeStream();
    v1::QueryReply reply;
    if (asked.size() >= keeps_from) {
      v1::DeployResult result;
      result.set_event_id(request.name());
      result.set_accepted(true);
      reply.set_body(result.SerializeAsString());
    }
    answer.Send(reply);
    answer.End();
  }
  absl::StatusOr<std::unique_ptr<Fleet>> Connect() {
    const auto make = [this](Env env) -> absl::StatusOr<std::unique_ptr<Bus>> {
      server = std::make_unique<MemoryServer>(env);
      hub = server->Connect(BusIdentity::Hub());
      if (stores_from == 0) MakeStream();
      if (serves_queries) {
        queries = std::make_unique<QueryServer>(
            *hub, hub::kResultRequests,
            [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
              Answer(request, *answer);
            });
      }
      return server->Connect(BusIdentity::Platform("paas"));
    };
    return BusFleet::Connect(
        make, absl::Seconds(30),
        {.ask_again = absl::Milliseconds(5), .tell_every = absl::Milliseconds(1)},
        [] { return std::string("why"); });
  }
};

v1::DeployEvent Event() {
  v1::DeployEvent event;
  event.set_id("event-1");
  event.add_operations()->set_manifest("kind: ConfigMap");
  return event;
}

TEST(BusFleetTest, AMissedResultIsAskedForAndTheEventNotPublishedAgain) {
  LostAnswers bus;
  bus.keeps_from = 3;
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  const auto result = (*fleet)->Deploy(Event(), absl::Seconds(30));
  ASSERT_OK(result);
  EXPECT_TRUE(result->accepted());
  fleet->reset();
  ASSERT_EQ(bus.asked.size(), 3U);
  EXPECT_EQ(bus.asked[0].name(), "event-1");
  EXPECT_EQ(bus.server->StreamSize(kDeployLog), 1U);
}

TEST(BusFleetTest, AnEventThatNobodyStoredIsPublishedAgain) {
  LostAnswers bus;
  bus.stores_from = 2;
  bus.keeps_from = 4;
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  ASSERT_OK((*fleet)->Deploy(Event(), absl::Seconds(30)));
  fleet->reset();
  EXPECT_EQ(bus.server->StreamSize(kDeployLog), 1U);
}

TEST(BusFleetTest, ATimeOutSaysWhatIsKnownAndWhatToDo) {
  LostAnswers bus;
  bus.serves_queries = false;
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  const auto result = (*fleet)->Deploy(Event(), absl::Milliseconds(50));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("sealane result event-1"));
  fleet->reset();
  EXPECT_EQ(bus.server->StreamSize(kDeployLog), 1U);
}

TEST(BusFleetTest, WhoeverWaitsIsToldForWhomAndWhenItIsOver) {
  LostAnswers bus;
  bus.serves_queries = false;
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  std::vector<std::pair<std::string, absl::Duration>> told;
  (*fleet)->OnWaiting(
      [&](std::string_view who, absl::Duration waited) { told.emplace_back(who, waited); });
  (void)(*fleet)->Deploy(Event(), absl::Milliseconds(100));
  ASSERT_GE(told.size(), 2U);
  EXPECT_EQ(told.front().first, "sealane-policy");
  EXPECT_GE(told.front().second, absl::Milliseconds(1));
  EXPECT_EQ(told.back().second, absl::ZeroDuration());
}

TEST(BusFleetTest, WhatNobodyStoredIsUnavailable) {
  LostAnswers bus;
  bus.serves_queries = false;
  bus.stores_from = 1;  // never
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  EXPECT_EQ((*fleet)->Deploy(Event(), absl::Milliseconds(50)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(BusFleetTest, AnEventWithoutResultHasNone) {
  LostAnswers bus;
  bus.keeps_from = 2;
  auto fleet = bus.Connect();
  ASSERT_OK(fleet);
  const auto none = (*fleet)->Result("event-1", absl::Seconds(30));
  ASSERT_OK(none);
  EXPECT_FALSE(none->has_value());
  const auto some = (*fleet)->Result("event-1", absl::Seconds(30));
  ASSERT_OK(some);
  EXPECT_TRUE(some->has_value());
}

}  // namespace
}  // namespace sealane::cli
