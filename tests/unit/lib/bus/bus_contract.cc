// What every implementation of Bus keeps. Linked into the unit test (in memory) and the integration
// test (real server).
#include "tests/unit/lib/bus/bus_contract.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Pair;

StreamConfig TableConfig(std::string_view name) {
  StreamConfig config;
  config.name = std::string(name);
  config.subjects = {StrCat(name, ".>")};
  return config;
}

bool WaitConnected(ContractWorld& world, Bus& bus) {
  auto connected = std::make_shared<bool>(false);
  std::unique_ptr<Subscription> state;
  world.Do([&] {
    state = bus.OnState([connected](BusState s) { *connected = s == BusState::kConnected; });
  });
  const bool ok = world.Wait([&] { return *connected; });
  world.Do([&] { state.reset(); });
  return ok;
}

absl::Status EnsureNow(ContractWorld& world, Bus& bus, const StreamConfig& config) {
  auto result = std::make_shared<std::optional<absl::Status>>();
  world.Do([&] { bus.EnsureStream(config, [result](absl::Status s) { *result = s; }); });
  if (!world.Wait([&] { return result->has_value(); })) {
    return absl::DeadlineExceededError("EnsureStream");
  }
  return **result;
}

absl::StatusOr<Appended> AppendNow(ContractWorld& world, Bus& bus, AppendRequest request) {
  auto result = std::make_shared<std::optional<absl::StatusOr<Appended>>>();
  world.Do([&] {
    bus.Append(std::move(request), [result](absl::StatusOr<Appended> r) { *result = r; });
    EXPECT_FALSE(result->has_value()) << "the handler ran inside Append";
  });
  if (!world.Wait([&] { return result->has_value(); })) {
    return absl::DeadlineExceededError("Append");
  }
  return **result;
}

absl::StatusOr<Appended> AppendNow(ContractWorld& world, Bus& bus, std::string_view subject,
                                   std::string_view payload) {
  AppendRequest request;
  request.subject = std::string(subject);
  request.payload = std::string(payload);
  return AppendNow(world, bus, std::move(request));
}

namespace {

// Follows a watch as a reader should: marks at kReset, sweeps at kSynced.
struct Follower {
  std::map<std::string, std::string> rows;
  std::map<std::string, std::string> seen;
  std::vector<std::string> log;
  int resets = 0;
  int synced = 0;
  uint64_t last_sequence = 0;
  int64_t created = 0;
  bool replaying = false;
  bool bad_order = false;

  void On(const WatchEvent& event) {
    switch (event.type) {
      case WatchEvent::Type::kReset:
        ++resets;
        replaying = true;
        seen.clear();
        break;
      case WatchEvent::Type::kPut:
      case WatchEvent::Type::kDelete: {
        const bool put = event.type == WatchEvent::Type::kPut;
        log.push_back(
            StrCat(event.message.subject, put ? "=" : " deleted ", event.message.payload));
        auto& map = replaying ? seen : rows;
        if (put) {
          map[event.message.subject] = event.message.payload;
        } else {
          map.erase(event.message.subject);
        }
        if (event.message.sequence == 0) bad_order = true;
        break;
      }
      case WatchEvent::Type::kSynced:
        ++synced;
        if (!replaying) bad_order = true;
        replaying = false;
        rows = seen;
        last_sequence = event.last_sequence;
        created = event.stream_created_micros;
        break;
    }
  }
  Bus::WatchHandler Handler() {
    return [this](const WatchEvent& event) { On(event); };
  }
};

class BusContract : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = MakeContractWorld();
    world_->Do([&] { bus_ = world_->Connect(BusIdentity::Hub()); });
    ASSERT_TRUE(WaitConnected(*world_, *bus_));
  }
  void TearDown() override {
    world_->Do([&] {
      subscriptions_.clear();
      watches_.clear();
      consumer_.reset();
      other_.reset();
      bus_.reset();
    });
  }
  void Ensure(const StreamConfig& config) { ASSERT_OK(EnsureNow(*world_, *bus_, config)); }
  uint64_t Put(std::string_view subject, std::string_view payload) {
    const auto result = AppendNow(*world_, *bus_, subject, payload);
    EXPECT_OK(result);
    return result.ok() ? result->sequence : 0;
  }
  uint64_t Remove(std::string_view subject) {
    AppendRequest request;
    request.subject = std::string(subject);
    request.remove = true;
    const auto result = AppendNow(*world_, *bus_, std::move(request));
    EXPECT_OK(result);
    return result.ok() ? result->sequence : 0;
  }
  void Watch(Bus& bus, WatchOptions options, Follower& follower) {
    world_->Do([&] { watches_.push_back(bus.Watch(options, follower.Handler())); });
  }
  void Listen(std::string_view filter, Bus::MessageHandler handler, std::string_view group = {}) {
    world_->Do(
        [&] { subscriptions_.push_back(bus_->Subscribe(filter, std::move(handler), group)); });
    // A request that is answered (or not) proves that the server knows the subscription.
    Flush(*bus_);
  }
  void Flush(Bus& bus) {
    auto done = std::make_shared<bool>(false);
    world_->Do([&] {
      bus.Request("nobody.is.here", "", absl::Seconds(5),
                  [done](const absl::StatusOr<BusMessage>&) { *done = true; });
    });
    ASSERT_TRUE(world_->Wait([&] { return *done; }));
  }

  std::unique_ptr<ContractWorld> world_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Bus> other_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<std::unique_ptr<Subscription>> watches_;
  std::unique_ptr<DurableConsumer> consumer_;
};

