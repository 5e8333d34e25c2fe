// What a platform is answered, through the whole policy service on a bus in memory.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "sealane/v1/deploy.pb.h"
#include "services/policy/policy_service.h"

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

class DeployResultTest : public ::testing::Test {
 protected:
  DeployResultTest()
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
  ~DeployResultTest() override { service_.reset(); }

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

TEST_F(DeployResultTest, WarnsOfAPolicyThatSelectsNothing) {
  const auto result = Deploy({std::string(kCluster), std::string(kWeb), Policy("wbe", "aws")});
  ASSERT_TRUE(result.accepted()) << result.DebugString();
  EXPECT_THAT(Warnings(result, 2),
              ElementsAre(AllOf(HasSubstr("spec.resourceSelectors"), HasSubstr("no object"))));
  // Of what is there already.
  EXPECT_THAT(Warnings(Deploy({Policy("web", "aws")}), 0), IsEmpty());
  EXPECT_THAT(Warnings(Deploy({Policy("bew", "aws")}), 0), ElementsAre(HasSubstr("no object")));
}

TEST_F(DeployResultTest, APolicyMayComeBeforeWhatItSelectsInOneEvent) {
  for (const bool dry_run : {true, false}) {
    const auto result =
        Deploy({Policy("web", "aws"), std::string(kWeb), std::string(kCluster)}, dry_run);
    ASSERT_TRUE(result.accepted()) << result.DebugString();
    EXPECT_THAT(Warnings(result, 0), IsEmpty()) << "dry run: " << dry_run;
  }
}

TEST_F(DeployResultTest, WarnsOfClustersThatNobodyKnows) {
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

TEST_F(DeployResultTest, BadInputNamesFieldAndReasonAndLeavesTheEarlierState) {
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

}  // namespace
}  // namespace sealane::policy
