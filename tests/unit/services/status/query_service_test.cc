// What query.status answers.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/event_sink.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {
namespace {

using ::testing::Not;

TEST_F(StatusServiceTest, AnswersQueries) {
  Register("a");
  Register("b");
  Beat("a");
  Deploy("web", {"a"});
  Deploy("api", {"b"});
  Say(MakeWord("a", "web", 2), "a");

  v1::QueryRequest request;
  request.set_what("clusters");
  request.set_label_selector("tier=gold");
  auto reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(reply->clusters_size(), 2);
  request.set_name("b");
  EXPECT_EQ(Ask(request)->clusters_size(), 1);
  request.set_label_selector("tier=(");
  EXPECT_THAT(Ask(request), Not(IsOk()));

  request.Clear();
  request.set_what("apps");
  EXPECT_EQ(Ask(request)->apps_size(), 2);
  request.set_label_selector("app=web");
  reply = Ask(request);
  ASSERT_OK(reply);
  ASSERT_EQ(reply->apps_size(), 1);
  EXPECT_EQ(reply->apps(0).SerializeAsString(), App("web")->SerializeAsString());
  (*request.mutable_options())["detail"] = "brief";
  const v1::QueryReply brief = *Ask(request);
  EXPECT_EQ(brief.apps(0).phase(), "Healthy");
  EXPECT_EQ(brief.apps(0).replicas().ready(), reply->apps(0).replicas().ready());
  ASSERT_EQ(brief.apps(0).clusters_size(), 1);
  EXPECT_EQ(brief.apps(0).clusters(0).cluster(), "a");
  EXPECT_EQ(brief.apps(0).clusters(0).health(), "Healthy");
  EXPECT_EQ(brief.apps(0).clusters(0).state(), "Applied");
  EXPECT_EQ(brief.apps(0).clusters(0).last_word_micros(), 0);
  EXPECT_EQ(brief.apps(0).status_json(), "");
  request.clear_options();
  request.clear_label_selector();
  request.set_cluster("b");
  EXPECT_EQ(Ask(request)->apps(0).ref().name(), "api");

  request.Clear();
  request.set_what("status");
  request.set_name("web");
  reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(reply->apps(0).phase(), "Healthy");
  ASSERT_EQ(reply->placements_size(), 1);
  EXPECT_EQ(reply->placements(0).decisions(0).cluster(), "why");

  request.set_what("work_status");
  request.clear_name();
  request.set_cluster("a");
  EXPECT_EQ(Ask(request)->work_statuses_size(), 1);
  request.set_cluster("b");
  EXPECT_EQ(Ask(request)->work_statuses_size(), 0);

  request.Clear();
  request.set_what("events");
  reply = Ask(request);
  ASSERT_OK(reply);
  ASSERT_EQ(reply->events_size(), 2);
  EXPECT_EQ(reply->events(0).reason(), "ClusterReady");
  EXPECT_EQ(reply->events(1).ref().name(), "web");
  request.set_name("web");
  EXPECT_EQ(Ask(request)->events_size(), 1);
  // The newest of those that are asked for, not those among the newest.
  EventSink sink(*hub_, sim_.env(), "test");
  sink.Emit("Warning", "Bad", "");
  sink.Emit("Normal", "Good", "");
  Settle();
  request.clear_name();
  request.set_limit(1);
  EXPECT_EQ(Ask(request)->events(0).reason(), "Good");
  (*request.mutable_options())["type"] = "Warning";
  reply = Ask(request);
  ASSERT_OK(reply);
  ASSERT_EQ(reply->events_size(), 1);
  EXPECT_EQ(reply->events(0).reason(), "Bad");

  request.Clear();
  request.set_what("cluster_progress");
  request.set_cluster("a");
  reply = Ask(request);
  ASSERT_OK(reply);
  EXPECT_EQ(Json::parse(reply->body()),
            (Json{{"cluster", "a"}, {"placed", 1}, {"applied", 1}, {"healthy", 1}}));

  request.set_what("weather");
  EXPECT_THAT(Ask(request), Not(IsOk()));
}

}  // namespace
}  // namespace sealane::status
