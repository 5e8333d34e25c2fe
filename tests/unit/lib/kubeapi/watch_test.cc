// Watches of clients that read slowly or not at all, and of many clients.

#include "lib/kubeapi/watch.h"

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A client that takes what is written when it is told to.
class SlowClient final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse response) override { answer = std::move(response); }
  void StartStream(int status, http::Headers) override { answer.status = status; }
  void Write(std::string chunk) override {
    WriteShared(std::make_shared<const std::string>(std::move(chunk)));
  }
  void WriteShared(std::shared_ptr<const std::string> chunk) override {
    waiting += chunk->size();
    most = std::max(most, waiting);
    chunks.push_back(std::move(chunk));
  }
  void End() override { ended = true; }
  void OnClose(std::function<void()> fn) override { on_close = std::move(fn); }
  size_t pending_bytes() const override { return waiting; }
  // "ADDED a", "DELETED b", ...
  std::vector<std::string> Read() {
    waiting = 0;
    std::vector<std::string> out;
    for (const auto& chunk : std::exchange(chunks, {})) {
      const Json event = Json::parse(*chunk);
      const Json& object = event["object"];
      out.push_back(StrCat(event.value("type", ""), " ",
                           object.value("code", 0) == 0 ? object["metadata"].value("name", "")
                                                        : std::to_string(object.value("code", 0))));
    }
    return out;
  }

  http::HttpResponse answer;
  std::vector<std::shared_ptr<const std::string>> chunks;
  std::function<void()> on_close;
  size_t waiting = 0;
  size_t most = 0;
  bool ended = false;
};

class WatchTest : public ::testing::Test {
 protected:
  explicit WatchTest(size_t history = 4096) : api_(Options(), history) { api_.MakeNamespace("ns"); }
  ApiServerOptions Options() {
    ApiServerOptions options;
    options.max_watch_pending = 8000;
    options.max_watches_per_user = 2;
    options.bookmark_period = absl::Seconds(1);
    options.on_watch_refused = [this] { ++refused_; };
    options.on_watch_expired = [this] { ++expired_; };
    // The token is the name of the user.
    options.access.authenticate = [](const http::HttpRequest& request) {
      return UserInfo{std::string(request.headers.Get("Authorization").substr(0, 20)), "", {}};
    };
    return options;
  }
  void Make(const std::string& name, const std::string& ns = "ns") {
    const auto answer = api_.Post(StrCat("/api/v1/namespaces/", ns, "/configmaps"),
                                  ConfigMap(name, {{"large", std::string(1500, 'x')}}));
    ASSERT_EQ(answer.status, 201) << answer.text;
  }
  std::shared_ptr<SlowClient> Open(const std::string& path, const std::string& user = "me",
                                   const std::string& accept = "application/json") {
    auto client = std::make_shared<SlowClient>();
    http::HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.headers.Add("Authorization", user);
    request.headers.Add("Accept", accept);
    api_.server.Handle(request, client);
    return client;
  }

  int refused_ = 0;
  int expired_ = 0;
  ApiHarness api_;
};

class ShortHistoryTest : public WatchTest {
 protected:
  ShortHistoryTest() : WatchTest(4) {}
};

TEST_F(WatchTest, WhoReadsSlowlyIsToldEverythingInOrderAndCostsNoMore) {
  const auto client = Open(StrCat(kMaps, "?watch=1&allowWatchBookmarks=1"));
  std::vector<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    Make(StrCat("m", i));
    expected.push_back(StrCat("ADDED m", i));
  }
  api_.sim.RunFor(absl::Seconds(10));
  EXPECT_LT(client->most, 8000U + 3000U);
  std::vector<std::string> told;
  for (int i = 0; i < 20 && told.size() < 30; ++i) {
    const auto more = client->Read();
    EXPECT_LE(more.size(), 6U);
    told.insert(told.end(), more.begin(), more.end());
    api_.sim.RunFor(absl::Milliseconds(300));
  }
  told.resize(30);  // bookmarks come once everything is told
  EXPECT_EQ(told, expected);
  EXPECT_LT(client->most, 8000U + 3000U);
  client->Read();
  // And it is told at once again.
  Make("last");
  EXPECT_THAT(client->Read(), ElementsAre("ADDED last"));
  api_.sim.RunFor(absl::Milliseconds(1001));
  EXPECT_THAT(client->Read(), ElementsAre("BOOKMARK "));
  EXPECT_FALSE(client->ended);
}

TEST_F(WatchTest, ChangesOfOneRevisionAreAllToldOnce) {
  const auto client = Open(StrCat(kMaps, "?watch=1"));
  const uint64_t revision = api_.store.revision() + 1;
  for (int i = 0; i < 12; ++i) {
    const std::string name = StrCat("m", i);
    Json object = ConfigMap(name, {{"large", std::string(1500, 'x')}});
    api_.store.Follow({"configmaps", "ns", name}, object, revision);
    if (i == 0) {
      EXPECT_THAT(client->chunks, SizeIs(1));
    }
  }
  std::vector<std::string> told;
  for (int i = 0; i < 5; ++i) {
    const auto more = client->Read();
    told.insert(told.end(), more.begin(), more.end());
    api_.sim.RunFor(absl::Milliseconds(300));
  }
  EXPECT_THAT(told, SizeIs(12));
  EXPECT_EQ(std::set<std::string>(told.begin(), told.end()).size(), told.size());
}

