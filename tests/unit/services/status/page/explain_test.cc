// /api/explain: the scheduler's reasons.

#include <deque>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/page/page_fixture.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kPath = "/api/explain?group=apps&kind=Deployment&namespace=n&name=web";

class ExplainTest : public PageTest {
 protected:
  ExplainTest() {
    Register("a");
    Deploy("web", {"a"});
  }

  // A scheduler that gives `answer_` to everything; without one it keeps silent.
  void Serve() {
    scheduler_ = std::make_unique<QueryServer>(
        *hub_, hub::Query("scheduler"),
        [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
          asked_ = request;
          kept_.push_back(answer);
          if (silent_) return;
          if (!error_.empty()) return answer->Fail(error_);
          answer->Send(answer_);
          answer->End();
        });
    Settle();
  }
  static v1::ClusterDecision& Decide(v1::Placed& row, const std::string& cluster, int replicas,
                                     const std::vector<std::string>& reasons = {}) {
    v1::ClusterDecision& decision = *row.add_decisions();
    decision.set_cluster(cluster);
    decision.set_selected(replicas > 0);
    decision.set_replicas(replicas);
    decision.set_available_replicas(-1);
    for (const std::string& reason : reasons) decision.add_reasons(reason);
    return decision;
  }

  v1::QueryRequest asked_;
  v1::QueryReply answer_;
  std::string error_;
  bool silent_ = false;
  std::deque<std::shared_ptr<QueryAnswer>> kept_;
  std::unique_ptr<QueryServer> scheduler_;
};

TEST_F(ExplainTest, TellsWhyHere) {
  Serve();
  v1::Placed& row = *answer_.add_placements();
  row.set_state("Scheduled");
  row.set_message("2/4 clusters fit");
  row.set_cause("first placement");
  row.set_scheduled_micros(5'000'000);
  v1::TargetCluster& target = *row.add_clusters();
  target.set_name("c");
  target.set_replicas(2);
  v1::Eviction& eviction = *row.add_evictions();
  eviction.set_cluster("d");
  eviction.set_reason("it failed");
  eviction.add_replaced_by("c");
  v1::Placed& decisions = *answer_.add_placements();
  Decide(decisions, "d", 0, {"TaintToleration: untolerated taint {x}", "ClusterAffinity: no"});
  Decide(decisions, "b", 0, {"TaintToleration: untolerated taint {x}"});
  Decide(decisions, "a", 0).set_note("has less room");
  v1::ClusterDecision& chosen = Decide(decisions, "c", 2);
  (*chosen.mutable_scores())["Room"] = 70;
  chosen.set_available_replicas(9);
  chosen.set_note("weight 2");
  v1::Placed& group = *answer_.add_placements();  // another group of clusterAffinities
  group.set_state("NoClusterFit");
  group.set_affinity_name("backup");
  Decide(group, "z", 0, {"ClusterAffinity: no"});
  answer_.set_body(Json{{"strategy", "2 replicas divided"}, {"outcome", "Scheduled"}}.dump());

  const auto writer = Get(kPath);
  EXPECT_EQ(writer->response.status, 0) << "the scheduler is asked first";
  Settle();
  ASSERT_EQ(writer->response.status, 200) << writer->response.body;
  EXPECT_EQ(asked_.what(), "explain");
  EXPECT_EQ(asked_.name(), "web");
  EXPECT_EQ(asked_.group(), "apps");
  const Json answer = Json::parse(writer->response.body);
  EXPECT_EQ(answer["strategy"], "2 replicas divided");
  EXPECT_EQ(answer["cause"], "first placement");
  EXPECT_EQ(answer["scheduled"], 5000);
  EXPECT_EQ(answer["clusters"], (Json::array({{{"cluster", "c"}, {"replicas", 2}}})));
  EXPECT_EQ(answer["evictions"][0]["replacedBy"], (Json::array({"c"})));
  EXPECT_EQ(answer["selected"], 1);
  EXPECT_EQ(answer["feasible"], 1);
  EXPECT_EQ(answer["refused"], 2);
  EXPECT_EQ(answer["reasons"], (Json::array({{{"filter", "ClusterAffinity"}, {"clusters", 1}},
                                             {{"filter", "TaintToleration"}, {"clusters", 2}}})));
  std::vector<std::string> order;
  for (const Json& decision : answer["decisions"]) order.push_back(decision["cluster"]);
  EXPECT_THAT(order, ElementsAre("c", "a", "b", "d")) << "chosen, possible, refused";
  EXPECT_EQ(answer["decisions"][0]["scores"], (Json{{"Room", 70}}));
  EXPECT_EQ(answer["decisions"][0]["available"], 9);
  EXPECT_FALSE(answer["decisions"][1].contains("available"));
}

TEST_F(ExplainTest, ManyClustersComeInSlices) {
  Serve();
  answer_.add_placements();
  v1::Placed& decisions = *answer_.add_placements();
  for (int i = 100; i < 350; ++i) Decide(decisions, StrCat("c", i), 0, {"Filter: x"});
  const auto ask = [&](const std::string& more) {
    const auto writer = Get(StrCat(kPath, more));
    Settle();
    return Json::parse(writer->response.body);
  };
  Json answer = ask("");
  EXPECT_EQ(answer["decisions"].size(), 100U);
  EXPECT_EQ(answer["decisionCount"], 250);
  EXPECT_EQ(answer["next"], 100);
  answer = ask("&from=200&limit=200");
  EXPECT_EQ(answer["decisions"].size(), 50U);
  EXPECT_EQ(answer["decisions"][0]["cluster"], "c300");
  EXPECT_FALSE(answer.contains("next"));
  EXPECT_EQ(ask("&from=999")["decisions"], Json::array());
}

TEST_F(ExplainTest, OnlyWhatIsThereIsAskedFor) {
  Serve();
  const auto writer = Get("/api/explain?group=apps&kind=Deployment&namespace=n&name=none");
  EXPECT_EQ(writer->response.status, 404);
  Settle();
  EXPECT_EQ(asked_.what(), "");
}

TEST_F(ExplainTest, WhatTheSchedulerRefusesIsTold) {
  Serve();
  error_ = "no policy claims an object of this name";
  const auto writer = Get(kPath);
  Settle();
  EXPECT_EQ(writer->response.status, 404);
  EXPECT_THAT(writer->response.body, HasSubstr(error_));
}

TEST_F(ExplainTest, WithoutASchedulerItSaysSo) {
  const auto writer = Get(kPath);
  sim_.RunFor(absl::Seconds(6));
  EXPECT_EQ(writer->response.status, 503);
  EXPECT_THAT(writer->response.body, HasSubstr("scheduler"));
}

TEST_F(ExplainTest, FewQuestionsAreAskedAtATime) {
  Serve();
  silent_ = true;
  std::vector<std::shared_ptr<FakeWriter>> writers;
  for (int i = 0; i < 4; ++i) writers.push_back(Get(kPath));
  const auto refused = Get(kPath);
  EXPECT_EQ(refused->response.status, 429);
  EXPECT_EQ(refused->response.headers.Get("Retry-After"), "1");
  sim_.RunFor(absl::Seconds(6));
  for (const auto& writer : writers) EXPECT_EQ(writer->response.status, 503);
  silent_ = false;
  answer_.add_placements();
  const auto again = Get(kPath);
  Settle();
  EXPECT_EQ(again->response.status, 200) << "their places are free again";
}

}  // namespace
}  // namespace sealane::status
