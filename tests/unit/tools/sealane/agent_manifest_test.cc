// The manifests that `sealane join` prints: deploy/agent with a cluster's own values.

#include "tools/sealane/agent_manifest.h"

#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "tests/support/status_matchers.h"

namespace sealane::cli {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::StartsWith;

AgentManifestOptions Options() {
  AgentManifestOptions options;
  options.cluster = "aws-virginia";
  options.bus_url = "tls://bus.example.com:4222";
  options.login = {"cluster-aws-virginia", "secret", ""};
  options.image = "registry.example.com/sealane:1";
  return options;
}

std::vector<Json> Objects(const AgentManifestOptions& options) {
  std::vector<Json> objects;
  const auto text = AgentManifest(options);
  EXPECT_OK(text);
  if (text.ok()) {
    EXPECT_OK(kube::ParseManifests(*text, &objects));
  }
  return objects;
}

Json Find(const std::vector<Json>& objects, std::string_view kind, std::string_view name) {
  for (const Json& object : objects) {
    if (object["kind"] == kind && object["metadata"]["name"] == name) return object;
  }
  return {};
}

std::vector<std::string> Arguments(const std::vector<Json>& objects) {
  return Find(objects, "Deployment",
              "sealane-agent")["spec"]["template"]["spec"]["containers"][0]["args"];
}

TEST(AgentManifestTest, HasTheClustersValues) {
  const std::vector<Json> objects = Objects(Options());
  EXPECT_EQ(objects.front()["kind"], "Namespace") << "what all others are in comes first";
  const Json secret = Find(objects, "Secret", "sealane-agent-bus");
  EXPECT_EQ(secret["stringData"], (Json{{"user", "cluster-aws-virginia"}, {"password", "secret"}}));
  EXPECT_THAT(Arguments(objects), Contains("--cluster=aws-virginia"));
  EXPECT_THAT(Arguments(objects), Contains("--bus-url=tls://bus.example.com:4222"));
  EXPECT_THAT(Arguments(objects), Not(Contains(StartsWith("--bus-ca"))));
  EXPECT_TRUE(Find(objects, "ConfigMap", "sealane-bus-ca").is_null());
  EXPECT_TRUE(Find(objects, "ClusterRole", "sealane-agent-cluster-scoped").is_null());
}

TEST(AgentManifestTest, ThePodHasNoMoreRightsThanItNeeds) {
  const Json pod =
      Find(Objects(Options()), "Deployment", "sealane-agent")["spec"]["template"]["spec"];
  EXPECT_EQ(pod["securityContext"]["runAsNonRoot"], true);
  const Json& container = pod["containers"][0];
  EXPECT_EQ(container["image"], "registry.example.com/sealane:1");
  EXPECT_EQ(container["securityContext"]["readOnlyRootFilesystem"], true);
  EXPECT_EQ(container["securityContext"]["allowPrivilegeEscalation"], false);
  EXPECT_EQ(container["securityContext"]["capabilities"]["drop"], Json::array({"ALL"}));
  EXPECT_TRUE(container.contains("readinessProbe"));
  EXPECT_TRUE(container.contains("livenessProbe"));
}

TEST(AgentManifestTest, NoRuleGivesWhatTheAgentNeverUses) {
  AgentManifestOptions options = Options();
  options.cluster_scoped = true;
  std::set<std::string> verbs;
  for (const Json& object : Objects(options)) {
    if (object["kind"] != "ClusterRole" && object["kind"] != "Role") continue;
    for (const Json& rule : object["rules"]) {
      for (const Json& verb : rule["verbs"]) verbs.insert(verb);
    }
  }
  for (const char* verb : {"*", "update", "deletecollection", "impersonate"}) {
    EXPECT_THAT(verbs, Not(Contains(verb)));
  }
}

TEST(AgentManifestTest, AnAuthorityIsMountedAndUsed) {
  AgentManifestOptions options = Options();
  options.bus_ca_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const std::vector<Json> objects = Objects(options);
  EXPECT_EQ(Find(objects, "ConfigMap", "sealane-bus-ca")["data"]["ca.crt"], options.bus_ca_pem);
  EXPECT_THAT(Arguments(objects), Contains("--bus-ca=/etc/sealane/bus-ca/ca.crt"));
  const Json pod = Find(objects, "Deployment", "sealane-agent")["spec"]["template"]["spec"];
  EXPECT_THAT(pod["volumes"],
              Contains(Json{{"name", "bus-ca"}, {"configMap", {{"name", "sealane-bus-ca"}}}}));
  EXPECT_THAT(
      pod["containers"][0]["volumeMounts"],
      Contains(Json{{"name", "bus-ca"}, {"mountPath", "/etc/sealane/bus-ca"}, {"readOnly", true}}));
}

TEST(AgentManifestTest, ReadsOfUsersCanBeLeftOut) {
  AgentManifestOptions options = Options();
  EXPECT_THAT(Arguments(Objects(options)), Contains("--member-api=read"));
  EXPECT_FALSE(Find(Objects(options), "ClusterRole", "sealane-agent-member-api").is_null());
  options.member_api = "none";
  EXPECT_THAT(Arguments(Objects(options)), Contains("--member-api=none"));
  EXPECT_TRUE(Find(Objects(options), "ClusterRole", "sealane-agent-member-api").is_null());
}

TEST(AgentManifestTest, ClusterScopedRightsComeOnlyWhenAskedFor) {
  AgentManifestOptions options = Options();
  options.cluster_scoped = true;
  const std::vector<Json> objects = Objects(options);
  const Json role = Find(objects, "ClusterRole", "sealane-agent-cluster-scoped");
  EXPECT_EQ(role["rules"][0]["resources"], Json::array({"customresourcedefinitions"}));
  const Json binding = Find(objects, "ClusterRoleBinding", "sealane-agent-cluster-scoped");
  EXPECT_EQ(binding["roleRef"]["name"], "sealane-agent-cluster-scoped");
  EXPECT_EQ(binding["subjects"][0]["namespace"], "sealane-system");
}

TEST(AgentManifestTest, CredentialsTakeThePlaceOfAPassword) {
  AgentManifestOptions options = Options();
  options.login = {"", "", "-----BEGIN NATS USER JWT-----\n"};
  const std::vector<Json> objects = Objects(options);
  EXPECT_EQ(Find(objects, "Secret", "sealane-agent-bus")["stringData"],
            (Json{{"creds", options.login.creds}}));
  EXPECT_THAT(Arguments(objects), Contains("--bus-creds=/etc/sealane/bus/creds"));
  EXPECT_THAT(Arguments(objects), Not(Contains(StartsWith("--bus-password"))));
  EXPECT_THAT(Arguments(objects), Not(Contains(StartsWith("--bus-user"))));
}

}  // namespace
}  // namespace sealane::cli
