// What a platform is answered, through the whole policy service on a bus in memory.
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "services/policy/policy_service.h"
#include "tests/support/status_matchers.h"

namespace sealane::policy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kWeb =
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, labels: {app: "
    "web}}, spec: {replicas: 1}}";

std::string Policy(std::string_view label, std::string_view clusters) {
  return StrCat(
      "{apiVersion: policy.karmada.io/v1alpha1, kind: PropagationPolicy, metadata: {name: web, "
      "namespace: shop}, spec: {resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, "
      "labelSelector: {matchLabels: {app: ",
      label, "}}}], placement: {clusterAffinity: {clusterNames: [", clusters, "]}}}}");
}

constexpr std::string_view kCluster =
    "{apiVersion: cluster.karmada.io/v1alpha1, kind: Cluster, metadata: {name: aws}, spec: "
    "{syncMode: Pull}}";

class PlatformAnswersTest : public ::testing::Test {
 protected:
  PlatformAnswersTest()
      : server_(sim_.env()),
        hub_(server_.Connect(BusIdentity::Hub())),
        platform_(server_.Connect(BusIdentity::Platform("paas"))) {
    for (const std::string_view table : {kPlacementsTable, kClusterStatusTable, kWorkStatusTable}) {
      StreamConfig config;
      config.name = std::string(table);
      config.subjects = {StrCat(table, ".>")};
      hub_->EnsureStream(config, [](const absl::Status&) {});
    }
    answers_ = platform_->Subscribe(platform::kDeployedAll, [this](const BusMessage& message) {
      result_.ParseFromString(message.payload);
    });
    PolicyOptions options;
    options.elect_leader = false;
    service_ = MakePolicyService({sim_.env(), *hub_, metrics_, "policy-1", 1}, options);
    service_->Start();
    sim_.RunFor(absl::Seconds(5));
  }
  ~PlatformAnswersTest() override { service_.reset(); }

  v1::DeployResult Deploy(const std::vector<std::string>& manifests, bool dry_run = false) {
    v1::DeployEvent event;
    event.set_id(StrCat("e", ++events_));
    event.set_dry_run(dry_run);
    for (const std::string& manifest : manifests) {
      v1::Operation* operation = event.add_operations();
      operation->set_type(v1::Operation::APPLY);
      operation->set_manifest(manifest);
      operation->set_source("here.yaml");
    }
    AppendRequest request;
    request.subject = std::string(platform::kDeploy);
    request.payload = event.SerializeAsString();
    request.message_id = event.id();
    platform_->Append(std::move(request), [](const absl::StatusOr<Appended>&) {});
    EXPECT_TRUE(sim_.RunUntil([&] { return result_.event_id() == event.id(); }, absl::Minutes(1)));
    return result_;
  }
  absl::StatusOr<v1::QueryReply> Preview(const std::vector<std::string>& manifests) {
    v1::QueryReply given;
    for (const std::string& manifest : manifests) given.add_objects()->set_manifest(manifest);
    v1::QueryRequest request;
    request.set_what("preview");
    request.set_body(given.SerializeAsString());
    return Ask(*platform_, platform::Query("policy"), request);
  }
  absl::StatusOr<v1::QueryReply> Ask(Bus& bus, std::string_view subject,
                                     const v1::QueryRequest& request) {
    QueryClient client(bus, sim_.env());
    std::optional<absl::StatusOr<v1::QueryReply>> reply;
    client.Query(subject, request, absl::Seconds(5),
                 [&](absl::StatusOr<v1::QueryReply> answer) { reply = std::move(answer); });
    EXPECT_TRUE(sim_.RunUntil([&] { return reply.has_value(); }, absl::Minutes(1)));
    return *std::move(reply);
  }
  static std::vector<std::string> Warnings(const v1::DeployResult& result, int index) {
    const auto& warnings = result.results(index).warnings();
    return {warnings.begin(), warnings.end()};
  }

  SimExecutor sim_{1};
  MemoryServer server_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Bus> platform_;
  Registry metrics_;
  v1::DeployResult result_;
  int events_ = 0;
  std::unique_ptr<Subscription> answers_;
  std::unique_ptr<Service> service_;
};

TEST_F(PlatformAnswersTest, WarnsOfAPolicyThatSelectsNothing) {
  const auto result = Deploy({std::string(kCluster), std::string(kWeb), Policy("wbe", "aws")});
  ASSERT_TRUE(result.accepted()) << result.DebugString();
  EXPECT_THAT(Warnings(result, 2),
              ElementsAre(AllOf(HasSubstr("spec.resourceSelectors"), HasSubstr("no object"))));
  // Of what is there already.
  EXPECT_THAT(Warnings(Deploy({Policy("web", "aws")}), 0), IsEmpty());
  EXPECT_THAT(Warnings(Deploy({Policy("bew", "aws")}), 0), ElementsAre(HasSubstr("no object")));
}

TEST_F(PlatformAnswersTest, APolicyMayComeBeforeWhatItSelectsInOneEvent) {
  for (const bool dry_run : {true, false}) {
    const auto result =
        Deploy({Policy("web", "aws"), std::string(kWeb), std::string(kCluster)}, dry_run);
    ASSERT_TRUE(result.accepted()) << result.DebugString();
    EXPECT_THAT(Warnings(result, 0), IsEmpty()) << "dry run: " << dry_run;
  }
}

TEST_F(PlatformAnswersTest, WarnsOfClustersThatNobodyKnows) {
  const auto result =
      Deploy({std::string(kCluster), std::string(kWeb), Policy("web", "aws, aws-viginia")});
  ASSERT_TRUE(result.accepted()) << result.DebugString();
  EXPECT_THAT(Warnings(result, 2),
              ElementsAre("spec.placement.clusterAffinity.clusterNames[1]: there is no cluster "
                          "\"aws-viginia\" in the fleet yet"));
  const auto overriding = Deploy(
      {"{apiVersion: policy.karmada.io/v1alpha1, kind: OverridePolicy, metadata: {name: o, "
       "namespace: shop}, spec: {overrideRules: [{targetCluster: {exclude: [gcp]}, overriders: "
       "{labelsOverrider: [{operator: add, value: {clusterNames: x}}]}}]}}"});
  ASSERT_TRUE(overriding.accepted()) << overriding.DebugString();
  EXPECT_THAT(Warnings(overriding, 0),
              ElementsAre(HasSubstr("spec.overrideRules[0].targetCluster.exclude[0]: there is no "
                                    "cluster \"gcp\"")));
}

TEST_F(PlatformAnswersTest, AMissedAnswerIsKeptForThePlatformThatPublished) {
  const v1::DeployResult result = Deploy({std::string(kWeb)});
  v1::QueryRequest request;
  request.set_name(result.event_id());
  const auto kept = Ask(*platform_, platform::kResults, request);
  ASSERT_OK(kept);
  EXPECT_EQ(kept->body(), result.SerializeAsString());
  // Another platform asks for the same id, and says whatever it likes.
  const auto other = server_.Connect(BusIdentity::Platform("other"));
  (*request.mutable_options())["platform"] = "paas";
  const auto foreign = Ask(*other, platform::kResults, request);
  ASSERT_OK(foreign);
  EXPECT_EQ(foreign->body(), "");
  request.clear_name();
  EXPECT_THAT(Ask(*platform_, platform::kResults, request).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("name")));
}

