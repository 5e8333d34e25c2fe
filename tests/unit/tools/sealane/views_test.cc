#include "tools/sealane/views.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "tests/support/status_matchers.h"
#include "tools/sealane/apps.h"

namespace sealane::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'700'000'000'000'000;

v1::ObjectRef Ref(std::string_view kind, std::string_view ns, std::string_view name) {
  v1::ObjectRef ref;
  ref.set_api_version(kind == "Deployment" ? "apps/v1" : "v1");
  ref.set_kind(std::string(kind));
  ref.set_namespace_(std::string(ns));
  ref.set_name(std::string(name));
  return ref;
}

v1::AppStatus Classroom() {
  v1::AppStatus app;
  *app.mutable_ref() = Ref("Deployment", "classroom", "classroom");
  app.set_generation(2);
  app.set_observed_generation(1);
  app.set_phase("Progressing");
  app.set_policy("PropagationPolicy classroom/classroom");
  app.mutable_replicas()->set_wanted(6);
  app.mutable_replicas()->set_ready(4);
  app.set_updated_micros(kNow - 3'000'000);
  for (const auto& [name, wanted, ready] :
       {std::tuple{"aliyun-beijing", 3, 3}, std::tuple{"aws-virginia", 3, 1}}) {
    v1::ClusterAppStatus* cluster = app.add_clusters();
    cluster->set_cluster(name);
    cluster->mutable_replicas()->set_wanted(wanted);
    cluster->mutable_replicas()->set_ready(ready);
    cluster->set_health(wanted == ready ? "Healthy" : "Unhealthy");
    cluster->set_state("Applied");
    cluster->set_last_word_micros(kNow - 1'000'000);
  }
  app.mutable_clusters(1)->set_message("2 pods: no room");
  return app;
}

v1::Work Work(std::string_view cluster, std::string_view region) {
  v1::Work work;
  work.set_cluster(std::string(cluster));
  *work.mutable_ref() = Ref("Deployment", "classroom", "classroom");
  work.mutable_fence()->set_uid("u");
  work.mutable_fence()->set_version(7);
  work.set_rendered_micros(kNow - 60'000'000);
  const Json manifest = {
      {"metadata", {{"labels", {{"region", region}}}}},
      {"spec",
       {{"template",
         {{"spec",
           {{"containers", {{{"name", "web"}, {"image", std::string(region) + "/web:1"}}}}}}}}}}};
  work.set_manifest(manifest.dump());
  return work;
}

TEST(FormatAppsTest, OneLineForEach) {
  v1::QueryReply reply;
  *reply.add_apps() = Classroom();
  v1::AppStatus* config = reply.add_apps();
  *config->mutable_ref() = Ref("ConfigMap", "classroom", "settings");
  config->set_phase("Pending");
  config->set_message("no policy claims it");
  ViewOptions options;
  options.now_micros = kNow;
  options.show_namespace = true;
  EXPECT_EQ(FormatApps(reply, options),
            "NAMESPACE  KIND        NAME       PHASE        READY  CLUSTERS  CHANGED\n"
            "classroom  Deployment  classroom  Progressing  4/6    1/2       3s\n"
            "classroom  ConfigMap   settings   Pending      -      -         -\n");
  options.wide = true;
  EXPECT_THAT(FormatApps(reply, options), HasSubstr("no policy claims it"));
}

TEST(FormatClustersTest, TellsReadinessCapacityAndWhyNot) {
  v1::QueryReply reply;
  v1::ClusterStatus* cluster = reply.add_clusters();
  cluster->set_name("aws-virginia");
  cluster->set_provider("aws");
  cluster->set_region("us-east-1");
  cluster->set_last_heartbeat_micros(kNow - 130'000'000);
  v1::Condition* ready = cluster->add_conditions();
  ready->set_type("Ready");
  ready->set_status("Unknown");
  ready->set_message("no heartbeat for 130 s");
  cluster->mutable_node_summary()->set_total_num(3);
  cluster->mutable_node_summary()->set_ready_num(2);
  (*cluster->mutable_resource_summary()->mutable_allocatable())["cpu"] = "24";
  (*cluster->mutable_resource_summary()->mutable_allocated())["cpu"] = "1500m";
  ViewOptions options;
  options.now_micros = kNow;
  EXPECT_EQ(FormatClusters(reply, options),
            "NAME          READY  PROVIDER  REGION     NODES  CPU  MEMORY  VERSION  LAST WORD\n"
            "aws-virginia  Lost   aws       us-east-1  -      -    -       -        2m\n")
      << "its last good word says nothing about now";
  ready->set_status("True");
  EXPECT_EQ(
      FormatClusters(reply, options),
      "NAME          READY  PROVIDER  REGION     NODES  CPU       MEMORY  VERSION  LAST WORD\n"
      "aws-virginia  Ready  aws       us-east-1  2/3    1500m/24  -       -        2m\n");
  ready->set_status("Unknown");
  options.wide = true;
  EXPECT_THAT(FormatClusters(reply, options), HasSubstr("no heartbeat for 130 s"));
}

