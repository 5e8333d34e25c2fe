// Real kubectls against a running kubesim: every command must end as it ends at a real API server.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
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

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Debian's kubectl, unpacked by scripts/install-deps where another one is installed.
constexpr char kUnpacked[] = SEALANE_SOURCE_DIR "/var/tools/kubernetes-client/usr/bin/kubectl";

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

constexpr char kConfigMap[] = R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg, labels: {app: web}}
data: {k: v}
)";

constexpr char kEvent[] = R"(
apiVersion: v1
kind: Event
metadata: {name: web.1}
involvedObject: {apiVersion: apps/v1, kind: Deployment, namespace: default, name: web, uid: UID}
type: Warning
reason: TooSlow
message: it takes its time
source: {component: test}
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
count: 1
)";

bool InCi() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string_view(ci) == "true";
}

std::vector<std::string> SplitPath(const char* list) {
  std::vector<std::string> out;
  std::istringstream parts(list == nullptr ? "" : list);
  for (std::string part; std::getline(parts, part, ':');) {
    if (!part.empty()) out.push_back(part);
  }
  return out;
}

// Those that SEALANE_KUBECTLS names, or else every distinct one on this machine.
std::vector<std::string> Kubectls() {
  if (const char* named = std::getenv("SEALANE_KUBECTLS")) return SplitPath(named);
  std::vector<std::string> out;
  std::set<std::filesystem::path> seen;
  const auto consider = [&](const std::string& path) {
    if (access(path.c_str(), X_OK) != 0) return;
    if (seen.insert(std::filesystem::canonical(path)).second) out.push_back(path);
  };
  for (const std::string& directory : SplitPath(std::getenv("PATH"))) {
    consider(directory + "/kubectl");
  }
  consider(kUnpacked);
  return out;
}

TEST(Kubectls, AreThere) {
  const std::vector<std::string> kubectls = Kubectls();
  if (kubectls.empty() && !InCi()) GTEST_SKIP() << "no kubectl on this machine";
  ASSERT_FALSE(kubectls.empty()) << "no kubectl on this machine; scripts/install-deps brings one";
  for (const std::string& kubectl : kubectls) {
    const auto version = RunProcess({kubectl, "version", "--client"});
    ASSERT_OK(version);
    EXPECT_EQ(version->exit_code, 0) << kubectl << ": " << version->output;
  }
}

class KubectlTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    kubeconfig_ = dir_.path() + "/kubeconfig";
    auto server =
        Subprocess::Start({SEALANE_BIN_DIR "/kubesim", "--listen", "127.0.0.1:0", "--startup-delay",
                           "100ms", "--stop-delay", "100ms", "--kubeconfig-out", kubeconfig_},
                          dir_.path() + "/log");
    ASSERT_OK(server);
    server_.emplace(*std::move(server));
    // The kubeconfig appears when the server listens.
    ASSERT_TRUE(Eventually([this] { return std::filesystem::exists(kubeconfig_); }));
    WriteFile("app.yaml", App("nginx:1.25", "v"));
    WriteFile("app2.yaml", App("nginx:1.26", "w"));
    WriteFile("cfg.yaml", kConfigMap);
    // What kubectl edit starts.
    WriteFile("editor.sh", "sed -i 's/k: v/k: edited/' \"$1\"\n");
  }

  static std::string App(const std::string& image, const std::string& value) {
    std::string text = kApp;
    text.replace(text.find("IMAGE"), 5, image);
    text.replace(text.find("{k: v}"), 6, StrCat("{k: ", value, "}"));
    return text;
  }
  void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << text;
  }
  [[nodiscard]] std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }
  [[nodiscard]] std::string ReadFile(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static bool Eventually(const std::function<bool()>& holds) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!holds()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  // The command line of words separated by spaces; files are those of this test.
  [[nodiscard]] std::vector<std::string> CommandLine(const std::string& command) const {
    std::vector<std::string> argv = {GetParam(), "--kubeconfig", kubeconfig_};
    std::istringstream words(command);
    for (std::string word; words >> word;) {
      argv.push_back(word.ends_with(".yaml") ? Path(word) : word);
    }
    return argv;
  }
  [[nodiscard]] std::map<std::string, std::string> Environment() const {
    return {{"HOME", dir_.path()}, {"KUBE_EDITOR", "sh " + Path("editor.sh")}};
  }
  ProcessResult Run(const std::string& command, const std::string& input = "") {
    const auto result = RunProcess(CommandLine(command), absl::Seconds(60), input, Environment());
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : ProcessResult();
  }
  std::string Kubectl(const std::string& command, const std::string& input = "") {
    const ProcessResult result = Run(command, input);
    EXPECT_EQ(result.exit_code, 0) << "kubectl " << command << "\n" << result.output;
    return result.output;
  }
  // What a command says that must end with exit code 1.
  std::string Refused(const std::string& command) {
    const ProcessResult result = Run(command);
    EXPECT_EQ(result.exit_code, 1) << "kubectl " << command << "\n" << result.output;
    return result.output;
  }
  // A command that goes on until the object goes; its output is in the file `log`.
  Subprocess Follow(const std::string& command, const std::string& log) {
    auto process = Subprocess::Start(CommandLine(command), Path(log), Environment());
    EXPECT_OK(process);
    return *std::move(process);
  }
  // Waits until the text stands in the file.
  ::testing::AssertionResult Shows(const std::string& log, const std::string& text) {
    if (Eventually([&] { return ReadFile(log).find(text) != std::string::npos; })) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "no \"" << text << "\" in: " << ReadFile(log);
  }
  // 20 of v1.20.
  int MinorVersion() {
    const Json version = Json::parse(Kubectl("version --client -o json"));
    return std::atoi(version["clientVersion"]["minor"].get<std::string>().c_str());
  }

  TempDir dir_;
  std::string kubeconfig_;
  std::optional<Subprocess> server_;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KubectlTest);
