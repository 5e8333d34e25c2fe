#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "services/agent/state_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Values = std::map<std::string, std::string>;

Values Load(StateStore& store) {
  Values values;
  EXPECT_OK(store.Load([&](std::string_view key, std::string_view value) {
    values[std::string(key)] = std::string(value);
  }));
  return values;
}

class JournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<StateStore> Open() {
    auto store = OpenJournal(dir_.path() + "/state");
    EXPECT_OK(store);
    return *std::move(store);
  }
  [[nodiscard]] std::string File() const { return dir_.path() + "/state/state.journal"; }
  [[nodiscard]] std::string Bytes() const {
    std::ifstream file(File(), std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  void SetBytes(std::string_view bytes) const {
    std::ofstream(File(), std::ios::binary | std::ios::trunc) << bytes;
  }
  TempDir dir_;
};

TEST_F(JournalTest, TheLastValueOfAKeyCounts) {
  {
    auto store = Open();
    EXPECT_THAT(Load(*store), IsEmpty());
    EXPECT_OK(store->Put("w/a", "1"));
    EXPECT_OK(store->Put("w/b", ""));
    EXPECT_OK(store->Put("w/a", std::string("2\0x", 3)));
    EXPECT_OK(store->Put("w/c", "3"));
    EXPECT_OK(store->Erase("w/c"));
    EXPECT_OK(store->Erase("w/never"));
  }
  auto store = Open();
  EXPECT_THAT(Load(*store), ElementsAre(Pair("w/a", std::string("2\0x", 3)), Pair("w/b", "")));
}

// As a kill or a power failure leaves it: cut at any byte, the file holds a prefix of what was
// done.
TEST_F(JournalTest, ATornEndIsCutOff) {
  std::vector<size_t> ends;
  {
    auto store = Open();
    Load(*store);
    for (int i = 0; i < 5; ++i) {
      EXPECT_OK(store->Put(StrCat("k", i), StrCat("value ", i)));
      ends.push_back(Bytes().size());
    }
  }
  const std::string whole = Bytes();
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    SetBytes(std::string_view(whole).substr(0, cut));
    size_t expected = 0;
    while (expected < ends.size() && ends[expected] <= cut) ++expected;
    {
      auto store = Open();
      EXPECT_EQ(Load(*store).size(), expected) << "cut at " << cut;
      EXPECT_OK(store->Put("after", "x"));
    }
    auto store = Open();
    EXPECT_EQ(Load(*store).size(), expected + 1) << "cut at " << cut;
  }
}

TEST_F(JournalTest, ADamagedRecordEndsTheJournal) {
  {
    auto store = Open();
    Load(*store);
    for (int i = 0; i < 3; ++i) EXPECT_OK(store->Put(StrCat("k", i), "value"));
  }
  std::string bytes = Bytes();
  bytes[bytes.size() / 2] ^= 1;
  SetBytes(bytes);
  auto store = Open();
  EXPECT_THAT(Load(*store), ElementsAre(Pair("k0", "value")));
}

TEST_F(JournalTest, StaysSmallWhenValuesChangeOften) {
  auto store = Open();
  Load(*store);
  const std::string value(10'000, 'v');
  for (int i = 0; i < 2000; ++i) EXPECT_OK(store->Put(StrCat("k", i % 3), StrCat(value, i)));
  EXPECT_LT(Bytes().size(), 2U << 20);
  store.reset();
  store = Open();
  const Values values = Load(*store);
  EXPECT_EQ(values.size(), 3U);
  EXPECT_EQ(values.at("k1"), StrCat(value, 1999));
}

TEST_F(JournalTest, OneProcessAtATime) {
  auto store = Open();
  EXPECT_THAT(OpenJournal(dir_.path() + "/state").status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in use")));
  store.reset();
  EXPECT_OK(OpenJournal(dir_.path() + "/state"));
}

TEST_F(JournalTest, AnUnusableDirectoryIsNamed) {
  std::ofstream(dir_.path() + "/file") << "x";
  EXPECT_THAT(OpenJournal(dir_.path() + "/file/state").status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/file/state")));
}

TEST(FullDiskTest, WhatCouldNotBeWrittenIsWrittenLater) {
  // /dev/full refuses every write; it exists on every Linux.
  TempDir dir;
  const std::string state = dir.path() + "/state";
  ASSERT_OK(OpenJournal(state));
  ASSERT_EQ(std::remove((state + "/state.journal").c_str()), 0);
  ASSERT_EQ(symlink("/dev/full", (state + "/state.journal").c_str()), 0);
  auto store = OpenJournal(state);
  ASSERT_OK(store);
  EXPECT_THAT((*store)->Put("k", "v"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("No space")));
  EXPECT_FALSE((*store)->Flush().ok());
  EXPECT_FALSE((*store)->Sync().ok());
}

TEST_F(JournalTest, ARewriteThatFailsLosesNothingAndIsToldUntilItSucceeds) {
  auto store = Open();
  Load(*store);
  const std::string in_the_way = File() + ".next";
  std::filesystem::create_directory(in_the_way);
  const std::string value(10'000, 'v');
  for (int i = 0; i < 300; ++i) EXPECT_OK(store->Put(StrCat("k", i % 3), StrCat(value, i)));
  EXPECT_THAT(store->Flush(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(in_the_way)));
  EXPECT_OK(store->Sync());  // what was put is safe all the same
  EXPECT_GT(Bytes().size(), 2U << 20);
  std::filesystem::remove(in_the_way);
  EXPECT_OK(store->Flush());
  EXPECT_LT(Bytes().size(), 1U << 20);
  store.reset();
  store = Open();
  EXPECT_EQ(Load(*store).at("k2"), StrCat(value, 299));
}

TEST(MemoryStoreTest, KeepsWhatCouldNotBeWritten) {
  auto disk = std::make_shared<MemoryDisk>();
  auto store = OpenMemoryStore(disk);
  disk->failure = absl::ResourceExhaustedError("full");
  EXPECT_FALSE(store->Put("a", "1").ok());
  EXPECT_FALSE(store->Flush().ok());
  EXPECT_THAT(disk->values, IsEmpty());
  disk->failure = absl::OkStatus();
  EXPECT_OK(store->Flush());
  EXPECT_THAT(disk->values, ElementsAre(Pair("a", "1")));
}

TEST(FullDiskTest, AnUnusableDirectoryIsNoReasonNotToStart) {
  const std::string file = testing::TempDir() + "sealane-no-directory";
  ASSERT_NE(std::fclose(std::fopen(file.c_str(), "w")), EOF);
  EXPECT_FALSE(OpenJournal(file + "/state").ok());
  auto store = OpenJournalOrMemory(file + "/state");
  ASSERT_OK(store);
  EXPECT_FALSE((*store)->Put("w/a", "work").ok());
  EXPECT_THAT(std::string(ToStd((*store)->Flush().message())), testing::HasSubstr(file));
  std::remove(file.c_str());
}

TEST(FullDiskTest, AnotherAgentsDirectoryIsRefused) {
  const std::string directory = testing::TempDir() + "sealane-taken";
  const auto first = OpenJournalOrMemory(directory);
  ASSERT_OK(first);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenJournalOrMemory(directory).status()));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sealane::agent
