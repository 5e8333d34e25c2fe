// The verbs as a user meets them, over a fleet that answers what the test says.
#include "tools/sealane/command.h"

#include <deque>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/status.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the commands asked, and what they are to be answered.
struct Script {
  std::vector<v1::DeployEvent> events;
  std::vector<std::pair<std::string, v1::QueryRequest>> queries;
  absl::StatusOr<v1::DeployResult> result = v1::DeployResult();
  std::map<std::string, v1::QueryReply> replies;  // by "what"
  std::deque<std::string> messages;               // what Follow tells
  std::function<void()> on_message;
  Context context;
};

class FakeFleet final : public Fleet {
 public:
  explicit FakeFleet(Script& script) : script_(script) {}
  int64_t NowMicros() const override { return 1'700'000'000'000'000; }
  std::string NewId() override { return "event-1"; }
  absl::StatusOr<v1::DeployResult> Deploy(const v1::DeployEvent& event, absl::Duration) override {
    script_.events.push_back(event);
    return script_.result;
  }
  absl::StatusOr<v1::QueryReply> Query(std::string_view service, const v1::QueryRequest& request,
                                       absl::Duration) override {
    script_.queries.emplace_back(service, request);
    return script_.replies[request.what()];
  }
  absl::Status Follow(std::string_view, absl::Duration, const BeginHandler& begin,
                      const MessageHandler& handler) override {
    bool go_on = begin();
    while (go_on && !script_.messages.empty()) {
      const std::string message = script_.messages.front();
      script_.messages.pop_front();
      if (script_.on_message) script_.on_message();
      go_on = handler("subject", message);
    }
    return go_on ? absl::DeadlineExceededError("") : absl::OkStatus();
  }
  size_t MaxPayload() const override { return 1 << 20; }

 private:
  Script& script_;
};

class CommandTest : public ::testing::Test {
 protected:
  int Run(const std::vector<std::string>& args, const std::string& input = "") {
    std::istringstream in(input);
    out_.str("");
    err_.str("");
    Terminal terminal{
        in,
        out_,
        err_,
        Style{},
        {{"SEALANE_BUS_URL", "nats://x:1"}, {"USER", "amy"}},
        [this](const Context& context, absl::Duration) -> absl::StatusOr<std::unique_ptr<Fleet>> {
          if (!reachable_) return Unavailable("the bus cannot be reached");
          script_.context = context;
          return std::make_unique<FakeFleet>(script_);
        }};
    return RunCli(args, terminal);
  }
  v1::AppStatus& AddApp(std::string_view phase) {
    v1::AppStatus* app = script_.replies["apps"].add_apps();
    app->mutable_ref()->set_kind("Deployment");
    app->mutable_ref()->set_api_version("apps/v1");
    app->mutable_ref()->set_namespace_("shop");
    app->mutable_ref()->set_name("web");
    app->set_phase(std::string(phase));
    return *app;
  }
  Script script_;
  bool reachable_ = true;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CommandTest, HelpListsEveryCommandAndExplainsEach) {
  EXPECT_EQ(Run({"help"}), kOk);
  for (const Command& command : Commands()) {
    EXPECT_THAT(out_.str(), HasSubstr(command.summary));
  }
  for (const Command& command : Commands()) {
    EXPECT_EQ(Run({command.name, "--help"}), kOk);
    EXPECT_THAT(out_.str(), AllOf(StartsWith(command.summary), HasSubstr("Usage:")));
    for (const FlagSpec& flag : command.flags) EXPECT_FALSE(flag.help.empty()) << flag.name;
  }
  EXPECT_EQ(Run({}), kUsage);
}

TEST_F(CommandTest, WrongWordsSayWhatIsNear) {
  EXPECT_EQ(Run({"aply"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean apply?"));
  EXPECT_EQ(Run({"get", "apps", "--cluser", "a"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean --cluster?"));
}

TEST_F(CommandTest, ApplySendsDocumentsAndReportsEach) {
  v1::OperationResult* result = script_.result->add_results();
  result->mutable_object()->set_kind("ConfigMap");
  result->mutable_object()->set_name("a");
  result->set_accepted(true);
  result->set_changed(true);
  result->set_generation(2);
  EXPECT_EQ(Run({"apply", "-f", "-"}, "kind: ConfigMap\n---\nkind: Secret\n"), kOk);
  EXPECT_EQ(out_.str(), "ConfigMap a  configured\n");
  ASSERT_EQ(script_.events.size(), 1U);
  EXPECT_EQ(script_.events[0].id(), "event-1");
  EXPECT_EQ(script_.events[0].publisher(), "amy");
  EXPECT_EQ(script_.events[0].operations(1).source(), "standard input#2");
  EXPECT_EQ(script_.context.url, "nats://x:1");
}

TEST_F(CommandTest, ARefusalIsExitCodeOne) {
  v1::OperationResult* result = script_.result->add_results();
  result->add_errors()->set_reason("Malformed");
  EXPECT_EQ(Run({"apply", "-f", "-"}, "kind: ["), kRefused);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("refused"), HasSubstr("Malformed")));
  EXPECT_EQ(Run({"apply", "-f", "-", "-o", "json"}, "kind: ["), kRefused);
  EXPECT_EQ(Json::parse(out_.str())["results"][0]["errors"][0]["reason"], "Malformed");
}

TEST_F(CommandTest, DeleteAsksForDeletion) {
  EXPECT_EQ(Run({"delete", "-f", "-"}, "kind: A\n"), kOk);
  EXPECT_EQ(script_.events.at(0).operations(0).type(), v1::Operation::DELETE);
}

TEST_F(CommandTest, MistakesAndAbsenceHaveTheirOwnExitCodes) {
  EXPECT_EQ(Run({"apply"}), kUsage);
  EXPECT_EQ(Run({"apply", "-f", "/none.yaml"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("/none.yaml: No such file"));
  EXPECT_EQ(Run({"get", "pods"}), kUsage);
  EXPECT_EQ(Run({"get", "apps", "-o", "xml"}), kUsage);
  EXPECT_EQ(Run({"get", "apps", "none"}), kRefused);
  EXPECT_EQ(Run({"get", "apps"}), kOk);
  reachable_ = false;
  EXPECT_EQ(Run({"get", "apps"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("the bus cannot be reached"));
}

TEST_F(CommandTest, GetPassesItsFiltersOn) {
  AddApp("Healthy");
  EXPECT_EQ(Run({"get", "apps", "web", "-n", "shop", "-l", "app=web"}), kOk);
  ASSERT_EQ(script_.queries.size(), 1U);
  EXPECT_EQ(script_.queries[0].first, "status");
  const v1::QueryRequest& request = script_.queries[0].second;
  EXPECT_EQ(request.what(), "apps");
  EXPECT_EQ(request.namespace_(), "shop");
  EXPECT_EQ(request.name(), "web");
  EXPECT_EQ(request.label_selector(), "app=web");
  EXPECT_THAT(out_.str(), HasSubstr("web   Healthy"));
  Run({"get", "policies", "-A"});
  EXPECT_EQ(script_.queries[1].first, "policy");
  EXPECT_EQ(script_.queries[1].second.group(), "policy.karmada.io");
}

TEST_F(CommandTest, GetSpeaksJsonYamlAndNames) {
  AddApp("Healthy");
  EXPECT_EQ(Run({"get", "apps", "-o", "json"}), kOk);
  EXPECT_EQ(Json::parse(out_.str())["items"][0]["phase"], "Healthy");
  EXPECT_EQ(Run({"get", "apps", "-o", "yaml"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("items:\n- phase: Healthy\n"));
  EXPECT_EQ(Run({"get", "apps", "-o", "name"}), kOk);
  EXPECT_EQ(out_.str(), "Deployment/web\n");
}

TEST_F(CommandTest, StatusTellsHealthByItsExitCode) {
  v1::AppStatus& app = AddApp("Degraded");
  EXPECT_EQ(Run({"status", "web"}), kNotHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("phase       Degraded"));
  app.set_phase("Healthy");
  EXPECT_EQ(Run({"status", "deployment/web"}), kOk);
  EXPECT_EQ(Run({"status", "none"}), kRefused);
}

TEST_F(CommandTest, StatusNamesWhatCannotBeRendered) {
  AddApp("Degraded");
  script_.replies["explain"].set_body(R"([{"renderErrors": {"aws": "no such path /spec/x"}}])");
  Run({"status", "web"});
  EXPECT_THAT(out_.str(), HasSubstr("aws: no such path /spec/x"));
  script_.replies["explain"].set_body(R"([{"renderErrors": 7}, 3])");  // not what policy says
  EXPECT_EQ(Run({"status", "web"}), kNotHealthy);
}

TEST_F(CommandTest, StatusWaitsUntilHealthy) {
  v1::AppStatus& app = AddApp("Progressing");
  script_.messages = {app.SerializeAsString(), app.SerializeAsString()};
  int told = 0;
  script_.on_message = [&] {
    if (++told == 2) app.set_phase("Healthy");
  };
  EXPECT_EQ(Run({"status", "web", "--wait"}), kOk);
  EXPECT_EQ(told, 2);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Progressing"), HasSubstr("Healthy")));

  app.set_phase("Failed");
  EXPECT_EQ(Run({"status", "web", "--wait"}), kNotHealthy);
  EXPECT_THAT(err_.str(), HasSubstr("not healthy after"));
}

TEST_F(CommandTest, EventsShowHistoryThenNewsWithoutRepeating) {
  v1::Event event;
  event.set_id("1");
  event.set_reason("Claimed");
  *script_.replies["events"].add_events() = event;
  script_.messages = {event.SerializeAsString()};
  event.set_id("2");
  event.set_reason("Placed");
  script_.messages.push_back(event.SerializeAsString());
  Run({"events", "--follow", "-o", "json"});
  EXPECT_EQ(out_.str(),
            "{\"id\":\"1\",\"reason\":\"Claimed\"}\n{\"id\":\"2\",\"reason\":\"Placed\"}\n");
}

TEST_F(CommandTest, RenderPrintsTheManifestOfEachCluster) {
  AddApp("Healthy");
  v1::Work* work = script_.replies["works"].add_works();
  work->set_cluster("aws");
  work->set_manifest(R"({"kind":"Deployment"})");
  v1::AppliedOverride* applied = work->add_applied_overrides();
  applied->mutable_policy()->set_kind("OverridePolicy");
  applied->mutable_policy()->set_name("o");
  applied->set_overrider("imageOverrider[0]");
  applied->set_operator_("replace");
  applied->set_path("/spec/x");
  applied->set_value_json("\"y\"");
  EXPECT_EQ(Run({"render", "web"}), kOk);
  EXPECT_EQ(out_.str(),
            "---\n# cluster aws\n"
            "# OverridePolicy o rule 0 imageOverrider[0]: replace /spec/x = \"y\"\n"
            "kind: Deployment\n");
  script_.replies["works"].Clear();
  EXPECT_EQ(Run({"render", "web"}), kRefused);
}

TEST_F(CommandTest, ExplainShowsEveryCluster) {
  AddApp("Pending").set_message("nobody asked for it");
  EXPECT_EQ(Run({"explain", "web"}), kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("no policy claims it"));
  v1::Placed* placed = script_.replies["placements"].add_placements();
  placed->set_state("NoClusterFit");
  v1::ClusterDecision* decision = placed->add_decisions();
  decision->set_cluster("aws");
  decision->set_available_replicas(-1);
  decision->add_reasons("TaintToleration: {k=v:NoSchedule}");
  EXPECT_EQ(Run({"explain", "web"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("NoClusterFit"), HasSubstr("TaintToleration")));
}

TEST_F(CommandTest, VersionNeedsNoFleet) {
  reachable_ = false;
  EXPECT_EQ(Run({"version"}), kOk);
  EXPECT_THAT(out_.str(), StartsWith("sealane "));
}

}  // namespace
}  // namespace sealane::cli
