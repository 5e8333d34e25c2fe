#include "services/gateway/request_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"

namespace sealane::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Nobody final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse) override {}
  void StartStream(int, http::Headers) override {}
  void Write(std::string) override {}
  void End() override {}
  void OnClose(std::function<void()>) override {}
  [[nodiscard]] size_t pending_bytes() const override { return 0; }
};

class RequestMetricsTest : public ::testing::Test {
 protected:
  std::shared_ptr<http::ResponseWriter> Ask(const std::string& method, const std::string& path) {
    http::HttpRequest request;
    request.method = method;
    request.path = path;
    return RequestMetrics::Observe(metrics_, request, sim_.env().clock, std::make_shared<Nobody>());
  }
  void Answered(const std::string& method, const std::string& path, int code) {
    Ask(method, path)->Send({code, {}, ""});
  }
  // The line of that verb and code.
  static std::string Line(const std::string& verb, const std::string& code, int count) {
    return StrCat("\nsealane_gateway_requests_total{code=\"", code, "\",verb=\"", verb, "\"} ",
                  count, "\n");
  }
  [[nodiscard]] bool Has(const std::string& verb, const std::string& code, int count) const {
    return registry_.Expose().find(Line(verb, code, count)) != std::string::npos;
  }

  Registry registry_;
  SimExecutor sim_{1};
  std::shared_ptr<const RequestMetrics> metrics_ =
      std::make_shared<const RequestMetrics>(registry_);
};

constexpr char kMaps[] = "/api/v1/namespaces/shop/configmaps";
constexpr char kMap[] = "/api/v1/namespaces/shop/configmaps/one";

TEST_F(RequestMetricsTest, EverySeriesIsThereFromTheStart) {
  for (const char* verb : {"get", "list", "watch", "create", "update", "patch", "delete",
                           "deletecollection", "other"}) {
    for (const char* code : {"200", "201", "401", "403", "404", "409", "410", "422", "429", "500",
                             "503", "504", "2xx", "4xx", "5xx", "none"}) {
      EXPECT_TRUE(Has(verb, code, 0)) << verb << " " << code;
    }
  }
  EXPECT_THAT(registry_.Expose(),
              HasSubstr("\nsealane_gateway_member_requests_total{code=\"504\"} 0\n"));
}

TEST_F(RequestMetricsTest, ARequestCountsByItsVerb) {
  Answered("GET", kMap, 200);
  Answered("HEAD", kMap, 404);
  Answered("GET", kMaps, 200);
  Ask("GET", StrCat(kMaps, "?watch=true"))->StartStream(200, {});
  Answered("POST", kMaps, 201);
  Answered("PUT", kMap, 409);
  Answered("PATCH", StrCat(kMap, "/status"), 422);
  Answered("DELETE", kMap, 200);
  Answered("DELETE", kMaps, 403);
  EXPECT_TRUE(Has("get", "200", 1));
  EXPECT_TRUE(Has("get", "404", 1));
  EXPECT_TRUE(Has("list", "200", 1));
  EXPECT_TRUE(Has("watch", "200", 1));
  EXPECT_TRUE(Has("create", "201", 1));
  EXPECT_TRUE(Has("update", "409", 1));
  EXPECT_TRUE(Has("patch", "422", 1));
  EXPECT_TRUE(Has("delete", "200", 1));
  EXPECT_TRUE(Has("deletecollection", "403", 1));
}

TEST_F(RequestMetricsTest, WhatAClientMakesUpIsNoLabel) {
  const std::string before = registry_.Expose();
  Answered("GET", "/openapi/v2", 200);
  Answered("GET", "/api/v1", 200);
  Answered("BREW", kMaps, 405);
  Answered("BREW", "/pot", 418);
  Answered("get", "/%00/..", 400);
  EXPECT_TRUE(Has("other", "200", 2));
  EXPECT_TRUE(Has("other", "4xx", 2));
  EXPECT_TRUE(Has("other", "400", 1));
  const std::string after = registry_.Expose();
  EXPECT_EQ(std::count(after.begin(), after.end(), '\n'),
            std::count(before.begin(), before.end(), '\n'));
}

TEST_F(RequestMetricsTest, CodesThatAreNotUsualCountByTheirClass) {
  for (const auto& [code, label] : std::map<int, std::string>{
           {202, "2xx"}, {304, "3xx"}, {413, "4xx"}, {501, "5xx"}, {504, "504"}}) {
    Answered("POST", kMaps, code);
    EXPECT_TRUE(Has("create", label, 1)) << code;
  }
  Answered("PUT", kMap, 999);
  EXPECT_TRUE(Has("update", "5xx", 1));
  Answered("PUT", kMap, 7);
  EXPECT_TRUE(Has("update", "2xx", 1));
}

TEST_F(RequestMetricsTest, WhatNobodyAnsweredCountsOnceAndHasNoCode) {
  Ask("POST", kMaps).reset();
  EXPECT_TRUE(Has("create", "none", 1));
  auto writer = Ask("POST", kMaps);
  writer->Send({201, {}, ""});
  writer->Send({500, {}, ""});
  writer.reset();
  EXPECT_TRUE(Has("create", "none", 1));
  EXPECT_TRUE(Has("create", "201", 1));
  EXPECT_TRUE(Has("create", "500", 0));
}

TEST_F(RequestMetricsTest, ReadsThatAreServedHaveATime) {
  auto get = Ask("GET", kMap);
  auto list = Ask("GET", kMaps);
  auto refused = Ask("GET", kMaps);
  auto watch = Ask("GET", StrCat(kMaps, "?watch=1"));
  auto create = Ask("POST", kMaps);
  sim_.RunFor(absl::Milliseconds(300));
  get->Send({404, {}, ""});
  refused->Send({429, {}, ""});
  watch->StartStream(200, {});
  create->Send({201, {}, ""});
  sim_.RunFor(absl::Milliseconds(300));
  list->Send({200, {}, ""});
  const std::string text = registry_.Expose();
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_read_seconds_count{verb=\"get\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_read_seconds_sum{verb=\"get\"} 0.3\n"));
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_read_seconds_count{verb=\"list\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_read_seconds_sum{verb=\"list\"} 0.6\n"));
  EXPECT_THAT(text, Not(HasSubstr("read_seconds_count{verb=\"watch\"}")));
}

TEST_F(RequestMetricsTest, RequestsIntoMembersAreCountedApart) {
  RequestMetrics::ObserveMember(metrics_, std::make_shared<Nobody>())->Send({503, {}, ""});
  RequestMetrics::ObserveMember(metrics_, std::make_shared<Nobody>()).reset();
  const std::string text = registry_.Expose();
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_member_requests_total{code=\"503\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsealane_gateway_member_requests_total{code=\"none\"} 1\n"));
  EXPECT_TRUE(Has("get", "503", 0));
}

TEST_F(RequestMetricsTest, AnAnswerMayComeAfterTheService) {
  auto writer = Ask("GET", kMap);
  metrics_ = nullptr;
  writer->Send({200, {}, ""});
  EXPECT_TRUE(Has("get", "200", 1));
}

}  // namespace
}  // namespace sealane::gateway
