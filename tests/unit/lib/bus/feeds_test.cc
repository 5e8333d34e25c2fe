// Agents' feeds, snapshots, queries and events, on the bus in memory and virtual time.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/event_sink.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/packed_table.h"
#include "lib/bus/query.h"
#include "lib/bus/snapshot_server.h"
#include "lib/bus/subjects.h"
#include "lib/bus/work_feed.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Pair;

class FeedsTest : public ::testing::Test {
 protected:
  explicit FeedsTest(uint64_t seed = 1) : sim_(seed), server_(sim_.env()) {
    hub_ = server_.Connect(BusIdentity::Hub(), "policy");
    agent_bus_ = server_.Connect(BusIdentity::Cluster("a"), "agent");
    StreamConfig config;
    config.name = "works";
    config.subjects = {"works.>"};
    config.republish_prefix = "live.";
    hub_->EnsureStream(config, [](const absl::Status& s) { EXPECT_OK(s); });
    works_ = std::make_unique<PackedTable<v1::Work>>(*hub_, sim_.env(), "works");
  }

  void StartPolicy() {
    works_->Start({}, [] {});
    snapshots_ = std::make_unique<SnapshotServer>(*hub_, sim_.env(), *works_, options_);
    snapshots_->Start();
  }
  void StartAgent(absl::Duration resnapshot_every = absl::Minutes(10)) {
    WorkFeedOptions options;
    options.cluster = "a";
    options.resnapshot_every = resnapshot_every;
    WorkFeed::Handlers handlers;
    handlers.on_put = [this](const std::string& key, const v1::Work& work) {
      agent_[key] = work.manifest();
    };
    handlers.on_delete = [this](const std::string& key) {
      EXPECT_EQ(agent_.erase(key), 1u) << key << " was not there";
    };
    handlers.on_synced = [this](bool first) { ++(first ? first_synced_ : resynced_); };
    feed_ = std::make_unique<WorkFeed>(*agent_bus_, sim_.env(), options, handlers);
    feed_->Start();
  }
  void Put(std::string_view cluster, std::string_view name, std::string_view manifest) {
    v1::Work work;
    work.set_cluster(std::string(cluster));
    work.set_manifest(std::string(manifest));
    works_->Put(StrCat(cluster, ".apps.Deployment.x.", name), std::move(work));
  }
  void Remove(std::string_view cluster, std::string_view name) {
    works_->Remove(StrCat(cluster, ".apps.Deployment.x.", name));
  }
  // What the agent of cluster a should have.
  std::map<std::string, std::string> Wanted() const {
    std::map<std::string, std::string> wanted;
    for (const auto& [key, row] : works_->rows()) {
      if (key.starts_with("a.")) wanted[std::string(key.substr(2))] = row.Parse().manifest();
    }
    return wanted;
  }
  bool Agreed() const { return works_->in_flight() == 0 && agent_ == Wanted(); }

  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Bus> agent_bus_;
  std::unique_ptr<PackedTable<v1::Work>> works_;
  SnapshotServerOptions options_;
  std::unique_ptr<SnapshotServer> snapshots_;
  std::map<std::string, std::string> agent_;
  int first_synced_ = 0;
  int resynced_ = 0;
  std::unique_ptr<WorkFeed> feed_;
};

TEST_F(FeedsTest, SnapshotThenLive) {
  StartPolicy();
  Put("a", "web", "1");
  Put("ab", "web", "of a cluster whose name begins alike");
  sim_.RunFor(absl::Seconds(1));
  StartAgent();
  ASSERT_TRUE(sim_.RunUntil([&] { return first_synced_ == 1; }, absl::Seconds(5)));
  EXPECT_THAT(agent_, ElementsAre(Pair("apps.Deployment.x.web", "1")));
  Put("a", "web", "2");
  Put("a", "db", "1");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(agent_,
              ElementsAre(Pair("apps.Deployment.x.db", "1"), Pair("apps.Deployment.x.web", "2")));
  Remove("a", "web");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(agent_, ElementsAre(Pair("apps.Deployment.x.db", "1")));
  EXPECT_EQ(resynced_, 0);
}

TEST_F(FeedsTest, RefusedUntilThePolicyServiceHasSeenItsTable) {
  StartAgent();
  sim_.RunFor(absl::Seconds(20));
  EXPECT_EQ(first_synced_, 0);
  EXPECT_FALSE(feed_->synced());
  EXPECT_GT(feed_->stats().snapshot_errors, 0u);
  StartPolicy();
  EXPECT_TRUE(sim_.RunUntil([&] { return feed_->synced(); }, absl::Minutes(1)));
  EXPECT_TRUE(agent_.empty());
}

