// Which subjects each account sees, and under which names: the same on every bus.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr char kOdd[] = "cluster.with \"odd\" name";

class AccountsContract : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = MakeContractWorld();
    world_->Do([&] {
      hub_ = world_->Connect(BusIdentity::Hub());
      for (const char* name : {"a", "b", kOdd}) {
        agents_[name] = world_->Connect(BusIdentity::Cluster(name));
      }
      platform_ = world_->Connect(BusIdentity::Platform("paas"));
      ci_ = world_->Connect(BusIdentity::Platform("ci"));
    });
    ASSERT_TRUE(WaitConnected(*world_, *hub_));
    for (auto& agent : agents_) ASSERT_TRUE(WaitConnected(*world_, *agent.second));
    ASSERT_TRUE(WaitConnected(*world_, *platform_));
    ASSERT_TRUE(WaitConnected(*world_, *ci_));
  }
  void TearDown() override {
    world_->Do([&] {
      subscriptions_.clear();
      agents_.clear();
      platform_.reset();
      ci_.reset();
      hub_.reset();
    });
  }
  void Ensure(std::string_view name, bool live) {
    StreamConfig config = TableConfig(name);
    if (live) config.republish_prefix = std::string(kLivePrefix);
    ASSERT_OK(EnsureNow(*world_, *hub_, config));
  }
  // Remembers what a connection receives, as "<who> <subject>=<payload>".
  void Record(std::string_view who, Bus& bus, std::string_view filter) {
    world_->Do([&] {
      subscriptions_.push_back(
          bus.Subscribe(filter, [this, who = std::string(who)](const BusMessage& m) {
            got_.push_back(StrCat(who, " ", m.subject, "=", m.payload));
          }));
    });
    Flush(bus);
  }
  void Flush(Bus& bus) {
    auto done = std::make_shared<bool>(false);
    world_->Do([&] {
      bus.Request("_INBOX.nobody", "", absl::Milliseconds(500),
                  [done](const absl::StatusOr<BusMessage>&) { *done = true; });
    });
    ASSERT_TRUE(world_->Wait([&] { return *done; }));
  }
  std::string Ask(Bus& bus, std::string_view subject) {
    auto answer = std::make_shared<std::string>();
    world_->Do([&] {
      bus.Request(subject, "?", absl::Milliseconds(700),
                  [answer](const absl::StatusOr<BusMessage>& r) {
                    *answer = r.ok() ? r->payload : absl::StatusCodeToString(r.status().code());
                  });
    });
    EXPECT_TRUE(world_->Wait([&] { return !answer->empty(); }));
    return *answer;
  }

  std::unique_ptr<ContractWorld> world_;
  std::unique_ptr<Bus> hub_;
  std::map<std::string, std::unique_ptr<Bus>> agents_;
  std::unique_ptr<Bus> platform_;
  std::unique_ptr<Bus> ci_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<std::string> got_;
};

TEST_F(AccountsContract, AgentsSeeTheirOwnWorksLive) {
  Ensure("works", true);
  for (auto& agent : agents_) Record(agent.first, *agent.second, agent::kLiveWorks);
  ASSERT_OK(AppendNow(*world_, *hub_, "works.a.apps.Deployment.x.web", "for a"));
  ASSERT_OK(AppendNow(*world_, *hub_, "works.b.apps.Deployment.x.web", "for b"));
  ASSERT_OK(AppendNow(*world_, *hub_, StrCat("works.", EncodeToken(kOdd), ".apps.Deployment.x.web"),
                      "for odd"));
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 3; }));
  EXPECT_THAT(got_,
              testing::UnorderedElementsAre("a works.apps.Deployment.x.web=for a",
                                            "b works.apps.Deployment.x.web=for b",
                                            StrCat(kOdd, " works.apps.Deployment.x.web=for odd")));
  EXPECT_EQ(agent::RowKeyOfLiveWork("works.apps.Deployment.x.web"), "apps.Deployment.x.web");
}