TEST(FormatEvictionsTest, TellsWhatBecomesOfCopies) {
  v1::Placed placed;
  placed.add_clusters()->set_name("a");
  placed.add_clusters()->set_name("b");
  const auto add = [&](const char* cluster, const char* reason, bool replaced) -> v1::Eviction& {
    v1::Eviction& eviction = *placed.add_evictions();
    eviction.set_cluster(cluster);
    eviction.set_reason(reason);
    eviction.set_replicas(3);
    if (replaced) eviction.add_replaced_by("b");
    return eviction;
  };
  add("a", "the cluster affinity changed", true).set_moved(true);
  add("c", "CrashLoopBackOff", true);
  add("d", "taint {x:NoExecute}", true).set_recovered_micros(1);
  add("e", "nowhere to go", false);
  EXPECT_THAT(FormatEvictions(placed),
              ::testing::ElementsAre(
                  "a: a copy of 3 stays until it is healthy in b; the cluster affinity changed",
                  "c: left because of: CrashLoopBackOff"));
  placed.mutable_evictions(0)->set_purge_mode("Never");
  EXPECT_THAT(FormatEvictions(placed)[0], HasSubstr("until the application or its policy"));
}

TEST(FormatWorksTest, AWordAboutAnOlderWorkDoesNotCount) {
  v1::QueryReply works;
  *works.add_works() = Work("a", "x");
  *works.add_works() = Work("b", "x");
  *works.add_works() = Work("c", "x");
  works.mutable_works(2)->set_deleting(true);
  v1::QueryReply statuses;
  for (const auto& [cluster, version] : {std::pair{"a", 7}, std::pair{"b", 6}}) {
    v1::WorkStatus* status = statuses.add_work_statuses();
    status->set_cluster(cluster);
    *status->mutable_ref() = works.works(0).ref();
    status->mutable_fence()->set_uid("u");
    status->mutable_fence()->set_version(version);
    status->set_state(v1::WorkStatus::APPLIED);
    status->set_health("Healthy");
  }
  ViewOptions options;
  options.now_micros = kNow;
  EXPECT_EQ(FormatWorks(works, statuses, options),
            "CLUSTER  KIND        NAME       STATE     HEALTH   RENDERED\n"
            "a        Deployment  classroom  Applied   Healthy  60s\n"
            "b        Deployment  classroom  Pending   Healthy  60s\n"
            "c        Deployment  classroom  Removing  -        60s\n");
}

TEST(FormatPoliciesTest, TellsWhatAndWhereInWords) {
  v1::QueryReply reply;
  v1::StoredObject* policy = reply.add_objects();
  *policy->mutable_ref() = Ref("PropagationPolicy", "classroom", "p");
  policy->set_generation(4);
  policy->set_manifest(R"({"spec": {
    "resourceSelectors": [{"kind": "Deployment", "name": "web"}, {"kind": "Service"}],
    "placement": {"clusterAffinity": {"clusterNames": ["a", "b"]},
                  "replicaScheduling": {"replicaSchedulingType": "Divided"}}}})");
  v1::StoredObject* override = reply.add_objects();
  *override->mutable_ref() = Ref("OverridePolicy", "classroom", "o");
  override->set_generation(1);
  override->set_manifest(R"({"spec": {"overrideRules": [{}, {}]}})");
  v1::StoredObject* taints = reply.add_objects();
  *taints->mutable_ref() = Ref("ClusterTaintPolicy", "", "t");
  taints->set_generation(1);
  taints->set_manifest(R"({"spec": {"taints": [{"key": "lost", "effect": "NoExecute"}]}})");
  EXPECT_EQ(FormatPolicies(reply, {}),
            "KIND                NAME  SELECTS         TO              GENERATION  CHANGED\n"
            "PropagationPolicy   p     Deployment/web  a,b; Divided    4           -\n"
            "                          Service\n"
            "OverridePolicy      o     everything      2 rules         1           -\n"
            "ClusterTaintPolicy  t     clusters        lost:NoExecute  1           -\n");
}

TEST(FormatDeployResultTest, NamesFileFieldAndReason) {
  v1::DeployResult result;
  v1::OperationResult* created = result.add_results();
  *created->mutable_object() = Ref("Deployment", "classroom", "classroom");
  created->set_accepted(true);
  created->set_changed(true);
  created->set_generation(1);
  v1::OperationResult* same = result.add_results();
  *same->mutable_object() = Ref("Service", "classroom", "classroom");
  same->set_accepted(true);
  v1::OperationResult* refused = result.add_results();
  *refused->mutable_object() = Ref("PropagationPolicy", "classroom", "p");
  refused->set_source("policy.yaml#2");
  v1::FieldError* error = refused->add_errors();
  error->set_field("spec.placment");
  error->set_reason("UnknownField");
  error->set_message("did you mean placement?");
  EXPECT_EQ(FormatDeployResult(result, false, false, Style{}),
            "Deployment classroom/classroom  created\n"
            "Service classroom/classroom  unchanged\n"
            "PropagationPolicy classroom/p  refused  in policy.yaml#2\n"
            "    spec.placment: UnknownField: did you mean placement?\n");
  EXPECT_THAT(FormatDeployResult(result, true, true, Style{}), HasSubstr("deleted (dry run)"));
}