TEST_F(FeedsTest, AnotherClustersSnapshotIsRefused) {
  StartPolicy();
  Put("b", "web", "secret");
  sim_.RunFor(absl::Seconds(1));
  v1::SnapshotRequest request;
  request.set_cluster("b");
  std::vector<std::string> replies;
  const auto subscription = agent_bus_->RequestMany(agent::kSnapshot, request.SerializeAsString(),
                                                    [&](const absl::StatusOr<BusMessage>& r) {
                                                      ASSERT_OK(r);
                                                      v1::SnapshotPart part;
                                                      ASSERT_TRUE(part.ParseFromString(r->payload));
                                                      EXPECT_EQ(part.rows_size(), 0);
                                                      EXPECT_TRUE(part.end());
                                                      replies.push_back(part.error());
                                                    });
  sim_.RunFor(absl::Seconds(1));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], testing::HasSubstr("another cluster"));
  EXPECT_EQ(snapshots_->stats().refused, 1u);
}

TEST_F(FeedsTest, LargeSnapshotsComeInPartsOfBoundedSize) {
  StartPolicy();
  for (int i = 0; i < 40; ++i) Put("a", StrCat("app-", i), std::string(60'000, 'x'));
  Put("a", "huge", std::string(700'000, 'y'));
  sim_.RunFor(absl::Seconds(1));
  size_t largest = 0;
  const auto spy = hub_->Subscribe(
      "_INBOX.>", [&](const BusMessage& m) { largest = std::max(largest, m.payload.size()); });
  StartAgent();
  ASSERT_TRUE(sim_.RunUntil([&] { return first_synced_ == 1; }, absl::Seconds(5)));
  EXPECT_TRUE(Agreed());
  EXPECT_EQ(agent_.size(), 41u);
  EXPECT_LT(largest, 720'000u) << "one large row alone";
  EXPECT_EQ(snapshots_->stats().served, 1u);
  EXPECT_EQ(snapshots_->stats().rows, 41u);
}

TEST_F(FeedsTest, AReconnectTellsWhatWasMissed) {
  StartPolicy();
  Put("a", "stays", "1");
  Put("a", "goes", "1");
  sim_.RunFor(absl::Seconds(1));
  StartAgent();
  ASSERT_TRUE(sim_.RunUntil([&] { return first_synced_ == 1; }, absl::Seconds(5)));
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("agent", cut);
  Remove("a", "goes");
  Put("a", "new", "1");
  Put("a", "stays", "2");
  sim_.RunFor(absl::Seconds(5));
  EXPECT_EQ(agent_.size(), 2u);
  server_.SetFaults("agent", {});
  ASSERT_TRUE(sim_.RunUntil([&] { return Agreed(); }, absl::Seconds(30)));
  EXPECT_EQ(resynced_, 1);
}

TEST_F(FeedsTest, AStreamMadeAgainIsFollowed) {
  StartPolicy();
  for (int i = 0; i < 20; ++i) Put("a", StrCat("old-", i), "1");
  sim_.RunFor(absl::Seconds(1));
  StartAgent(absl::Minutes(1));
  ASSERT_TRUE(sim_.RunUntil([&] { return first_synced_ == 1; }, absl::Seconds(5)));
  server_.RecreateStream("works");
  sim_.RunFor(absl::Seconds(5));
  Put("a", "new", "1");
  ASSERT_TRUE(sim_.RunUntil([&] { return Agreed() && agent_.size() == 1; }, absl::Minutes(3)));
  Put("a", "new", "2");
  ASSERT_TRUE(sim_.RunUntil([&] { return Agreed(); }, absl::Seconds(5)));
  EXPECT_THAT(agent_, ElementsAre(Pair("apps.Deployment.x.new", "2")));
}

class FeedsUnderFire : public FeedsTest, public ::testing::WithParamInterface<int> {
 protected:
  FeedsUnderFire() : FeedsTest(static_cast<uint64_t>(GetParam())) {}
};

// Random writes while links delay, repeat, drop and the server restarts: afterwards the agent has
// exactly what the table has.
TEST_P(FeedsUnderFire, AgentEndsWithTheTablesRows) {
  options_.part_bytes = 300;
  StartPolicy();
  StartAgent(absl::Seconds(20));
  for (int round = 0; round < 60; ++round) {
    BusFaults faults;
    const uint64_t slow = sim_.Below(50);
    faults.delay = [this, slow] { return absl::Milliseconds(sim_.Below(slow + 1)); };
    faults.duplicate_probability = sim_.Below(3) == 0 ? 0.2 : 0;
    faults.disconnected = sim_.Below(8) == 0;
    server_.SetFaults(sim_.Below(2) == 0 ? "agent" : "policy", faults);
    if (sim_.Below(15) == 0) server_.Restart();
    for (int i = 0; i < 5; ++i) {
      const std::string name = StrCat("app-", sim_.Below(12));
      if (sim_.Below(4) == 0) {
        Remove("a", name);
      } else {
        Put("a", name, StrCat("round ", round));
      }
    }
    sim_.RunFor(absl::Milliseconds(sim_.Below(1500)));
  }
  server_.SetFaults("agent", {});
  server_.SetFaults("policy", {});
  ASSERT_TRUE(sim_.RunUntil([&] { return feed_->synced() && Agreed(); }, absl::Minutes(3)));
  EXPECT_GT(feed_->stats().snapshots, 1u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, FeedsUnderFire, ::testing::Range(1, 31));

// --- Queries
// ---------------------------------------------------------------------------------------------

TEST_F(FeedsTest, QueriesAreAnsweredInParts) {
  QueryServer server(
      *hub_, hub::Query("policy"),
      [](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
        if (request.what() == "fail") return answer->Fail("no such thing");
        if (request.what() == "drop") return;
        v1::QueryReply reply;
        for (int i = 0; i < 50; ++i) {
          reply.add_objects()->set_manifest(std::string(50'000, 'm'));
          reply.add_revisions(static_cast<uint64_t>(i + 1));
        }
        reply.add_apps()->set_phase("Healthy");
        reply.set_body("{}");
        answer->Send(reply);
        answer->End();
      });
  const auto platform = server_.Connect(BusIdentity::Platform("paas"));
  QueryClient client(*platform, sim_.env());
  std::map<std::string, std::string> got;
  for (const char* what : {"objects", "fail", "drop"}) {
    v1::QueryRequest request;
    request.set_what(what);
    client.Query(platform::Query("policy"), request, absl::Seconds(5),
                 [&, what](const absl::StatusOr<v1::QueryReply>& reply) {
                   if (!reply.ok()) {
                     got[what] = reply.status().ToString();
                     return;
                   }
                   got[what] = StrCat(reply->objects_size(), " ", reply->apps_size(), " ",
                                      reply->body(), " ", reply->revisions(49));
                 });
  }
  client.Query(platform::Query("nobody"), {}, absl::Seconds(5),
               [&](const absl::StatusOr<v1::QueryReply>& reply) {
                 got["nobody"] = absl::StatusCodeToString(reply.status().code());
               });
  sim_.RunFor(absl::Seconds(10));
  EXPECT_EQ(got["objects"], "50 1 {} 50");
  EXPECT_EQ(got["fail"], "FAILED_PRECONDITION: no such thing");
  EXPECT_THAT(got["drop"], testing::HasSubstr("given up"));
  EXPECT_EQ(got["nobody"], "UNAVAILABLE");
}

TEST_F(FeedsTest, ASilentQueryServerTimesOut) {
  std::shared_ptr<QueryAnswer> kept;
  QueryServer server(*hub_, hub::Query("slow"),
                     [&](const v1::QueryRequest&, std::shared_ptr<QueryAnswer> answer) {
                       kept = std::move(answer);
                     });
  QueryClient client(*hub_, sim_.env());
  absl::Status status;
  client.Query(platform::Query("slow"), {}, absl::Seconds(2),
               [&](const absl::StatusOr<v1::QueryReply>& reply) { status = reply.status(); });
  sim_.RunFor(absl::Seconds(3));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, _));
}

// --- Events
// ----------------------------------------------------------------------------------------------

TEST_F(FeedsTest, EventsArriveOnceAlsoOverOutages) {
  EventSink sink(*hub_, sim_.env(), "policy", 100);
  sink.Emit("Normal", "Claimed", "before the stream exists");
  sim_.RunFor(absl::Seconds(1));
  StreamConfig config;
  config.name = "events";
  config.subjects = {"events.>"};
  config.last_per_subject = false;
  hub_->EnsureStream(config, [](const absl::Status&) {});
  for (int i = 0; i < 20; ++i) {
    sink.Emit("Warning", "Moved", std::to_string(i), "a");
    if (i % 7 == 3) server_.Restart();
    sim_.RunFor(absl::Milliseconds(100));
  }
  ASSERT_TRUE(sim_.RunUntil([&] { return sink.waiting() == 0; }, absl::Minutes(5)));
  EXPECT_EQ(server_.StreamSize("events"), 21u);
  EXPECT_EQ(sink.dropped(), 0u);
  v1::Event event;
  WatchOptions all;
  all.stream = "events";
  all.all = true;
  const auto watch = hub_->Watch(all, [&](const WatchEvent& e) {
    if (e.type != WatchEvent::Type::kPut) return;
    EXPECT_TRUE(event.ParseFromString(e.message.payload));
  });
  sim_.RunFor(absl::Seconds(1));
  EXPECT_EQ(event.service(), "policy");
  EXPECT_EQ(event.type(), "Warning");
  EXPECT_EQ(event.cluster(), "a");
  EXPECT_FALSE(event.id().empty());
  EXPECT_GT(event.time_micros(), 0);
}

TEST_F(FeedsTest, TooManyEventsDropTheOldest) {
  EventSink sink(*hub_, sim_.env(), "policy", 10);
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("policy", cut);
  for (int i = 0; i < 200; ++i) sink.Emit("Normal", "Claimed", "x");
  sim_.RunFor(absl::Seconds(1));
  EXPECT_GT(sink.dropped(), 100u);
  EXPECT_LE(sink.waiting(), 80u);
  EXPECT_EQ(sink.emitted(), 200u);
}

}  // namespace
}  // namespace sealane
