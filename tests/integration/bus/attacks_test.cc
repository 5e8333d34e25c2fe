// An agent's or a platform's credentials in hostile hands: raw protocol against HUB, forged reply
// subjects included. Each attack succeeds against subject permissions inside one shared account.

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/accounts/claims.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/integration/bus/nats_world.h"
#include "tests/integration/bus/raw_client.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;

class AttacksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Do([&] { hub_ = world_.Connect(BusIdentity::Hub()); });
    ASSERT_TRUE(WaitConnected(world_, *hub_));
    StreamConfig works = TableConfig("works");
    works.republish_prefix = "live.";
    ASSERT_OK(EnsureNow(world_, *hub_, works));
    ASSERT_OK(EnsureNow(world_, *hub_, TableConfig("work_status")));
    ASSERT_OK(EnsureNow(world_, *hub_, TableConfig("objects")));
    StreamConfig deploy;
    deploy.name = "deploy";
    deploy.subjects.emplace_back("deploy.>");
    deploy.last_per_subject = false;
    ASSERT_OK(EnsureNow(world_, *hub_, deploy));
    ASSERT_OK(AppendNow(world_, *hub_, "works.a.w1", "work of a"));
    ASSERT_OK(AppendNow(world_, *hub_, "works.a.empty", ""));
    ASSERT_OK(AppendNow(world_, *hub_, "works.b.w1", "SECRET of b"));
    ASSERT_OK(AppendNow(world_, *hub_, "objects.o1", "SECRET object"));
    // A service that answers to whatever reply subject a request carries, as ours do.
    world_.Do([&] {
      snapshots_ = hub_->Subscribe(hub::kSnapshotRequests, [&](const BusMessage& m) {
        (void)hub_->Publish(m.reply, "snapshot part");
      });
      heartbeats_ = hub_->Subscribe(hub::kHeartbeats, [&](const BusMessage& m) {
        if (!m.reply.empty()) (void)hub_->Publish(m.reply, "careless answer");
      });
    });
    before_ = State();
  }
  void TearDown() override {
    world_.Do([&] {
      snapshots_.reset();
      heartbeats_.reset();
      hub_.reset();
    });
  }
  // Sequences and sizes of everything an attack must not touch.
  std::map<std::string, std::string> State() {
    std::map<std::string, std::string> state;
    for (const char* stream : {"works", "objects"}) {
      const JetStreamReply reply = world_.JetStream(StrCat("STREAM.INFO.", stream), "");
      if (!reply.status.ok() || !reply.body->contains("state")) {
        state[stream] = reply.status.ToString();
        continue;
      }
      const Json& s = (*reply.body)["state"];
      state[stream] =
          StrCat(s["messages"].get<int>(), " messages up to ", s["last_seq"].get<int>(), ", ",
                 s["bytes"].get<int>(), " bytes, ", s["consumer_count"].get<int>(), " consumers");
    }
    return state;
  }
  RawClient Platform() {
    const BusIdentity who = BusIdentity::Platform("paas");
    return {world_.PortFor(who), world_.RawLoginOf(who)};
  }
  RawClient Agent() {
    const BusIdentity who = BusIdentity::Cluster("a");
    return {world_.PortFor(who), world_.RawLoginOf(who)};
  }

  NatsWorld world_;
  std::unique_ptr<Bus> hub_;
  std::unique_ptr<Subscription> snapshots_;
  std::unique_ptr<Subscription> heartbeats_;
  std::map<std::string, std::string> before_;
};

