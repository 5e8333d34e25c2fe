// Where a stream is, and watching only its end, on every bus: see bus_contract.cc.
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/bus.h"
#include "lib/bus/memory_bus.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {
namespace {

using ::testing::_;
using ::testing::ElementsAre;

TEST(StreamStateContract, TellsWhereAStreamIs) {
  const std::unique_ptr<ContractWorld> world = MakeContractWorld();
  std::unique_ptr<Bus> bus;
  world->Do([&] { bus = world->Connect(BusIdentity::Hub()); });
  ASSERT_TRUE(WaitConnected(*world, *bus));
  ASSERT_OK(EnsureNow(*world, *bus, TableConfig("t")));
  const absl::StatusOr<Appended> appended = AppendNow(*world, *bus, "t.a", "1");
  ASSERT_OK(appended);
  std::vector<absl::StatusOr<StreamState>> told;
  const auto ask = [&](std::string_view stream) {
    const size_t before = told.size();
    world->Do([&] {
      bus->GetStreamState(stream, [&](absl::StatusOr<StreamState> s) { told.push_back(s); });
    });
    return world->Wait([&] { return told.size() > before; });
  };
  ASSERT_TRUE(ask("t") && ask("t") && ask("missing"));
  ASSERT_OK(told[0]);
  EXPECT_EQ(told[0]->last_sequence, appended->sequence);
  EXPECT_GT(told[0]->created_micros, 0);
  EXPECT_TRUE(*told[0] == *told[1]);
  EXPECT_THAT(told[2], StatusIs(absl::StatusCode::kNotFound, _));
  world->RecreateStream(TableConfig("t"));
  ASSERT_TRUE(ask("t"));
  ASSERT_OK(told[3]);
  EXPECT_NE(told[3]->created_micros, told[0]->created_micros);
  EXPECT_EQ(told[3]->last_sequence, 0u);
  world->Do([&] { bus.reset(); });
}

TEST(StreamStateContract, AWatchOfALogMayBeginNearItsEnd) {
  const std::unique_ptr<ContractWorld> world = MakeContractWorld();
  std::unique_ptr<Bus> bus;
  world->Do([&] { bus = world->Connect(BusIdentity::Hub()); });
  ASSERT_TRUE(WaitConnected(*world, *bus));
  StreamConfig config = TableConfig("l");
  config.last_per_subject = false;
  ASSERT_OK(EnsureNow(*world, *bus, config));
  struct Follower {
    std::vector<std::string> payloads;
    bool synced = false;
    std::unique_ptr<Subscription> watch;
  };
  const auto follow = [&](Follower& follower, uint64_t newest) {
    WatchOptions options;
    options.stream = "l";
    options.all = true;
    options.newest = newest;
    world->Do([&] {
      follower.watch = bus->Watch(options, [&follower](const WatchEvent& event) {
        if (event.type == WatchEvent::Type::kPut)
          follower.payloads.push_back(event.message.payload);
        if (event.type == WatchEvent::Type::kSynced) follower.synced = true;
      });
    });
    return world->Wait([&] { return follower.synced; });
  };
  Follower from_nothing;
  ASSERT_TRUE(follow(from_nothing, 2));
  for (const char* value : {"1", "2", "3", "4"}) {
    ASSERT_OK(AppendNow(*world, *bus, "l.a", value));
  }
  Follower last_two;
  Follower more_than_there_is;
  ASSERT_TRUE(follow(last_two, 2));
  ASSERT_TRUE(follow(more_than_there_is, 9));
  EXPECT_THAT(last_two.payloads, ElementsAre("3", "4"));
  EXPECT_THAT(more_than_there_is.payloads, ElementsAre("1", "2", "3", "4"));
  ASSERT_OK(AppendNow(*world, *bus, "l.b", "5"));
  ASSERT_TRUE(world->Wait([&] { return last_two.payloads.size() >= 3; }));
  ASSERT_TRUE(world->Wait([&] { return from_nothing.payloads.size() >= 5; }));
  EXPECT_THAT(last_two.payloads, ElementsAre("3", "4", "5"));
  EXPECT_THAT(from_nothing.payloads, ElementsAre("1", "2", "3", "4", "5"));
  world->Do([&] {
    for (Follower* follower : {&from_nothing, &last_two, &more_than_there_is}) {
      follower->watch.reset();
    }
    bus.reset();
  });
}

}  // namespace
}  // namespace sealane