INSTANTIATE_TEST_SUITE_P(Each, KubectlTest, ::testing::ValuesIn(Kubectls()), [](const auto& info) {
  std::string name = StrCat(info.index, info.param);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

TEST_P(KubectlTest, ClientSideApplyDiffAndRollout) {
  EXPECT_THAT(Kubectl("apply -f app.yaml"),
              AllOf(HasSubstr("deployment.apps/web created"), HasSubstr("service/web created"),
                    HasSubstr("configmap/cfg created")));
  EXPECT_THAT(Kubectl("rollout status deploy/web --timeout=30s"),
              HasSubstr("successfully rolled out"));
  EXPECT_THAT(Kubectl("get deploy web"), HasSubstr("2/2"));
  EXPECT_EQ(Run("diff -f app.yaml").exit_code, 0);
  EXPECT_THAT(Refused("diff -f app2.yaml"),
              AllOf(HasSubstr("-      - image: nginx:1.25"),
                    HasSubstr("+      - image: nginx:1.26"), HasSubstr("+  k: w")));
  EXPECT_EQ(Run("diff -f app.yaml").exit_code, 0);  // a dry run changed nothing
  EXPECT_THAT(Kubectl("apply -f app2.yaml"),
              AllOf(HasSubstr("deployment.apps/web configured"), HasSubstr("service/web unchanged"),
                    HasSubstr("configmap/cfg configured")));
  EXPECT_THAT(Kubectl("apply -f app2.yaml"), HasSubstr("deployment.apps/web unchanged"));
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("rollout history deploy/web"),
              AllOf(HasSubstr("\n1 "), HasSubstr("\n2 "), Not(HasSubstr("\n3 "))));
  Kubectl("rollout undo deploy/web");
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}"),
              HasSubstr("nginx:1.25"));
  EXPECT_THAT(Kubectl("rollout restart deploy/web"), HasSubstr("restarted"));
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("set image deploy/web app=nginx:1.27"), HasSubstr("image updated"));
  EXPECT_THAT(Kubectl("describe deploy web"),
              AllOf(HasSubstr("nginx:1.27"), HasSubstr("NewReplicaSet:"), HasSubstr("Events:")));
}

TEST_P(KubectlTest, NoticesUnknownFields) {
  WriteFile("typo.yaml", StrCat(kConfigMap, "dota: {k: v}\n"));
  const ProcessResult result = Run("apply -f typo.yaml");
  EXPECT_THAT(result.output, HasSubstr("unknown field \"dota\""));
  // 1.20 does not ask the server to be strict: it looks into the OpenAPI document, where kubesim
  // describes no types. So it says the server's warning, and goes on.
  EXPECT_EQ(result.exit_code, MinorVersion() < 25 ? 0 : 1);
}

