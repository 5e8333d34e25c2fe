// sealane trace: the way of an event, or of an application's newest generation.

#include <iterator>

#include "gmock/gmock.h"
#include "lib/core/json.h"
#include "tests/unit/tools/sealane/command_fixture.h"
#include "tools/sealane/trace_view.h"

namespace sealane::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kBegin = 1'700'000'000'000'000;

class TraceTest : public CommandTest {
 protected:
  TraceTest() {
    app_ = AddApp("Applying");
    script_.replies.clear();
    app_.set_generation(2);
    app_.set_trace_id("event-7");
    app_.set_accepted_micros(kBegin + 800);
    app_.set_claimed_micros(kBegin + 2'500);
    Cluster("aliyun", 2, kBegin + 20'000, kBegin + 1'250'000);
    Cluster("aws", 1, kBegin - 5'000'000, kBegin - 4'000'000);
    app_.mutable_clusters(1)->set_state("Pending");
    app_.mutable_clusters(1)->set_reason("WaitingForCluster");
  }
  void Cluster(const std::string& name, int64_t generation, int64_t applied, int64_t healthy) {
    v1::ClusterAppStatus& cluster = *app_.add_clusters();
    cluster.set_cluster(name);
    cluster.set_placed_micros(kBegin + 5'000);
    cluster.set_applied_generation(generation);
    cluster.set_applied_micros(applied);
    cluster.set_healthy_micros(healthy);
    if (generation == 2) cluster.set_rendered_micros(kBegin + 12'000);
  }
  // The fleet knows the event and what came of it.
  void Know() {
    *script_.replies["apps"].add_apps() = app_;
    v1::DeployResult& result = script_.results["event-7"];
    result.set_event_id("event-7");
    result.set_trace_id("event-7");
    result.set_accepted(true);
    result.set_received_micros(kBegin);
    result.set_durable_micros(kBegin + 900);
    AddOperation(result, app_.ref(), 2);
    v1::Work& work = *script_.replies["policy works"].add_works();
    work.set_cluster("aws");
    *work.mutable_ref() = app_.ref();
    work.set_object_generation(2);
    work.set_rendered_micros(kBegin + 13'000);
    v1::Event& event = *script_.replies["events"].add_events();
    event.set_time_micros(kBegin + 800);
    event.set_reason("Accepted");
    *event.mutable_ref() = app_.ref();
  }
  static v1::OperationResult& AddOperation(v1::DeployResult& result, const v1::ObjectRef& ref,
                                           int64_t generation) {
    v1::OperationResult& operation = *result.add_results();
    *operation.mutable_object() = ref;
    operation.set_accepted(true);
    operation.set_changed(true);
    operation.set_generation(generation);
    return operation;
  }
  // The words of the first line that begins so.
  std::vector<std::string> Line(const std::string& begin) {
    std::istringstream lines(out_.str());
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(begin)) continue;
      std::istringstream words(line);
      return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
    }
    return {};
  }
  v1::AppStatus app_;
};

TEST_F(TraceTest, AnEventShowsEachStepOfEachClusterFromItsReceipt) {
  Know();
  ASSERT_EQ(Run({"trace", "event-7"}), kOk) << err_.str();
  EXPECT_THAT(Line("accepted"), ::testing::ElementsAre("accepted", "+0.8ms", "claimed", "+2.5ms"));
  EXPECT_THAT(Line("aliyun"),
              ::testing::ElementsAre("aliyun", "+5.0ms", "+12ms", "+20ms", "+1.25s"));
  // What it runs is the generation before; that the new one is rendered only policy knows.
  EXPECT_THAT(Line("aws"), ::testing::ElementsAre("aws", "+5.0ms", "+13ms", "-", "-",
                                                  "Pending:", "WaitingForCluster"));
  EXPECT_THAT(out_.str(), HasSubstr("durable +0.9ms  accepted\n"));
  EXPECT_THAT(out_.str(), HasSubstr("Accepted  Deployment shop/web"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("healthy everywhere")));
  bool asked = false;
  for (const auto& [service, request] : script_.queries) {
    asked = asked || (request.what() == "apps" && request.options().at("trace") == "event-7");
  }
  EXPECT_TRUE(asked);
}

TEST_F(TraceTest, WhatIsHealthyEverywhereSaysWhen) {
  app_.set_phase("Healthy");
  app_.set_observed_generation(2);
  app_.mutable_clusters()->DeleteSubrange(1, 1);
  Know();
  ASSERT_EQ(Run({"trace", "event-7"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("healthy everywhere +1.25s"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("WAITS FOR")));
  for (const auto& query : script_.queries)
    EXPECT_NE(query.first, "policy") << "nothing is missing";
}

TEST_F(TraceTest, ANameShowsItsNewestEvent) {
  Know();
  script_.results.clear();
  ASSERT_EQ(Run({"trace", "deployment/web", "-n", "shop"}), kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("trace event-7\n"));
  EXPECT_THAT(Line("aliyun")[1], "+4.2ms")
      << "from its acceptance: the event's answer is not known";
  EXPECT_THAT(out_.str(), HasSubstr("claimed +1.7ms"));
  const v1::QueryRequest& events = script_.queries.back().second;
  EXPECT_EQ(events.what(), "events");
  EXPECT_EQ(events.kind(), "Deployment");
  EXPECT_EQ(events.options().at("trace"), "event-7");
}

TEST_F(TraceTest, ObjectsOfTheEventThatWereRefusedUnchangedOrOvertakenSaySo) {
  v1::DeployResult result;
  AddOperation(result, app_.ref(), 2);
  v1::AppStatus newer = app_;
  newer.set_generation(5);
  newer.set_trace_id("event-9");
  v1::ObjectRef ref = app_.ref();
  ref.set_name("same");
  AddOperation(result, ref, 3).set_changed(false);
  ref.set_name("bad");
  AddOperation(result, ref, 0).set_accepted(false);
  TraceDetails trace;
  trace.id = "event-7";
  trace.result = result;
  trace.overtaken.push_back(newer);
  const std::string text = FormatTrace(trace, {});
  EXPECT_THAT(text, HasSubstr("Deployment shop/web  generation 2, overtaken by generation 5: "
                              "sealane trace event-9\n"));
  EXPECT_THAT(text, HasSubstr("Deployment shop/same  unchanged\n"));
  EXPECT_THAT(text, HasSubstr("Deployment shop/bad  refused\n"));
}

TEST_F(TraceTest, JsonHasTheTimesInMicroseconds) {
  Know();
  ASSERT_EQ(Run({"trace", "event-7", "-o", "json"}), kOk);
  const Json json = Json::parse(out_.str());
  EXPECT_EQ(json["traceId"], "event-7");
  EXPECT_EQ(json["receivedMicros"], kBegin);
  const Json& object = json["objects"][0];
  EXPECT_EQ(object["claimedMicros"], kBegin + 2'500);
  EXPECT_EQ(object["clusters"][0]["healthyMicros"], kBegin + 1'250'000);
  EXPECT_EQ(object["clusters"][1]["appliedMicros"], 0);
  EXPECT_EQ(object["clusters"][1]["renderedMicros"], kBegin + 13'000);
}

TEST_F(TraceTest, WhatIsNotKnownAndWhatIsNoNameIsSaid) {
  EXPECT_EQ(Run({"trace", "nothing"}), kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("there is no event or application nothing"));
  EXPECT_EQ(Run({"trace"}), kUsage);
  EXPECT_EQ(Run({"trace", "a/b/c"}), kUsage);
  EXPECT_EQ(Run({"trace", "x", "-o", "wide"}), kUsage);
  reachable_ = false;
  EXPECT_EQ(Run({"trace", "x"}), kUnreachable);
}

TEST(FormatOffsetTest, IsAsFineAsItNeedsToBe) {
  EXPECT_EQ(FormatOffset(1, 0), "-");
  EXPECT_EQ(FormatOffset(kBegin, kBegin), "+0.0ms");
  EXPECT_EQ(FormatOffset(kBegin, kBegin - 5), "+0.0ms");
  EXPECT_EQ(FormatOffset(kBegin, kBegin + 9'900), "+9.9ms");
  EXPECT_EQ(FormatOffset(kBegin, kBegin + 10'000), "+10ms");
  EXPECT_EQ(FormatOffset(kBegin, kBegin + 59'990'000), "+59.99s");
  EXPECT_EQ(FormatOffset(kBegin, kBegin + 200'000'000), "+3m20s");
}

}  // namespace
}  // namespace sealane::cli
