// Rules for the client library and the server that the contract tests cannot show: one test each.
#include <dirent.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/nats_readers.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/integration/bus/nats_world.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

int Threads() {
  int count = 0;
  DIR* dir = opendir("/proc/self/task");
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(dir);
  return count;
}

class NatsRulesTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(world_.Options(BusIdentity::Hub(), world_.port())); }
  void TearDown() override {
    world_.Do([&] {
      subscriptions_.clear();
      bus_.reset();
    });
  }
  void Open(NatsOptions options) {
    world_.Do([&] {
      bus_.reset();
      bus_ = world_.ConnectNats(std::move(options));
    });
  }
  NatsStats Stats() {
    NatsStats stats;
    world_.Do([&] { stats = bus_->stats(); });
    return stats;
  }

  NatsWorld world_;
  std::unique_ptr<NatsBus> bus_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

TEST_F(NatsRulesTest, ThreadsDoNotGrowWithSubscriptions) {
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  ASSERT_OK(EnsureNow(world_, *bus_, TableConfig("t")));
  world_.Do([&] { subscriptions_.push_back(bus_->Watch({"t", ""}, [](const WatchEvent&) {})); });
  world_.Pass(absl::Milliseconds(300));
  const int before = Threads();
  int synced = 0;
  world_.Do([&] {
    for (int i = 0; i < 60; ++i) {
      subscriptions_.push_back(bus_->Subscribe(StrCat("s.", i), [](const BusMessage&) {}));
      subscriptions_.push_back(bus_->Watch({"t", ""}, [&](const WatchEvent& e) {
        if (e.type == WatchEvent::Type::kSynced) ++synced;
      }));
    }
  });
  ASSERT_TRUE(world_.Wait([&] { return synced == 60; }));
  EXPECT_LE(Threads(), before + 1);
}

TEST_F(NatsRulesTest, TellsHowLongAppendsTakeAndHowFarReadersAreBehind) {
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  std::vector<absl::Duration> took;
  options.on_append = [&took](absl::Duration duration) { took.push_back(duration); };
  Open(options);
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  ASSERT_OK(EnsureNow(world_, *bus_, TableConfig("t")));
  int answered = 0;
  world_.Do([&] {
    for (int i = 0; i < 500; ++i) {
      AppendRequest request;
      request.subject = StrCat("t.", i);
      request.payload = "x";
      bus_->Append(std::move(request), [&](const absl::StatusOr<Appended>&) { ++answered; });
    }
  });
  ASSERT_TRUE(world_.Wait([&] { return answered == 500; }));
  EXPECT_EQ(Stats().pending.count("t"), 0U) << "nobody reads it";
  uint64_t most = 0;
  bool synced = false;
  world_.Do([&] {
    EXPECT_EQ(took.size(), 500U);
    for (const absl::Duration duration : took) EXPECT_GT(duration, absl::ZeroDuration());
    subscriptions_.push_back(bus_->Watch({"t", ""}, [&](const WatchEvent& event) {
      most = std::max(most, bus_->stats().pending.at("t"));
      if (event.type == WatchEvent::Type::kSynced) synced = true;
    }));
  });
  ASSERT_TRUE(world_.Wait([&] { return synced; }));
  EXPECT_EQ(most, 499U) << "when the first of them came";
  EXPECT_EQ(Stats().pending.at("t"), 0U);
}

TEST_F(NatsRulesTest, ConnectsWheneverTheServerComes) {
  world_.StopServer();
  Open(world_.Options(BusIdentity::Hub(), world_.port()));
  world_.Pass(absl::Milliseconds(300));
  world_.Do(
      [&] { EXPECT_THAT(bus_->Publish("a", ""), StatusIs(absl::StatusCode::kUnavailable, _)); });
  EXPECT_THAT(world_.Errors(), HasSubstr("cannot connect"));
  world_.StartServer();
  EXPECT_TRUE(WaitConnected(world_, *bus_));
}

TEST_F(NatsRulesTest, AWrongPasswordIsToldAndTriedForever) {
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  options.password = "wrong";
  Open(options);
  ASSERT_TRUE(world_.Wait([&] { return bus_->stats().errors >= 3; }));
  EXPECT_EQ(Stats().connects, 0u);
}