TEST_F(BusContract, CoreMessagesReachSubscribersOfTheSubject) {
  std::vector<std::string> got;
  BusMessage last;
  Listen("a.*.c", [&](const BusMessage& m) {
    got.push_back(StrCat("star ", m.subject));
    last = m;
  });
  Listen("a.>", [&](const BusMessage& m) { got.push_back(StrCat("rest ", m.subject)); });
  world_->Do([&] {
    EXPECT_OK(bus_->Publish("a.b.c", "x", "", {{"K", "v 1"}, {"L", "w:x"}}));
    EXPECT_OK(bus_->Publish("a.b", std::string("\0binary", 7)));
    EXPECT_OK(bus_->Publish("b.b.c", "no"));
    EXPECT_TRUE(got.empty()) << "a callback ran inside the call";
  });
  ASSERT_TRUE(world_->Wait([&] { return got.size() == 3; }));
  EXPECT_THAT(got, testing::UnorderedElementsAre("star a.b.c", "rest a.b.c", "rest a.b"));
  EXPECT_EQ(last.payload, "x");
  EXPECT_EQ(last.Header("K"), "v 1");
  EXPECT_EQ(last.Header("L"), "w:x");
  EXPECT_EQ(last.sequence, 0u);
  // Nothing comes to a subscription that is gone, not even what was under way.
  world_->Do([&] {
    EXPECT_OK(bus_->Publish("a.b.c", "late"));
    subscriptions_.clear();
  });
  Flush(*bus_);
  EXPECT_EQ(got.size(), 3u);
}

TEST_F(BusContract, QueueGroupSharesMessages) {
  int a = 0;
  int b = 0;
  int all = 0;
  Listen(
      "q.x", [&](const BusMessage&) { ++a; }, "group");
  Listen(
      "q.x", [&](const BusMessage&) { ++b; }, "group");
  Listen("q.x", [&](const BusMessage&) { ++all; });
  world_->Do([&] {
    for (int i = 0; i < 100; ++i) EXPECT_OK(bus_->Publish("q.x", ""));
  });
  ASSERT_TRUE(world_->Wait([&] { return all == 100 && a + b >= 100; }));
  EXPECT_EQ(a + b, 100);
  EXPECT_GT(a, 0);
  EXPECT_GT(b, 0);
}

TEST_F(BusContract, RequestGetsOneAnswerOrAReason) {
  Listen("echo", [&](const BusMessage& m) {
    ASSERT_FALSE(m.reply.empty());
    EXPECT_OK(bus_->Publish(m.reply, StrCat("re: ", m.payload)));
    EXPECT_OK(bus_->Publish(m.reply, "second"));
  });
  Listen("silent", [](const BusMessage&) {});
  std::map<std::string, std::string> answers;
  world_->Do([&] {
    for (const char* subject : {"echo", "silent", "nobody", "bad subject"}) {
      bus_->Request(subject, "hi", absl::Milliseconds(300),
                    [&, subject](const absl::StatusOr<BusMessage>& r) {
                      answers[subject] =
                          r.ok() ? r->payload : absl::StatusCodeToString(r.status().code());
                    });
    }
    EXPECT_TRUE(answers.empty());
  });
  ASSERT_TRUE(world_->Wait([&] { return answers.size() == 4; }));
  EXPECT_THAT(answers,
              ElementsAre(Pair("bad subject", "INVALID_ARGUMENT"), Pair("echo", "re: hi"),
                          Pair("nobody", "UNAVAILABLE"), Pair("silent", "DEADLINE_EXCEEDED")));
}

