// The real kubectl against a running kubesim.

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

constexpr char kApp[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: IMAGE
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg, labels: {app: web}}
data: {k: v}
)";

class KubectlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto found = RunProcess({"/bin/sh", "-c", "command -v kubectl"});
    if (!found.ok() || found->exit_code != 0) GTEST_SKIP() << "no kubectl on this machine";
    kubeconfig_ = dir_.path() + "/kubeconfig";
    auto server =
        Subprocess::Start({SEALANE_BIN_DIR "/kubesim", "--listen", "127.0.0.1:0", "--startup-delay",
                           "100ms", "--stop-delay", "100ms", "--kubeconfig-out", kubeconfig_},
                          dir_.path() + "/log");
    ASSERT_OK(server);
    server_.emplace(*std::move(server));
    // The kubeconfig appears when the server listens.
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline && !std::ifstream(kubeconfig_).good()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    WriteFile("app.yaml", App("nginx:1.25"));
    WriteFile("app2.yaml", App("nginx:1.26"));
  }

  static std::string App(const std::string& image) {
    std::string text = kApp;
    text.replace(text.find("IMAGE"), 5, image);
    return text;
  }
  void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(dir_.path() + "/" + name) << text;
  }
  // Runs kubectl with words separated by spaces.
  ProcessResult Run(const std::string& command, const std::string& input = "") {
    std::vector<std::string> argv = {"kubectl", "--kubeconfig", kubeconfig_};
    std::istringstream words(command);
    for (std::string word; words >> word;) {
      if (word == "app.yaml" || word == "app2.yaml") word = dir_.path() + "/" + word;
      argv.push_back(word);
    }
    const auto result = RunProcess(argv, absl::Seconds(60), input,
                                   {{"HOME", dir_.path()}, {"PATH", std::getenv("PATH")}});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : ProcessResult();
  }
  std::string Kubectl(const std::string& command, const std::string& input = "") {
    const ProcessResult result = Run(command, input);
    EXPECT_EQ(result.exit_code, 0) << "kubectl " << command << "\n" << result.output;
    return result.output;
  }

  TempDir dir_;
  std::string kubeconfig_;
  std::optional<Subprocess> server_;
};

TEST_F(KubectlTest, ClientSideApplyDiffAndRollout) {
  EXPECT_THAT(Kubectl("apply -f app.yaml"), HasSubstr("deployment.apps/web created"));
  EXPECT_THAT(Kubectl("rollout status deploy/web --timeout=30s"),
              HasSubstr("successfully rolled out"));
  EXPECT_THAT(Kubectl("get deploy web"), HasSubstr("2/2"));
  EXPECT_EQ(Run("diff -f app.yaml").exit_code, 0);
  const ProcessResult diff = Run("diff -f app2.yaml");
  EXPECT_EQ(diff.exit_code, 1);
  EXPECT_THAT(diff.output, HasSubstr("+      - image: nginx:1.26"));
  EXPECT_THAT(Kubectl("apply -f app2.yaml"), HasSubstr("deployment.apps/web configured"));
  EXPECT_THAT(Kubectl("apply -f app2.yaml"), HasSubstr("deployment.apps/web unchanged"));
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("rollout history deploy/web"), HasSubstr("2"));
  Kubectl("rollout undo deploy/web");
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}"),
              HasSubstr("nginx:1.25"));
  Kubectl("rollout restart deploy/web");
  Kubectl("rollout status deploy/web --timeout=30s");
  Kubectl("set image deploy/web app=nginx:1.27");
  EXPECT_THAT(Kubectl("describe deploy web"), HasSubstr("nginx:1.27"));
}

