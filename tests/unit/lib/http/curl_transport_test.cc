// The HTTP server and client against each other, over real sockets.

#include "lib/http/curl_transport.h"

#include <atomic>
#include <optional>

#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/mutex.h"
#include "lib/core/strings.h"
#include "lib/http/server.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/lib/http/test_certificate.h"

namespace sealane::http {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class HttpTest : public ::testing::Test {
 protected:
  HttpTest() { loop_.Start(); }
  ~HttpTest() override {
    OnLoop([this] { transport_.reset(); });
    server_.reset();
    loop_.Stop();
  }

  void Serve(Handler handler, HttpServerOptions options = HttpServerOptions()) {
    auto server = HttpServer::Start(std::move(options), loop_, std::move(handler));
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  void Connect(CurlTransportOptions options = CurlTransportOptions()) {
    if (options.base_url.empty()) options.base_url = StrCat("http://127.0.0.1:", server_->port());
    auto transport = CurlTransport::Create(std::move(options), loop_);
    ASSERT_OK(transport);
    transport_ = *std::move(transport);
  }
  // Runs on the event loop and waits for it.
  void OnLoop(const std::function<void()>& fn) {
    Notification done;
    loop_.Post([&] {
      fn();
      done.Notify();
    });
    done.Wait();
  }
  absl::StatusOr<HttpResponse> Send(HttpRequest request,
                                    RequestOptions options = RequestOptions()) {
    auto result = std::make_shared<absl::StatusOr<HttpResponse>>(absl::UnknownError("no callback"));
    auto done = std::make_shared<Notification>();
    OnLoop([&] {
      transport_->Send(
          std::move(request),
          [result, done](absl::StatusOr<HttpResponse> response) {
            *result = std::move(response);
            done->Notify();
          },
          options);
    });
    EXPECT_TRUE(done->WaitWithTimeout(kPatience));
    return *result;
  }

  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<CurlTransport> transport_;
};

void Echo(const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
  writer->Send({200,
                {{"X-Method", request.method},
                 {"X-Path", request.path},
                 {"X-Auth", std::string(request.headers.Get("Authorization"))}},
                request.body});
}

TEST_F(HttpTest, RequestsGoThereAndBack) {
  Serve(Echo);
  CurlTransportOptions options;
  options.bearer_token = [] { return std::string("secret"); };
  Connect(std::move(options));
  const auto response = Send({"PATCH", "/a/b?x=1%2F2", {{"Content-Type", "text/plain"}}, "body"});
  ASSERT_OK(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "body");
  EXPECT_EQ(response->headers.Get("x-method"), "PATCH");
  EXPECT_EQ(response->headers.Get("x-path"), "/a/b?x=1%2F2");
  EXPECT_EQ(response->headers.Get("x-auth"), "Bearer secret");
  EXPECT_EQ(Send({"HEAD", "/", {}, ""})->body, "");
  EXPECT_EQ(Send({"DELETE", "/", {}, "why"})->body, "why");
}

TEST_F(HttpTest, RequestsGoThroughTheProxy) {
  Serve(Echo);
  CurlTransportOptions options;
  options.base_url = "http://cluster.invalid:6443";
  options.proxy = StrCat("http://127.0.0.1:", server_->port());
  Connect(std::move(options));
  const auto response = Send({"GET", "/version", {}, ""});
  ASSERT_OK(response);
  EXPECT_EQ(response->headers.Get("x-path"), "http://cluster.invalid:6443/version");
}

TEST_F(HttpTest, WhatTheEnvironmentSaysOfProxiesIsNotForLoopback) {
  Serve(Echo);
  setenv("http_proxy", StrCat("http://127.0.0.1:", server_->port()).c_str(), 1);
  Connect(CurlTransportOptions());
  EXPECT_EQ(Send({"GET", "/here", {}, ""})->headers.Get("x-path"), "/here");
  CurlTransportOptions far;
  far.base_url = "http://cluster.invalid";
  Connect(std::move(far));
  EXPECT_EQ(Send({"GET", "/far", {}, ""})->headers.Get("x-path"), "http://cluster.invalid/far");
  unsetenv("http_proxy");
}

TEST_F(HttpTest, ManyRequestsShareConnections) {
  Serve(Echo);
  CurlTransportOptions options;
  options.max_concurrent = 8;
  Connect(std::move(options));
  std::atomic<int> good{0};
  Notification done;
  constexpr int kCount = 500;
  OnLoop([&] {
    for (int i = 0; i < kCount; ++i) {
      transport_->Send({"POST", "/", {}, std::to_string(i)},
                       [&, i](absl::StatusOr<HttpResponse> response) {
                         EXPECT_TRUE(response.ok() && response->body == std::to_string(i));
                         if (++good == kCount) done.Notify();
                       });
    }
  });
  EXPECT_TRUE(done.WaitWithTimeout(kPatience));
  EXPECT_LE(server_->connections(), 10U);
}

TEST_F(HttpTest, LargeBodiesPassAndTooLargeOnesAreRefused) {
  HttpServerOptions server;
  server.max_body_bytes = 3 << 20;
  Serve(Echo, server);
  CurlTransportOptions options;
  options.max_response_bytes = 2 << 20;
  Connect(std::move(options));
  EXPECT_EQ(Send({"POST", "/", {}, std::string(1 << 20, 'x')})->body.size(), size_t{1} << 20);
  EXPECT_EQ(Send({"POST", "/", {}, std::string((2 << 20) + 1, 'x')}).status().code(),
            absl::StatusCode::kResourceExhausted);
  const auto refused = Send({"POST", "/", {}, std::string(4 << 20, 'x')});
  // The server answers 413 and closes; a client that is still sending may see the close first.
  EXPECT_TRUE(!refused.ok() || refused->status == 413);
}

TEST_F(HttpTest, TimeoutsAndRefusedConnections) {
  std::vector<std::shared_ptr<ResponseWriter>> kept;
  Serve([&](const HttpRequest&, std::shared_ptr<ResponseWriter> writer) {
    kept.push_back(std::move(writer));
  });
  Connect();
  EXPECT_EQ(Send({}, {absl::Milliseconds(100), absl::InfiniteDuration()}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  const int port = server_->port();
  OnLoop([&] { kept.clear(); });
  server_.reset();
  const auto refused = Send({});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable) << port;
  CurlTransportOptions ftp;
  ftp.base_url = "ftp://x";
  EXPECT_FALSE(CurlTransport::Create(ftp, loop_).ok());
}

TEST_F(HttpTest, StreamsArriveAsTheyAreWrittenAndEnd) {
  std::shared_ptr<ResponseWriter> stream;
  Notification opened;
  Serve([&](const HttpRequest&, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {{"Content-Type", "text/plain"}});
    stream = std::move(writer);
    opened.Notify();
  });
  Connect();
  Mutex mutex;
  CondVar changed;
  std::string text;
  int status = 0;
  std::optional<absl::Status> end;
  std::unique_ptr<Call> call;
  OnLoop([&] {
    call = transport_->Stream({}, {[&](int s, const Headers&) {
                                     MutexLock lock(&mutex);
                                     status = s;
                                     changed.SignalAll();
                                   },
                                   [&](std::string_view chunk) {
                                     MutexLock lock(&mutex);
                                     text += chunk;
                                     changed.SignalAll();
                                   },
                                   [&](absl::Status s) {
                                     MutexLock lock(&mutex);
                                     end = std::move(s);
                                     changed.SignalAll();
                                   }});
  });
  const auto wait = [&](const std::function<bool()>& condition) {
    const Deadline deadline(kPatience);
    MutexLock lock(&mutex);
    while (!condition() && changed.WaitWithTimeout(&mutex, deadline.Left())) {
    }
    return condition();
  };
  ASSERT_TRUE(opened.WaitWithTimeout(kPatience));
  // The headers alone are told, before any chunk.
  EXPECT_TRUE(wait([&] { return status == 200; }));
  OnLoop([&] { stream->Write("one\n"); });
  EXPECT_TRUE(wait([&] { return text == "one\n"; }));
  OnLoop([&] {
    stream->Write("two\n");
    stream->End();
  });
  EXPECT_TRUE(wait([&] { return end.has_value(); }));
  EXPECT_EQ(text, "one\ntwo\n");
  EXPECT_OK(*end);
  OnLoop([&] {
    call.reset();
    stream.reset();
  });
}

TEST_F(HttpTest, CancellingAStreamTellsTheServer) {
  Notification opened;
  Notification closed;
  std::shared_ptr<ResponseWriter> stream;
  Serve([&](const HttpRequest&, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    writer->OnClose([&] { closed.Notify(); });
    stream = std::move(writer);
    opened.Notify();
  });
  Connect();
  std::unique_ptr<Call> call;
  std::atomic<bool> ended{false};
  OnLoop([&] {
    call = transport_->Stream({}, {nullptr, nullptr, [&](const absl::Status&) { ended = true; }});
  });
  ASSERT_TRUE(opened.WaitWithTimeout(kPatience));
  OnLoop([&] { call.reset(); });
  EXPECT_TRUE(closed.WaitWithTimeout(kPatience));
  OnLoop([&] { stream.reset(); });
  EXPECT_FALSE(ended);
}

TEST_F(HttpTest, ASilentStreamEnds) {
  std::shared_ptr<ResponseWriter> stream;
  Serve([&](const HttpRequest&, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    stream = std::move(writer);
  });
  Connect();
  Notification done;
  absl::Status end;
  std::unique_ptr<Call> call;
  OnLoop([&] {
    call = transport_->Stream({},
                              {nullptr, nullptr,
                               [&](absl::Status s) {
                                 end = std::move(s);
                                 done.Notify();
                               }},
                              {kPatience, absl::Milliseconds(100)});
  });
  ASSERT_TRUE(done.WaitWithTimeout(kPatience));
  EXPECT_EQ(end.code(), absl::StatusCode::kDeadlineExceeded);
  OnLoop([&] {
    call.reset();
    stream.reset();
  });
}

TEST_F(HttpTest, AnAbortedStreamIsCutAndItsConnectionGone) {
  std::shared_ptr<ResponseWriter> stream;
  Notification opened;
  Serve([&](const HttpRequest&, std::shared_ptr<ResponseWriter> writer) {
    writer->StartStream(200, {});
    writer->Write("something");
    stream = std::move(writer);
    opened.Notify();
  });
  Connect();
  Notification done;
  absl::Status end;
  std::unique_ptr<Call> call;
  OnLoop([&] {
    call = transport_->Stream({}, {nullptr, nullptr, [&](absl::Status s) {
                                     end = std::move(s);
                                     done.Notify();
                                   }});
  });
  ASSERT_TRUE(opened.WaitWithTimeout(kPatience));
  EXPECT_EQ(server_->connections(), 1U);
  OnLoop([&] { stream->Abort(); });
  ASSERT_TRUE(done.WaitWithTimeout(kPatience));
  EXPECT_FALSE(end.ok()) << "it did not end as a complete answer does";
  OnLoop([&] {
    call.reset();
    stream->Abort();  // again: ignored
    stream.reset();
  });
}

TEST_F(HttpTest, AHandlerThatForgetsAnswers500) {
  Serve([](const HttpRequest&, const std::shared_ptr<ResponseWriter>&) {});
  Connect();
  EXPECT_EQ(Send({})->status, 500);
}

TEST_F(HttpTest, TlsVerifiesTheServerAndTheClient) {
  const TestCertificate certificate = MakeCertificate();
  HttpServerOptions server;
  server.certificate_pem = certificate.certificate;
  server.private_key_pem = certificate.key;
  server.client_ca_pem = certificate.certificate;
  Serve(Echo, server);
  CurlTransportOptions options;
  options.base_url = StrCat("https://127.0.0.1:", server_->port());
  options.ca_pem = certificate.certificate;
  options.client_certificate_pem = certificate.certificate;
  options.client_key_pem = certificate.key;
  Connect(options);
  const auto response = Send({"POST", "/", {}, "x"});
  ASSERT_OK(response);
  EXPECT_EQ(response->body, "x");
  // Verified under another name than the address it is reached by.
  for (const auto& [name, good] :
       {std::pair<const char*, bool>{"cluster.local", true}, {"other.local", false}}) {
    OnLoop([&] { transport_.reset(); });
    CurlTransportOptions named = options;
    named.tls_server_name = name;
    Connect(named);
    EXPECT_EQ(Send({}).ok(), good) << name;
  }
  // A server that the CA did not sign, and a client without a certificate.
  OnLoop([&] { transport_.reset(); });
  CurlTransportOptions other = options;
  other.ca_pem = MakeCertificate().certificate;
  Connect(other);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
  OnLoop([&] { transport_.reset(); });
  CurlTransportOptions anonymous = options;
  anonymous.client_certificate_pem.clear();
  anonymous.client_key_pem.clear();
  Connect(anonymous);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpTest, AClientCertificateThatChangesIsShownOnNewConnections) {
  const TestCertificate good = MakeCertificate();
  const TestCertificate bad = MakeCertificate();
  HttpServerOptions server;
  server.certificate_pem = good.certificate;
  server.private_key_pem = good.key;
  server.client_ca_pem = good.certificate;
  Serve(Echo, server);
  auto material =
      std::make_shared<TlsMaterial>(TlsMaterial{good.certificate, bad.certificate, bad.key});
  CurlTransportOptions options;
  options.base_url = StrCat("https://127.0.0.1:", server_->port());
  options.tls = [&] { return material; };
  Connect(options);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
  const auto show = [&](const TestCertificate& certificate) {
    OnLoop([&] {
      material = std::make_shared<TlsMaterial>(
          TlsMaterial{good.certificate, certificate.certificate, certificate.key});
    });
  };
  show(good);
  EXPECT_OK(Send({}));
  EXPECT_OK(Send({}));
  // The connection of before would do; it is not used with another certificate.
  show(bad);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
  // Another authority is as good as another server.
  OnLoop([&] {
    material =
        std::make_shared<TlsMaterial>(TlsMaterial{bad.certificate, good.certificate, good.key});
  });
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpTest, TheHandlerSeesTheVerifiedCertificateOfAClientThatShowsOne) {
  const TestCertificate good = MakeCertificate();
  const TestCertificate stranger = MakeCertificate();
  HttpServerOptions server;
  server.certificate_pem = good.certificate;
  server.private_key_pem = good.key;
  server.client_ca_pem = good.certificate;
  server.client_certificate_optional = true;
  Serve(
      [](const HttpRequest& request, const std::shared_ptr<ResponseWriter>& writer) {
        writer->Send({200, {}, request.peer ? request.peer->common_name : "nobody"});
      },
      server);
  CurlTransportOptions options;
  options.base_url = StrCat("https://127.0.0.1:", server_->port());
  options.ca_pem = good.certificate;
  Connect(options);
  const auto anonymous = Send({});
  ASSERT_OK(anonymous);
  EXPECT_EQ(anonymous->body, "nobody");
  OnLoop([&] { transport_.reset(); });
  CurlTransportOptions named = options;
  named.client_certificate_pem = good.certificate;
  named.client_key_pem = good.key;
  Connect(named);
  const auto known = Send({});
  ASSERT_OK(known);
  EXPECT_EQ(known->body, "test");
  // One that the CA did not sign is refused, not overlooked.
  OnLoop([&] { transport_.reset(); });
  CurlTransportOptions other = options;
  other.client_certificate_pem = stranger.certificate;
  other.client_key_pem = stranger.key;
  Connect(other);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpTest, TheServersCertificateChangesWithoutARestart) {
  const TestCertificate before = MakeCertificate();
  const TestCertificate after = MakeCertificate();
  HttpServerOptions server;
  server.certificate_pem = before.certificate;
  server.private_key_pem = before.key;
  Serve(Echo, server);
  CurlTransportOptions options;
  options.base_url = StrCat("https://127.0.0.1:", server_->port());
  options.ca_pem = after.certificate;
  Connect(options);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
  // A key of another certificate changes nothing.
  EXPECT_EQ(server_->SetTls(after.certificate, before.key, "").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_OK(server_->SetTls(after.certificate, after.key, ""));
  EXPECT_OK(Send({}));
}

TEST_F(HttpTest, BadListenAddressesAreNamed) {
  for (const char* listen : {"nonsense", "1.2.3.4", "1.2.3.4:70000", "host:1"}) {
    HttpServerOptions options;
    options.listen = listen;
    EXPECT_FALSE(HttpServer::Start(options, loop_, Echo).ok()) << listen;
  }
}

}  // namespace
}  // namespace sealane::http
