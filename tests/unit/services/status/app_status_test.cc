#include "services/status/app_status.h"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::status {
namespace {

using ::testing::HasSubstr;

class AppStatusTest : public ::testing::Test {
 protected:
  AppStatusTest() {
    object_.api_version = "apps/v1";
    object_.uid = "u1";
    object_.generation = 2;
    binding_.policy = "PropagationPolicy n/p";
    binding_.replicas = 4;
    placement_.state = "Scheduled";
  }

  void Place(const std::string& cluster, int replicas) {
    placement_.targets.push_back({names_.Id(cluster), replicas});
    words_[cluster] = {.registered = true, .readiness = Readiness::kTrue};
  }

  // The cluster's agent says that it runs that generation of the object with so many ready
  // replicas.
  void Report(const std::string& cluster, int64_t generation, int ready, const char* health,
              v1::WorkStatus::State state = v1::WorkStatus::APPLIED) {
    v1::WorkStatus word;
    word.set_cluster(cluster);
    word.mutable_fence()->set_uid("u1");
    word.set_state(state);
    word.set_health(health);
    word.set_object_generation(generation);
    word.set_member_generation(5);
    word.set_observed_generation(5);
    word.set_status_json(Json{
        {"replicas", ready},
        {"updatedReplicas", ready},
        {"readyReplicas", ready},
        {"availableReplicas", ready},
        {"generation", 5},
        {"observedGeneration", 5},
        {"resourceTemplateGeneration",
         generation}}.dump());
    if (state == v1::WorkStatus::FAILED) {
      word.set_reason("Invalid");
      word.set_message("spec.replicas: must not be negative");
    }
    works_.insert_or_assign(cluster, FactsOf(std::move(word), names_, now_));
  }

  v1::AppStatus Compute() {
    const std::function<ClusterWord(uint32_t)> word = [this](uint32_t id) {
      const auto it = words_.find(names_.Name(id));
      return it == words_.end() ? ClusterWord{} : it->second;
    };
    AppInput input{.key = key_,
                   .object = object_,
                   .binding = bound_ ? &binding_ : nullptr,
                   .placement = placed_ ? &placement_ : nullptr,
                   .works = {},
                   .published = published_.uid_hash != 0 ? &published_ : nullptr,
                   .names = names_,
                   .cluster_word = word,
                   .now_micros = now_};
    for (const auto& work : works_) input.works.push_back(&work.second);
    v1::AppStatus row = ComputeAppStatus(input);
    published_ = FactsOf(row, names_);
    now_ += 1000;
    return row;
  }
  std::string Phase() { return Compute().phase(); }

  ObjectKey key_{"apps", "Deployment", "n", "web"};
  ObjectFacts object_;
  BindingFacts binding_;
  PlacementFacts placement_;
  bool bound_ = true;
  bool placed_ = true;
  std::map<std::string, WorkFacts> works_;
  std::map<std::string, ClusterWord> words_;
  ClusterNames names_;
  Published published_;
  int64_t now_ = 1'000'000;
};

TEST_F(AppStatusTest, PhasesFromBirthToHealth) {
  bound_ = placed_ = false;
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kPending);
  EXPECT_EQ(row.message(), "no policy selects it");
  bound_ = true;
  row = Compute();
  EXPECT_EQ(row.phase(), kPending);
  EXPECT_EQ(row.replicas().wanted(), 4);
  placed_ = true;
  placement_.state = "NoClusterFit";
  placement_.message = "0/2 clusters are available";
  EXPECT_EQ(Compute().message(), "0/2 clusters are available");
  placement_.state = "Scheduled";
  Place("a", 2);
  Place("b", 2);
  EXPECT_EQ(Phase(), kScheduled);
  Report("a", 2, 2, "Healthy");
  row = Compute();
  EXPECT_EQ(row.phase(), kApplying);
  EXPECT_EQ(row.observed_generation(), 0);
  EXPECT_EQ(row.clusters(0).state(), "Applied");
  EXPECT_EQ(row.clusters(1).state(), "Pending");
  Report("b", 2, 1, "Unhealthy");
  row = Compute();
  EXPECT_EQ(row.phase(), kProgressing);
  EXPECT_EQ(row.observed_generation(), 2);
  EXPECT_EQ(row.replicas().wanted(), 4);
  EXPECT_EQ(row.replicas().ready(), 3);
  EXPECT_GT(row.clusters(1).unhealthy_since_micros(), 0);
  Report("b", 2, 2, "Healthy");
  row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  EXPECT_EQ(row.clusters(1).unhealthy_since_micros(), 0);
  EXPECT_GT(row.clusters(1).healthy_micros(), 0);
  EXPECT_EQ(Json::parse(row.status_json())["readyReplicas"], 4);
  EXPECT_EQ(Json::parse(row.status_json())["observedGeneration"], 2);
}

