#include "lib/bus/stream_reader.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/bus/memory_bus.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StreamReaderTest : public ::testing::Test {
 protected:
  void Make(const std::string& name, bool table) {
    StreamConfig config;
    config.name = name;
    config.subjects = {StrCat(name, ".>")};
    config.last_per_subject = table;
    bus_->EnsureStream(config, [](const absl::Status& status) { EXPECT_OK(status); });
    sim_.RunFor(absl::Seconds(1));
  }
  void Append(const std::string& subject, const std::string& payload, bool remove = false) {
    AppendRequest request;
    request.subject = subject;
    request.payload = payload;
    request.remove = remove;
    bus_->Append(std::move(request), [](const absl::StatusOr<Appended>& r) { EXPECT_OK(r); });
    sim_.RunFor(absl::Seconds(1));
  }
  // What is read, and the end; nullopt: it has not ended.
  void Read(WatchOptions options) {
    read_.clear();
    end_.reset();
    reader_->Read(
        options, [this](const BusMessage& message) { read_.push_back(message.payload); },
        [this](const absl::Status& status) { end_ = status; });
    sim_.RunFor(absl::Seconds(1));
  }

  SimExecutor sim_{3};
  MemoryServer server_{sim_.env()};
  std::unique_ptr<Bus> bus_ = server_.Connect(BusIdentity::Hub());
  std::unique_ptr<StreamReader> reader_ = std::make_unique<StreamReader>(sim_.env(), *bus_);
  std::vector<std::string> read_;
  std::optional<absl::Status> end_;
};

TEST_F(StreamReaderTest, OfATableTheLastValues) {
  Make("t", true);
  Append("t.a", "1");
  Append("t.b", "2");
  Append("t.a", "3");
  Append("t.c", "4");
  Append("t.c", "", /*remove=*/true);
  Read({.stream = "t", .filter = ""});
  ASSERT_TRUE(end_.has_value());
  EXPECT_OK(*end_);
  EXPECT_THAT(read_, ElementsAre("2", "3"));
  Append("t.d", "5");
  EXPECT_EQ(read_.size(), 2U) << "it has ended";
}

TEST_F(StreamReaderTest, OfALogEverythingThatFits) {
  Make("log", false);
  for (const char* payload : {"1", "2", "3"}) Append("log.a", payload);
  Append("log.b", "4");
  Read({.stream = "log", .filter = "log.a", .all = true});
  EXPECT_THAT(read_, ElementsAre("1", "2", "3"));
  Read({.stream = "log", .filter = "log.x", .all = true});
  ASSERT_TRUE(end_.has_value());
  EXPECT_THAT(read_, IsEmpty());
}

TEST_F(StreamReaderTest, AStreamThatIsNotThereIsSaid) {
  Read({.stream = "none", .filter = ""});
  EXPECT_FALSE(end_.has_value());
  sim_.RunFor(absl::Seconds(20));
  ASSERT_TRUE(end_.has_value());
  EXPECT_THAT(*end_, StatusIs(absl::StatusCode::kDeadlineExceeded,
                              ::testing::HasSubstr("stream none does not answer")));
}

TEST_F(StreamReaderTest, ReadsEndWithTheReader) {
  Make("t", true);
  Append("t.a", "1");
  reader_->Read(
      {.stream = "t", .filter = ""}, [](const BusMessage&) { FAIL(); },
      [](const absl::Status&) { FAIL(); });
  reader_.reset();
  sim_.RunFor(absl::Seconds(20));
}

}  // namespace
}  // namespace sealane
