// The HTTP transport against a server that speaks nothing but HTTP/2 over TLS (Debian's nghttpd),
// as API servers do unless told otherwise.

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/mutex.h"
#include "lib/core/strings.h"
#include "lib/http/curl_transport.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRequests = 40;
constexpr absl::Duration kPatience = absl::Seconds(20);

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Http2Test : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = RunProcess({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                  "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                                  "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                                  "-keyout", In("key.pem"), "-out", In("cert.pem")});
    ASSERT_TRUE(made.ok() && made->exit_code == 0) << (made.ok() ? made->output : "no openssl");
    std::ofstream(In("version")) << R"({"gitVersion":"v1.31.0"})";
    const int port = FreePort();
    auto server =
        Subprocess::Start({"nghttpd", "--verbose", StrCat("--htdocs=", directory_.path()),
                           "--address=127.0.0.1", StrCat(port), In("key.pem"), In("cert.pem")},
                          In("log"));
    if (!server.ok() && std::getenv("CI") == nullptr) GTEST_SKIP() << "needs nghttpd";
    ASSERT_OK(server);
    server_ = std::make_unique<Subprocess>(*std::move(server));
    loop_.Start();
    CurlTransportOptions options;
    options.base_url = StrCat("https://127.0.0.1:", port);
    options.ca_pem = ReadAll(In("cert.pem"));
    OnLoop([&] {
      auto transport = CurlTransport::Create(std::move(options), loop_);
      if (transport.ok()) transport_ = *std::move(transport);
    });
    ASSERT_NE(transport_, nullptr);
    // It may not listen yet.
    absl::Status ready = absl::UnavailableError("not asked");
    for (const Deadline deadline(kPatience);
         !ready.ok() && deadline.Left() > absl::ZeroDuration();) {
      ready = Get(1)[0].status();
    }
    ASSERT_OK(ready);
  }
  ~Http2Test() override {
    if (transport_ != nullptr) OnLoop([this] { transport_.reset(); });
    loop_.Stop();
  }

  [[nodiscard]] std::string In(const char* name) const {
    return StrCat(directory_.path(), "/", name);
  }
  void OnLoop(const std::function<void()>& fn) {
    Notification done;
    loop_.Post([&] {
      fn();
      done.Notify();
    });
    done.Wait();
  }
  // So many requests at once.
  std::vector<absl::StatusOr<HttpResponse>> Get(int count) {
    struct Shared {
      std::vector<absl::StatusOr<HttpResponse>> answers;
      Notification all;
    };
    const auto shared = std::make_shared<Shared>();
    OnLoop([&] {
      for (int i = 0; i < count; ++i) {
        transport_->Send({"GET", "/version", {}, ""},
                         [shared, count](absl::StatusOr<HttpResponse> answer) {
                           shared->answers.push_back(std::move(answer));
                           if (shared->answers.size() == static_cast<size_t>(count)) {
                             shared->all.Notify();
                           }
                         });
      }
    });
    EXPECT_TRUE(shared->all.WaitWithTimeout(kPatience));
    return shared->answers;
  }

  TempDir directory_;
  std::unique_ptr<Subprocess> server_;
  EventLoop loop_;
  std::unique_ptr<CurlTransport> transport_;
};

TEST_F(Http2Test, ManyRequestsShareOneConnection) {
  for (const auto& answer : Get(kRequests)) {
    ASSERT_OK(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, R"({"gitVersion":"v1.31.0"})");
  }
  const std::string log = ReadAll(In("log"));
  EXPECT_THAT(log, HasSubstr("[id=1]"));
  EXPECT_THAT(log, HasSubstr("h2"));
  // Attempts before it listened never reached it.
  EXPECT_THAT(log, Not(HasSubstr("[id=2]")));
}

}  // namespace
}  // namespace sealane::http
