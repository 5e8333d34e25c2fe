#include "lib/kubeapi/direct_transport.h"

#include <optional>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

TEST(DirectTransportTest, DisconnectFailsRequestsAndEndsStreams) {
  ApiHarness api;
  auto watch = api.Watch("/api/v1/namespaces?watch=1");
  EXPECT_EQ(watch->status, 200);
  EXPECT_EQ(api.server.watches(), 1U);
  api.transport.Disconnect();
  api.sim.RunFor(absl::Seconds(1));
  EXPECT_TRUE(watch->done);
  EXPECT_EQ(watch->end.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(api.server.watches(), 0U);
  std::optional<absl::Status> failed;
  api.transport.Send({"GET", "/version", {}, ""},
                     [&](absl::StatusOr<http::HttpResponse> r) { failed = r.status(); });
  api.sim.RunFor(absl::Seconds(1));
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->code(), absl::StatusCode::kUnavailable);
  api.transport.Reconnect();
  EXPECT_EQ(api.Get("/version").status, 200);
}

TEST(DirectTransportTest, CancellingAWatchFreesIt) {
  ApiHarness api;
  auto watch = api.Watch("/api/v1/namespaces?watch=1");
  watch->call.reset();
  api.sim.RunFor(absl::Seconds(1));
  EXPECT_EQ(api.server.watches(), 0U);
  api.MakeNamespace("a");
  EXPECT_EQ(watch->text, "");
  EXPECT_FALSE(watch->done);
}

TEST(DirectTransportTest, NothingRunsAfterTheTransportIsGone) {
  SimExecutor sim(1);
  bool called = false;
  {
    DirectTransport transport(
        sim,
        [](const http::HttpRequest&, const std::shared_ptr<http::ResponseWriter>& writer) {
          writer->Send({200, {}, "x"});
        },
        absl::Seconds(1));
    transport.Send({}, [&](absl::StatusOr<http::HttpResponse>) { called = true; });
    sim.RunFor(absl::Milliseconds(1500));
  }
  sim.RunFor(absl::Seconds(5));
  EXPECT_FALSE(called);
}

TEST(DirectTransportTest, AnUnansweredRequestTimesOut) {
  SimExecutor sim(1);
  std::vector<std::shared_ptr<http::ResponseWriter>> kept;
  DirectTransport transport(sim,
                            [&](const http::HttpRequest&, std::shared_ptr<http::ResponseWriter> w) {
                              kept.push_back(std::move(w));
                            });
  std::optional<absl::Status> status;
  transport.Send({}, [&](absl::StatusOr<http::HttpResponse> r) { status = r.status(); },
                 {absl::Seconds(3), absl::InfiniteDuration()});
  sim.RunFor(absl::Seconds(2));
  EXPECT_FALSE(status.has_value());
  sim.RunFor(absl::Seconds(2));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace sealane::kubeapi
