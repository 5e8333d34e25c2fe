// What Table keeps on every bus: see bus_contract.cc.
#include "lib/bus/table.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "sealane/v1/common.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Pair;

using TestTable = Table<v1::Condition>;

v1::Condition Value(std::string_view text) {
  v1::Condition value;
  value.set_message(std::string(text));
  return value;
}

// A table on its own connection, with what it told.
struct Member {
  std::unique_ptr<Bus> bus;
  std::unique_ptr<TestTable> table;
  std::vector<std::string> changes;
  int synced = 0;

  std::map<std::string, std::string> Rows() const {
    std::map<std::string, std::string> rows;
    for (const auto& row : table->rows()) rows[row.first] = row.second.value.message();
    return rows;
  }
  bool Settled() const {
    for (const auto& row : table->rows()) {
      if (row.second.pending) return false;
    }
    return table->in_flight() == 0;
  }
};

class TableContract : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = MakeContractWorld();
    Open(writer_, world_.get()->Connect(BusIdentity::Hub()));
    Open(reader_, world_.get()->Connect(BusIdentity::Hub()));
    ASSERT_TRUE(WaitConnected(*world_, *writer_.bus));
    ASSERT_OK(EnsureNow(*world_, *writer_.bus, TableConfig("t")));
    ASSERT_TRUE(world_->Wait([&] { return writer_.synced == 1 && reader_.synced == 1; }));
  }
  void TearDown() override {
    world_->Do([&] {
      for (Member* member : {&writer_, &reader_, &third_}) {
        member->table.reset();
        member->bus.reset();
      }
    });
  }
  void Open(Member& member, std::unique_ptr<Bus> bus) {
    world_->Do([&] {
      member.bus = std::move(bus);
      member.table = std::make_unique<TestTable>(*member.bus, world_->env(), "t");
      member.table->Start([&member](const std::string& key) { member.changes.push_back(key); },
                          [&member] { ++member.synced; });
    });
  }
  // Counts results by status code.
  RawTable::WriteHandler Count(std::map<std::string, int>& results) {
    return [&results](const absl::StatusOr<uint64_t>& r) {
      ++results[absl::StatusCodeToString(r.status().code())];
    };
  }
  bool Converged() {
    return writer_.Settled() && writer_.Rows() == reader_.Rows() && reader_.Settled();
  }

  std::unique_ptr<ContractWorld> world_;
  Member writer_;
  Member reader_;
  Member third_;
};

TEST_F(TableContract, PutIsVisibleAtOnceAndBecomesDurable) {
  uint64_t revision = 0;
  world_->Do([&] {
    writer_.table->Put("a.b", Value("1"), [&](absl::StatusOr<uint64_t> r) {
      ASSERT_OK(r);
      revision = *r;
      EXPECT_FALSE(writer_.table->Find("a.b")->pending);
    });
    const auto* row = writer_.table->Find("a.b");
    ASSERT_NE(row, nullptr);
    EXPECT_TRUE(row->pending);
    EXPECT_EQ(row->revision, 0u);
    EXPECT_EQ(row->value.message(), "1");
    EXPECT_EQ(revision, 0u) << "the handler ran inside the call";
    EXPECT_TRUE(writer_.changes.empty()) << "the change was told inside the call";
    EXPECT_EQ(writer_.table->in_flight(), 1u);
  });
  ASSERT_TRUE(world_->Wait([&] { return revision != 0 && reader_.table->Find("a.b") != nullptr; }));
  world_->Pass(absl::Milliseconds(100));
  world_->Do([&] {
    EXPECT_EQ(writer_.table->Find("a.b")->revision, revision);
    EXPECT_EQ(reader_.table->Find("a.b")->revision, revision);
    EXPECT_EQ(writer_.table->in_flight(), 0u);
    EXPECT_EQ(writer_.table->last_sequence(), revision);
    EXPECT_GT(writer_.table->stream_created_micros(), 0);
    EXPECT_THAT(writer_.changes, ElementsAre("a.b")) << "its own write, once";
    EXPECT_THAT(reader_.changes, ElementsAre("a.b"));
  });
}

TEST_F(TableContract, LaterWritesOfAKeyReplaceWaitingOnes) {
  std::map<std::string, int> results;
  world_->Do([&] {
    for (int i = 0; i < 50; ++i) {
      writer_.table->Put("k", Value(std::to_string(i)), Count(results));
    }
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 50 && Converged(); }));
  EXPECT_THAT(reader_.Rows(), ElementsAre(Pair("k", "49")));
  world_->Do([&] {
    EXPECT_GE(writer_.table->stats().coalesced, 45u);
    EXPECT_LE(writer_.table->stats().writes, 3u);
  });
}

