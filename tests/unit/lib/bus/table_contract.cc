// What tables keep on every bus, parsed or packed: see bus_contract.cc.
#include "lib/bus/table.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/packed_table.h"
#include "lib/core/strings.h"
#include "sealane/v1/common.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/bus/bus_contract.h"

namespace sealane {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::Pair;

const v1::Condition& ValueOf(const Row<v1::Condition>& row) { return row.value; }
v1::Condition ValueOf(const PackedRow<v1::Condition>& row) { return row.Parse(); }

v1::Condition Value(std::string_view text) {
  v1::Condition value;
  value.set_message(std::string(text));
  return value;
}

// A table on its own connection, with what it told.
template <typename TestTable>
struct Member {
  std::unique_ptr<Bus> bus;
  std::unique_ptr<TestTable> table;
  std::vector<std::string> changes;
  int synced = 0;

  std::map<std::string, std::string> Rows() const {
    std::map<std::string, std::string> rows;
    for (const auto& row : table->rows()) {
      rows[std::string(row.first)] = ValueOf(row.second).message();
    }
    return rows;
  }
  bool Settled() const {
    for (const auto& row : table->rows()) {
      if (row.second.pending) return false;
    }
    return table->in_flight() == 0;
  }
};

template <typename TestTable>
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
      for (Member<TestTable>* member : {&writer_, &reader_, &third_}) {
        member->table.reset();
        member->bus.reset();
      }
    });
  }
  void Open(Member<TestTable>& member, std::unique_ptr<Bus> bus) {
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
  Member<TestTable> writer_;
  Member<TestTable> reader_;
  Member<TestTable> third_;
};

using TableTypes = ::testing::Types<Table<v1::Condition>, PackedTable<v1::Condition>>;
TYPED_TEST_SUITE(TableContract, TableTypes);

TYPED_TEST(TableContract, PutIsVisibleAtOnceAndBecomesDurable) {
  uint64_t revision = 0;
  this->world_->Do([&] {
    this->writer_.table->Put("a.b", Value("1"), [&](absl::StatusOr<uint64_t> r) {
      ASSERT_OK(r);
      revision = *r;
      EXPECT_FALSE(this->writer_.table->Find("a.b")->pending);
    });
    const auto* row = this->writer_.table->Find("a.b");
    ASSERT_NE(row, nullptr);
    EXPECT_TRUE(row->pending);
    EXPECT_EQ(row->revision, 0u);
    EXPECT_EQ(row->value.message(), "1");
    EXPECT_EQ(revision, 0u) << "the handler ran inside the call";
    EXPECT_TRUE(this->writer_.changes.empty()) << "the change was told inside the call";
    EXPECT_EQ(this->writer_.table->in_flight(), 1u);
  });
  ASSERT_TRUE(this->world_->Wait(
      [&] { return revision != 0 && this->reader_.table->Find("a.b") != nullptr; }));
  this->world_->Pass(absl::Milliseconds(100));
  this->world_->Do([&] {
    EXPECT_EQ(this->writer_.table->Find("a.b")->revision, revision);
    EXPECT_EQ(this->reader_.table->Find("a.b")->revision, revision);
    EXPECT_EQ(this->writer_.table->in_flight(), 0u);
    EXPECT_EQ(this->writer_.table->last_sequence(), revision);
    EXPECT_GT(this->writer_.table->stream_created_micros(), 0);
    EXPECT_THAT(this->writer_.changes, ElementsAre("a.b")) << "its own write, once";
    EXPECT_THAT(this->reader_.changes, ElementsAre("a.b"));
  });
}

TYPED_TEST(TableContract, LaterWritesOfAKeyReplaceWaitingOnes) {
  std::map<std::string, int> results;
  this->world_->Do([&] {
    for (int i = 0; i < 50; ++i) {
      this->writer_.table->Put("k", Value(std::to_string(i)), this->Count(results));
    }
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 50 && this->Converged(); }));
  EXPECT_THAT(this->reader_.Rows(), ElementsAre(Pair("k", "49")));
  this->world_->Do([&] {
    EXPECT_GE(this->writer_.table->stats().coalesced, 45u);
    EXPECT_LE(this->writer_.table->stats().writes, 3u);
  });
}