TEST_F(AccountsContract, AgentsReportAndAreAcknowledged) {
  Ensure("work_status", false);
  Record("hub", *hub_, hub::kHeartbeats);
  const auto stored =
      AppendNow(*world_, *agents_["a"], agent::WorkStatus("apps.Deployment.x.web"), "applied");
  ASSERT_OK(stored);
  EXPECT_EQ(stored->sequence, 1u);
  ASSERT_OK(AppendNow(*world_, *agents_[kOdd], agent::WorkStatus("v1.Pod.x.p"), "applied"));
  world_->Do([&] {
    EXPECT_OK(agents_["a"]->Publish(agent::kHeartbeat, "alive"));
    EXPECT_OK(agents_[kOdd]->Publish(agent::kHeartbeat, "alive"));
  });
  std::map<std::string, std::string> rows;
  world_->Do([&] {
    subscriptions_.push_back(hub_->Watch({"work_status", ""}, [&](const WatchEvent& event) {
      if (event.type == WatchEvent::Type::kPut) {
        rows[event.message.subject] = hub::ClusterOf(event.message.subject);
      }
    }));
  });
  ASSERT_TRUE(world_->Wait([&] { return rows.size() == 2 && got_.size() == 2; }));
  EXPECT_THAT(rows, testing::UnorderedElementsAre(
                        Pair("work_status.a.apps.Deployment.x.web", "a"),
                        Pair(StrCat("work_status.", EncodeToken(kOdd), ".v1.Pod.x.p"), kOdd)));
  EXPECT_THAT(
      got_, testing::UnorderedElementsAre("hub heartbeats.a=alive",
                                          StrCat("hub heartbeats.", EncodeToken(kOdd), "=alive")));
}

TEST_F(AccountsContract, AgentsAskForSnapshotsAndAnswerRequests) {
  world_->Do([&] {
    subscriptions_.push_back(hub_->Subscribe(hub::kSnapshotRequests, [&](const BusMessage& m) {
      for (int i = 0; i < 3; ++i) {
        EXPECT_OK(hub_->Publish(m.reply, StrCat(hub::ClusterOf(m.subject), " part ", i)));
      }
    }));
    for (auto& item : agents_) {
      Bus* agent = item.second.get();
      subscriptions_.push_back(
          agent->Subscribe(agent::kControl, [agent, name = item.first](const BusMessage& m) {
            EXPECT_OK(agent->Publish(m.reply, StrCat(name, " does ", agent::Verb(m.subject))));
          }));
    }
  });
  Flush(*hub_);
  for (auto& item : agents_) Flush(*item.second);
  std::vector<std::string> parts;
  world_->Do([&] {
    subscriptions_.push_back(
        agents_["b"]->RequestMany(agent::kSnapshot, "", [&](const absl::StatusOr<BusMessage>& r) {
          parts.push_back(r.ok() ? r->payload : r.status().ToString());
        }));
  });
  ASSERT_TRUE(world_->Wait([&] { return parts.size() == 3; }));
  EXPECT_THAT(parts, ElementsAre("b part 0", "b part 1", "b part 2"));
  EXPECT_EQ(Ask(*hub_, hub::Control("a", "capacity")), "a does capacity");
  EXPECT_EQ(Ask(*hub_, hub::Control(kOdd, "capacity")), StrCat(kOdd, " does capacity"));
  EXPECT_NE(Ask(*agents_["b"], "ctl.capacity"), "a does capacity");
}