TEST(FormatEventTest, OneLine) {
  v1::Event event;
  event.set_service("scheduler");
  event.set_type("Warning");
  event.set_reason("NoClusterFit");
  event.set_message("0/3 clusters");
  *event.mutable_ref() = Ref("Deployment", "classroom", "classroom");
  event.set_cluster("aws-virginia");
  const std::string line = FormatEvent(event, Style{});
  EXPECT_THAT(line, HasSubstr("scheduler  NoClusterFit  Deployment classroom/classroom on "
                              "aws-virginia: 0/3 clusters"));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
}

TEST(FormatAppDetailsTest, ShowsClustersImagesDifferencesAndReasons) {
  AppDetails details;
  details.app = Classroom();
  *details.works.add_works() = Work("aliyun-beijing", "cn-beijing");
  *details.works.add_works() = Work("aws-virginia", "us-east-1");
  v1::Placed placed;
  placed.set_state("Scheduled");
  v1::ClusterDecision* chosen = placed.add_decisions();
  chosen->set_cluster("aliyun-beijing");
  chosen->set_selected(true);
  chosen->set_replicas(3);
  chosen->set_note("weight 1 of 2");
  v1::ClusterDecision* filtered = placed.add_decisions();
  filtered->set_cluster("gcp-tokyo");
  filtered->add_reasons("ClusterAffinity: not among the names");
  details.placed = &placed;
  ViewOptions options;
  options.now_micros = kNow;
  EXPECT_EQ(FormatAppDetails(details, options), R"(Deployment classroom/classroom
phase       Progressing
policy      PropagationPolicy classroom/classroom
replicas    6 wanted, 0 updated, 4 ready, 0 available
generation  2, 1 runs everywhere
scheduling  Scheduled

CLUSTER         READY  IMAGE             DIFFERS                  HEALTH     LAST WORD  MESSAGE
aliyun-beijing  3/3    cn-beijing/web:1  label region=cn-beijing  Healthy    1s
aws-virginia    1/3    us-east-1/web:1   label region=us-east-1   Unhealthy  1s         2 pods: no room

CLUSTER         CHOSEN  REPLICAS  WHY
aliyun-beijing  yes     3         weight 1 of 2
gcp-tokyo       no      -         ClusterAffinity: not among the names
)");
}

TEST(FormatAppDetailsTest, ASecretsContentStaysOffTheScreen) {
  AppDetails details;
  details.app = Classroom();
  details.app.mutable_ref()->set_kind("Secret");
  for (const char* cluster : {"aliyun-beijing", "aws-virginia"}) {
    v1::Work* work = details.works.add_works();
    work->set_cluster(cluster);
    work->set_manifest(Json({{"data", {{"password", cluster}}}}).dump());
  }
  EXPECT_THAT(FormatAppDetails(details, {}), Not(HasSubstr("password")));
}

TEST(SelectAppsTest, WorkloadsFirstAndOneNamespace) {
  v1::QueryReply reply;
  *reply.add_apps()->mutable_ref() = Ref("ConfigMap", "a", "web");
  *reply.add_apps()->mutable_ref() = Ref("Deployment", "a", "web");
  *reply.add_apps()->mutable_ref() = Ref("Deployment", "a", "other");
  const auto apps = SelectApps(reply, ParseAppName("web").value());
  ASSERT_OK(apps);
  ASSERT_EQ(apps->size(), 2U);
  EXPECT_EQ(apps->front().ref().kind(), "Deployment");
  EXPECT_EQ(SelectApps(reply, ParseAppName("configmap/web").value())->size(), 1U);
  EXPECT_THAT(SelectApps(reply, ParseAppName("none").value()).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("there is no none")));
  *reply.add_apps()->mutable_ref() = Ref("Deployment", "b", "web");
  EXPECT_THAT(SelectApps(reply, ParseAppName("web").value()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("namespaces a, b")));
  EXPECT_FALSE(ParseAppName("a/b/c").ok());
}

TEST(ProgressLineTest, SaysHowFarEachClusterIs) {
  EXPECT_EQ(ProgressLine(Classroom()),
            "Progressing  ready 4/6  (aliyun-beijing 3/3, aws-virginia 1/3)");
}

TEST(FormatObjectsTest, NamesWhoPublishedWhat) {
  v1::QueryReply reply;
  v1::StoredObject* object = reply.add_objects();
  *object->mutable_ref() = Ref("ConfigMap", "classroom", "settings");
  object->set_generation(3);
  object->set_publisher("amy");
  object->set_event_id("e-1");
  object->set_updated_micros(kNow - 3'000'000);
  ViewOptions options;
  options.now_micros = kNow;
  options.wide = true;
  EXPECT_EQ(FormatObjects(reply, options),
            "KIND       NAME      GENERATION  CHANGED  PUBLISHER  EVENT\n"
            "ConfigMap  settings  3           3s       amy        e-1\n");
}

}  // namespace
}  // namespace sealane::cli
