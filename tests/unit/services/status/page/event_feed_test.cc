// /api/events: the kept and the live events.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/services/status/page/page_fixture.h"

namespace sealane::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Told {
  std::vector<std::string> reasons;
  std::string last_id;
  int gaps = 0;
};

// Reads a stream of server-sent events as a browser does.
Told Read(const std::string& text) {
  Told told;
  std::string id;
  std::string type;
  std::string data;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    EXPECT_NE(end, std::string::npos) << "a line is not whole";
    if (end == std::string::npos) break;
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("id: ")) id = line.substr(4);
    if (line.starts_with("event: ")) type = line.substr(7);
    if (line.starts_with("data: ")) data = line.substr(6);
    if (!line.empty()) continue;
    if (type == "gap") ++told.gaps;
    if (type.empty() && !data.empty()) {
      told.reasons.push_back(Json::parse(data)["reason"]);
      told.last_id = id;
    }
    type.clear();
    data.clear();
  }
  return told;
}

TEST_F(PageTest, EventsComeAsTheyHappenAfterThoseThatWere) {
  Tell("One");
  Tell("Two");
  const auto writer = Get("/api/events");
  EXPECT_EQ(writer->response.status, 200);
  EXPECT_EQ(writer->response.headers.Get("Content-Type"), "text/event-stream");
  EXPECT_THAT(Read(writer->text).reasons, ElementsAre("One", "Two"));
  Tell("Three", "a message with\na line break and <script>alert(1)</script>");
  const Told told = Read(writer->text);
  EXPECT_THAT(told.reasons, ElementsAre("One", "Two", "Three"));
  EXPECT_EQ(told.gaps, 0);
  EXPECT_TRUE(writer->streaming);
}

TEST_F(PageTest, WhoComesBackGetsWhatItMissed) {
  Tell("One");
  const auto first = Get("/api/events");
  const std::string id = Read(first->text).last_id;
  ASSERT_FALSE(id.empty());
  first->on_close();
  Tell("Two");
  Tell("Three");
  EXPECT_THAT(Read(first->text).reasons, ElementsAre("One")) << "it is gone";
  const Told back = Read(Get("/api/events", {{"Last-Event-ID", id}})->text);
  EXPECT_THAT(back.reasons, ElementsAre("Two", "Three"));
  EXPECT_EQ(back.gaps, 0);
  EXPECT_THAT(Read(Get(StrCat("/api/events?after=", id))->text).reasons,
              ElementsAre("Two", "Three"));
  EXPECT_THAT(Read(Get("/api/events", {{"Last-Event-ID", back.last_id}})->text).reasons, IsEmpty());
  // Also from another process, which reads them from the stream.
  MakePage({});
  EXPECT_THAT(Read(Get("/api/events", {{"Last-Event-ID", id}})->text).reasons,
              ElementsAre("Two", "Three"));
}

TEST_F(PageTest, WhatIsNotKeptIsSaidToBeMissing) {
  Tell("Zero");
  const std::string id = Read(Get("/api/events")->text).last_id;
  PageOptions options;
  options.events.kept = 3;
  options.events.first = 2;
  MakePage(options);
  for (const char* reason : {"One", "Two", "Three", "Four"}) Tell(reason);
  EXPECT_THAT(Read(Get("/api/events")->text).reasons, ElementsAre("Three", "Four"));
  const Told back = Read(Get("/api/events", {{"Last-Event-ID", id}})->text);
  EXPECT_EQ(back.gaps, 1);
  EXPECT_THAT(back.reasons, ElementsAre("Two", "Three", "Four"));
  // An id of another life of the stream, and nonsense.
  for (const char* strange : {"17.2", "1", "a.b", "9999999999999999999999.1", "-.-"}) {
    const Told told = Read(Get("/api/events", {{"Last-Event-ID", strange}})->text);
    EXPECT_EQ(told.gaps, 1) << strange;
    EXPECT_THAT(told.reasons, ElementsAre("Three", "Four")) << strange;
  }
}

TEST_F(PageTest, ListenersAreBounded) {
  PageOptions options;
  options.events.max_listeners = 2;
  MakePage(options);
  const auto one = Get("/api/events");
  const auto two = Get("/api/events");
  const auto three = Get("/api/events");
  EXPECT_EQ(three->response.status, 503);
  EXPECT_THAT(three->response.body, HasSubstr("too-many-listeners"));
  EXPECT_THAT(page_registry_->Expose(), HasSubstr("sealane_status_page_listeners 2\n"));
  one->on_close();
  EXPECT_EQ(Get("/api/events")->response.status, 200);
}

TEST_F(PageTest, WhoDoesNotReadIsCutOff) {
  PageOptions options;
  options.events.max_pending_bytes = 1000;
  MakePage(options);
  const auto slow = Get("/api/events");
  const auto quick = Get("/api/events");
  slow->pending = 900;
  Tell("One");
  EXPECT_TRUE(slow->aborted);
  EXPECT_FALSE(quick->aborted);
  EXPECT_THAT(Read(quick->text).reasons, ElementsAre("One"));
  EXPECT_THAT(page_registry_->Expose(),
              HasSubstr("sealane_status_page_listeners_dropped_total 1\n"));
}

TEST_F(PageTest, ASilentStreamIsKeptAliveAndEndsWithTheLead) {
  const auto writer = Get("/api/events");
  sim_.RunFor(absl::Seconds(25));
  EXPECT_THAT(writer->text, HasSubstr(": still here\n\n: still here\n\n"));
  standby_ = true;
  sim_.RunFor(absl::Seconds(11));
  EXPECT_FALSE(writer->streaming);
}

TEST_F(PageTest, APageThatGoesEndsItsStreams) {
  const auto writer = Get("/api/events");
  page_.reset();
  EXPECT_FALSE(writer->streaming);
  writer->on_close();  // too late, and harmless
  EXPECT_THAT(Read(writer->text).reasons, Not(testing::Contains("One")));
}

}  // namespace
}  // namespace sealane::status