TEST_P(KubectlTest, ServerSideApplyConflictsAndMigrates) {
  EXPECT_THAT(Kubectl("apply --server-side -f app.yaml"), HasSubstr("serverside-applied"));
  EXPECT_THAT(Kubectl("apply --server-side --dry-run=server -f app2.yaml"),
              HasSubstr("serverside-applied (server dry run)"));
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.k}"), "v");
  EXPECT_THAT(Refused("apply --server-side --field-manager=other -f app2.yaml"),
              HasSubstr("conflict with \"kubectl\""));
  Kubectl("apply --server-side --field-manager=other --force-conflicts -f app2.yaml");
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.k}"), "w");
  // From client-side to server-side apply: kubectl moves the ownership itself.
  Kubectl("delete -f app.yaml");
  Kubectl("apply -f app.yaml");
  Kubectl("apply --server-side --force-conflicts -f app2.yaml");
  // Debian's kubectl has no --show-managed-fields.
  EXPECT_THAT(Kubectl("get --raw /apis/apps/v1/namespaces/default/deployments/web"),
              HasSubstr("\"operation\":\"Apply\""));
}

TEST_P(KubectlTest, Prunes) {
  Kubectl("apply -f app.yaml");
  const ProcessResult pruned = Run("apply --prune -l app=web -f cfg.yaml");
  EXPECT_THAT(pruned.output, HasSubstr("configmap/cfg unchanged"));
  const bool old = MinorVersion() < 25;
  if (old) {
    // It asks for kinds that no current server has, and says so after the apply.
    EXPECT_EQ(pruned.exit_code, 1);
    EXPECT_THAT(pruned.output, HasSubstr("batch/v1beta1"));
    EXPECT_THAT(Kubectl("apply --prune -l app=web --prune-whitelist=apps/v1/Deployment "
                        "--prune-whitelist=core/v1/Service -f cfg.yaml"),
                AllOf(HasSubstr("deployment.apps/web pruned"), HasSubstr("service/web pruned")));
  } else {
    EXPECT_EQ(pruned.exit_code, 0) << pruned.output;
    EXPECT_THAT(pruned.output,
                AllOf(HasSubstr("deployment.apps/web pruned"), HasSubstr("service/web pruned")));
  }
  EXPECT_THAT(Refused("get deploy web"), HasSubstr("(NotFound)"));
  EXPECT_THAT(Kubectl("get cm cfg -o name"), HasSubstr("configmap/cfg"));
}

TEST_P(KubectlTest, ScalesPatchesEditsAndLabels) {
  Kubectl("apply -f app.yaml");
  EXPECT_THAT(Kubectl("wait --for=condition=Available deploy/web --timeout=30s"),
              HasSubstr("condition met"));
  EXPECT_THAT(Kubectl("scale deploy web --replicas=4"), HasSubstr("scaled"));
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_EQ(Json::parse(Kubectl("get pods -l app=web -o json"))["items"].size(), 4U);
  EXPECT_THAT(Refused("scale deploy web --current-replicas=9 --replicas=1"),
              HasSubstr("Expected replicas to be 9, was 4"));
  EXPECT_THAT(Kubectl("edit cm cfg"), HasSubstr("configmap/cfg edited"));
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.k}"), "edited");
  EXPECT_THAT(Kubectl("patch deploy web --type=merge -p {\"spec\":{\"replicas\":1}}"),
              HasSubstr("deployment.apps/web patched"));
  // A strategic merge: the container of this name keeps what the patch does not say.
  Kubectl(
      "patch deploy web -p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\","
      "\"image\":\"nginx:1.29\"}]}}}}");
  EXPECT_THAT(Kubectl("get deploy web -o jsonpath={.spec.template.spec.containers[*]['image','"
                      "ports']}"),
              AllOf(HasSubstr("nginx:1.29"), HasSubstr("80")));
  Kubectl("patch cm cfg --type=json -p [{\"op\":\"add\",\"path\":\"/data/x\",\"value\":\"y\"}]");
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.x}"), "y");
  EXPECT_THAT(Refused("patch cm none -p {}"), HasSubstr("(NotFound)"));
  EXPECT_THAT(Kubectl("label cm cfg color=blue"), HasSubstr("labeled"));
  EXPECT_THAT(Kubectl("annotate cm cfg note=yes"), HasSubstr("annotated"));
  EXPECT_THAT(Kubectl("get cm -l color=blue"), HasSubstr("cfg"));
  EXPECT_THAT(Kubectl("get cm -l color=red"), HasSubstr("No resources found"));
  EXPECT_THAT(Kubectl("expose deploy web --port=81 --name=second"), HasSubstr("exposed"));
  EXPECT_THAT(Kubectl("get svc second"), HasSubstr("81/TCP"));
}

