// Where a stream is, on every bus: see bus_contract.cc.
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

}  // namespace
}  // namespace sealane