TEST_F(AppStatusTest, UnhealthyAfterHealthIsDegraded) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  ASSERT_EQ(Phase(), kHealthy);
  Report("a", 2, 1, "Unhealthy");
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kDegraded);
  const int64_t since = row.clusters(0).unhealthy_since_micros();
  EXPECT_EQ(Compute().clusters(0).unhealthy_since_micros(), since);
}

TEST_F(AppStatusTest, NewGenerationIsObservedWhenItRunsEverywhere) {
  Place("a", 2);
  Place("b", 2);
  Report("a", 2, 2, "Healthy");
  Report("b", 2, 2, "Healthy");
  ASSERT_EQ(Compute().observed_generation(), 2);
  object_.generation = 3;
  Report("a", 3, 2, "Healthy");
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kApplying);
  EXPECT_EQ(row.observed_generation(), 2);
  EXPECT_EQ(Json::parse(row.status_json())["observedGeneration"], 2);
  Report("b", 3, 2, "Healthy");
  row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  EXPECT_EQ(row.observed_generation(), 3);
}

TEST_F(AppStatusTest, LostClusterIsShownAsLost) {
  Place("a", 2);
  Place("b", 2);
  Report("a", 2, 2, "Healthy");
  Report("b", 2, 2, "Healthy");
  ASSERT_EQ(Phase(), kHealthy);
  words_["b"].readiness = Readiness::kUnknown;
  words_["b"].last_heartbeat_micros = 7'000'000;
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kDegraded);
  EXPECT_EQ(row.clusters(1).state(), "Lost");
  EXPECT_EQ(row.clusters(1).health(), "Unknown");
  EXPECT_EQ(row.clusters(1).replicas().ready(), 0);
  EXPECT_EQ(row.clusters(1).last_word_micros(), 7'000'000);
  EXPECT_EQ(row.replicas().ready(), 2);
  EXPECT_EQ(row.replicas().wanted(), 4);
  EXPECT_EQ(Json::parse(row.status_json())["readyReplicas"], 2);
  EXPECT_THAT(row.message(), HasSubstr("b: ClusterLost"));
}

TEST_F(AppStatusTest, AClusterWhoseApiServerIsAwaySaysNothingGood) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  ASSERT_EQ(Phase(), kHealthy);
  words_["a"].readiness = Readiness::kFalse;
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kDegraded);
  EXPECT_EQ(row.clusters(0).reason(), "ClusterNotReady");
  EXPECT_EQ(row.clusters(0).health(), "Unknown");
  EXPECT_EQ(row.replicas().ready(), 0);
}

TEST_F(AppStatusTest, StateThatIsTakenAlongIsReadFromTheStatus) {
  v1::Binding binding;
  auto& rules = *binding.mutable_failover()->mutable_application()->mutable_state_preservation();
  const auto add = [&](const char* label, const char* path) {
    v1::StatePreservationRule& rule = *rules.add_rules();
    rule.set_alias_label_name(label);
    rule.set_json_path(path);
  };
  add("ready", "{.readyReplicas}");
  add("missing", "{.jobId}");
  add("whole", "{.conditions}");
  binding_ = FactsOf(binding, names_);
  Place("a", 2);
  Report("a", 2, 1, "Unhealthy");
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.clusters(0).preserved_labels().size(), 1u);
  EXPECT_EQ(row.clusters(0).preserved_labels().at("ready"), "1");
  // The last word of a lost cluster is what is left of it.
  words_["a"].readiness = Readiness::kUnknown;
  row = Compute();
  EXPECT_EQ(row.clusters(0).preserved_labels().at("ready"), "1");
}

