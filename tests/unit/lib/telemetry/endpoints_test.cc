#include "lib/telemetry/endpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/http/message.h"
#include "tests/support/status_matchers.h"

namespace sealane {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

http::HttpRequest Request(std::string method, std::string path) {
  http::HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

class EndpointsTest : public ::testing::Test {
 protected:
  http::HttpResponse Get(const std::string& path) {
    return AnswerEndpoint(Request("GET", path), sources_);
  }

  Registry registry_;
  bool ready_ = false;
  std::string remark_;
  EndpointsSources sources_{registry_, [this](std::string* why_not) {
                              *why_not = ready_ ? remark_ : "the bus cannot be reached";
                              return ready_;
                            }};
};

TEST_F(EndpointsTest, ReadyzSaysWhyNot) {
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "not ready: the bus cannot be reached\n");
  ready_ = true;
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/readyz").body, "ok\n");
  remark_ = "the disk is full";
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/readyz").body, "ok, but the disk is full\n");
}

TEST_F(EndpointsTest, HealthzDoesNotDependOnReadiness) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/healthz?verbose=1").status, 200);
}

TEST_F(EndpointsTest, MetricsAreTextFormat004) {
  registry_.AddCounter("sealane_x_total", "X.");
  const http::HttpResponse response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(std::string(response.headers.Get("content-type")), HasSubstr("version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("sealane_x_total 0\n"));
}

TEST_F(EndpointsTest, EverythingElseIsRefused) {
  EXPECT_EQ(Get("/").status, 404);
  EXPECT_EQ(Get("/metrics/x").status, 404);
  const http::HttpResponse response = AnswerEndpoint(Request("POST", "/healthz"), sources_);
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.Get("Allow"), "GET, HEAD");
}

TEST_F(EndpointsTest, ServesOverTcpOnAFreePort) {
  ready_ = true;
  EventLoop loop;
  loop.Start();
  auto endpoints = Endpoints::Start("127.0.0.1:0", loop, sources_);
  ASSERT_OK(endpoints);
  const std::string address = (*endpoints)->address();
  ASSERT_THAT(address, StartsWith("127.0.0.1:"));
  const int port = std::atoi(address.c_str() + address.find(':') + 1);
  ASSERT_GT(port, 0);

  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  const std::string request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[1024];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("ok\n"));
  endpoints->reset();
  loop.Stop();
}

TEST_F(EndpointsTest, AnAddressThatCannotBeUsedIsAnError) {
  EventLoop loop;
  EXPECT_FALSE(Endpoints::Start("nonsense", loop, sources_).ok());
  EXPECT_FALSE(Endpoints::Start("127.0.0.1:99999", loop, sources_).ok());
}

}  // namespace
}  // namespace sealane