TYPED_TEST(TableContract, RemovedRowsGoAndMayComeBack) {
  std::map<std::string, int> results;
  this->world_->Do([&] { this->writer_.table->Put("k", Value("1"), this->Count(results)); });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 1; }));
  this->world_->Do([&] {
    this->writer_.table->Remove("k", this->Count(results));
    EXPECT_EQ(this->writer_.table->Find("k"), nullptr);
    this->writer_.table->Remove("never there", this->Count(results));
    this->writer_.table->Remove("never.there", this->Count(results));
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 3 && this->Converged(); }));
  EXPECT_EQ(results["INVALID_ARGUMENT"], 1) << "a key with a blank";
  EXPECT_TRUE(this->reader_.Rows().empty());
  this->world_->Do([&] { this->writer_.table->Put("k", Value("2"), this->Count(results)); });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 4 && this->Converged(); }));
  EXPECT_THAT(this->reader_.Rows(), ElementsAre(Pair("k", "2")));
  // Created and removed before anything was sent: nothing is left, everyone is answered.
  this->world_->Do([&] {
    this->writer_.table->Put("brief", Value("1"), this->Count(results));
    this->writer_.table->Remove("brief", this->Count(results));
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 6 && this->Converged(); }));
  EXPECT_THAT(this->reader_.Rows(), ElementsAre(Pair("k", "2")));
}

TYPED_TEST(TableContract, ConditionalPutNeedsTheRevision) {
  std::map<std::string, int> results;
  this->world_->Do([&] {
    this->writer_.table->PutIf("k", Value("1"), 7, this->Count(results));
    EXPECT_EQ(this->writer_.table->Find("k"), nullptr);
    this->writer_.table->PutIf("k", Value("2"), 0, this->Count(results));
    this->writer_.table->PutIf("k", Value("3"), 0, this->Count(results));  // one is on its way
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 1 && results["ABORTED"] == 2; }));
  ASSERT_TRUE(this->world_->Wait([&] { return this->Converged(); }));
  EXPECT_THAT(this->reader_.Rows(), ElementsAre(Pair("k", "2")));
  // Two hold the same revision: exactly one gets its write in, and both end with that value.
  std::map<std::string, int> race;
  this->world_->Do([&] {
    const uint64_t revision = this->writer_.table->Find("k")->revision;
    this->writer_.table->PutIf("k", Value("writer"), revision, this->Count(race));
    this->reader_.table->PutIf("k", Value("reader"), revision, this->Count(race));
  });
  ASSERT_TRUE(
      this->world_->Wait([&] { return race["OK"] + race["ABORTED"] == 2 && this->Converged(); }));
  EXPECT_EQ(race["OK"], 1);
  EXPECT_EQ(race["ABORTED"], 1);
}

TYPED_TEST(TableContract, ForeignWriteAbortsAndTheViewFollows) {
  std::map<std::string, int> results;
  this->world_->Do([&] { this->writer_.table->Put("k", Value("before"), this->Count(results)); });
  this->Open(this->third_, this->world_->ConnectCuttable());
  ASSERT_TRUE(this->world_->Wait(
      [&] { return this->third_.synced == 1 && this->third_.Rows().size() == 1; }));
  this->world_->Cut(true);
  this->world_->Pass(absl::Milliseconds(200));
  std::map<std::string, int> late;
  this->world_->Do([&] {
    this->third_.table->Put("k", Value("late"), this->Count(late));
    this->third_.table->Put("own", Value("late but alone"), this->Count(late));
    this->writer_.table->Put("k", Value("foreign"), this->Count(results));
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 2; }));
  this->world_->Cut(false);
  ASSERT_TRUE(this->world_->Wait([&] { return late["ABORTED"] == 1 && late["OK"] == 1; }));
  ASSERT_TRUE(this->world_->Wait(
      [&] { return this->Converged() && this->third_.Rows() == this->writer_.Rows(); }));
  EXPECT_THAT(this->third_.Rows(),
              ElementsAre(Pair("k", "foreign"), Pair("own", "late but alone")));
  this->world_->Do([&] { EXPECT_GE(this->third_.table->stats().conflicts, 1u); });
}

TYPED_TEST(TableContract, WhatCannotBeSentIsRefusedAndLeavesNoTrace) {
  std::map<std::string, int> results;
  this->world_->Do([&] {
    this->writer_.table->Put("k", Value(std::string(2 << 20, 'x')), this->Count(results));
    this->writer_.table->Put("a b", Value("1"), this->Count(results));
    this->writer_.table->Put("a..b", Value("1"), this->Count(results));
    this->writer_.table->Put("", Value("1"), this->Count(results));
    EXPECT_EQ(this->writer_.table->size(), 0u);
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["INVALID_ARGUMENT"] == 4; }));
}