TEST_F(AppStatusTest, RefusedByAClusterSaysWhy) {
  Place("a", 2);
  Report("a", 2, 0, "Unknown", v1::WorkStatus::FAILED);
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kFailed);
  EXPECT_EQ(row.clusters(0).reason(), "Invalid");
  EXPECT_THAT(row.message(), HasSubstr("a: Invalid: spec.replicas"));
  Place("b", 2);
  Report("b", 2, 2, "Healthy");
  EXPECT_EQ(Phase(), kDegraded);
}

TEST_F(AppStatusTest, ARefusalByOneIsNotTheEndWhileOthersWorkAtIt) {
  Place("a", 2);
  Place("b", 2);
  Report("a", 2, 0, "Unknown", v1::WorkStatus::FAILED);
  EXPECT_EQ(Phase(), kApplying) << "b has not spoken yet";
  Report("b", 2, 1, "Unhealthy");
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kProgressing);
  EXPECT_THAT(row.message(), HasSubstr("a: Invalid: spec.replicas"));
  Report("b", 2, 2, "Healthy");
  EXPECT_EQ(Phase(), kDegraded);
  Report("b", 2, 1, "Unhealthy");
  EXPECT_EQ(Phase(), kDegraded) << "it was up there";
  Report("b", 2, 0, "Unknown", v1::WorkStatus::FAILED);
  EXPECT_EQ(Phase(), kFailed);
}

TEST_F(AppStatusTest, AGenerationThatNoControllerHasSeenIsNotObserved) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  works_.at("a").observed_generation = 0;
  works_.at("a").status_json = "{}";
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.observed_generation(), 0);
  EXPECT_EQ(row.phase(), kApplying);
  // A ConfigMap has no controller that could say so.
  key_ = {"", "ConfigMap", "n", "web"};
  object_.api_version = "v1";
  row = Compute();
  EXPECT_EQ(row.observed_generation(), 2);
  EXPECT_EQ(row.phase(), kHealthy);
}

TEST_F(AppStatusTest, ClusterThatShouldNotRunItIsRemoving) {
  Place("a", 4);
  Report("a", 2, 4, "Healthy");
  words_["b"] = {.registered = true, .readiness = Readiness::kTrue};
  Report("b", 2, 4, "Healthy");
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  ASSERT_EQ(row.clusters_size(), 2);
  EXPECT_EQ(row.clusters(1).state(), "Removing");
  EXPECT_EQ(row.replicas().ready(), 4);
}

TEST_F(AppStatusTest, WordsAboutAnEarlierObjectDoNotCount) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  ASSERT_EQ(Phase(), kHealthy);
  object_.uid = "u2";
  object_.generation = 1;
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kScheduled);
  EXPECT_EQ(row.observed_generation(), 0);
  EXPECT_EQ(row.clusters(0).state(), "Pending");
}

TEST_F(AppStatusTest, FailedJobIsFailed) {
  key_ = {"batch", "Job", "n", "j"};
  object_.api_version = "batch/v1";
  Place("a", 1);
  Report("a", 2, 0, "Unhealthy");
  works_.at("a").status_json = R"({"failed":3,"conditions":[{"type":"Failed","status":"True"}]})";
  EXPECT_EQ(Phase(), kFailed);
}

TEST_F(AppStatusTest, UnknownKindsTellEachClustersStatus) {
  key_ = {"x.io", "Thing", "n", "t"};
  object_.api_version = "x.io/v1";
  Place("a", 0);
  Report("a", 2, 0, "Healthy");
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  EXPECT_TRUE(row.status_json().empty());
  EXPECT_FALSE(row.clusters(0).status_json().empty());
}