TEST_F(BusContract, RequestManyGetsAllAnswers) {
  Listen("count", [&](const BusMessage& m) {
    for (int i = 0; i < 50; ++i) EXPECT_OK(bus_->Publish(m.reply, std::to_string(i)));
  });
  std::vector<std::string> got;
  std::string none;
  world_->Do([&] {
    subscriptions_.push_back(bus_->RequestMany(
        "count", "", [&](const absl::StatusOr<BusMessage>& r) { got.push_back(r->payload); }));
    subscriptions_.push_back(
        bus_->RequestMany("nobody", "", [&](const absl::StatusOr<BusMessage>& r) {
          none = absl::StatusCodeToString(r.status().code());
        }));
  });
  ASSERT_TRUE(world_->Wait([&] { return got.size() == 50 && !none.empty(); }));
  EXPECT_EQ(got.front(), "0");
  EXPECT_EQ(got.back(), "49");
  EXPECT_EQ(none, "UNAVAILABLE");
}

// A raw subject with a blank makes a server drop the connection: nothing of the kind gets out.
TEST_F(BusContract, BadSubjectsHeadersAndSizesAreRefused) {
  Ensure(TableConfig("t"));
  const std::string big(bus_->MaxPayload() + 1, 'x');
  for (const char* subject :
       {"", "a b", "a.", ".a", "a..b", "a.*", "a.>", "a\r\nPUB x 0", "a\tb"}) {
    world_->Do([&] {
      EXPECT_THAT(bus_->Publish(subject, ""), StatusIs(absl::StatusCode::kInvalidArgument, _));
    });
    EXPECT_THAT(AppendNow(*world_, *bus_, subject, ""),
                StatusIs(absl::StatusCode::kInvalidArgument, _));
  }
  world_->Do([&] {
    EXPECT_THAT(bus_->Publish("a", "", "b c"), StatusIs(absl::StatusCode::kInvalidArgument, _));
    EXPECT_THAT(bus_->Publish("a", "", "", {{"K", "v\r\nX: y"}}),
                StatusIs(absl::StatusCode::kInvalidArgument, _));
    EXPECT_THAT(bus_->Publish("a", big), StatusIs(absl::StatusCode::kInvalidArgument, _));
  });
  EXPECT_THAT(AppendNow(*world_, *bus_, "t.big", big),
              StatusIs(absl::StatusCode::kInvalidArgument, _));
  AppendRequest request;
  request.subject = "t.a";
  request.message_id = "x\r\nX-Y: z";
  EXPECT_THAT(AppendNow(*world_, *bus_, request), StatusIs(absl::StatusCode::kInvalidArgument, _));
  EXPECT_GT(Put("t.a", "still connected"), 0u);
}

TEST_F(BusContract, AppendChecksExpectationsAndRemovesDuplicates) {
  EXPECT_THAT(AppendNow(*world_, *bus_, "t.a", "no stream yet"),
              StatusIs(absl::StatusCode::kUnavailable, _));
  Ensure(TableConfig("t"));
  Ensure(TableConfig("t"));  // again is fine
  EXPECT_EQ(Put("t.a", "1"), 1u);
  EXPECT_EQ(Put("t.a", "2"), 2u);
  AppendRequest request;
  request.subject = "t.a";
  request.payload = "3";
  request.expected_last_sequence = 1;
  EXPECT_THAT(AppendNow(*world_, *bus_, request), StatusIs(absl::StatusCode::kAborted, _));
  request.expected_last_sequence = 2;
  EXPECT_OK(AppendNow(*world_, *bus_, request));
  request.subject = "t.b";
  request.expected_last_sequence = 0;
  EXPECT_OK(AppendNow(*world_, *bus_, request));
  EXPECT_THAT(AppendNow(*world_, *bus_, request), StatusIs(absl::StatusCode::kAborted, _));
  request.expected_last_sequence = std::nullopt;
  request.message_id = "id-1";
  const auto first = AppendNow(*world_, *bus_, request);
  const auto second = AppendNow(*world_, *bus_, request);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_FALSE(first->duplicate);
  EXPECT_TRUE(second->duplicate);
  EXPECT_EQ(second->sequence, first->sequence);
}

