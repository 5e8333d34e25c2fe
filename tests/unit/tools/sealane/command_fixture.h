#pragma once

// The verbs as a user meets them, over a fleet that answers what the test says.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/command.h"

namespace sealane::cli {

// What the commands asked, and what they are to be answered.
struct Script {
  std::vector<v1::DeployEvent> events;
  std::vector<std::pair<std::string, v1::QueryRequest>> queries;
  absl::StatusOr<v1::DeployResult> result = v1::DeployResult();
  std::map<std::string, v1::QueryReply> replies;    // by "what", or by "service what"
  std::map<std::string, v1::DeployResult> results;  // by event
  std::deque<std::string> messages;                 // what Follow tells
  std::function<void()> on_message;
  // How often Follow may be called before the bus is gone; negative: always.
  int follows = -1;
  std::function<void()> on_follow;
  Context context;
  Fleet::WaitingHandler waiting;
  std::function<void()> on_deploy;
};

class FakeFleet final : public Fleet {
 public:
  explicit FakeFleet(Script& script) : script_(script) {}
  int64_t NowMicros() const override { return 1'700'000'000'000'000; }
  std::string NewId() override { return "event-1"; }
  absl::StatusOr<v1::DeployResult> Deploy(const v1::DeployEvent& event, absl::Duration) override {
    script_.events.push_back(event);
    if (script_.on_deploy) script_.on_deploy();
    return script_.result;
  }
  absl::StatusOr<v1::QueryReply> Query(std::string_view service, const v1::QueryRequest& request,
                                       absl::Duration) override {
    script_.queries.emplace_back(service, request);
    const auto own = script_.replies.find(StrCat(service, " ", request.what()));
    return own != script_.replies.end() ? own->second : script_.replies[request.what()];
  }
  absl::StatusOr<std::optional<v1::DeployResult>> Result(std::string_view id,
                                                         absl::Duration) override {
    const auto found = script_.results.find(std::string(id));
    if (found == script_.results.end()) return std::optional<v1::DeployResult>();
    return std::optional<v1::DeployResult>(found->second);
  }
  absl::Status Follow(std::string_view, absl::Duration, const BeginHandler& begin,
                      const MessageHandler& handler) override {
    if (script_.follows == 0) return Unavailable("the bus is gone");
    if (script_.follows > 0) --script_.follows;
    if (script_.on_follow) script_.on_follow();
    bool go_on = begin();
    while (go_on && !script_.messages.empty()) {
      const std::string message = script_.messages.front();
      script_.messages.pop_front();
      if (script_.on_message) script_.on_message();
      go_on = handler("subject", message);
    }
    return go_on ? absl::DeadlineExceededError("") : absl::OkStatus();
  }
  absl::StatusOr<std::string> Call(std::string_view subject, std::string_view,
                                   absl::Duration) override {
    return NotFound(StrCat("nobody answers ", subject));
  }
  size_t MaxPayload() const override { return 1 << 20; }
  void OnWaiting(WaitingHandler handler) override { script_.waiting = std::move(handler); }

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
        },
        progress_};
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
  bool progress_ = false;
  std::ostringstream out_;
  std::ostringstream err_;
};

}  // namespace sealane::cli