// A rotated secret: the files change, and the bus goes on as who they say.
TEST_F(NatsRulesTest, ALoginOfFilesIsTakenWhenTheyChange) {
  TempDir files;
  const auto write = [&](const std::string& user, const std::string& password) {
    std::ofstream(files.path() + "/user") << user << "\n";
    std::ofstream(files.path() + "/password") << password << "\n";
  };
  write(ClusterUser("a"), "a-secret");
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  options.user.clear();
  options.password.clear();
  options.user_file = files.path() + "/user";
  options.password_file = files.path() + "/password";
  Open(options);
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  int heartbeats = 0;
  std::unique_ptr<NatsBus> hub;
  world_.Do([&] {
    EXPECT_EQ(bus_->User(), ClusterUser("a"));
    hub = world_.ConnectNats(world_.Options(BusIdentity::Hub(), world_.port()));
    subscriptions_.push_back(
        hub->Subscribe("heartbeats.b", [&](const BusMessage&) { ++heartbeats; }));
  });
  ASSERT_TRUE(WaitConnected(world_, *hub));
  write(ClusterUser("b"), "b-secret");
  ASSERT_TRUE(world_.Wait([&] {
    (void)bus_->Publish("hb", "alive");
    return heartbeats > 0 && bus_->User() == ClusterUser("b");
  }));
  world_.Do([&] {
    subscriptions_.clear();
    hub.reset();
  });
}

// The library crashes when a subscription is destroyed while messages arrive for it.
TEST_F(NatsRulesTest, SubscriptionsComeAndGoUnderTraffic) {
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  std::unique_ptr<NatsBus> publisher;
  world_.Do(
      [&] { publisher = world_.ConnectNats(world_.Options(BusIdentity::Hub(), world_.port())); });
  ASSERT_TRUE(WaitConnected(world_, *publisher));
  uint64_t received = 0;
  for (int cycle = 0; cycle < 150; ++cycle) {
    world_.Do([&] {
      std::vector<std::unique_ptr<Subscription>> brief;
      for (int i = 0; i < 5; ++i) {
        brief.push_back(bus_->Subscribe("flood.>", [&](const BusMessage&) { ++received; }));
      }
      for (int i = 0; i < 100; ++i) (void)publisher->Publish("flood.x", "payload");
      subscriptions_.swap(brief);
    });
    world_.Pass(absl::Milliseconds(5));
  }
  EXPECT_GT(received, 0u);
  world_.Do([&] { publisher.reset(); });
  // The bus goes in the middle of it too.
  world_.Do([&] {
    subscriptions_.clear();
    bus_.reset();
  });
}

TEST_F(NatsRulesTest, AppendsAreBoundedInFlightAndAllAnswered) {
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  options.max_appends_in_flight = 50;
  Open(options);
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  ASSERT_OK(EnsureNow(world_, *bus_, TableConfig("t")));
  std::map<std::string, int> results;
  world_.Do([&] {
    for (int i = 0; i < 5000; ++i) {
      AppendRequest request;
      request.subject = StrCat("t.", i % 700);
      request.payload = "value";
      bus_->Append(std::move(request), [&](const absl::StatusOr<Appended>& r) {
        ++results[absl::StatusCodeToString(r.status().code())];
      });
    }
  });
  ASSERT_TRUE(world_.Wait([&] { return results["OK"] == 5000; }));
}