TEST_F(PlatformAnswersTest, BadInputNamesFieldAndReasonAndLeavesTheEarlierState) {
  ASSERT_TRUE(Deploy({std::string(kWeb)}).accepted());
  const auto malformed = Deploy({"a: 1\nb: [1,\nc: 2\n"});
  ASSERT_FALSE(malformed.accepted());
  EXPECT_EQ(malformed.results(0).source(), "here.yaml");
  EXPECT_EQ(malformed.results(0).errors(0).reason(), "Malformed");
  EXPECT_THAT(malformed.results(0).errors(0).message(),
              AllOf(HasSubstr("line "), HasSubstr("column ")));

  const auto large =
      Deploy({"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}, "
              "data: {x: " +
              std::string(790'000, 'x') + "}}"});
  EXPECT_EQ(large.results(0).errors(0).reason(), "TooLong");
  EXPECT_THAT(large.results(0).errors(0).message(), HasSubstr("786432"));

  std::string typo = Policy("web", "aws");
  typo.replace(typo.find("clusterAffinity"), 15, "clusterAfinity");
  const auto unknown = Deploy({typo});
  EXPECT_EQ(unknown.results(0).errors(0).field(), "spec.placement.clusterAfinity");
  EXPECT_EQ(unknown.results(0).errors(0).reason(), "UnknownField");

  std::string broken(kWeb);
  broken.replace(broken.find("replicas: 1"), 11, "replicas: x");
  const auto refused = Deploy({broken});
  EXPECT_FALSE(refused.accepted());
  const auto same = Deploy({std::string(kWeb)});
  EXPECT_FALSE(same.results(0).changed()) << "the first version is still in force";
  EXPECT_EQ(same.results(0).generation(), 1);
}

TEST_F(PlatformAnswersTest, APreviewGivesTheBindingsThatWouldChangeAndChangesNothing) {
  const std::string web(kWeb);
  // Neither the object nor the policy is there yet.
  auto preview = Preview({web, Policy("web", "aws")});
  ASSERT_OK(preview);
  ASSERT_EQ(preview->bindings_size(), 1);
  EXPECT_EQ(preview->bindings(0).policy().name(), "web");
  EXPECT_EQ(preview->bindings(0).replicas(), 1);
  EXPECT_EQ(preview->bindings(0).placement().cluster_affinity().cluster_names(0), "aws");
  EXPECT_EQ(preview->body(), R"({"unclaimed":[]})");
  preview = Preview({web});
  ASSERT_OK(preview);
  EXPECT_EQ(preview->bindings_size(), 0) << "the policy of the first question was not kept";
  EXPECT_EQ(preview->body(), R"({"unclaimed":["Deployment shop/web"]})");

  ASSERT_TRUE(Deploy({std::string(kCluster), web, Policy("web", "aws")}).accepted());
  sim_.RunFor(absl::Seconds(5));
  // An edited policy concerns what it has claimed, an edited object itself; what stays does not.
  preview = Preview({Policy("web", "gcp")});
  ASSERT_OK(preview);
  ASSERT_EQ(preview->bindings_size(), 1);
  EXPECT_EQ(preview->bindings(0).ref().name(), "web");
  EXPECT_EQ(preview->bindings(0).placement().cluster_affinity().cluster_names(0), "gcp");
  std::string more = web;
  more.replace(more.find("replicas: 1"), 11, "replicas: 5");
  preview = Preview({more});
  ASSERT_OK(preview);
  ASSERT_EQ(preview->bindings_size(), 1);
  EXPECT_EQ(preview->bindings(0).replicas(), 5);
  EXPECT_EQ(preview->bindings(0).placement().cluster_affinity().cluster_names(0), "aws");
  preview = Preview({web, Policy("web", "aws")});
  ASSERT_OK(preview);
  EXPECT_EQ(preview->bindings_size(), 0) << "as it is";

  const auto refused = Preview({"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: []}",
                                "{apiVersion: v1, kind: ConfigMap}"});
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("metadata.name"));
}

TEST_F(PlatformAnswersTest, APolicyThatLacksItsOverridesClaimsNothingInAPreviewEither) {
  std::string waits = Policy("web", "aws");
  waits.replace(waits.find("spec: {"), 7, "spec: {dependentOverrides: [o], ");
  auto preview = Preview({std::string(kWeb), waits});
  ASSERT_OK(preview);
  EXPECT_EQ(preview->bindings_size(), 0);
  EXPECT_EQ(preview->body(), R"({"unclaimed":["Deployment shop/web"]})");
  preview = Preview({std::string(kWeb), waits,
                     "{apiVersion: policy.karmada.io/v1alpha1, kind: OverridePolicy, metadata: "
                     "{name: o, namespace: shop}, spec: {overrideRules: [{overriders: "
                     "{labelsOverrider: [{operator: add, value: {a: b}}]}}]}}"});
  ASSERT_OK(preview);
  EXPECT_EQ(preview->bindings_size(), 1);
}

}  // namespace
}  // namespace sealane::policy