TYPED_TEST(TableContract, RowsThatDoNotParseAreAbsent) {
  ASSERT_OK(AppendNow(*this->world_, *this->reader_.bus, "t.bad", "\xff\xff\xff garbage"));
  this->world_->Do([&] { this->writer_.table->Put("good", Value("1")); });
  ASSERT_TRUE(
      this->world_->Wait([&] { return this->reader_.Rows().size() == 1 && this->Converged(); }));
  this->world_->Do([&] {
    EXPECT_EQ(this->reader_.table->stats().parse_errors, 1u);
    EXPECT_EQ(this->reader_.table->Find("bad"), nullptr);
  });
  // And can be written over.
  ASSERT_TRUE(this->world_->Wait([&] { return this->writer_.table->stats().parse_errors == 1; }));
  this->world_->Do([&] { this->writer_.table->Put("bad", Value("mended")); });
  ASSERT_TRUE(
      this->world_->Wait([&] { return this->reader_.Rows().size() == 2 && this->Converged(); }));
}

TYPED_TEST(TableContract, WritesMadeBeforeTheReplayWait) {
  this->world_->Do([&] { this->writer_.table->Put("k", Value("old")); });
  ASSERT_TRUE(
      this->world_->Wait([&] { return this->Converged() && this->reader_.Rows().size() == 1; }));
  std::map<std::string, int> results;
  this->Open(this->third_, this->world_->Connect(BusIdentity::Hub()));
  this->world_->Do([&] {
    EXPECT_FALSE(this->third_.table->synced());
    this->third_.table->Put("k", Value("new"), this->Count(results));
    this->third_.table->PutIf("other", Value("x"), 5, this->Count(results));
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 1 && results["ABORTED"] == 1; }));
  ASSERT_TRUE(this->world_->Wait(
      [&] { return this->Converged() && this->third_.Rows() == this->reader_.Rows(); }));
  EXPECT_THAT(this->third_.Rows(), ElementsAre(Pair("k", "new")));
}

// No lost and no invented change: every write is answered with success, each reader sees only
// values that were written and in their order, and everyone ends with the same rows.
template <typename TestTable>
class TableUnderFire : public TableContract<TestTable> {
 protected:
  void WriteWaves(const std::function<void(int wave)>& trouble) {
    constexpr int kWaves = 30;
    constexpr int kKeys = 40;
    this->world_->Do([&] {
      this->third_.table = std::make_unique<TestTable>(*this->third_.bus, this->world_->env(), "t");
      this->third_.table->Start([this](const std::string& key) { Check(key); }, [] {});
    });
    for (int wave = 1; wave <= kWaves; ++wave) {
      this->world_->Do([&] {
        for (int i = 0; i < kKeys; ++i) {
          const std::string key = StrCat("k", i);
          ++asked_;
          if ((wave + i) % 7 == 0) {
            expected_.erase(key);
            this->writer_.table->Remove(key, this->Count(results_));
          } else {
            expected_[key] = std::to_string(wave);
            this->writer_.table->Put(key, Value(std::to_string(wave)), this->Count(results_));
          }
        }
      });
      trouble(wave);
      this->world_->Pass(absl::Milliseconds(10));
    }
    ASSERT_TRUE(this->world_->Wait([&] { return results_["OK"] == asked_; }))
        << "answered " << results_["OK"] << " of " << asked_ << ", refused " << results_["ABORTED"];
    ASSERT_TRUE(this->world_->Wait([&] {
      return this->writer_.Rows() == expected_ && this->reader_.Rows() == expected_ &&
             this->third_.Rows() == expected_;
    }));
    EXPECT_TRUE(bad_.empty()) << bad_;
  }
  // Waves only grow.
  void Check(const std::string& key) {
    const auto* row = this->third_.table->Find(key);
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

TYPED_TEST_SUITE(TableUnderFire, TableTypes);

TYPED_TEST(TableUnderFire, ServerIsKilledUnderWrites) {
  this->world_->Do([&] { this->third_.bus = this->world_->Connect(BusIdentity::Hub()); });
  this->WriteWaves([&](int wave) {
    if (wave % 10 == 5) this->world_->RestartServer();
  });
}

TYPED_TEST(TableUnderFire, ReaderIsCutOffAgainAndAgain) {
  this->world_->Do([&] { this->third_.bus = this->world_->ConnectCuttable(); });
  this->WriteWaves([&](int wave) {
    if (wave % 6 == 2) this->world_->Cut(true);
    if (wave % 6 == 5) this->world_->Cut(false);
  });
}

TYPED_TEST(TableUnderFire, WriterIsCutOffAgainAndAgain) {
  this->world_->Do([&] {
    this->third_.bus = this->world_->Connect(BusIdentity::Hub());
    this->writer_.table.reset();
    this->writer_.bus.reset();
  });
  this->Open(this->writer_, this->world_->ConnectCuttable());
  this->WriteWaves([&](int wave) {
    if (wave % 6 == 2) this->world_->Cut(true);
    if (wave % 6 == 5) this->world_->Cut(false);
  });
}

TYPED_TEST(TableContract, AStreamMadeAgainIsSeenAndWritten) {
  std::map<std::string, int> results;
  this->world_->Do([&] {
    for (int i = 0; i < 10; ++i) {
      this->writer_.table->Put(StrCat("k", i), Value("old"), this->Count(results));
    }
  });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 10 && this->Converged(); }));
  const int64_t created = this->writer_.table->stream_created_micros();
  this->world_->RecreateStream(TableConfig("t"));
  ASSERT_TRUE(this->world_->Wait(
      [&] { return this->reader_.Rows().empty() && this->writer_.Rows().empty(); }));
  this->world_->Do([&] { this->writer_.table->Put("k1", Value("new"), this->Count(results)); });
  ASSERT_TRUE(this->world_->Wait([&] { return results["OK"] == 11 && this->Converged(); }));
  EXPECT_THAT(this->reader_.Rows(), ElementsAre(Pair("k1", "new")));
  this->world_->Do([&] { EXPECT_NE(this->writer_.table->stream_created_micros(), created); });
}

