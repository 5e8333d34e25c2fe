// A table's only writer ends to follow it, and begins again when there is a doubt: on the bus in
// memory and virtual time.
#include "lib/bus/sole_writer.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/bus/table.h"
#include "lib/core/sim_executor.h"
#include "sealane/v1/common.pb.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using TestTable = Table<v1::Condition>;

v1::Condition Value(std::string_view text) {
  v1::Condition value;
  value.set_message(std::string(text));
  return value;
}

std::map<std::string, std::string> Rows(const TestTable& table) {
  std::map<std::string, std::string> rows;
  for (const auto& row : table.rows()) rows[row.first] = row.second.value.message();
  return rows;
}

class SoleWriterTest : public ::testing::Test {
 protected:
  SoleWriterTest()
      : sim_(1),
        server_(sim_.env()),
        bus_(server_.Connect(BusIdentity::Hub(), "writer")),
        other_bus_(server_.Connect(BusIdentity::Hub(), "other")),
        table_(*bus_, sim_.env(), "t"),
        other_(*other_bus_, sim_.env(), "t") {
    StreamConfig config;
    config.name = "t";
    config.subjects = {"t.>"};
    bus_->EnsureStream(config, [](const absl::Status& s) { EXPECT_OK(s); });
    table_.Start([this](const std::string& key) { ++changes_[key]; }, [] {});
    other_.Start({}, [] {});
    table_.SetSoleWriter(true);
    table_.Put("a", Value("1"));
    sim_.RunFor(absl::Seconds(5));
  }
  bool Following() { return table_.stats().following; }
  bool FollowsWithin(absl::Duration time) {
    return sim_.RunUntil([this] { return Following(); }, time);
  }

  SimExecutor sim_;
  MemoryServer server_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Bus> other_bus_;
  TestTable table_;
  TestTable other_;
  std::map<std::string, int> changes_;
};

TEST_F(SoleWriterTest, ItsOwnRowsAreNotSentBack) {
  ASSERT_FALSE(Following()) << "its view equals the stream";
  table_.Put("a", Value("2"));
  table_.Put("b", Value("1"));
  table_.Remove("a");
  sim_.RunFor(absl::Minutes(5));
  EXPECT_FALSE(Following()) << "nothing happened that it did not do itself";
  EXPECT_EQ(table_.last_sequence(), server_.StreamLastSequence("t"));
  EXPECT_THAT(Rows(table_), ElementsAre(Pair("b", "1")));
  EXPECT_EQ(Rows(other_), Rows(table_));
  EXPECT_EQ(changes_["b"], 1) << "told once, when it was written";
}

TEST_F(SoleWriterTest, FollowsWhileWritesAreOnTheirWay) {
  BusFaults slow;
  slow.delay = [] { return absl::Seconds(3); };
  table_.SetSoleWriter(false);
  EXPECT_TRUE(Following());
  server_.SetFaults("writer", slow);
  table_.SetSoleWriter(true);
  for (int i = 0; i < 10; ++i) {
    table_.Put("a", Value(std::to_string(i)));
    sim_.RunFor(absl::Seconds(1));
    EXPECT_TRUE(Following());
  }
  EXPECT_TRUE(sim_.RunUntil([this] { return !Following(); }, absl::Minutes(2)));
}

TEST_F(SoleWriterTest, AnothersRowAtRestIsSeenWithinHalfAMinute) {
  other_.Put("b", Value("of another"));
  EXPECT_TRUE(FollowsWithin(absl::Seconds(31)));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Rows(table_), ElementsAre(Pair("a", "1"), Pair("b", "of another")));
  EXPECT_TRUE(sim_.RunUntil([this] { return !Following(); }, absl::Minutes(1))) << "equal again";
}

TEST_F(SoleWriterTest, AnothersRowThatAWriteMeetsIsNotOverwritten) {
  other_.Put("a", Value("of another"));
  sim_.RunFor(absl::Milliseconds(10));
  absl::Status result;
  table_.Put("a", Value("2"), [&](const absl::StatusOr<uint64_t>& r) { result = r.status(); });
  EXPECT_TRUE(FollowsWithin(absl::Seconds(1)));
  sim_.RunFor(absl::Seconds(2));
  EXPECT_EQ(result.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Rows(table_), ElementsAre(Pair("a", "of another")));
}

TEST_F(SoleWriterTest, ALostConnectionIsADoubt) {
  BusFaults cut;
  cut.disconnected = true;
  server_.SetFaults("writer", cut);
  EXPECT_TRUE(FollowsWithin(absl::Seconds(1)));
  other_.Put("b", Value("meanwhile"));
  sim_.RunFor(absl::Seconds(1));
  server_.SetFaults("writer", {});
  sim_.RunFor(absl::Seconds(2));
  EXPECT_THAT(Rows(table_), ElementsAre(Pair("a", "1"), Pair("b", "meanwhile")));
}

TEST_F(SoleWriterTest, AStreamMadeAgainIsSeen) {
  server_.RecreateStream("t");
  EXPECT_TRUE(FollowsWithin(absl::Seconds(31)));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Rows(table_), ElementsAre()) << "the rows are gone with their stream";
  table_.Put("c", Value("1"));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Rows(other_), ElementsAre(Pair("c", "1")));
}

TEST_F(SoleWriterTest, WritesDuringANewBeginningAreKept) {
  for (int i = 0; i < 200; ++i) {
    table_.Put("k" + std::to_string(i), Value(std::to_string(i)));
    if (i == 100) other_.Put("k100", Value("of another"));
    if (i % 10 == 0) sim_.RunFor(absl::Milliseconds(1));
  }
  sim_.RunFor(absl::Minutes(2));
  EXPECT_EQ(table_.rows().size(), 201u);
  EXPECT_EQ(Rows(other_), Rows(table_));
}

}  // namespace
}  // namespace sealane