TEST_F(BusContract, FullStreamRefusesAndABoundedLogForgets) {
  StreamConfig table = TableConfig("t");
  table.max_bytes = 4000;
  Ensure(table);
  StreamConfig log = TableConfig("l");
  log.last_per_subject = false;
  log.max_bytes = 4000;
  log.discard_old = true;
  Ensure(log);
  const std::string payload(1500, 'x');
  EXPECT_GT(Put("t.a", payload), 0u);
  EXPECT_GT(Put("t.b", payload), 0u);
  EXPECT_THAT(AppendNow(*world_, *bus_, "t.c", payload),
              StatusIs(absl::StatusCode::kResourceExhausted, _));
  for (int i = 0; i < 5; ++i) EXPECT_GT(Put("l.a", payload), 0u);
}

TEST_F(BusContract, GetLastTellsValuesAndMarkers) {
  Ensure(TableConfig("t"));
  Put("t.a", "old");
  const uint64_t sequence = Put("t.a", "new");
  Put("t.b", "gone");
  const uint64_t marker = Remove("t.b");
  std::map<std::string, std::string> got;
  world_->Do([&] {
    const auto remember = [&](std::string name) {
      return [&got, name](const absl::StatusOr<std::optional<BusMessage>>& r) {
        got[name] = !r.ok()           ? absl::StatusCodeToString(r.status().code())
                    : !r->has_value() ? "none"
                                      : StrCat((*r)->payload, "@", (*r)->sequence,
                                               (*r)->IsDeleteMarker() ? " marker" : "");
      };
    };
    bus_->GetLast("t", "t.a", remember("a"));
    bus_->GetLast("t", "t.b", remember("b"));
    bus_->GetLastOrMarker("t", "t.b", remember("b marker"));
    bus_->GetLast("t", "t.c", remember("c"));
    bus_->GetLast("nostream", "t.c", remember("no stream"));
  });
  ASSERT_TRUE(world_->Wait([&] { return got.size() == 5; }));
  EXPECT_THAT(got, ElementsAre(Pair("a", StrCat("new@", sequence)), Pair("b", "none"),
                               Pair("b marker", StrCat("@", marker, " marker")), Pair("c", "none"),
                               Pair("no stream", "UNAVAILABLE")));
}

TEST_F(BusContract, WatchReplaysThenFollows) {
  Follower all;
  Follower part;
  Watch(*bus_, {"t", ""}, all);  // waits for the stream
  world_->Pass(absl::Milliseconds(50));
  EXPECT_EQ(all.resets, 0);
  Ensure(TableConfig("t"));
  ASSERT_TRUE(world_->Wait([&] { return all.synced == 1; }));
  EXPECT_GT(all.created, 0);
  Put("t.a.x", "1");
  Put("t.a.x", "2");
  Put("t.b.x", "1");
  Remove("t.b.x");
  Put("t.b.y", "");
  Watch(*bus_, {"t", "t.b.>"}, part);
  ASSERT_TRUE(world_->Wait([&] { return part.synced == 1 && all.rows.size() == 2; }));
  EXPECT_EQ(part.resets, 1);
  EXPECT_EQ(part.last_sequence, 5u);
  EXPECT_THAT(part.log, ElementsAre("t.b.x deleted ", "t.b.y="));
  EXPECT_THAT(part.rows, ElementsAre(Pair("t.b.y", "")));
  // A value that was replaced before it was sent may be skipped: only the last one counts.
  ASSERT_GE(all.log.size(), 3u);
  EXPECT_EQ(all.log.back(), "t.b.y=");
  EXPECT_THAT(all.rows, ElementsAre(Pair("t.a.x", "2"), Pair("t.b.y", "")));
  EXPECT_FALSE(all.bad_order || part.bad_order);
}