// Of PackedTable alone.
using PackedTableContract = TableContract<PackedTable<v1::Condition>>;

TEST_F(PackedTableContract, WhatWasFoundStaysForTheTurnAndIsForgottenAfterwards) {
  constexpr int kRows = 500;
  world_->Do([&] {
    for (int i = 0; i < kRows; ++i) writer_.table->Put(StrCat("k", i), Value(StrCat(i)));
  });
  ASSERT_TRUE(world_->Wait([&] { return Converged() && reader_.Rows().size() == kRows; }));
  world_->Do([&] {
    std::vector<const Row<v1::Condition>*> found;
    for (int i = 0; i < kRows; ++i) found.push_back(reader_.table->Find(StrCat("k", i)));
    for (int i = 0; i < kRows; ++i) EXPECT_EQ(found[i]->value.message(), StrCat(i));
    EXPECT_EQ(reader_.table->Find("k7"), found[7]);
    EXPECT_EQ(reader_.table->parsed(), static_cast<size_t>(kRows));
  });
  ASSERT_TRUE(world_->Wait([&] { return reader_.table->parsed() < 100; }));
  world_->Do([&] { EXPECT_LT(writer_.table->parsed(), 100u); });
}

TEST_F(PackedTableContract, RowsAreInOrderWithoutThoseThatWent) {
  std::map<std::string, int> results;
  world_->Do([&] {
    for (const char* key : {"a.1", "b.1", "b.2", "b.3", "c.1"}) {
      writer_.table->Put(key, Value(key), Count(results));
    }
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 5 && Converged(); }));
  world_->Do([&] {
    writer_.table->Remove("b.2", Count(results));
    const auto* again = writer_.table->Find("b.3");
    writer_.table->Put("b.3", Value("changed"), Count(results));
    EXPECT_EQ(again->value.message(), "changed") << "as in Table, a found row follows its key";
    EXPECT_TRUE(again->pending);
    EXPECT_GT(again->revision, 0u);
    const auto rows = writer_.table->rows();
    std::vector<std::string> keys;
    for (auto it = rows.lower_bound("b."); it != rows.end(); ++it) keys.emplace_back(it->first);
    EXPECT_THAT(keys, ElementsAre("b.1", "b.3", "c.1"));
    EXPECT_EQ(rows.upper_bound("b.1")->first, "b.3");
    EXPECT_FALSE(rows.contains("b.2"));
    EXPECT_FALSE(writer_.table->Read("b.2").has_value());
    EXPECT_EQ(writer_.table->Read("b.3")->message(), "changed");
    EXPECT_EQ(writer_.table->size(), 4u);
  });
  ASSERT_TRUE(world_->Wait([&] { return results["OK"] == 7 && Converged(); }));
  EXPECT_EQ(reader_.Rows().size(), 4u);
}

}  // namespace
}  // namespace sealane
