#include "lib/kube/reflector.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/kube/fake_transport.h"

namespace sealane::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReflectorTest : public ::testing::Test {
 protected:
  ReflectorTest() : client_(sim_.env(), transport_, StaticCredentials("")) {
    transport_.answer = [this](const http::HttpRequest& request) { return List(request); };
    ResourceType type;
    type.version = "v1";
    type.kind = "ConfigMap";
    type.plural = "configmaps";
    type.namespaced = true;
    ReflectorOptions options;
    options.label_selector = "a=b";
    Reflector::Handler handler;
    handler.known_version = [this] { return known_; };
    handler.on_reset = [this](bool went_back) {
      log_.emplace_back(went_back ? "reset, went back" : "reset");
    };
    handler.on_put = [this](const Json& object) {
      EXPECT_EQ(GetString(object, {"kind"}), "ConfigMap");
      log_.push_back(StrCat("put ", GetString(object, {"metadata", "name"})));
    };
    handler.on_delete = [this](const Json& object) {
      log_.push_back(StrCat("delete ", GetString(object, {"metadata", "name"})));
    };
    handler.on_synced = [this] { log_.emplace_back("synced"); };
    handler.on_status = [this](const absl::Status& status) {
      if (!status.ok()) log_.push_back(StrCat("error ", ToStd(status.message())));
    };
    reflector_ = std::make_unique<Reflector>(client_, type, options, std::move(handler));
  }

  absl::StatusOr<http::HttpResponse> List(const http::HttpRequest& request) {
    if (!list_error_.ok()) return list_error_;
    if (list_status_ != 200) return JsonResponse(list_status_, "");
    const http::Target target = http::ParseTarget(request.path);
    if (target.Query("continue") == "more") {
      return JsonResponse(200, StrCat(R"({"metadata":{"resourceVersion":")", version_, R"("},
                                      "items":[{"metadata":{"name":"two"}}]})"));
    }
    return JsonResponse(200,
                        StrCat(R"({"metadata":{"resourceVersion":")", version_,
                               R"(","continue":"more"},"items":[{"metadata":{"name":"one"}}]})"));
  }
  void Settle() { sim_.RunFor(absl::Milliseconds(100)); }
  std::vector<std::string> Take() { return std::exchange(log_, {}); }
  FakeTransport::FakeStream& Watch() { return *transport_.streams.back(); }
  static std::string Event(std::string_view type, std::string_view name, int version) {
    return StrCat(R"({"type":")", type, R"(","object":{"kind":"ConfigMap","metadata":{"name":")",
                  name, R"(","resourceVersion":")", version, "\"}}}\n");
  }

  SimExecutor sim_{1};
  FakeTransport transport_{sim_.env()};
  KubeClient client_;
  absl::Status list_error_;
  int list_status_ = 200;
  int version_ = 7;     // of the server's store
  uint64_t known_ = 0;  // of own writes
  std::vector<std::string> log_;
  std::unique_ptr<Reflector> reflector_;
};

TEST_F(ReflectorTest, ListsPageByPageThenWatches) {
  reflector_->Start();
  EXPECT_FALSE(reflector_->synced());
  Settle();
  EXPECT_THAT(Take(), ElementsAre("reset", "put one", "put two", "synced"));
  EXPECT_TRUE(reflector_->synced());
  EXPECT_EQ(reflector_->list_version(), 7U);
  ASSERT_EQ(transport_.streams.size(), 1U);
  EXPECT_THAT(Watch().request.path, HasSubstr("resourceVersion=7"));
  EXPECT_THAT(Watch().request.path, HasSubstr("allowWatchBookmarks=true"));
  EXPECT_THAT(Watch().request.path, HasSubstr("labelSelector=a%3Db"));

  Watch().Headers(200);
  const std::string events = Event("ADDED", "three", 8) + Event("DELETED", "one", 9);
  // In pieces that do not respect the lines.
  for (size_t i = 0; i < events.size(); i += 7)
    Watch().Chunk(std::string_view(events).substr(i, 7));
  EXPECT_THAT(Take(), ElementsAre("put three", "delete one"));
}

TEST_F(ReflectorTest, ABookmarkMovesTheVersionAndTheWatchGoesOnFromThere) {
  reflector_->Start();
  Settle();
  Take();
  Watch().Headers(200);
  sim_.RunFor(absl::Seconds(5));
  version_ = 50;
  Watch().Chunk(Event("BOOKMARK", "", 50));
  Watch().Done(absl::OkStatus());
  Settle();
  ASSERT_EQ(transport_.streams.size(), 2U);
  EXPECT_THAT(Watch().request.path, HasSubstr("resourceVersion=50"));
  EXPECT_THAT(Take(), ElementsAre());
}

TEST_F(ReflectorTest, ARefusedWatchWaitsAsLongAsTheServerAsks) {
  reflector_->Start();
  Settle();
  for (const int code : {429, 503}) {
    const size_t opened = transport_.streams.size();
    Watch().Headers(code, {{"Retry-After", "20"}});
    Watch().Done(absl::OkStatus());
    sim_.RunFor(absl::Seconds(19));
    EXPECT_EQ(transport_.streams.size(), opened) << code;
    EXPECT_GT(client_.PausedFor(), absl::ZeroDuration());
    sim_.RunFor(absl::Seconds(2));
    EXPECT_EQ(transport_.streams.size(), opened + 1) << code;
  }
}