TEST_F(BusContract, WatchOfALogTellsEverythingOrOnlyWhatIsNew) {
  StreamConfig config = TableConfig("l");
  config.last_per_subject = false;
  Ensure(config);
  Put("l.a", "1");
  Put("l.a", "2");
  Follower all;
  Follower fresh;
  WatchOptions options;
  options.stream = "l";
  options.all = true;
  Watch(*bus_, options, all);
  options.all = false;
  options.new_only = true;
  Watch(*bus_, options, fresh);
  ASSERT_TRUE(world_->Wait([&] { return all.synced == 1 && fresh.synced == 1; }));
  Put("l.a", "3");
  ASSERT_TRUE(world_->Wait([&] { return all.log.size() == 3 && fresh.log.size() == 1; }));
  EXPECT_THAT(all.log, ElementsAre("l.a=1", "l.a=2", "l.a=3"));
  EXPECT_THAT(fresh.log, ElementsAre("l.a=3"));
  // A restart of the server repeats nothing and loses nothing.
  world_->RestartServer();
  ASSERT_TRUE(WaitConnected(*world_, *bus_));
  for (int tries = 0; tries < 50; ++tries) {
    AppendRequest request;
    request.subject = "l.a";
    request.payload = "4";
    request.message_id = "four";
    if (AppendNow(*world_, *bus_, request).ok()) break;  // fails until the server is ready
    world_->Pass(absl::Milliseconds(100));
  }
  ASSERT_TRUE(world_->Wait([&] { return all.log.size() >= 4 && fresh.log.size() >= 2; }));
  EXPECT_THAT(all.log, ElementsAre("l.a=1", "l.a=2", "l.a=3", "l.a=4"));
  EXPECT_THAT(fresh.log, ElementsAre("l.a=3", "l.a=4"));
}

TEST_F(BusContract, WatchLearnsOfDeletesMadeWhileItWasCutOff) {
  Ensure(TableConfig("t"));
  Put("t.a", "1");
  Put("t.b", "1");
  world_->Do([&] { other_ = world_->ConnectCuttable(); });
  ASSERT_TRUE(WaitConnected(*world_, *other_));
  Follower follower;
  Watch(*other_, {"t", ""}, follower);
  ASSERT_TRUE(world_->Wait([&] { return follower.synced == 1; }));
  world_->Cut(true);
  Remove("t.a");
  Put("t.c", "1");
  Put("t.b", "2");
  world_->Cut(false);
  ASSERT_TRUE(world_->Wait([&] { return follower.rows["t.b"] == "2"; }));
  EXPECT_THAT(follower.rows, ElementsAre(Pair("t.b", "2"), Pair("t.c", "1")));
  EXPECT_FALSE(follower.bad_order);
}

TEST_F(BusContract, WatchSurvivesAServerRestart) {
  Ensure(TableConfig("t"));
  Put("t.a", "1");
  Follower follower;
  Watch(*bus_, {"t", ""}, follower);
  ASSERT_TRUE(world_->Wait([&] { return follower.synced == 1; }));
  const int64_t created = follower.created;
  world_->RestartServer();
  for (int tries = 0; tries < 100; ++tries) {
    if (AppendNow(*world_, *bus_, "t.b", "1").ok()) break;
    world_->Pass(absl::Milliseconds(100));
  }
  ASSERT_TRUE(
      world_->Wait([&] { return follower.rows.count("t.b") == 1 && follower.synced >= 2; }));
  EXPECT_THAT(follower.rows, ElementsAre(Pair("t.a", "1"), Pair("t.b", "1")));
  EXPECT_EQ(follower.created, created) << "the same life of the stream";
}

// The trap: a consumer of the old stream silently skips everything up to its old sequence.
TEST_F(BusContract, WatchNoticesAStreamMadeAgain) {
  Ensure(TableConfig("t"));
  for (int i = 0; i < 20; ++i) Put(StrCat("t.", i), "old");
  Follower follower;
  Watch(*bus_, {"t", ""}, follower);
  ASSERT_TRUE(world_->Wait([&] { return follower.synced == 1; }));
  const int64_t created = follower.created;
  world_->RecreateStream(TableConfig("t"));
  Put("t.5", "new");
  ASSERT_TRUE(world_->Wait([&] { return follower.rows.size() == 1 && follower.synced >= 2; }));
  EXPECT_THAT(follower.rows, ElementsAre(Pair("t.5", "new")));
  EXPECT_NE(follower.created, created);
  Put("t.6", "new");
  EXPECT_TRUE(world_->Wait([&] { return follower.rows.size() == 2; }));
}

TEST_F(BusContract, RepublishedMessagesCarryTheirSequence) {
  StreamConfig config = TableConfig("works");
  config.republish_prefix = "live.";
  Ensure(config);
  std::vector<BusMessage> got;
  Listen("live.works.>", [&](const BusMessage& m) { got.push_back(m); });
  Put("works.c.x", "1");
  const uint64_t marker = Remove("works.c.x");
  ASSERT_TRUE(world_->Wait([&] { return got.size() == 2; }));
  EXPECT_EQ(got[0].subject, "live.works.c.x");
  EXPECT_EQ(got[0].payload, "1");
  EXPECT_EQ(got[0].sequence, 1u);
  EXPECT_EQ(got[0].Header("Nats-Subject"), "works.c.x");
  EXPECT_TRUE(got[1].IsDeleteMarker());
  EXPECT_EQ(got[1].sequence, marker);
}