TEST_F(AppStatusTest, AClusterThatCannotBeRenderedForSaysWhy) {
  Place("a", 2);
  Place("b", 2);
  Report("a", 2, 2, "Healthy");
  Report("b", 1, 2, "Healthy");
  binding_.render_errors["b"] = "OverridePolicy n/o rule 0: plaintext[0]: /x: no such field";
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kDegraded);
  ASSERT_EQ(row.render_errors_size(), 1);
  EXPECT_EQ(row.render_errors(0), "b: OverridePolicy n/o rule 0: plaintext[0]: /x: no such field");
  EXPECT_EQ(row.clusters(0).state(), "Applied");
  EXPECT_EQ(row.clusters(1).state(), "Failed");
  EXPECT_EQ(row.clusters(1).reason(), "RenderFailed");
  EXPECT_THAT(row.clusters(1).message(), HasSubstr("OverridePolicy n/o rule 0"));
  EXPECT_EQ(row.clusters(1).applied_generation(), 1) << "its last good work is in force";
  EXPECT_THAT(row.message(), HasSubstr("b: RenderFailed"));
  binding_.render_errors.clear();
  EXPECT_EQ(Compute().render_errors_size(), 0);
}

TEST_F(AppStatusTest, AnUnclaimedObjectSaysSo) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  binding_.policy.clear();
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  EXPECT_THAT(row.message(), HasSubstr("no policy claims it any more"));
}

TEST_F(AppStatusTest, WhereDispatchingIsSuspendedIsSaid) {
  Place("a", 2);
  Place("b", 2);
  Report("a", 2, 2, "Healthy");
  binding_.suspended_in.insert("b");
  v1::AppStatus row = Compute();
  EXPECT_EQ(row.clusters(0).reason(), "");
  EXPECT_EQ(row.clusters(1).reason(), "Suspended");
  EXPECT_THAT(row.message(), HasSubstr("b: Suspended: its policy suspends dispatching"));
  binding_.suspended_in.clear();
  binding_.suspended = true;
  EXPECT_EQ(Compute().clusters(0).reason(), "") << "it runs the newest already";
  EXPECT_EQ(Compute().clusters(1).reason(), "Suspended");
}

TEST_F(AppStatusTest, WhatFollowsOthersIsWhereTheyAre) {
  placed_ = false;
  binding_.policy.clear();
  binding_.replicas = 0;
  for (const char* cluster : {"a", "b"}) {
    binding_.attached_to.push_back(names_.Id(cluster));
    words_[cluster] = {.registered = true, .readiness = Readiness::kTrue};
  }
  Report("a", 2, 0, "Healthy");
  EXPECT_EQ(Phase(), kApplying);
  Report("b", 2, 0, "Healthy");
  const v1::AppStatus row = Compute();
  EXPECT_EQ(row.phase(), kHealthy);
  EXPECT_EQ(row.message(), "2 of 2 clusters healthy");
  EXPECT_EQ(row.clusters(0).state(), "Applied");
}

TEST_F(AppStatusTest, DeletingIsAPhase) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  object_.deleting = true;
  EXPECT_EQ(Phase(), kDeleting);
}

TEST_F(AppStatusTest, SameInputSameRow) {
  Place("a", 2);
  Report("a", 2, 2, "Healthy");
  const uint64_t hash = ContentHash(Compute());
  EXPECT_EQ(ContentHash(Compute()), hash);
  Report("a", 2, 1, "Unhealthy");
  EXPECT_NE(ContentHash(Compute()), hash);
}

TEST_F(AppStatusTest, StaleWordsAreKnownByIncarnationThenCounter) {
  WorkFacts known;
  known.incarnation = 5;
  known.counter = 10;
  const auto stale = [&](int64_t incarnation, int64_t counter) {
    WorkFacts word;
    word.incarnation = incarnation;
    word.counter = counter;
    return IsStale(known, word);
  };
  EXPECT_TRUE(stale(4, 99));
  EXPECT_TRUE(stale(5, 10));
  EXPECT_FALSE(stale(5, 11));
  EXPECT_FALSE(stale(6, 1));
}

}  // namespace
}  // namespace sealane::status