TEST_F(AttacksTest, ForgedReplySubjectsWriteNothingInHub) {
  RawClient agent = Agent();
  const std::vector<std::string> replies = {
      "works.b.injected",
      "works.a.injected",
      "live.works.b.injected",
      "objects.injected",
      "$JS.API.STREAM.PURGE.works",
      "$JS.API.STREAM.DELETE.works",
      "$JS.API.STREAM.DELETE.objects",
      "$JS.API.DIRECT.GET.works.works.b.w1",
      "heartbeats.b",
      "work_status.b.injected",
  };
  for (const std::string& reply : replies) {
    agent.Publish("work_status.w9", reply, "status");  // answered by the stream: a PubAck
    agent.Publish("snap.works", reply, "");            // answered by our service
    agent.Publish("hb", reply, "beat");
    agent.Publish("ctl.capacity", reply, "");  // nobody: "no responders"
    agent.Publish("$JS.API.DIRECT.GET.works.works.a.w1", reply, "");
    agent.Publish("$JS.API.DIRECT.GET.works.works.a.empty", reply, "");
    agent.Publish("$JS.API.STREAM.INFO.works", reply, "");
  }
  agent.Sync(500);
  EXPECT_EQ(State(), before_);
  // Its own word did arrive, under its own name only.
  std::vector<std::string> rows;
  std::unique_ptr<Subscription> watch;
  bool synced = false;
  world_.Do([&] {
    watch = hub_->Watch({"work_status", ""}, [&](const WatchEvent& event) {
      if (event.type == WatchEvent::Type::kPut) rows.push_back(event.message.subject);
      if (event.type == WatchEvent::Type::kSynced) synced = true;
    });
  });
  ASSERT_TRUE(world_.Wait([&] { return synced; }));
  // (An answer sent to work_status.> by way of a reply subject is an import again: it may become a
  // row of the agent's own, which it may write anyhow.)
  EXPECT_THAT(rows, testing::Contains("work_status.a.w9"));
  EXPECT_THAT(rows, testing::Each(testing::StartsWith("work_status.a.")));
  world_.Do([&] { watch.reset(); });
}

TEST_F(AttacksTest, AGatewayWritesNothingThatDecides) {
  RawClient gateway(world_.PortFor(BusIdentity::Hub()), world_.GatewayLogin());
  gateway.Subscribe("_INBOX.mine");
  for (const char* subject :
       {"objects.injected", "bindings.injected", "placements.injected", "works.b.injected",
        "live.works.b.injected", "snap.works.b", "deploy.paas", "deploy.ci", "work_status.b.w1",
        "heartbeats.b", "ctl.b.capacity", "leases.policy", "events.policy.x.y.z", "results.paas",
        "deployed.paas.x", "cluster_status.b", "app_status.injected"}) {
    gateway.Publish(subject, "_INBOX.mine", "injected");
  }
  for (const char* stream :
       {"works", "objects", "bindings", "placements", "deploy", "app_status"}) {
    for (const char* call : {"STREAM.DELETE.", "STREAM.PURGE.", "STREAM.UPDATE.",
                             "STREAM.MSG.DELETE.", "STREAM.SNAPSHOT."}) {
      gateway.Publish(StrCat("$JS.API.", call, stream), "_INBOX.mine", "{}");
    }
  }
  gateway.Publish("$JS.API.CONSUMER.CREATE.works", "_INBOX.mine", "{}");
  gateway.Publish("$JS.API.STREAM.CREATE.mine", "_INBOX.mine", "{}");
  gateway.Subscribe("works.>");
  gateway.Subscribe("heartbeats.>");
  gateway.Sync(500);
  EXPECT_EQ(State(), before_);
  EXPECT_THAT(gateway.received(), testing::Not(testing::HasSubstr("MSG ")));
  EXPECT_THAT(gateway.received(), testing::HasSubstr("Permissions Violation"));
  // What it is for works.
  gateway.Publish("$JS.API.STREAM.INFO.objects", "_INBOX.mine", "");
  gateway.Publish("deploy.gateway", "_INBOX.mine", "event");
  gateway.Sync(500);
  EXPECT_THAT(gateway.received(), testing::HasSubstr("\"name\":\"objects\""));
  EXPECT_THAT(gateway.received(), testing::HasSubstr("\"stream\":\"deploy\""));
}

TEST_F(AttacksTest, HeadersOfAnAllowedMessageTouchNothingElse) {
  ASSERT_OK(AppendNow(world_, *hub_, "work_status.b.w1", "status of b"));
  RawClient agent = Agent();
  agent.Subscribe("_INBOX.mine");
  for (const char* header :
       {"Nats-Rollup: all", "Nats-Rollup: sub", "Nats-Expected-Stream: work_status",
        "KV-Operation: PURGE", "Nats-Expected-Last-Sequence: 1", "Nats-TTL: 1s"}) {
    agent.PublishWith(header, "work_status.w1", "_INBOX.mine", "mine");
  }
  RawClient platform = Platform();
  ASSERT_OK(AppendNow(world_, *hub_, "deploy.ci", "event of another"));
  platform.PublishWith("Nats-Rollup: all", "deploy", "_INBOX.mine", "event");
  agent.Sync(300);
  platform.Sync(300);
  EXPECT_EQ(State(), before_);
  for (const auto& [stream, subject] :
       {std::pair("work_status", "work_status.b.w1"), std::pair("deploy", "deploy.ci")}) {
    const JetStreamReply info =
        world_.JetStream(StrCat("STREAM.INFO.", stream), R"({"subjects_filter":">"})");
    ASSERT_OK(info.status);
    EXPECT_EQ((*info.body)["state"]["subjects"].value(subject, 0), 1) << info.body->dump();
  }
}