TEST_P(KubectlTest, GetsInAllShapes) {
  Kubectl("apply -f app.yaml");
  Kubectl("rollout status deploy/web --timeout=30s");
  EXPECT_THAT(Kubectl("get deploy,svc,cm,pods -o wide"),
              AllOf(HasSubstr("nginx:1.25"), HasSubstr("service/web"), HasSubstr("configmap/cfg"),
                    HasSubstr("kubesim-node-")));
  EXPECT_THAT(Kubectl("get deploy web -o yaml"), HasSubstr("kind: Deployment"));
  EXPECT_EQ(Kubectl("get deploy -l app=web -o name"), "deployment.apps/web\n");
  EXPECT_THAT(Kubectl("get cm --field-selector metadata.name=cfg"), HasSubstr("cfg"));
  EXPECT_THAT(Kubectl("get cm --field-selector metadata.name=other"),
              HasSubstr("No resources found"));
  EXPECT_THAT(Kubectl("get all"), AllOf(HasSubstr("deployment.apps/web"), HasSubstr("pod/web-"),
                                        HasSubstr("replicaset.apps/web-")));
  EXPECT_THAT(Kubectl("get cm -A"), HasSubstr("NAMESPACE"));
  EXPECT_THAT(Kubectl("get events"), HasSubstr("No resources found"));
  std::string event = kEvent;
  event.replace(event.find("UID"), 3, Kubectl("get deploy web -o jsonpath={.metadata.uid}"));
  WriteFile("event.yaml", event);
  Kubectl("create -f event.yaml");
  EXPECT_THAT(Kubectl("get events"), AllOf(HasSubstr("REASON"), HasSubstr("TooSlow"),
                                           HasSubstr("Warning"), HasSubstr("it takes its time")));
  EXPECT_THAT(Kubectl("describe deploy web"), HasSubstr("it takes its time"));
  Kubectl("logs deploy/web");
  EXPECT_THAT(Refused("logs none"), HasSubstr("(NotFound)"));
  EXPECT_THAT(Refused("top pods"), HasSubstr("Metrics API not available"));
}

TEST_P(KubectlTest, WatchesChangesArrive) {
  Kubectl("apply -f app.yaml");
  Subprocess values = Follow("get cm cfg -w -o jsonpath=<{.data.k}>", "values");
  Subprocess events = Follow("get cm -w --output-watch-events -l app=web", "events");
  Subprocess table = Follow("get deploy web -w", "table");
  Subprocess wait = Follow("wait --for=delete cm/cfg --timeout=30s", "wait");
  EXPECT_TRUE(Shows("values", "<v>"));
  EXPECT_TRUE(Shows("events", "ADDED"));
  EXPECT_TRUE(Shows("table", "web "));
  EXPECT_THAT(ReadFile("events"), Not(HasSubstr("MODIFIED")));
  Kubectl("patch cm cfg -p {\"data\":{\"k\":\"changed\"}}");
  EXPECT_TRUE(Shows("values", "<changed>"));
  EXPECT_TRUE(Shows("events", "MODIFIED"));
  Kubectl("scale deploy web --replicas=5");
  EXPECT_TRUE(Shows("table", "5/5"));
  EXPECT_TRUE(wait.Running());
  Kubectl("delete cm cfg");
  EXPECT_TRUE(Shows("events", "DELETED"));
  EXPECT_TRUE(Eventually([&] { return !wait.Running(); }));
  // A limit of time ends a watch, and is no error.
  EXPECT_THAT(Kubectl("get deploy web -w --request-timeout=2s"), HasSubstr("web"));
}

TEST_P(KubectlTest, WaitsInVainUntilTheTimeIsUp) {
  Kubectl("apply -f cfg.yaml");
  EXPECT_THAT(Refused("wait --for=condition=Available cm/cfg --timeout=1s"),
              HasSubstr("timed out waiting for the condition"));
  Kubectl("create deployment stuck --image=nginx:1.25");
  Kubectl("rollout status deploy/stuck --timeout=30s");
  Kubectl("rollout pause deploy/stuck");
  Kubectl("set image deploy/stuck nginx=nginx:1.26");
  EXPECT_THAT(Refused("rollout status deploy/stuck --timeout=1s"), HasSubstr("timed out"));
  Kubectl("rollout resume deploy/stuck");
  Kubectl("rollout status deploy/stuck --timeout=30s");
}

