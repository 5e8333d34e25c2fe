// What a server does with clients that do not keep to HTTP, over plain sockets.

#include "lib/http/server.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/http/test_certificate.h"

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
  void Serve(HttpServerOptions options = HttpServerOptions(), Handler handler = nullptr) {
    if (handler == nullptr) {
      handler = [this](const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
        ++handled_;
        writer->Send({200, {}, request.body});
      };
    }
    auto server = HttpServer::Start(std::move(options), loop_, std::move(handler));
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
  // An answer up to the end of its head; empty when the server closes.
  static std::string ReadHead(asio::ip::tcp::socket& socket) {
    std::string text;
    error_code error;
    asio::read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n", error);
    return error ? "" : text;
  }
  static void WaitFor(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(done());
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
           StrCat("Content-Length: 0, 0\r\n\r\n", kHidden),
           StrCat("Content-Length: -1\r\n\r\n", kHidden),
           StrCat("Content-Length: 1x\r\n\r\n", kHidden),
           StrCat("Host: y\r\n\r\n", kHidden),
           StrCat("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", kHidden),
           StrCat("X: a\nY: b\r\n\r\n", kHidden),
           StrCat("X: a\rY: b\r\n\r\n", kHidden),
           StrCat("X\x01: a\r\n\r\n", kHidden),
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

TEST_F(RawClientTest, SlowHeadsAndSlowBodiesEnd) {
  HttpServerOptions options;
  options.idle_timeout = absl::Milliseconds(100);
  options.head_timeout = absl::Milliseconds(100);
  options.request_timeout = absl::Milliseconds(100);
  Serve(options);
  EXPECT_EQ(Exchange(""), "");
  EXPECT_EQ(Exchange("GET / HTTP/1.1\r\nHost:"), "");
  EXPECT_EQ(Exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfour"), "");
  EXPECT_EQ(handled_, 0);
}

TEST_F(RawClientTest, WhatIsRefusedIsReadOnSoThatTheAnswerArrives) {
  HttpServerOptions options;
  options.max_body_bytes = 1000;
  Serve(options);
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(Exchange(StrCat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ", large.size(),
                            "\r\n\r\n", large))
                .substr(0, 13),
            "HTTP/1.1 413 ");
  // A line that does not end is not gathered without end: neither of a head nor of a chunk.
  EXPECT_EQ(Exchange(StrCat("GET /", large)).substr(0, 13), "HTTP/1.1 431 ");
  EXPECT_EQ(Exchange(StrCat("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=",
                            large))
                .substr(0, 13),
            "HTTP/1.1 431 ");
  EXPECT_EQ(handled_, 0);
}

TEST_F(RawClientTest, WhoWaitsLongestGivesWayAndStrangersFirst) {
  HttpServerOptions options;
  options.max_connections = 3;
  Serve(options);
  constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto ask = [&](asio::ip::tcp::socket& socket) {
    error_code error;
    asio::write(socket, asio::buffer(kGet.data(), kGet.size()), error);
    return ReadHead(socket);
  };
  auto served = Connect();
  EXPECT_NE(ask(served), "");
  auto first = Connect();
  auto second = Connect();
  WaitFor([&] { return server_->connections() == 3; });
  auto third = Connect();
  EXPECT_EQ(ReadAll(first), "");  // it was there before the others who never asked
  auto fourth = Connect();
  EXPECT_EQ(ReadAll(second), "");
  EXPECT_NE(ask(served), "");
  EXPECT_NE(ask(third), "");
  EXPECT_NE(ask(fourth), "");
  // All three had an answer: who waits longest, now.
  auto fifth = Connect();
  EXPECT_EQ(ReadAll(served), "");
  EXPECT_NE(ask(fifth), "");
  EXPECT_EQ(server_->gave_way(), 3U);
  EXPECT_EQ(server_->refused(), 0U);
}

TEST_F(RawClientTest, ConnectionsWithARequestUnderWayDoNotGiveWay) {
  HttpServerOptions options;
  options.max_connections = 2;
  std::vector<std::shared_ptr<ResponseWriter>> open;
  std::mutex mutex;
  Serve(options, [&](const HttpRequest&, const std::shared_ptr<ResponseWriter>& writer) {
    const std::lock_guard lock(mutex);
    if (open.empty()) writer->StartStream(200, {});
    open.push_back(writer);
    ++handled_;
  });
  constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  auto stream = Connect();
  asio::write(stream, asio::buffer(kGet.data(), kGet.size()));
  WaitFor([&] { return handled_ == 1; });
  auto request = Connect();
  asio::write(request, asio::buffer(kGet.data(), kGet.size()));
  WaitFor([&] { return handled_ == 2; });
  auto late = Connect();
  EXPECT_EQ(ReadAll(late), "");
  EXPECT_EQ(server_->refused(), 1U);
  EXPECT_EQ(server_->gave_way(), 0U);
  const std::lock_guard lock(mutex);
  open[0]->Write("still here");
  open[0]->End();
  EXPECT_NE(ReadHead(stream), "");
  open[1]->Send({200, {}, ""});
  EXPECT_NE(ReadHead(request), "");
  open.clear();
}

TEST_F(RawClientTest, BodiesThatAreBeingReadAreBoundedTogether) {
  HttpServerOptions options;
  options.max_reading_bytes = 1 << 20;
  Serve(options);
  const std::string half =
      StrCat("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 600000\r\n\r\n",
             std::string(599999, 'x'));
  auto slow = Connect();
  asio::write(slow, asio::buffer(half));
  auto other = Connect();
  asio::write(other, asio::buffer(half));
  EXPECT_EQ(ReadAll(slow), "");
  asio::write(other, asio::buffer("x", 1));
  EXPECT_EQ(ReadAll(other).substr(0, 13), "HTTP/1.1 200 ");
  EXPECT_EQ(server_->gave_way(), 1U);
  // What was read is not counted for ever.
  EXPECT_EQ(Exchange(half + "x").substr(0, 13), "HTTP/1.1 200 ");
  EXPECT_EQ(Exchange(half + "x").substr(0, 13), "HTTP/1.1 200 ");
  EXPECT_EQ(server_->gave_way(), 1U);
}

TEST_F(RawClientTest, AnAnswerThatNobodyReadsIsGivenUpAndItsTicketWithIt) {
  HttpServerOptions options;
  options.write_timeout = absl::Seconds(2);
  auto ticket = std::make_shared<int>(1);
  Serve(options, [&](const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
    writer->Hold(ticket);
    writer->Send({200, {}, std::string(request.path == "/large" ? 64 << 20 : 10, 'x')});
    ++handled_;
  });
  auto reader = Connect();
  asio::write(reader, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  EXPECT_NE(ReadHead(reader), "");
  WaitFor([&] { return ticket.use_count() == 1; });
  auto deaf = Connect();
  asio::write(deaf, asio::buffer(std::string("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")));
  WaitFor([&] { return handled_ == 2; });
  EXPECT_GT(ticket.use_count(), 1);
  WaitFor([&] { return ticket.use_count() == 1; });
  WaitFor([&] { return server_->connections() == 1; });
  EXPECT_EQ(server_->not_taken(), 1U);
  // Who reads gets all of it.
  EXPECT_GT(Exchange("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").size(),
            size_t{64} << 20);
  EXPECT_EQ(server_->not_taken(), 1U);
}

TEST_F(RawClientTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  Serve({}, [](const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
    if (request.path != "/1") return writer->Send({200, {}, request.path + request.body});
    writer->StartStream(200, {});
    writer->Write(request.path);
    writer->End();
  });
  const std::string all = Exchange(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 4"
      "\r\n\r\nbodyGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_LT(all.find("\r\n/1\r\n"), all.find("/2body"));
  EXPECT_LT(all.find("/2body"), all.find("/3"));
  EXPECT_NE(all.find("/3"), std::string::npos);
}

// --- TLS handshakes
// ---------------------------------------------------------------------------------

class HandshakeTest : public RawClientTest {
 protected:
  using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;

  static HttpServerOptions Tls() {
    const TestCertificate certificate = MakeCertificate();
    HttpServerOptions options;
    options.certificate_pem = certificate.certificate;
    options.private_key_pem = certificate.key;
    return options;
  }
  // A connection from an address of this machine, on which nothing was said yet.
  asio::ip::tcp::socket ConnectFrom(const char* address) {
    asio::ip::tcp::socket socket(io_, asio::ip::tcp::v4());
    socket.bind({asio::ip::make_address(address), 0});
    socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->port())});
    return socket;
  }
  // Whether a handshake succeeds on it, and a request behind it.
  static bool Asks(asio::ip::tcp::socket socket) {
    asio::ssl::context context(asio::ssl::context::tls_client);
    TlsStream stream(std::move(socket), context);
    error_code error;
    stream.handshake(TlsStream::client, error);
    if (error) return false;
    asio::write(stream,
                asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
                error);
    std::string text;
    asio::read(stream, asio::dynamic_buffer(text), error);
    return text.starts_with("HTTP/1.1 200 ");
  }
  static void Say(asio::ip::tcp::socket& socket, std::string_view bytes) {
    asio::write(socket, asio::buffer(bytes.data(), bytes.size()));
  }
};

// The beginning of a client's first message.
constexpr std::string_view kHalfHello("\x16\x03\x01\x02\x00\x01", 6);

TEST_F(HandshakeTest, OneAddressBeginsNoMoreThanItsRateAndOthersAreServedMeanwhile) {
  HttpServerOptions options = Tls();
  options.handshakes.per_second = 1;
  Serve(std::move(options));
  std::vector<asio::ip::tcp::socket> flood;
  for (int i = 0; i < 20; ++i) {
    flood.push_back(ConnectFrom("127.0.0.1"));
    Say(flood.back(), kHalfHello);
  }
  WaitFor([&] { return server_->handshakes_delayed() >= 10; });
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.2")));
  EXPECT_EQ(server_->handshakes_refused(), 0);
  // When the flood ends, its address is served again.
  flood.clear();
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.1")));
}

TEST_F(HandshakeTest, WhoWaitsTooLongForItsTurnIsClosed) {
  HttpServerOptions options = Tls();
  options.handshakes.per_second = 1;
  options.handshake_timeout = absl::Milliseconds(300);
  Serve(std::move(options));
  std::vector<asio::ip::tcp::socket> flood;
  for (int i = 0; i < 20; ++i) {
    flood.push_back(ConnectFrom("127.0.0.1"));
    Say(flood.back(), kHalfHello);
  }
  WaitFor([&] { return server_->handshakes_refused() >= 10; });
  for (auto& one : flood) EXPECT_EQ(ReadAll(one), "");
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(HandshakeTest, WhoSaysNothingOrOnlyHalfTakesNobodysPlace) {
  HttpServerOptions options = Tls();
  options.handshakes.max_under_way = 2;
  Serve(std::move(options));
  std::vector<asio::ip::tcp::socket> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(ConnectFrom("127.0.0.1"));
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.1")));
  EXPECT_EQ(server_->handshakes_delayed(), 0);
  for (auto& one : silent) Say(one, kHalfHello);
  WaitFor([&] { return server_->handshakes_delayed() >= 5; });
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.2")));
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.1")));
  EXPECT_EQ(server_->handshakes_refused(), 0);
}

TEST_F(HandshakeTest, WhoConnectsAndLeavesCostsNoHandshake) {
  HttpServerOptions options = Tls();
  options.handshakes.per_second = 1;
  Serve(std::move(options));
  for (int i = 0; i < 5; ++i) ConnectFrom("127.0.0.1").close();
  EXPECT_TRUE(Asks(ConnectFrom("127.0.0.1")));
  EXPECT_EQ(server_->handshakes_delayed(), 0);
}

TEST_F(HandshakeTest, ASilentClientIsClosedInTime) {
  HttpServerOptions options = Tls();
  options.handshake_timeout = absl::Milliseconds(100);
  Serve(std::move(options));
  for (const std::string_view said : {std::string_view(), kHalfHello}) {
    auto socket = ConnectFrom("127.0.0.1");
    Say(socket, said);
    EXPECT_EQ(ReadAll(socket), "");
  }
  EXPECT_EQ(server_->handshakes_refused(), 0);
}

}  // namespace
}  // namespace sealane::http
