// What a server does with clients that do not keep to HTTP, over plain sockets.

#include "lib/http/server.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"

namespace sealane::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class RawClientTest : public ::testing::Test {
 protected:
  RawClientTest() { loop_.Start(); }
  ~RawClientTest() override {
    server_.reset();
    loop_.Stop();
  }
  void Serve(HttpServerOptions options = HttpServerOptions()) {
    auto server = HttpServer::Start(
        std::move(options), loop_,
        [this](const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
          ++handled_;
          writer->Send({200, {}, request.body});
        });
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  asio::ip::tcp::socket Connect() {
    asio::ip::tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->port())});
    return socket;
  }
  // Everything that the server says until it closes.
  static std::string ReadAll(asio::ip::tcp::socket& socket) {
    std::string text;
    error_code error;
    asio::read(socket, asio::dynamic_buffer(text), error);
    return text;
  }
  std::string Exchange(const std::string& bytes) {
    auto socket = Connect();
    error_code error;
    asio::write(socket, asio::buffer(bytes), error);
    return ReadAll(socket);
  }

  asio::io_context io_;
  EventLoop loop_;
  std::atomic<int> handled_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(RawClientTest, RequestsOfTwoMeaningsAreRefused) {
  Serve();
  constexpr char kHead[] = "POST / HTTP/1.1\r\nHost: x\r\n";
  constexpr char kHidden[] = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::string& rest : {
           StrCat("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", kHidden),
           StrCat("Content-Length: 0\r\nContent-Length: 5\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: xchunked\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: identity\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", kHidden),
           StrCat("Content-Length: -1\r\n\r\n", kHidden),
           StrCat("Content-Length: 1x\r\n\r\n", kHidden),
           StrCat("Content-Length : 0\r\n\r\n", kHidden),
           StrCat("Transfer-Encoding: chunked\r\n\r\nZZ\r\n", kHidden),
           StrCat("Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", kHidden),
       }) {
    EXPECT_EQ(Exchange(kHead + rest).substr(0, 13), "HTTP/1.1 400 ") << rest;
  }
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(Exchange(StrCat(kHead, "Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n",
                            "2\r\nok\r\n0\r\n\r\n"))
                .substr(0, 13),
            "HTTP/1.1 200 ");
  EXPECT_EQ(handled_, 1);
}

TEST_F(RawClientTest, SlowHeadsSlowBodiesAndLargeHeadsEnd) {
  HttpServerOptions options;
  options.idle_timeout = absl::Milliseconds(100);
  options.request_timeout = absl::Milliseconds(100);
  Serve(options);
  EXPECT_EQ(Exchange(""), "");
  EXPECT_EQ(Exchange("GET / HTTP/1.1\r\nHost:"), "");
  EXPECT_EQ(Exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfour"), "");
  const std::string large =
      Exchange(StrCat("GET / HTTP/1.1\r\nX: ", std::string(70 << 10, 'x'), "\r\n\r\n"));
  EXPECT_TRUE(large.empty() || large.substr(0, 13) == "HTTP/1.1 400 ") << large;
  EXPECT_EQ(handled_, 0);
}

TEST_F(RawClientTest, ConnectionsAboveTheBoundAreClosedAndOthersGoOn) {
  HttpServerOptions options;
  options.max_connections = 2;
  Serve(options);
  constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  auto first = Connect();
  auto second = Connect();
  char byte = 0;
  for (auto* socket : {&first, &second}) {
    asio::write(*socket, asio::buffer(kGet, sizeof(kGet) - 1));
    asio::read(*socket, asio::buffer(&byte, 1));
    EXPECT_EQ(byte, 'H');
  }
  auto third = Connect();
  EXPECT_EQ(ReadAll(third), "");
  EXPECT_LE(server_->connections(), 2U);
  asio::write(first, asio::buffer(kGet, sizeof(kGet) - 1));
  asio::read(first, asio::buffer(&byte, 1));
  EXPECT_EQ(byte, 'T');  // of the first answer
}

}  // namespace
}  // namespace sealane::http