TEST_P(KubectlTest, CreatesAndDeletes) {
  // These bodies travel as protobuf.
  EXPECT_THAT(Kubectl("create ns team"), HasSubstr("namespace/team created"));
  EXPECT_THAT(Refused("create ns team"), HasSubstr("(AlreadyExists)"));
  Kubectl("create configmap c -n team --from-literal=a=b");
  EXPECT_THAT(Kubectl("get cm c -n team -o jsonpath={.data.a}"), "b");
  Kubectl("create secret generic s -n team --from-literal=k=v");
  EXPECT_THAT(Kubectl("get secret s -n team -o jsonpath={.data.k}"), "dg==");
  Kubectl("create deployment d -n team --image=nginx:1.25 --replicas=2");
  Kubectl("rollout status deploy/d -n team --timeout=30s");
  Kubectl("create job j -n team --image=busybox");
  Kubectl("wait --for=condition=Complete job/j -n team --timeout=30s");
  EXPECT_THAT(Kubectl("auth can-i create deployments"), HasSubstr("yes"));
  Kubectl("delete deploy d -n team --cascade=foreground --timeout=30s");
  EXPECT_THAT(Kubectl("get pods -n team -l app=d"), HasSubstr("No resources found"));
  EXPECT_THAT(Kubectl("delete ns team --wait=false"), HasSubstr("namespace \"team\" deleted"));
  Kubectl("wait --for=delete ns/team --timeout=30s");
  EXPECT_THAT(Refused("get namespace team"), HasSubstr("(NotFound)"));

  Kubectl("apply -f app.yaml");
  EXPECT_THAT(Kubectl("delete -f app.yaml --wait=true"),
              AllOf(HasSubstr("deployment.apps \"web\" deleted"), HasSubstr("service \"web\""),
                    HasSubstr("configmap \"cfg\"")));
  EXPECT_THAT(Refused("delete -f app.yaml"), HasSubstr("(NotFound)"));
  Kubectl("apply -f app.yaml");
  EXPECT_THAT(Kubectl("delete all -l app=web"), AllOf(HasSubstr("deployment.apps \"web\" deleted"),
                                                      HasSubstr("service \"web\" deleted")));
  // What the Deployment made goes after it.
  EXPECT_TRUE(Eventually([&] {
    return Kubectl("get all -l app=web").find("No resources found") != std::string::npos;
  }));
  EXPECT_THAT(Kubectl("delete all -l app=web"), HasSubstr("No resources found"));
  EXPECT_THAT(Kubectl("get cm cfg -o name"), HasSubstr("cfg"));  // is not of "all"
}

TEST_P(KubectlTest, Replaces) {
  // A service may be made by replacing it, the others may not.
  const std::string refused = Refused("replace -f app.yaml");
  EXPECT_THAT(refused, AllOf(HasSubstr("service/web replaced"),
                             HasSubstr("deployments.apps \"web\" not found"),
                             HasSubstr("configmaps \"cfg\" not found")));
  Kubectl("apply -f app.yaml");
  EXPECT_THAT(Kubectl("replace -f app2.yaml"), HasSubstr("deployment.apps/web replaced"));
  EXPECT_THAT(Kubectl("get cm cfg -o jsonpath={.data.k}"), "w");
  const std::string uid = Kubectl("get cm cfg -o jsonpath={.metadata.uid}");
  EXPECT_THAT(Kubectl("replace --force -f cfg.yaml"), HasSubstr("configmap/cfg replaced"));
  EXPECT_NE(Kubectl("get cm cfg -o jsonpath={.metadata.uid}"), uid);
  EXPECT_THAT(Refused("expose deploy none --port=80 --name=w2"), HasSubstr("(NotFound)"));
}

TEST_P(KubectlTest, DiscoversAndIdentifies) {
  EXPECT_THAT(Kubectl("api-resources"), AllOf(HasSubstr("deployments"), HasSubstr("deploy "),
                                              HasSubstr("customresourcedefinitions")));
  EXPECT_THAT(Kubectl("api-versions"), HasSubstr("apps/v1"));
  EXPECT_THAT(Kubectl("version"), HasSubstr("Server Version"));
  EXPECT_THAT(Kubectl("cluster-info"), HasSubstr("is running at"));
  EXPECT_THAT(Kubectl("get nodes"), HasSubstr("Ready"));
  EXPECT_THAT(Kubectl("get --raw /readyz"), HasSubstr("ok"));
  EXPECT_THAT(Kubectl("get all -A"), HasSubstr("service/kubernetes"));
  EXPECT_EQ(server_->Kill(15), 0);  // a clean end on SIGTERM
}

}  // namespace
}  // namespace sealane