TEST_F(TableContract, RemovedRowsGoAndMayComeBack) {
  std::map<std::string, int> results;
  world_->Do([&] { writer_.table->Put("k", Value("1"), Count(results)); });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 1; }));
  world_->Do([&] {
    writer_.table->Remove("k", Count(results));
    EXPECT_EQ(writer_.table->Find("k"), nullptr);
    writer_.table->Remove("never there", Count(results));
    writer_.table->Remove("never.there", Count(results));
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 3 && Converged(); }));
  EXPECT_EQ(results["INVALID_ARGUMENT"], 1) << "a key with a blank";
  EXPECT_TRUE(reader_.Rows().empty());
  world_->Do([&] { writer_.table->Put("k", Value("2"), Count(results)); });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 4 && Converged(); }));
  EXPECT_THAT(reader_.Rows(), ElementsAre(Pair("k", "2")));
  // Created and removed before anything was sent: nothing is left, everyone is answered.
  world_->Do([&] {
    writer_.table->Put("brief", Value("1"), Count(results));
    writer_.table->Remove("brief", Count(results));
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 6 && Converged(); }));
  EXPECT_THAT(reader_.Rows(), ElementsAre(Pair("k", "2")));
}

TEST_F(TableContract, ConditionalPutNeedsTheRevision) {
  std::map<std::string, int> results;
  world_->Do([&] {
    writer_.table->PutIf("k", Value("1"), 7, Count(results));
    EXPECT_EQ(writer_.table->Find("k"), nullptr);
    writer_.table->PutIf("k", Value("2"), 0, Count(results));
    writer_.table->PutIf("k", Value("3"), 0, Count(results));  // one is on its way
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 1 && results["ABORTED"] == 2; }));
  ASSERT_TRUE(world_->Wait([&] { return Converged(); }));
  EXPECT_THAT(reader_.Rows(), ElementsAre(Pair("k", "2")));
  // Two hold the same revision: exactly one gets its write in, and both end with that value.
  std::map<std::string, int> race;
  world_->Do([&] {
    const uint64_t revision = writer_.table->Find("k")->revision;
    writer_.table->PutIf("k", Value("writer"), revision, Count(race));
    reader_.table->PutIf("k", Value("reader"), revision, Count(race));
  });
  ASSERT_TRUE(world_->Wait([&] { return race["OK"] + race["ABORTED"] == 2 && Converged(); }));
  EXPECT_EQ(race["OK"], 1);
  EXPECT_EQ(race["ABORTED"], 1);
}

TEST_F(TableContract, ForeignWriteAbortsAndTheViewFollows) {
  std::map<std::string, int> results;
  world_->Do([&] { writer_.table->Put("k", Value("before"), Count(results)); });
  Open(third_, world_->ConnectCuttable());
  ASSERT_TRUE(world_->Wait([&] { return third_.synced == 1 && third_.Rows().size() == 1; }));
  world_->Cut(true);
  world_->Pass(absl::Milliseconds(200));
  std::map<std::string, int> late;
  world_->Do([&] {
    third_.table->Put("k", Value("late"), Count(late));
    third_.table->Put("own", Value("late but alone"), Count(late));
    writer_.table->Put("k", Value("foreign"), Count(results));
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 2; }));
  world_->Cut(false);
  ASSERT_TRUE(world_->Wait([&] { return late["ABORTED"] == 1 && late["OK"] == 1; }));
  ASSERT_TRUE(world_->Wait([&] { return Converged() && third_.Rows() == writer_.Rows(); }));
  EXPECT_THAT(third_.Rows(), ElementsAre(Pair("k", "foreign"), Pair("own", "late but alone")));
  world_->Do([&] { EXPECT_GE(third_.table->stats().conflicts, 1u); });
}

TEST_F(TableContract, WhatCannotBeSentIsRefusedAndLeavesNoTrace) {
  std::map<std::string, int> results;
  world_->Do([&] {
    writer_.table->Put("k", Value(std::string(2 << 20, 'x')), Count(results));
    writer_.table->Put("a b", Value("1"), Count(results));
    writer_.table->Put("a..b", Value("1"), Count(results));
    writer_.table->Put("", Value("1"), Count(results));
    EXPECT_TRUE(writer_.table->rows().empty());
  });
  ASSERT_TRUE(world_->Wait([&] { return results["INVALID_ARGUMENT"] == 4; }));
}

TEST_F(TableContract, RowsThatDoNotParseAreAbsent) {
  ASSERT_OK(AppendNow(*world_, *reader_.bus, "t.bad", "\xff\xff\xff garbage"));
  world_->Do([&] { writer_.table->Put("good", Value("1")); });
  ASSERT_TRUE(world_->Wait([&] { return reader_.Rows().size() == 1 && Converged(); }));
  world_->Do([&] {
    EXPECT_EQ(reader_.table->stats().parse_errors, 1u);
    EXPECT_EQ(reader_.table->Find("bad"), nullptr);
  });
  // And can be written over.
  ASSERT_TRUE(world_->Wait([&] { return writer_.table->stats().parse_errors == 1; }));
  world_->Do([&] { writer_.table->Put("bad", Value("mended")); });
  ASSERT_TRUE(world_->Wait([&] { return reader_.Rows().size() == 2 && Converged(); }));
}

