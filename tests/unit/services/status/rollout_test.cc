// How far a generation has come: the times in its row, the steps that metrics count, and what is
// told of single applications.

#include "services/status/rollout.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int64_t kMs = 1000;

std::vector<std::string> Words(const std::vector<TakenStep>& steps) {
  std::vector<std::string> words;
  for (const TakenStep& step : steps) {
    words.push_back(StrCat(Name(step.step), " ", static_cast<int64_t>(step.seconds * 1000 + 0.5)));
  }
  return words;
}

class NewStepsTest : public ::testing::Test {
 protected:
  NewStepsTest() {
    row_.set_uid("u");
    row_.set_generation(2);
    row_.set_accepted_micros(100 * kMs);
    row_.set_claimed_micros(103 * kMs);
    for (const char* name : {"a", "b"}) {
      v1::ClusterAppStatus* cluster = row_.add_clusters();
      cluster->set_cluster(name);
      cluster->set_placed_micros(110 * kMs);
      cluster->set_applied_generation(1);  // the one before
      cluster->set_applied_micros(1);
      cluster->set_healthy_micros(2);
    }
  }
  void Apply(int i, int64_t rendered, int64_t applied, int64_t healthy) {
    v1::ClusterAppStatus& cluster = *row_.mutable_clusters(i);
    cluster.set_applied_generation(row_.generation());
    cluster.set_rendered_micros(rendered * kMs);
    cluster.set_applied_micros(applied * kMs);
    cluster.set_healthy_micros(healthy * kMs);
  }
  // The steps since the last call.
  std::vector<std::string> Take() {
    const std::vector<TakenStep> steps = NewSteps(known_ ? &published_ : nullptr, row_, names_);
    published_ = FactsOf(row_, names_);
    known_ = true;
    return Words(steps);
  }

  v1::AppStatus row_;
  ClusterNames names_;
  Published published_;
  bool known_ = false;
};

