#include "tools/kubesim/cluster.h"

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/direct_transport.h"
#include "tools/kubesim/objects.h"

namespace sealane::kubesim {
namespace {

class ClusterTest : public ::testing::Test {
 protected:
  explicit ClusterTest(int nodes = 2) : sim_(3), cluster_(sim_.env(), Options(nodes), {}) {
    sim_.RunFor(absl::Seconds(1));
  }
  static ClusterOptions Options(int nodes) {
    ClusterOptions options;
    options.nodes = nodes;
    options.cpu = "4";
    options.memory = "8Gi";
    return options;
  }
  Json Call(const std::string& method, const std::string& path, const Json& body = Json(),
            const std::string& type = "application/json") {
    kubeapi::DirectTransport transport(sim_, [this](const http::HttpRequest& request,
                                                    std::shared_ptr<http::ResponseWriter> writer) {
      cluster_.Handle(request, std::move(writer));
    });
    http::HttpRequest request{
        method, path, {{"Content-Type", type}}, body.is_null() ? "" : body.dump()};
    Json answer;
    bool done = false;
    transport.Send(std::move(request), [&](absl::StatusOr<http::HttpResponse> response) {
      done = true;
      if (response.ok()) answer = Json::parse(response->body, nullptr, false);
    });
    EXPECT_TRUE(sim_.RunUntil([&] { return done; }, absl::Seconds(10)));
    return answer;
  }
  static Json Workload(const std::string& kind, const std::string& name, int replicas,
                       const std::string& image = "app:1", const std::string& cpu = "100m") {
    Json object = {
        {"apiVersion", "apps/v1"},
        {"kind", kind},
        {"metadata", {{"name", name}}},
        {"spec",
         {{"selector", {{"matchLabels", {{"app", name}}}}},
          {"template",
           {{"metadata", {{"labels", {{"app", name}}}}},
            {"spec",
             {{"containers", Json::array({{{"name", "c"},
                                           {"image", image},
                                           {"resources", {{"requests", {{"cpu", cpu}}}}}}})}}}}}}}};
    if (kind != "DaemonSet") object["spec"]["replicas"] = replicas;
    if (kind == "StatefulSet") object["spec"]["serviceName"] = name;
    return object;
  }
  static std::string Path(const std::string& plural, const std::string& name = "") {
    return StrCat("/apis/apps/v1/namespaces/default/", plural, name.empty() ? "" : "/", name);
  }
  Json Pods() { return Call("GET", "/api/v1/namespaces/default/pods")["items"]; }

  SimExecutor sim_;
  Cluster cluster_;
};

TEST_F(ClusterTest, StartsWithNodesNamespacesAndAccounts) {
  EXPECT_EQ(Call("GET", "/api/v1/nodes")["items"].size(), 2U);
  EXPECT_TRUE(HasCondition(Call("GET", "/api/v1/nodes/kubesim-node-0"), "Ready"));
  EXPECT_EQ(Call("GET", "/api/v1/namespaces/kube-system/serviceaccounts/default")["kind"],
            "ServiceAccount");
}

TEST_F(ClusterTest, ARestoreTakesEverythingBackAndEndsTheWatches) {
  Call("POST", Path("deployments"), Workload("Deployment", "web", 2));
  sim_.RunFor(absl::Seconds(5));
  const auto backup = cluster_.MakeBackup();
  const Json before = Call("GET", Path("deployments", "web"));
  Call("PATCH", Path("deployments", "web"), {{"spec", {{"replicas", 3}}}},
       "application/merge-patch+json");
  Call("POST", Path("deployments"), Workload("Deployment", "late", 1));
  sim_.RunFor(absl::Seconds(5));
  ASSERT_EQ(Pods().size(), 4U);
  cluster_.Restore(backup);
  EXPECT_EQ(cluster_.MakeBackup().revision, backup.revision);
  EXPECT_EQ(cluster_.api().watches(), 0U);
  EXPECT_EQ(Call("GET", Path("deployments", "web")), before);
  EXPECT_EQ(Call("GET", Path("deployments", "late"))["code"], 404);
  // Its controllers go on from there.
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Pods().size(), 2U);
  Call("PATCH", Path("deployments", "web"), {{"spec", {{"replicas", 4}}}},
       "application/merge-patch+json");
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Pods().size(), 4U);
}

