// The copies that the API is read from: complete, in order, and whole again after every change of
// who copies.
#include "services/gateway/projector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/sim_executor.h"
#include "lib/core/time.h"
#include "lib/telemetry/metrics.h"
#include "tests/support/status_matchers.h"

namespace sealane::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class ProjectorTest : public ::testing::Test {
 protected:
  ProjectorTest()
      : sim_(3),
        server_(sim_.env()),
        bus_(server_.Connect(BusIdentity::Hub())),
        copied_(registry_.AddCounter("copied_total", "Copies.")) {
    for (std::string_view name : {kObjectsTable, kAppStatusTable, kClusterStatusTable, kApiTable}) {
      StreamConfig config;
      config.name = std::string(name);
      config.subjects = {StrCat(name, ".>")};
      if (name == kApiTable) config.history = 4;
      bus_->EnsureStream(config, [](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
    }
    Begin();
  }
  void Begin() {
    projector_ = std::make_unique<Projector>(*bus_, sim_.env(), copied_);
    projector_->Start();
    sim_.RunFor(absl::Seconds(1));
  }
  void Put(const std::string& subject, const std::string& payload) {
    AppendRequest request;
    request.subject = subject;
    request.payload = payload;
    request.remove = payload.empty();
    bus_->Append(request, [](const absl::StatusOr<Appended>& done) { EXPECT_TRUE(done.ok()); });
  }
  // The newest copy of each row that is there.
  std::map<std::string, std::string> Copies() {
    sim_.RunFor(absl::Seconds(1));
    std::map<std::string, std::string> rows;
    WatchOptions options;
    options.stream = std::string(kApiTable);
    const auto watch = bus_->Watch(options, [&](const WatchEvent& event) {
      if (event.type == WatchEvent::Type::kPut) {
        rows[event.message.subject] =
            StrCat(event.message.payload, "@", OriginOf(event.message).sequence);
      }
      if (event.type == WatchEvent::Type::kDelete) rows.erase(event.message.subject);
    });
    sim_.RunFor(absl::Seconds(1));
    return rows;
  }

  SimExecutor sim_;
  MemoryServer server_;
  Registry registry_;
  std::unique_ptr<Bus> bus_;
  Counter& copied_;
  std::unique_ptr<Projector> projector_;
};

TEST_F(ProjectorTest, CopiesEveryRowOnceAndRemovals) {
  Put("objects.a", "1");
  Put("app_status.a", "well");
  EXPECT_THAT(Copies(),
              ElementsAre(Pair("api.app_status.a", "well@1"), Pair("api.objects.a", "1@1")));
  EXPECT_EQ(copied_.Value(), 2);
  // A burst for one row: the newest is copied, and nothing is copied out of turn.
  for (int i = 2; i <= 40; ++i) Put("objects.a", std::to_string(i));
  Put("app_status.a", "");
  EXPECT_THAT(Copies(), ElementsAre(Pair("api.objects.a", "40@40")));
  Put("objects.a", "");
  EXPECT_THAT(Copies(), IsEmpty());
}

TEST_F(ProjectorTest, WhoeverBeginsCopiesWhatIsMissingAndNothingTwice) {
  Put("objects.a", "1");
  Put("objects.b", "1");
  sim_.RunFor(absl::Seconds(1));
  projector_.reset();
  Put("objects.a", "2");
  Put("objects.b", "");
  Put("objects.c", "1");
  EXPECT_THAT(Copies(), ElementsAre(Pair("api.objects.a", "1@1"), Pair("api.objects.b", "1@2")));
  const double before = copied_.Value();
  Begin();
  EXPECT_THAT(Copies(), ElementsAre(Pair("api.objects.a", "2@3"), Pair("api.objects.c", "1@5")));
  EXPECT_EQ(copied_.Value() - before, 3);
}

TEST_F(ProjectorTest, ATableThatBeginsAnewIsCopiedAnew) {
  for (int i = 0; i < 5; ++i) Put("objects.a", "old");
  Put("objects.b", "old");
  sim_.RunFor(absl::Seconds(1));
  server_.RecreateStream(kObjectsTable);
  sim_.RunFor(absl::Seconds(5));
  Put("objects.a", "new");
  EXPECT_THAT(Copies(), ElementsAre(Pair("api.objects.a", "new@1")));
}

TEST_F(ProjectorTest, ACopySaysWhenItsRowWasStored) {
  Put("objects.a", "1");
  sim_.RunFor(absl::Seconds(1));
  projector_.reset();
  const absl::Time stored = sim_.env().clock.Now();
  Put("objects.a", "2");
  sim_.RunFor(absl::Minutes(1));
  Begin();
  std::map<std::string, Origin> origins;
  WatchOptions options;
  options.stream = std::string(kApiTable);
  const auto watch = bus_->Watch(options, [&](const WatchEvent& event) {
    if (event.type == WatchEvent::Type::kPut) {
      origins[event.message.payload] = OriginOf(event.message);
    }
  });
  sim_.RunFor(absl::Seconds(1));
  ASSERT_TRUE(origins.contains("2"));
  EXPECT_EQ(origins["2"].sequence, 2U);
  EXPECT_LE(absl::AbsDuration(FromMicros(origins["2"].stored_micros) - stored), absl::Seconds(1));
}

TEST_F(ProjectorTest, AnOriginMayLackWhatOthersDidNotWrite) {
  const auto origin = [](std::string text) {
    BusMessage message;
    if (!text.empty()) message.headers.emplace_back("Sealane-Origin", std::move(text));
    const Origin read = OriginOf(message);
    return StrCat(read.sequence, "/", read.created_micros, "/", read.stored_micros);
  };
  EXPECT_EQ(origin(""), "0/0/0");
  EXPECT_EQ(origin("7"), "7/0/0");
  EXPECT_EQ(origin("7 8"), "7/8/0");
  EXPECT_EQ(origin("7 8 9"), "7/8/9");
  EXPECT_EQ(origin("7 8 9 10"), "7/8/9");
  EXPECT_EQ(origin("x 8 9"), "0/0/0");
}

TEST_F(ProjectorTest, TwoThatCopyAtATimeDoNoHarm) {
  Projector second(*bus_, sim_.env(), copied_);
  second.Start();
  sim_.RunFor(absl::Seconds(1));
  for (int i = 1; i <= 30; ++i) {
    Put("objects.a", std::to_string(i));
    sim_.RunFor(absl::Milliseconds(7));
  }
  sim_.RunFor(absl::Seconds(3));
  EXPECT_THAT(Copies(), ElementsAre(Pair("api.objects.a", "30@30")));
}

}  // namespace
}  // namespace sealane::gateway