TEST_F(ReflectorTest, AnExpiredVersionIsAnsweredWithANewList) {
  reflector_->Start();
  Settle();
  Take();
  Watch().Headers(200);
  Watch().Chunk("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n");
  Settle();
  EXPECT_THAT(Take(), ElementsAre("reset", "put one", "put two", "synced"));
  EXPECT_TRUE(transport_.streams[0]->cancelled);

  Watch().Headers(410);
  Watch().Done(absl::OkStatus());
  Settle();
  EXPECT_THAT(Take(), ElementsAre("reset", "put one", "put two", "synced"));
}

TEST_F(ReflectorTest, FailuresBackOffAndThenRecover) {
  list_error_ = absl::UnavailableError("connection refused");
  reflector_->Start();
  sim_.RunFor(absl::Seconds(60));
  const size_t attempts = transport_.requests.size();
  EXPECT_GT(attempts, 4U);
  EXPECT_LT(attempts, 20U);
  for (const std::string& line : Take()) EXPECT_EQ(line, "error connection refused");
  list_error_ = absl::OkStatus();
  sim_.RunFor(absl::Seconds(31));
  EXPECT_THAT(Take(), ElementsAre("reset", "put one", "put two", "synced"));
}

TEST_F(ReflectorTest, ALostConnectionResumesWithoutAList) {
  reflector_->Start();
  Settle();
  Take();
  Watch().Headers(200);
  version_ = 8;
  Watch().Chunk(Event("ADDED", "three", 8));
  Watch().Done(absl::UnavailableError("reset by peer"));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("put three", "error reset by peer"));
  ASSERT_EQ(transport_.streams.size(), 2U);
  EXPECT_THAT(Watch().request.path, HasSubstr("resourceVersion=8"));
}

TEST_F(ReflectorTest, VersionsThatWentBackAreListedAnewHoweverTheWatchEnded) {
  reflector_->Start();
  Settle();
  Take();
  for (const bool cleanly : {true, false}) {
    version_ += 10;
    Watch().Headers(200);
    sim_.RunFor(absl::Seconds(5));
    Watch().Chunk(Event("ADDED", "three", version_));
    version_ -= 15;  // restored from a backup
    Watch().Done(cleanly ? absl::OkStatus() : absl::UnavailableError("reset by peer"));
    sim_.RunFor(absl::Seconds(1));
    std::vector<std::string> log = Take();
    std::erase(log, "error reset by peer");
    EXPECT_THAT(log, ElementsAre("put three", "reset, went back", "put one", "put two", "synced"));
    EXPECT_THAT(Watch().request.path, HasSubstr(StrCat("resourceVersion=", version_, "&")));
    version_ += 20;
  }
  // A watch that lasted as long as it was asked to is opened again without a question.
  const uint64_t looks = reflector_->stats().looks;
  Watch().Headers(200);
  sim_.RunFor(absl::Minutes(10));
  Watch().Done(absl::OkStatus());
  Settle();
  EXPECT_EQ(reflector_->stats().looks, looks);
  EXPECT_THAT(Take(), ElementsAre());
}

TEST_F(ReflectorTest, AListBelowWhatIsKnownOtherwiseIsSaidToHaveGoneBack) {
  known_ = 8;  // from before this process
  reflector_->Start();
  Settle();
  EXPECT_THAT(Take(), ElementsAre("reset, went back", "put one", "put two", "synced"));
  known_ = 7;
  reflector_->Relist();
  Settle();
  EXPECT_THAT(Take(), ElementsAre("reset", "put one", "put two", "synced"));
}

TEST_F(ReflectorTest, AWatchThatEndsAtOnceIsNotReopenedInALoop) {
  reflector_->Start();
  Settle();
  for (int i = 0; i < 100; ++i) {
    Watch().Headers(200);
    Watch().Done(absl::OkStatus());
    sim_.RunFor(absl::Milliseconds(100));
  }
  EXPECT_LT(transport_.streams.size(), 15U);
}

TEST_F(ReflectorTest, AnErrorAnswerToTheWatchIsTold) {
  reflector_->Start();
  Settle();
  Take();
  Watch().Headers(403);
  Watch().Chunk(R"({"kind":"Status","message":"you may not watch","code":403})");
  Watch().Done(absl::OkStatus());
  Settle();
  EXPECT_THAT(Take(), ElementsAre("error you may not watch"));
}

TEST_F(ReflectorTest, DestroyingItEndsTheWatch) {
  reflector_->Start();
  Settle();
  reflector_.reset();
  EXPECT_TRUE(transport_.streams[0]->cancelled);
  Settle();
}

TEST(LineBufferTest, RefusesALineThatIsTooLong) {
  LineBuffer buffer(10);
  std::vector<std::string> lines;
  const auto on_line = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  EXPECT_TRUE(buffer.Append("ab\n\ncd", on_line));
  EXPECT_THAT(lines, ElementsAre("ab"));
  EXPECT_TRUE(buffer.Append("ef\n", on_line));
  EXPECT_THAT(lines, ElementsAre("ab", "cdef"));
  EXPECT_FALSE(buffer.Append("01234567890", on_line));
}

TEST(WatchEventTest, MalformedEventsAreErrors) {
  EXPECT_EQ(InterpretWatchEvent(Json::parse("{}")).verdict, WatchVerdict::kError);
  EXPECT_EQ(InterpretWatchEvent(Json()).verdict, WatchVerdict::kError);
  EXPECT_THAT(InterpretWatchEvent(Json::parse(R"({"type":"NEW","object":{}})")).status,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("NEW")));
  EXPECT_THAT(InterpretWatchEvent(Json::parse(R"({"type":"ADDED","object":{}})")).status, IsOk());
}

}  // namespace
}  // namespace sealane::kube