// A server that hangs: the result is unknown after the time-out, nothing waits forever, and the bus
// goes on when it wakes.
TEST_F(NatsRulesTest, AHangingServerMakesResultsUnknown) {
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  options.append_timeout = absl::Milliseconds(500);
  Open(options);
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  ASSERT_OK(EnsureNow(world_, *bus_, TableConfig("t")));
  int synced = 0;
  std::string last;
  world_.Do([&] {
    subscriptions_.push_back(bus_->Watch({"t", ""}, [&](const WatchEvent& e) {
      if (e.type == WatchEvent::Type::kSynced) ++synced;
      if (e.type == WatchEvent::Type::kPut) last = e.message.payload;
    }));
  });
  ASSERT_TRUE(world_.Wait([&] { return synced == 1; }));
  world_.FreezeServer(true);
  const auto unknown = AppendNow(world_, *bus_, "t.a", "stored or not");
  EXPECT_THAT(unknown, StatusIs(absl::StatusCode::kDeadlineExceeded, _));
  EXPECT_EQ(Stats().append_timeouts, 1u);
  world_.Pass(absl::Seconds(4));  // heartbeats are missing
  world_.FreezeServer(false);
  ASSERT_TRUE(world_.Wait([&] { return synced >= 2; })) << "the watch began again";
  ASSERT_TRUE(world_.Wait([&] { return bus_->stats().connects > 0; }));
  for (int i = 0; i < 50 && !AppendNow(world_, *bus_, "t.a", "after").ok(); ++i) {
    world_.Pass(absl::Milliseconds(100));
  }
  EXPECT_TRUE(world_.Wait([&] { return last == "after"; }));
}

TEST_F(NatsRulesTest, RefusedPermissionsAreTold) {
  Open(world_.Options(BusIdentity::Cluster("a"), world_.port()));
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  world_.Do([&] { EXPECT_OK(bus_->Publish("objects.x", "not mine")); });
  ASSERT_TRUE(world_.Wait([&] { return bus_->stats().errors > 0; }));
  EXPECT_THAT(world_.Errors(), HasSubstr("ermission"));
}

TEST(NatsConsumerTest, AServerWithoutItsPartOfAConsumerIsSeen) {
  const auto info = [](const char* replica) {
    return Json::parse(
        StrCat(R"({"cluster":{"leader":"n2","replicas":[{"name":"n3","current":true,"active":9},)",
               replica, "]}}"));
  };
  // As 2.9.10 tells it: never heard of, and ever further behind.
  EXPECT_TRUE(HasStrandedReplica(info(R"({"current":false,"active":0,"lag":4608})")));
  EXPECT_TRUE(HasStrandedReplica(info(R"({"current":false,"active":60000000000,"lag":1})")));
  EXPECT_FALSE(HasStrandedReplica(info(R"({"current":false,"active":5235605,"lag":1})")))
      << "it is catching up";
  EXPECT_FALSE(
      HasStrandedReplica(info(R"({"current":false,"offline":true,"active":0,"lag":4608})")))
      << "its server is away";
  EXPECT_FALSE(HasStrandedReplica(Json::parse(R"({"num_pending":0})"))) << "a single server";
  EXPECT_FALSE(HasStrandedReplica(Json::parse(R"({"cluster":{"leader":"n2"}})")));
}

TEST_F(NatsRulesTest, EnsureStreamChangesSettingsAndReportsTheImpossible) {
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  StreamConfig config = TableConfig("t");
  ASSERT_OK(EnsureNow(world_, *bus_, config));
  ASSERT_OK(AppendNow(world_, *bus_, "t.a", "kept"));
  config.max_age = absl::Hours(24);
  ASSERT_OK(EnsureNow(world_, *bus_, config));
  const JetStreamReply info = world_.JetStream("STREAM.INFO.t", "");
  ASSERT_OK(info.status);
  const Json& changed = (*info.body)["config"];
  EXPECT_EQ(changed["max_age"].get<int64_t>(), absl::ToInt64Nanoseconds(absl::Hours(24)));
  EXPECT_EQ(changed["storage"].get<std::string>(), "file");
  EXPECT_EQ((*info.body)["state"]["messages"].get<int>(), 1);
  // Servers 2.9 cannot begin to republish a stream: told at once, not tried forever.
  config.republish_prefix = "live.";
  const absl::Status republished = EnsureNow(world_, *bus_, config);
  if (!republished.ok()) {
    EXPECT_THAT(republished, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("RePublish")));
  } else {
    const JetStreamReply now = world_.JetStream("STREAM.INFO.t", "");
    ASSERT_OK(now.status);
    EXPECT_EQ((*now.body)["config"]["republish"]["dest"].get<std::string>(), "live.t.>");
  }
  StreamConfig overlapping = TableConfig("u");
  overlapping.subjects = {"t.>"};
  EXPECT_THAT(EnsureNow(world_, *bus_, overlapping),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stream u")));
}