TEST_F(TableContract, WritesMadeBeforeTheReplayWait) {
  world_->Do([&] { writer_.table->Put("k", Value("old")); });
  ASSERT_TRUE(world_->Wait([&] { return Converged() && reader_.Rows().size() == 1; }));
  std::map<std::string, int> results;
  Open(third_, world_->Connect(BusIdentity::Hub()));
  world_->Do([&] {
    EXPECT_FALSE(third_.table->synced());
    third_.table->Put("k", Value("new"), Count(results));
    third_.table->PutIf("other", Value("x"), 5, Count(results));
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 1 && results["ABORTED"] == 1; }));
  ASSERT_TRUE(world_->Wait([&] { return Converged() && third_.Rows() == reader_.Rows(); }));
  EXPECT_THAT(third_.Rows(), ElementsAre(Pair("k", "new")));
}

// No lost and no invented change: every write is answered with success, each reader sees only
// values that were written and in their order, and everyone ends with the same rows.
class TableUnderFire : public TableContract {
 protected:
  void WriteWaves(const std::function<void(int wave)>& trouble) {
    constexpr int kWaves = 30;
    constexpr int kKeys = 40;
    world_->Do([&] {
      third_.table = std::make_unique<TestTable>(*third_.bus, world_->env(), "t");
      third_.table->Start([this](const std::string& key) { Check(key); }, [] {});
    });
    for (int wave = 1; wave <= kWaves; ++wave) {
      world_->Do([&] {
        for (int i = 0; i < kKeys; ++i) {
          const std::string key = StrCat("k", i);
          ++asked_;
          if ((wave + i) % 7 == 0) {
            expected_.erase(key);
            writer_.table->Remove(key, Count(results_));
          } else {
            expected_[key] = std::to_string(wave);
            writer_.table->Put(key, Value(std::to_string(wave)), Count(results_));
          }
        }
      });
      trouble(wave);
      world_->Pass(absl::Milliseconds(10));
    }
    ASSERT_TRUE(world_->Wait([&] { return results_["OK"] == asked_; }))
        << "answered " << results_["OK"] << " of " << asked_ << ", refused " << results_["ABORTED"];
    ASSERT_TRUE(world_->Wait([&] {
      return writer_.Rows() == expected_ && reader_.Rows() == expected_ &&
             third_.Rows() == expected_;
    }));
    EXPECT_TRUE(bad_.empty()) << bad_;
  }
  // Waves only grow.
  void Check(const std::string& key) {
    const auto* row = third_.table->Find(key);
    if (row == nullptr) return;
    const int wave = std::stoi(row->value.message());
    int& last = last_seen_[key];
    if (wave < last) bad_ = StrCat(key, " went from ", last, " back to ", wave);
    last = wave;
  }

  std::map<std::string, std::string> expected_;
  std::map<std::string, int> results_;
  std::map<std::string, int> last_seen_;
  std::string bad_;
  int asked_ = 0;
};

TEST_F(TableUnderFire, ServerIsKilledUnderWrites) {
  world_->Do([&] { third_.bus = world_->Connect(BusIdentity::Hub()); });
  WriteWaves([&](int wave) {
    if (wave % 10 == 5) world_->RestartServer();
  });
}

TEST_F(TableUnderFire, ReaderIsCutOffAgainAndAgain) {
  world_->Do([&] { third_.bus = world_->ConnectCuttable(); });
  WriteWaves([&](int wave) {
    if (wave % 6 == 2) world_->Cut(true);
    if (wave % 6 == 5) world_->Cut(false);
  });
}

TEST_F(TableUnderFire, WriterIsCutOffAgainAndAgain) {
  world_->Do([&] {
    third_.bus = world_->Connect(BusIdentity::Hub());
    writer_.table.reset();
    writer_.bus.reset();
  });
  Open(writer_, world_->ConnectCuttable());
  WriteWaves([&](int wave) {
    if (wave % 6 == 2) world_->Cut(true);
    if (wave % 6 == 5) world_->Cut(false);
  });
}

TEST_F(TableContract, AStreamMadeAgainIsSeenAndWritten) {
  std::map<std::string, int> results;
  world_->Do([&] {
    for (int i = 0; i < 10; ++i) {
      writer_.table->Put(StrCat("k", i), Value("old"), Count(results));
    }
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 10 && Converged(); }));
  const int64_t created = writer_.table->stream_created_micros();
  world_->RecreateStream(TableConfig("t"));
  ASSERT_TRUE(world_->Wait([&] { return reader_.Rows().empty() && writer_.Rows().empty(); }));
  world_->Do([&] { writer_.table->Put("k1", Value("new"), Count(results)); });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 11 && Converged(); }));
  EXPECT_THAT(reader_.Rows(), ElementsAre(Pair("k1", "new")));
  world_->Do([&] { EXPECT_NE(writer_.table->stream_created_micros(), created); });
}

}  // namespace
}  // namespace sealane