TEST_F(KubectlTest, ServerSideApplyConflictsAndMigrates) {
  EXPECT_THAT(Kubectl("apply --server-side -f app.yaml"), HasSubstr("serverside-applied"));
  EXPECT_THAT(Kubectl("apply --server-side --dry-run=server -f app2.yaml"),
              HasSubstr("serverside-applied (server dry run)"));
  const ProcessResult conflict = Run("apply --server-side --field-manager=other -f app2.yaml");
  EXPECT_NE(conflict.exit_code, 0);
  EXPECT_THAT(conflict.output, HasSubstr("conflict with \"kubectl\""));
  Kubectl("apply --server-side --field-manager=other --force-conflicts -f app2.yaml");
  // From client-side to server-side apply: kubectl moves the ownership itself.
  Kubectl("delete -f app.yaml");
  Kubectl("apply -f app.yaml");
  Kubectl("apply --server-side --force-conflicts -f app2.yaml");
  // Debian's kubectl has no --show-managed-fields.
  EXPECT_THAT(Kubectl("get --raw /apis/apps/v1/namespaces/default/deployments/web"),
              HasSubstr("\"operation\":\"Apply\""));
}

TEST_F(KubectlTest, ScalesPatchesLabelsAndWaits) {
  Kubectl("apply -f app.yaml");
  Kubectl("wait --for=condition=Available deploy/web --timeout=30s");
  Kubectl("scale deploy web --replicas=4");
  Kubectl("rollout status deploy/web --timeout=30s");
  const Json pods = Json::parse(Kubectl("get pods -l app=web -o json"));
  EXPECT_EQ(pods["items"].size(), 4U);
  Kubectl("patch deploy web --type=merge -p {\"spec\":{\"replicas\":1}}");
  Kubectl("patch cm cfg --type=json -p [{\"op\":\"add\",\"path\":\"/data/x\",\"value\":\"y\"}]");
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.x}"), HasSubstr("y"));
  Kubectl("label cm cfg color=blue");
  Kubectl("annotate cm cfg note=yes");
  EXPECT_THAT(Kubectl("get cm -l color=blue"), HasSubstr("cfg"));
  EXPECT_THAT(Kubectl("get cm cfg -w --request-timeout=2s"), HasSubstr("cfg"));
  EXPECT_THAT(Kubectl("get deploy,svc,cm,pods -o wide"), HasSubstr("nginx:1.25"));
  Kubectl("expose deploy web --port=81 --name=second");
  EXPECT_THAT(Kubectl("get svc second"), HasSubstr("81/TCP"));
}

TEST_F(KubectlTest, CreatesAndDeletes) {
  // These bodies travel as protobuf.
  Kubectl("create namespace team");
  Kubectl("create configmap c -n team --from-literal=a=b");
  EXPECT_THAT(Kubectl("get cm c -n team -o jsonpath={.data.a}"), HasSubstr("b"));
  Kubectl("create secret generic s -n team --from-literal=k=v");
  EXPECT_THAT(Kubectl("get secret s -n team -o jsonpath={.data.k}"), HasSubstr("dg=="));
  Kubectl("create deployment d -n team --image=nginx:1.25 --replicas=2");
  Kubectl("rollout status deploy/d -n team --timeout=30s");
  Kubectl("create job j -n team --image=busybox");
  Kubectl("wait --for=condition=Complete job/j -n team --timeout=30s");
  EXPECT_THAT(Kubectl("auth can-i create deployments"), HasSubstr("yes"));
  Kubectl("delete deploy d -n team --cascade=foreground --timeout=30s");
  Kubectl("delete namespace team --timeout=30s");
  EXPECT_NE(Run("get namespace team").exit_code, 0);
  EXPECT_THAT(Run("get cm none").output, HasSubstr("NotFound"));
}

TEST_F(KubectlTest, DiscoversAndIdentifies) {
  const std::string resources = Kubectl("api-resources");
  EXPECT_THAT(resources, HasSubstr("deployments"));
  EXPECT_THAT(resources, HasSubstr("customresourcedefinitions"));
  EXPECT_THAT(Kubectl("api-versions"), HasSubstr("apps/v1"));
  EXPECT_THAT(Kubectl("version"), HasSubstr("Server Version"));
  EXPECT_THAT(Kubectl("get nodes"), HasSubstr("Ready"));
  EXPECT_THAT(Kubectl("get --raw /readyz"), HasSubstr("ok"));
  EXPECT_THAT(Kubectl("get all -A"), HasSubstr("service/kubernetes"));
  EXPECT_EQ(server_->Kill(15), 0);  // a clean end on SIGTERM
}

}  // namespace
}  // namespace sealane