TEST_F(ClusterTest, ADeploymentBecomesAvailableAndRollsOut) {
  Call("POST", Path("deployments"), Workload("Deployment", "web", 4));
  sim_.RunFor(absl::Milliseconds(500));
  Json deployment = Call("GET", Path("deployments", "web"));
  EXPECT_EQ(deployment["status"]["replicas"], 4);
  EXPECT_FALSE(HasCondition(deployment, "Available"));
  sim_.RunFor(absl::Seconds(3));
  deployment = Call("GET", Path("deployments", "web"));
  EXPECT_EQ(deployment["status"]["availableReplicas"], 4);
  EXPECT_EQ(deployment["status"]["observedGeneration"], deployment["metadata"]["generation"]);
  EXPECT_TRUE(HasCondition(deployment, "Available"));

  Call("PATCH", Path("deployments", "web"),
       {{"spec",
         {{"template",
           {{"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "app:2"}}})}}}}}}}},
       "application/strategic-merge-patch+json");
  // Never fewer than 3 ready, never more than 5 pods that are not going away.
  for (int i = 0; i < 100; ++i) {
    sim_.RunFor(absl::Milliseconds(100));
    int active = 0;
    int ready = 0;
    for (const Json& pod : Pods()) {
      active += IsActivePod(pod) ? 1 : 0;
      ready += IsReadyPod(pod) ? 1 : 0;
    }
    EXPECT_LE(active, 5);
    EXPECT_GE(ready, 3);
  }
  deployment = Call("GET", Path("deployments", "web"));
  EXPECT_EQ(deployment["status"]["updatedReplicas"], 4);
  EXPECT_EQ(deployment["status"]["replicas"], 4);
  EXPECT_FALSE(deployment["status"].contains("unavailableReplicas"));
  for (const Json& pod : Pods()) EXPECT_EQ(pod["spec"]["containers"][0]["image"], "app:2");
  EXPECT_EQ(Call("GET", Path("replicasets"))["items"].size(), 2U);
}

TEST_F(ClusterTest, AnImageThatCannotBePulledStallsTheRollout) {
  Call("POST", Path("deployments"), Workload("Deployment", "web", 2));
  sim_.RunFor(absl::Seconds(3));
  Call("PATCH", Path("deployments", "web"),
       {{"spec",
         {{"progressDeadlineSeconds", 30},
          {"template",
           {{"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "app:bad"}}})}}}}}}}},
       "application/strategic-merge-patch+json");
  sim_.RunFor(absl::Seconds(60));
  const Json deployment = Call("GET", Path("deployments", "web"));
  EXPECT_EQ(deployment["status"]["availableReplicas"], 2);
  bool exceeded = false;
  for (const Json& condition : deployment["status"]["conditions"]) {
    exceeded = exceeded || condition["reason"] == "ProgressDeadlineExceeded";
  }
  EXPECT_TRUE(exceeded) << deployment["status"];
  bool back_off = false;
  for (const Json& pod : Pods()) {
    const Json& state = pod["status"]["containerStatuses"][0]["state"];
    back_off = back_off ||
               state.value("waiting", Json::object()).value("reason", "") == "ImagePullBackOff";
  }
  EXPECT_TRUE(back_off);
}

TEST_F(ClusterTest, PodsThatDoNotFitStayPendingUntilThereIsRoom) {
  Call("POST", Path("deployments"), Workload("Deployment", "big", 3, "app:1", "3"));
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Call("GET", Path("deployments", "big"))["status"]["availableReplicas"], 2);
  int pending = 0;
  for (const Json& pod : Pods()) {
    if (pod["status"]["phase"] != "Pending") continue;
    ++pending;
    const Json& condition = pod["status"]["conditions"][0];
    EXPECT_EQ(condition["type"], "PodScheduled");
    EXPECT_EQ(condition["reason"], "Unschedulable");
    EXPECT_EQ(condition["message"], "0/2 nodes are available: 2 Insufficient cpu.");
  }
  EXPECT_EQ(pending, 1);
  Json node = Call("GET", "/api/v1/nodes/kubesim-node-0");
  node["metadata"] = {{"name", "extra"}, {"labels", {{"kubernetes.io/hostname", "extra"}}}};
  Call("POST", "/api/v1/nodes", node);
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(Call("GET", Path("deployments", "big"))["status"]["availableReplicas"], 3);
}

TEST_F(ClusterTest, DeletingADeploymentRemovesEverythingBelow) {
  Call("POST", Path("deployments"), Workload("Deployment", "web", 3));
  sim_.RunFor(absl::Seconds(3));
  Call("DELETE", Path("deployments", "web"));
  sim_.RunFor(absl::Seconds(5));
  EXPECT_TRUE(Pods().empty());
  EXPECT_TRUE(Call("GET", Path("replicasets"))["items"].empty());
}

TEST_F(ClusterTest, StatefulSetsStartInOrderAndUpdateBackwards) {
  Call("POST", Path("statefulsets"), Workload("StatefulSet", "db", 3));
  sim_.RunFor(absl::Milliseconds(1500));
  EXPECT_LT(Pods().size(), 3U);
  sim_.RunFor(absl::Seconds(10));
  Json set = Call("GET", Path("statefulsets", "db"));
  EXPECT_EQ(set["status"]["readyReplicas"], 3);
  EXPECT_EQ(set["status"]["currentRevision"], set["status"]["updateRevision"]);
  Call("PATCH", Path("statefulsets", "db"),
       {{"spec",
         {{"template",
           {{"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "app:2"}}})}}}}}}}},
       "application/strategic-merge-patch+json");
  sim_.RunFor(absl::Seconds(20));
  for (const Json& pod : Pods()) EXPECT_EQ(pod["spec"]["containers"][0]["image"], "app:2");
  Call("PATCH", Path("statefulsets", "db") + "/scale", {{"spec", {{"replicas", 1}}}},
       "application/merge-patch+json");
  sim_.RunFor(absl::Seconds(10));
  ASSERT_EQ(Pods().size(), 1U);
  EXPECT_EQ(Pods()[0]["metadata"]["name"], "db-0");
}

TEST_F(ClusterTest, DaemonSetsRunOnEveryNode) {
  Call("POST", Path("daemonsets"), Workload("DaemonSet", "log", 0));
  sim_.RunFor(absl::Seconds(5));
  const Json set = Call("GET", Path("daemonsets", "log"));
  EXPECT_EQ(set["status"]["desiredNumberScheduled"], 2);
  EXPECT_EQ(set["status"]["numberReady"], 2);
}

TEST_F(ClusterTest, JobsComplete) {
  Json job = Workload("Job", "once", 0);
  job["apiVersion"] = "batch/v1";
  job["spec"].erase("selector");
  job["spec"].erase("replicas");
  job["spec"]["completions"] = 3;
  job["spec"]["parallelism"] = 2;
  job["spec"]["template"]["spec"]["restartPolicy"] = "Never";
  Call("POST", "/apis/batch/v1/namespaces/default/jobs", job);
  sim_.RunFor(absl::Seconds(15));
  const Json done = Call("GET", "/apis/batch/v1/namespaces/default/jobs/once");
  EXPECT_EQ(done["status"]["succeeded"], 3);
  EXPECT_TRUE(HasCondition(done, "Complete"));
}

TEST_F(ClusterTest, AFailedNodeTakesReadinessAway) {
  Call("POST", Path("deployments"), Workload("Deployment", "web", 2));
  sim_.RunFor(absl::Seconds(3));
  cluster_.FailNode("kubesim-node-0");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Call("GET", Path("deployments", "web"))["status"]["availableReplicas"], 1);
  cluster_.RecoverNode("kubesim-node-0");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Call("GET", Path("deployments", "web"))["status"]["availableReplicas"], 2);
}

TEST_F(ClusterTest, TheSameSeedReplaysTheSameRun) {
  const auto run = [] {
    SimExecutor sim(11);
    Cluster cluster(sim.env(), Options(3), {});
    sim.RunFor(absl::Seconds(1));
    const kubeapi::Resource* deployments = cluster.api().Stored("apps/deployments");
    for (int i = 0; i < 5; ++i) {
      cluster.api().Create({deployments, "default", "", ""},
                           Workload("Deployment", StrCat("d", i), i), {}, nullptr);
    }
    sim.RunFor(absl::Seconds(10));
    std::string all;
    for (const kubeapi::Resource* resource : cluster.api().registry().Stored()) {
      cluster.api().store().ForEach(resource->StorageName(), "", {},
                                    [&](const kubeapi::ObjectPtr& o) {
                                      all += o->value().dump();
                                      return true;
                                    });
    }
    return all;
  };
  const std::string first = run();
  EXPECT_GT(first.size(), 10000U);
  EXPECT_EQ(first, run());
}

}  // namespace
}  // namespace sealane::kubesim