class ConsumerContract : public BusContract {
 protected:
  void SetUp() override {
    BusContract::SetUp();
    StreamConfig config = TableConfig("d");
    config.last_per_subject = false;
    ASSERT_OK(EnsureNow(*world_, *bus_, config));
    options_.stream = "d";
    options_.durable = "policy";
    options_.max_in_flight = 4;
    options_.ack_wait = absl::Seconds(1);
  }
  void Consume(Bus& bus) {
    world_->Do([&] {
      consumer_ = bus.Consume(options_, [this](const Delivery& d) {
        got_.push_back(d.message.payload);
        last_ = d.message.sequence;
        attempts_ = d.attempts;
        if (ack_) consumer_->AckThrough(d.message.sequence);
      });
    });
  }
  ConsumerOptions options_;
  std::vector<std::string> got_;
  uint64_t last_ = 0;
  int64_t attempts_ = 0;
  bool ack_ = false;
};

TEST_F(ConsumerContract, DeliversInOrderWithinTheWindow) {
  for (int i = 0; i < 10; ++i) Put("d.a", std::to_string(i));
  Consume(*bus_);
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 4; }));
  world_->Pass(absl::Milliseconds(100));
  EXPECT_THAT(got_, ElementsAre("0", "1", "2", "3"));
  world_->Do([&] { consumer_->AckThrough(3); });
  ASSERT_TRUE(world_->Wait([&] { return got_.size() >= 7; }));
  EXPECT_THAT(got_, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
}

TEST_F(ConsumerContract, DeliversAgainWhatIsNotAcknowledged) {
  for (int i = 0; i < 3; ++i) Put("d.a", std::to_string(i));
  Consume(*bus_);
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 3; }));
  EXPECT_EQ(attempts_, 1);
  world_->Do([&] { consumer_->AckThrough(1); });
  ASSERT_TRUE(world_->Wait([&] { return got_.size() >= 5; }));
  EXPECT_THAT(got_, ElementsAre("0", "1", "2", "1", "2"));
  EXPECT_EQ(attempts_, 2);
}

// A service that restarts goes on, at once and in order, after what it had acknowledged.
TEST_F(ConsumerContract, NextProcessGoesOnWhereTheLastAcknowledged) {
  options_.ack_wait = absl::Seconds(30);
  for (int i = 0; i < 6; ++i) Put("d.a", std::to_string(i));
  Consume(*bus_);
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 4; }));
  world_->Do([&] { consumer_->AckThrough(2); });
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 6; }));
  for (int life = 0; life < 3; ++life) {
    world_->Do([&] {
      consumer_.reset();
      other_.reset();
      other_ = world_->Connect(BusIdentity::Hub());
    });
    got_.clear();
    Consume(*other_);
    ASSERT_TRUE(world_->Wait([&] { return got_.size() == 4; }));
    EXPECT_THAT(got_, ElementsAre("2", "3", "4", "5"));
  }
}

TEST_F(ConsumerContract, SurvivesRestartAndARemadeStream) {
  ack_ = true;
  Consume(*bus_);
  for (int i = 0; i < 5; ++i) Put("d.a", std::to_string(i));
  ASSERT_TRUE(world_->Wait([&] { return got_.size() == 5; }));
  world_->RestartServer();
  for (int tries = 0; tries < 100; ++tries) {
    AppendRequest request;
    request.subject = "d.a";
    request.payload = "5";
    request.message_id = "five";
    if (AppendNow(*world_, *bus_, request).ok()) break;
    world_->Pass(absl::Milliseconds(100));
  }
  ASSERT_TRUE(world_->Wait([&] { return !got_.empty() && got_.back() == "5"; }));
  EXPECT_LE(got_.size(), 7u) << "at most what was not yet acknowledged comes again";
  got_.clear();
  StreamConfig config = TableConfig("d");
  config.last_per_subject = false;
  world_->RecreateStream(config);
  Put("d.a", "first of the new life");
  ASSERT_TRUE(world_->Wait([&] { return !got_.empty(); }));
  EXPECT_THAT(got_, ElementsAre("first of the new life"));
}

}  // namespace
}  // namespace sealane