TEST_F(WatchTest, InitialEventsWaitForTheReaderAndAreOfOneMoment) {
  for (int i = 0; i < 20; ++i) Make(StrCat("m", 10 + i));
  const auto client = Open(StrCat(
      kMaps,
      "?watch=1&sendInitialEvents=1&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1"));
  api_.Delete(StrCat(kMaps, "/m29"));
  Make("new");
  std::vector<std::string> told;
  for (int i = 0; i < 10; ++i) {
    const auto more = client->Read();
    told.insert(told.end(), more.begin(), more.end());
    api_.sim.RunFor(absl::Milliseconds(210));
  }
  EXPECT_LT(client->most, 8000U + 3000U);
  ASSERT_GE(told.size(), 23U);
  EXPECT_EQ(told[19], "ADDED m29");
  EXPECT_EQ(told[20], "BOOKMARK ");
  EXPECT_EQ(told[21], "DELETED m29");
  EXPECT_EQ(told[22], "ADDED new");
}

TEST_F(ShortHistoryTest, WhoMissedMoreThanIsKeptIsToldThat) {
  const auto client = Open(StrCat(kMaps, "?watch=1"));
  for (int i = 0; i < 20; ++i) Make(StrCat("m", i));
  EXPECT_EQ(api_.server.watches(), 1U);
  const auto told = client->Read();
  EXPECT_EQ(told.back().substr(0, 6), "ADDED ");
  api_.sim.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(expired_, 1);
  EXPECT_THAT(client->Read(), ElementsAre("ERROR 410"));
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(api_.server.watches(), 0U);
}

TEST_F(ShortHistoryTest, WhoComesFromTooLongAgoIsToldThatToo) {
  for (int i = 0; i < 20; ++i) Make(StrCat("m", i));
  const auto client = Open(StrCat(kMaps, "?watch=1&resourceVersion=2"));
  EXPECT_THAT(client->Read(), ElementsAre("ERROR 410"));
  EXPECT_EQ(expired_, 1);
  // A watch that its client or the server ends is another matter.
  const auto other = Open(StrCat(kMaps, "?watch=1"));
  other->on_close();
  Open(StrCat(kMaps, "?watch=1"));
  api_.server.EndWatches();
  EXPECT_EQ(expired_, 1);
}

TEST_F(WatchTest, AUserHasSoManyWatchesAndNoMore) {
  const auto first = Open(StrCat(kMaps, "?watch=1"));
  const auto second = Open("/api/v1/secrets?watch=1");
  const auto third = Open(StrCat(kMaps, "?watch=1"));
  EXPECT_EQ(third->answer.status, 429);
  EXPECT_EQ(third->answer.headers.Get("Retry-After"), "1");
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(Open(StrCat(kMaps, "?watch=1"), "you")->answer.status, 200);
  first->on_close();
  EXPECT_EQ(Open(StrCat(kMaps, "?watch=1"))->answer.status, 200);
  EXPECT_EQ(Open(StrCat(kMaps, "?watch=1"))->answer.status, 429);
}

TEST_F(WatchTest, AnEventIsWrittenOnceForAllWhoWantItAlike) {
  constexpr char kTable[] = "application/json;as=Table;g=meta.k8s.io;v=v1";
  const auto plain = Open(StrCat(kMaps, "?watch=1"), "a");
  const auto selected =
      Open(StrCat("/api/v1/configmaps?watch=1&fieldSelector=metadata.name%3Da"), "b");
  const auto table = Open(StrCat(kMaps, "?watch=1"), "c", kTable);
  const auto rows = Open(StrCat(kMaps, "?watch=1&includeObject=None"), "d", kTable);
  const auto same = Open(StrCat(kMaps, "?watch=1&includeObject=Anything"), "e", kTable);
  Make("a");
  ASSERT_THAT(plain->chunks, SizeIs(1));
  ASSERT_THAT(selected->chunks, SizeIs(1));
  EXPECT_EQ(plain->chunks[0], selected->chunks[0]);
  ASSERT_THAT(table->chunks, SizeIs(1));
  ASSERT_THAT(rows->chunks, SizeIs(1));
  EXPECT_NE(table->chunks[0], plain->chunks[0]);
  EXPECT_NE(table->chunks[0], rows->chunks[0]);
  EXPECT_EQ(table->chunks[0], same->chunks[0]);
}

TEST_F(WatchTest, OnlyTheWatchesOfThatResourceAndNamespaceAreTold) {
  api_.MakeNamespace("other");
  const auto all = Open("/api/v1/configmaps?watch=1", "a");
  const auto here = Open(StrCat(kMaps, "?watch=1"), "b");
  const auto there = Open("/api/v1/namespaces/other/configmaps?watch=1", "c");
  const auto secrets = Open("/api/v1/secrets?watch=1", "d");
  Make("x", "other");
  EXPECT_THAT(all->Read(), ElementsAre("ADDED x"));
  EXPECT_THAT(there->Read(), ElementsAre("ADDED x"));
  EXPECT_THAT(here->Read(), IsEmpty());
  EXPECT_THAT(secrets->Read(), IsEmpty());
  api_.server.EndWatches();
  EXPECT_TRUE(all->ended && here->ended && there->ended && secrets->ended);
  Make("y", "other");
  EXPECT_THAT(all->Read(), IsEmpty());
}

}  // namespace
}  // namespace sealane::kubeapi