// Markers that were purged while a watcher was away are never told: the sweep finds them.
TEST_F(NatsRulesTest, PurgedMarkersAreFoundBySweeping) {
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  ASSERT_OK(EnsureNow(world_, *bus_, TableConfig("t")));
  for (int i = 0; i < 5; ++i) ASSERT_OK(AppendNow(world_, *bus_, StrCat("t.", i), "x"));
  std::unique_ptr<Bus> away;
  std::map<std::string, int> seen;  // by round
  int round = 0;
  bool synced = false;
  world_.Do([&] { away = world_.ConnectCuttable(); });
  ASSERT_TRUE(WaitConnected(world_, *away));
  world_.Do([&] {
    subscriptions_.push_back(away->Watch({"t", ""}, [&](const WatchEvent& e) {
      if (e.type == WatchEvent::Type::kReset) ++round;
      if (e.type == WatchEvent::Type::kPut) seen[e.message.subject] = round;
      synced = e.type == WatchEvent::Type::kSynced;
    }));
  });
  ASSERT_TRUE(world_.Wait([&] { return synced && round == 1; }));
  world_.Cut(true);
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(world_.JetStream("STREAM.PURGE.t", StrCat("{\"filter\":\"t.", i, "\"}")).status);
  }
  world_.Cut(false);
  ASSERT_TRUE(world_.Wait([&] { return synced && round >= 2; }));
  int alive = 0;
  for (const auto& item : seen) alive += item.second == round ? 1 : 0;
  EXPECT_EQ(alive, 1) << "of five, four were purged";
  world_.Do([&] {
    subscriptions_.clear();
    away.reset();
  });
}

TEST_F(NatsRulesTest, TooManyUnhandledMessagesAreToldAsADisconnection) {
  NatsOptions options = world_.Options(BusIdentity::Hub(), world_.port());
  options.max_inbound_bytes = 200'000;
  Open(options);
  ASSERT_TRUE(WaitConnected(world_, *bus_));
  std::unique_ptr<NatsBus> publisher;
  world_.Do(
      [&] { publisher = world_.ConnectNats(world_.Options(BusIdentity::Hub(), world_.port())); });
  ASSERT_TRUE(WaitConnected(world_, *publisher));
  int lost = 0;
  int received = 0;
  world_.Do([&] {
    subscriptions_.push_back(bus_->OnState([&](BusState s) {
      if (s == BusState::kDisconnected) ++lost;
    }));
    subscriptions_.push_back(bus_->Subscribe("flood", [&](const BusMessage&) { ++received; }));
  });
  world_.Pass(absl::Milliseconds(200));
  world_.Do([&] {
    const std::string payload(10'000, 'x');
    for (int i = 0; i < 500; ++i) EXPECT_OK(publisher->Publish("flood", payload));
    world_.Pass(absl::Milliseconds(500));  // the executor is busy meanwhile
  });
  ASSERT_TRUE(world_.Wait([&] { return lost > 0; }));
  EXPECT_GT(Stats().dropped, 0u);
  EXPECT_GT(received, 0);
  world_.Do([&] { publisher.reset(); });
}

TEST_F(NatsRulesTest, TheFleetsConfigurationIsAcceptedWithEveryOption) {
  TempDir dir;
  ServerConfigOptions options = NatsWorld::FleetOptions(FreePort(), StrCat(dir.path(), "/js"));
  options.server_name = "n1";
  options.max_file_store = 1 << 30;
  options.cluster_name = "sea-lane";
  options.cluster_listen = StrCat("127.0.0.1:", FreePort());
  options.cluster_routes = {"nats://127.0.0.1:1", "nats://127.0.0.1:2"};
  options.hub_password = "quo\"te \\ back";
  for (int i = 0; i < 200; ++i) options.clusters.push_back({StrCat("member-", i), "x"});
  const auto text = MakeServerConfig(options);
  ASSERT_OK(text);
  const std::string path = StrCat(dir.path(), "/server.conf");
  std::ofstream(path) << *text;
  const auto checked = RunProcess({NatsServerPath(), "-t", "-c", path});
  ASSERT_OK(checked);
  EXPECT_EQ(checked->exit_code, 0) << checked->output;
}

}  // namespace
}  // namespace sealane