TEST_F(NewStepsTest, EachStepIsTakenOnceAndCountsFromTheOneBefore) {
  EXPECT_THAT(Take(), ElementsAre("claimed 3", "placed 7"));
  EXPECT_THAT(Take(), IsEmpty());
  Apply(1, 115, 135, 0);
  EXPECT_THAT(Take(), ElementsAre("rendered 5", "applied 20"));
  Apply(0, 116, 126, 226);
  Apply(1, 115, 135, 435);
  EXPECT_THAT(Take(),
              UnorderedElementsAre("rendered 6", "applied 10", "healthy 100", "healthy 300"));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(NewStepsTest, AnotherGenerationBeginsAnewAndSoDoesAnotherObjectOfTheName) {
  Apply(0, 116, 126, 226);
  Apply(1, 116, 126, 226);
  Take();
  row_.set_generation(3);
  row_.set_accepted_micros(1000 * kMs);
  row_.set_claimed_micros(1001 * kMs);
  for (v1::ClusterAppStatus& cluster : *row_.mutable_clusters()) {
    cluster.set_placed_micros(1003 * kMs);
    cluster.clear_rendered_micros();  // it still runs generation 2
  }
  EXPECT_THAT(Take(), ElementsAre("claimed 1", "placed 2"));
  Apply(0, 1004, 1014, 1015);
  EXPECT_THAT(Take(), ElementsAre("rendered 1", "applied 10", "healthy 1"));
  row_.set_uid("another");
  EXPECT_THAT(Take(),
              ElementsAre("claimed 1", "rendered 1", "applied 10", "healthy 1", "placed 2"));
}

TEST_F(NewStepsTest, AClusterThatTakesOverLaterIsNotPlacedAnew) {
  Apply(0, 116, 126, 226);
  Apply(1, 116, 126, 226);
  Take();
  v1::ClusterAppStatus* cluster = row_.add_clusters();
  cluster->set_cluster("c");
  cluster->set_placed_micros(90'000 * kMs);
  EXPECT_THAT(Take(), IsEmpty());
  Apply(2, 90'002, 90'005, 90'006);
  EXPECT_THAT(Take(), ElementsAre("rendered 2", "applied 3", "healthy 1"));
}

TEST_F(NewStepsTest, ClocksThatContradictEachOtherGiveZeroAndUnknownTimesNothing) {
  Apply(0, 116, 90, 95);
  EXPECT_THAT(Take(), ElementsAre("claimed 3", "rendered 6", "applied 0", "healthy 5", "placed 7"));
  known_ = false;
  row_.clear_claimed_micros();  // of a version that did not tell
  EXPECT_THAT(Take(), IsEmpty());
  known_ = false;
  row_.set_claimed_micros(103 * kMs);
  row_.set_deleting(true);
  EXPECT_THAT(Take(), IsEmpty());
}

// The whole service: rows of the tables in, times and metrics out.
class RolloutTest : public StatusServiceTest {
 protected:
  // As Deploy, with the times that the services give the rows.
  void DeployGeneration(int64_t generation, const std::vector<std::string>& clusters,
                        int64_t begin_micros) {
    v1::StoredObject object;
    Identify(*object.mutable_ref(), "apps/v1", "Deployment", "n", "web");
    object.set_uid("uid-web");
    object.set_generation(generation);
    object.set_trace_id(StrCat("trace-", generation));
    object.set_updated_micros(begin_micros);
    object.set_manifest("{}");
    v1::Binding binding;
    *binding.mutable_ref() = object.ref();
    Identify(*binding.mutable_policy(), "policy.karmada.io/v1alpha1", "PropagationPolicy", "n",
             "p");
    binding.set_revision(generation);
    binding.set_object_generation(generation);
    binding.set_claimed_micros(begin_micros + 2 * kMs);
    v1::Placed placed;
    *placed.mutable_ref() = object.ref();
    placed.set_state("Scheduled");
    placed.set_binding_revision(generation);
    placed.set_scheduled_micros(begin_micros + 5 * kMs);
    for (const std::string& cluster : clusters) {
      v1::TargetCluster* target = placed.add_clusters();
      target->set_name(cluster);
      target->set_replicas(2);
    }
    const std::string key = RowKey(object.ref());
    Put(kObjectsTable, key, object.SerializeAsString());
    Put(kBindingsTable, key, binding.SerializeAsString());
    Put(kPlacementsTable, key, placed.SerializeAsString());
  }
  v1::WorkStatus Word(const std::string& cluster, int64_t generation, int64_t rendered_micros,
                      int ready = 2) {
    v1::WorkStatus word = MakeWord(cluster, "web", ready);
    word.set_object_generation(generation);
    word.mutable_fence()->set_version(rendered_micros);
    word.set_applied_micros(rendered_micros + 10 * kMs);
    return word;
  }
  double Steps(std::string_view step) {
    return Metric(StrCat("sealane_status_rollout_step_seconds_count{step=\"", step, "\"}"));
  }
  // All that is told of the application "web" under this name.
  std::vector<std::string> OfApp(std::string_view name) {
    std::vector<std::string> found;
    const std::string text = registry_->Expose();
    const std::string begin = StrCat("\n", name, "{");
    for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
      const size_t from = at + begin.size();
      found.push_back(text.substr(from, text.find('\n', from) - from));
    }
    return found;
  }
};

TEST_F(RolloutTest, TheRowHasTheFirstTimeOfEachStepOfItsGeneration) {
  EXPECT_EQ(Steps("claimed"), 0) << "every series exists from the start";
  Register("a");
  Beat("a");
  DeployGeneration(1, {"a"}, 1'000'000);
  ASSERT_NE(App("web"), nullptr);
  EXPECT_EQ(App("web")->accepted_micros(), 1'000'000);
  EXPECT_EQ(App("web")->claimed_micros(), 1'000'000 + 2 * kMs);
  EXPECT_EQ(App("web")->clusters(0).placed_micros(), 1'000'000 + 5 * kMs);
  EXPECT_EQ(App("web")->clusters(0).rendered_micros(), 0);
  Say(Word("a", 1, 1'006'000), "a");
  EXPECT_EQ(App("web")->clusters(0).rendered_micros(), 1'006'000);
  EXPECT_EQ(App("web")->clusters(0).applied_micros(), 1'016'000);
  for (const char* step : {"claimed", "placed", "rendered", "applied", "healthy"}) {
    EXPECT_EQ(Steps(step), 1) << step;
  }
  // Rendered again for another reason: the rollout of the generation is not that.
  Say(Word("a", 1, 9'000'000), "a");
  EXPECT_EQ(App("web")->clusters(0).rendered_micros(), 1'006'000);
  EXPECT_EQ(App("web")->clusters(0).applied_micros(), 1'016'000);
  EXPECT_EQ(Steps("applied"), 1);

  DeployGeneration(2, {"a"}, 20'000'000);
  EXPECT_EQ(App("web")->clusters(0).placed_micros(), 20'005'000);
  EXPECT_EQ(App("web")->clusters(0).rendered_micros(), 0);
  EXPECT_EQ(App("web")->clusters(0).applied_micros(), 1'016'000) << "of what it runs";
  Say(Word("a", 2, 20'006'000), "a");
  EXPECT_EQ(App("web")->clusters(0).rendered_micros(), 20'006'000);
  EXPECT_EQ(App("web")->clusters(0).applied_micros(), 20'016'000);
  EXPECT_EQ(Steps("placed"), 2);
  EXPECT_EQ(Steps("healthy"), 2);
}

TEST_F(RolloutTest, ARestartCountsNothingAgain) {
  Register("a");
  Beat("a");
  DeployGeneration(1, {"a"}, 1'000'000);
  Say(Word("a", 1, 1'006'000), "a");
  StartService();
  Beat("a");
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(Steps("claimed"), 0);
  EXPECT_EQ(Steps("applied"), 0);
  EXPECT_EQ(App("web")->clusters(0).placed_micros(), 1'005'000);
}

TEST_F(RolloutTest, AppsAndEventsOfATraceAreFound) {
  Register("a");
  Beat("a");
  DeployGeneration(1, {"a"}, 1'000'000);
  Deploy("other", {"a"});
  Say(Word("a", 1, 1'006'000), "a");
  for (const char* what : {"apps", "events"}) {
    v1::QueryRequest request;
    request.set_what(what);
    (*request.mutable_options())["trace"] = "trace-1";
    const auto reply = Ask(request);
    ASSERT_OK(reply);
    EXPECT_EQ(reply->apps_size() + reply->events_size(), 1) << what;
    (*request.mutable_options())["trace"] = "trace-2";
    EXPECT_EQ(Ask(request)->apps_size() + Ask(request)->events_size(), 0) << what;
  }
}

TEST_F(RolloutTest, ApplicationsBecomeLabelsOnlyWhenAskedFor) {
  Register("a");
  Beat("a");
  DeployGeneration(1, {"a"}, 1'000'000);
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(registry_->Expose().find("sealane_app_"), std::string::npos);
  EXPECT_EQ(registry_->Expose().find("\"web\""), std::string::npos);

  options_.per_app_metrics = 1;
  StartService();
  EXPECT_THAT(OfApp("sealane_app_phase"),
              ElementsAre(R"(kind="Deployment",name="web",namespace="n",phase="Scheduled"} 1)"));
  Deploy("beyond", {"a"});
  EXPECT_EQ(Metric("sealane_status_apps_without_metrics"), 1);
  Say(Word("a", 1, 1'006'000), "a");
  EXPECT_THAT(OfApp("sealane_app_phase"),
              ElementsAre(R"(kind="Deployment",name="web",namespace="n",phase="Healthy"} 1)"))
      << "the earlier phase is not told any more";
  EXPECT_THAT(OfApp("sealane_app_replicas"),
              UnorderedElementsAre(
                  R"(cluster="a",kind="Deployment",name="web",namespace="n",state="wanted"} 2)",
                  R"(cluster="a",kind="Deployment",name="web",namespace="n",state="ready"} 2)"));
  EXPECT_EQ(OfApp("sealane_app_clusters").size(), 3U);
  EXPECT_EQ(OfApp("sealane_app_rollout_step_seconds").size(), 5U);
  Put(kObjectsTable, RowKey(ObjectKey{"apps", "Deployment", "n", "web"}), "");
  EXPECT_EQ(registry_->Expose().find("\"web\""), std::string::npos);
}

TEST_F(RolloutTest, ClustersTellFailuresByReasonRepairsOfDriftAndReadiness) {
  Register("a");
  Register("b");
  Beat("a");
  Deploy("web", {"a"});
  v1::WorkStatus failed = MakeWord("a", "web", 0);
  failed.set_state(v1::WorkStatus::FAILED);
  failed.set_reason("Invalid");
  Say(failed, "a");
  BeatFor({"a"}, absl::Seconds(10));
  EXPECT_EQ(Metric(R"(sealane_works_failed{cluster="a",reason="Invalid"})"), 1);
  EXPECT_EQ(Metric(R"(sealane_works_failed{cluster="a",reason="Other"})"), 0);
  EXPECT_EQ(Metric(R"(sealane_cluster_ready{cluster="a"})"), 1);
  EXPECT_EQ(Metric(R"(sealane_cluster_ready{cluster="b"})"), 0);
  EXPECT_EQ(Metric(R"(sealane_cluster_drift_repairs_total{cluster="a"})"), 0);

  v1::WorkStatus repaired = MakeWord("a", "web", 2);
  repaired.set_drift_repairs(3);
  Say(repaired, "a");
  repaired.set_counter(++counter_);
  repaired.set_state(v1::WorkStatus::FAILED);
  repaired.set_reason("AWebhooksOwnInvention");
  Say(repaired, "a");
  BeatFor({"a"}, absl::Seconds(10));
  EXPECT_EQ(Metric(R"(sealane_works_failed{cluster="a",reason="Invalid"})"), 0) << "stays, at 0";
  EXPECT_EQ(Metric(R"(sealane_works_failed{cluster="a",reason="Other"})"), 1);
  EXPECT_EQ(Metric(R"(sealane_cluster_drift_repairs_total{cluster="a"})"), 3);
}

}  // namespace
}  // namespace sealane::status