TEST_F(AttacksTest, AnswersToControlRequestsCannotForgeEither) {
  RawClient agent = Agent();
  agent.Subscribe("ctl.>");
  agent.Sync();
  bool answered = false;
  world_.Do([&] {
    hub_->Request(hub::Control("a", "capacity"), "", absl::Seconds(2),
                  [&](const absl::StatusOr<BusMessage>&) { answered = true; });
  });
  agent.Sync(500);
  const std::string& got = agent.received();
  const size_t at = got.find("MSG ctl.capacity 1 ");
  ASSERT_NE(at, std::string::npos) << got;
  const size_t reply_at = at + std::string("MSG ctl.capacity 1 ").size();
  const std::string reply = got.substr(reply_at, got.find(' ', reply_at) - reply_at);
  for (const char* forged :
       {"works.b.injected", "$JS.API.STREAM.PURGE.works", "objects.injected"}) {
    agent.Publish(reply, forged, "answer");
  }
  agent.Sync(300);
  ASSERT_TRUE(world_.Wait([&] { return answered; }));
  EXPECT_EQ(State(), before_);
}

TEST_F(AttacksTest, NothingOfOthersCanBeReadOrSubscribed) {
  RawClient agent = Agent();
  for (const char* subject :
       {">", "*", "live.>", "live.works.b.>", "works.>", "works.b.>", "_INBOX.>", "_R_.>", "$JS.>",
        "$SYS.>", "heartbeats.>", "work_status.>", "deliver.here"}) {
    agent.Subscribe(subject);
  }
  agent.Sync();
  const std::string consumer =
      R"({"stream_name":"works","config":{"deliver_subject":"_INBOX.mine","ack_policy":"none","deliver_policy":"all"}})";
  agent.Publish("$JS.API.CONSUMER.CREATE.works", "_INBOX.mine", consumer);
  agent.Publish("$JS.API.CONSUMER.DURABLE.CREATE.works.evil", "_INBOX.mine", consumer);
  for (const char* target : {"works.b.injected", "heartbeats.b", "work_status.b.w1"}) {
    agent.Publish(
        "$JS.API.CONSUMER.CREATE.works.evil.works.a.>", "_INBOX.mine",
        StrCat(
            R"({"stream_name":"works","config":{"name":"evil","filter_subject":"works.a.>","deliver_subject":")",
            target, R"(","ack_policy":"none","deliver_policy":"all"}})"));
    agent.Publish(target, "_INBOX.mine", "injected");
  }
  for (const char* call : {"STREAM.DELETE.works", "STREAM.PURGE.works", "STREAM.UPDATE.works",
                           "STREAM.MSG.DELETE.works", "CONSUMER.DELETE.works.any",
                           "CONSUMER.MSG.NEXT.works.any", "STREAM.PURGE.work_status"}) {
    agent.Publish(StrCat("$JS.API.", call), "_INBOX.mine", R"({"seq":1,"name":"works"})");
  }
  for (const char* subject :
       {"deploy", "deploy.a", "deploy.paas", "live.works.b.w1", "deployed.paas.x"}) {
    agent.Publish(subject, "_INBOX.mine", "event");
  }
  agent.Publish("$JS.API.STREAM.MSG.GET.works", "_INBOX.mine", R"({"last_by_subj":"works.b.w1"})");
  agent.Publish("$JS.API.DIRECT.GET.works.works.b.w1", "_INBOX.mine", "");
  agent.Publish("$JS.API.STREAM.NAMES", "_INBOX.mine", "");
  agent.Publish("$JS.API.STREAM.CREATE.evil", "_INBOX.mine",
                R"({"name":"evil","subjects":["works.b.>"]})");
  agent.Publish("snap.works.b", "_INBOX.mine", "");
  agent.Publish("$SYS.REQ.SERVER.PING", "_INBOX.mine", "");
  ASSERT_OK(AppendNow(world_, *hub_, "works.b.w2", "SECRET too"));
  ASSERT_OK(AppendNow(world_, *hub_, "works.a.w2", "for a"));
  agent.Sync(500);
  EXPECT_THAT(agent.received(), HasSubstr("for a")) << "its own works do come";
  // A leaf node's own server asks the hub silently.
  if (world_.layout() != BusLayout::kLeaf) {
    EXPECT_THAT(agent.received(), HasSubstr("Permissions Violation"));
  }
  EXPECT_EQ(agent.received().find("SECRET"), std::string::npos) << agent.received();
  EXPECT_EQ(agent.received().find("objects"), std::string::npos) << agent.received();
  EXPECT_THAT(State()["works"], HasSubstr("5 messages up to 5, "));
}