TEST_F(AccountsContract, PlatformsDeployAndListen) {
  StreamConfig deploy;
  deploy.name = "deploy";
  deploy.subjects = {"deploy.>"};
  deploy.last_per_subject = false;
  ASSERT_OK(EnsureNow(*world_, *hub_, deploy));
  Ensure("app_status", true);
  Ensure("events", true);
  Record("paas", *platform_, platform::kDeployedAll);
  Record("paas", *platform_, platform::kAppStatus);
  Record("paas", *platform_, platform::kEvents);
  Record("ci", *ci_, platform::kDeployedAll);
  world_->Do([&] {
    subscriptions_.push_back(hub_->Subscribe("query.status", [&](const BusMessage& m) {
      EXPECT_OK(hub_->Publish(m.reply, "the answer"));
    }));
  });
  Flush(*hub_);
  AppendRequest event;
  event.subject = std::string(platform::kDeploy);
  event.payload = "event";
  event.message_id = "e1";
  const auto first = AppendNow(*world_, *platform_, event);
  ASSERT_OK(first);
  const auto again = AppendNow(*world_, *platform_, event);
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  std::string deployed;
  world_->Do([&] {
    WatchOptions options;
    options.stream = "deploy";
    options.all = true;
    subscriptions_.push_back(hub_->Watch(options, [&](const WatchEvent& e) {
      if (e.type == WatchEvent::Type::kPut) deployed = hub::PlatformOf(e.message.subject);
    }));
    EXPECT_OK(hub_->Publish(hub::Deployed("paas", "e1"), "accepted"));
  });
  ASSERT_OK(AppendNow(*world_, *hub_, "app_status.apps.Deployment.x.web", "healthy"));
  ASSERT_OK(AppendNow(*world_, *hub_,
                      hub::Event("policy", "Claimed", "", {"apps", "Deployment", "n", "web"}),
                      "claimed"));
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 3 && !deployed.empty(); }));
  EXPECT_EQ(deployed, "paas");
  EXPECT_THAT(got_, testing::UnorderedElementsAre(
                        StrCat("paas ", platform::Deployed("e1"), "=accepted"),
                        "paas app-status.apps.Deployment.x.web=healthy",
                        "paas events.policy.Claimed.=.apps.Deployment.n.web=claimed"));
  EXPECT_EQ(Ask(*platform_, platform::Query("status")), "the answer");
  EXPECT_NE(Ask(*agents_["a"], "query.status"), "the answer");
  // The subject says which platform asks for an answer; none can ask in another's name.
  world_->Do([&] {
    subscriptions_.push_back(hub_->Subscribe(hub::kResultRequests, [&](const BusMessage& m) {
      EXPECT_OK(hub_->Publish(m.reply, StrCat("for ", hub::PlatformOf(m.subject))));
    }));
  });
  Flush(*hub_);
  EXPECT_EQ(Ask(*platform_, platform::kResults), "for paas");
  EXPECT_EQ(Ask(*ci_, platform::kResults), "for ci");
  EXPECT_THAT(Ask(*ci_, hub::ResultRequest("paas")), testing::Not(testing::HasSubstr("for ")));
}

// What an account is not given does not reach HUB, under any name.
TEST_F(AccountsContract, NothingElseCrosses) {
  Ensure("works", true);
  Ensure("work_status", false);
  Record("hub", *hub_, ">");
  world_->Do([&] {
    Bus& agent = *agents_["a"];
    for (const char* subject : {"works.b.x", "live.works.b.x", "heartbeats.b", "snap.works.b",
                                "deploy", "deploy.paas", "$JS.API.STREAM.DELETE.works", "objects.x",
                                "ctl.b.x", "query.policy", "results.paas", "deployed.paas.x"}) {
      (void)agent.Publish(subject, "intruder");
    }
    for (const char* subject :
         {"works.b.x", "heartbeats.a", "deploy.ci", "results.ci", "deployed.ci.x", "app-status.x",
          "events.x", "$JS.API.STREAM.DELETE.works"}) {
      (void)platform_->Publish(subject, "intruder");
    }
  });
  for (const auto& name : {"a", "b"}) Flush(*agents_[name]);
  Flush(*platform_);
  EXPECT_FALSE(AppendNow(*world_, *agents_["a"], "works.a.x", "intruder").ok());
  EXPECT_FALSE(AppendNow(*world_, *platform_, "objects.x", "intruder").ok());
  Flush(*hub_);
  for (const std::string& message : got_) {
    EXPECT_EQ(message.find("intruder"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace sealane