TEST_F(AttacksTest, APlatformsForgedRepliesWriteNothingInHub) {
  std::unique_ptr<Subscription> queries;
  world_.Do([&] {
    queries = hub_->Subscribe(
        "query.*", [&](const BusMessage& m) { (void)hub_->Publish(m.reply, "careless answer"); });
  });
  RawClient platform = Platform();
  const std::vector<std::string> replies = {"works.b.injected",
                                            "objects.injected",
                                            "live.works.b.injected",
                                            "work_status.a.injected",
                                            "deploy.ci",
                                            "deployed.ci.forged",
                                            "$JS.API.STREAM.PURGE.works",
                                            "$JS.API.STREAM.DELETE.works",
                                            "$JS.API.STREAM.DELETE.objects"};
  for (const std::string& reply : replies) {
    platform.Publish("deploy", reply, "event");   // answered by the stream: a PubAck
    platform.Publish("query.policy", reply, "");  // answered by a service
    platform.Publish("$JS.API.DIRECT.GET.works.works.a.empty", reply, "");
    platform.Publish("$JS.API.STREAM.PURGE.works", reply, "");
    platform.Publish("objects.injected", reply, "");
    platform.Publish("deploy.ci", reply, "");
  }
  for (const char* subject : {">", "live.>", "works.>", "deployed.ci.>", "_R_.>", "$JS.>"}) {
    platform.Subscribe(subject);
  }
  platform.Publish("$JS.API.DIRECT.GET.objects.objects.o1", "_INBOX.mine", "");
  ASSERT_OK(AppendNow(world_, *hub_, "work_status.a.w1", "SECRET status"));
  platform.Sync(500);
  EXPECT_EQ(State(), before_);
  EXPECT_EQ(platform.received().find("SECRET"), std::string::npos) << platform.received();
  EXPECT_THAT(platform.received(), HasSubstr("Permissions Violation"));
  // What it may say arrived, under its own name only.
  const JetStreamReply info = world_.JetStream("STREAM.INFO.deploy", R"({"subjects_filter":">"})");
  ASSERT_OK(info.status);
  EXPECT_EQ((*info.body)["state"]["subjects"], Json({{"deploy.paas", replies.size()}}));
  world_.Do([&] { queries.reset(); });
}

TEST_F(AttacksTest, NobodyGetsInWithoutALogin) {
  std::vector<RawLogin> logins(4);
  logins[1] = {ClusterUser("a"), "b-secret", "", ""};
  logins[2] = {ClusterUser("a"), "", "", ""};
  logins[3] = {"sealane", "", "", ""};
  if (world_.layout() == BusLayout::kOperator) {
    // What the operator signed for another key, and what somebody else signed.
    RawLogin forged = world_.RawLoginOf(BusIdentity::Cluster("a"));
    const auto key = NKey::Generate(NKey::Type::kUser);
    ASSERT_OK(key);
    const size_t begin = forged.creds.find('\n') + 1;
    forged.creds =
        CredentialsText(forged.creds.substr(begin, forged.creds.find('\n', begin) - begin), *key);
    logins.push_back(forged);
    const auto stranger = NKey::Generate(NKey::Type::kAccount);
    ASSERT_OK(stranger);
    const auto jwt = UserJwt("cluster-a", *key, {}, *stranger, absl::Now());
    ASSERT_OK(jwt);
    forged.creds = CredentialsText(*jwt, *key);
    logins.push_back(forged);
  }
  for (RawLogin& login : logins) {
    login.ca_file = world_.RawLoginOf(BusIdentity::Hub()).ca_file;
    RawClient stranger(world_.port(), login);
    EXPECT_THAT(stranger.received(), HasSubstr("Authorization Violation")) << login.user;
  }
}

}  // namespace
}  // namespace sealane
