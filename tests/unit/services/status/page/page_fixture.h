#pragma once

// The web page over a status service on the in-memory bus and virtual time; no sockets.

#include <memory>
#include <string>
#include <utility>

#include "lib/http/handler.h"
#include "services/status/page/page.h"
#include "tests/unit/services/status/status_fixture.h"

namespace sealane::status {

// What became of one request.
class FakeWriter final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse answer) override {
    EXPECT_EQ(response.status, 0) << "answered twice";
    response = std::move(answer);
  }
  void StartStream(int status, http::Headers headers) override {
    response.status = status;
    response.headers = std::move(headers);
    streaming = true;
  }
  void Write(std::string chunk) override { text += chunk; }
  void End() override { streaming = false; }
  void Abort() override {
    streaming = false;
    aborted = true;
  }
  void OnClose(std::function<void()> fn) override { on_close = std::move(fn); }
  size_t pending_bytes() const override { return pending; }

  http::HttpResponse response;
  bool streaming = false;
  bool aborted = false;
  std::string text;  // of the stream
  size_t pending = 0;
  std::function<void()> on_close;
};

class PageTest : public StatusServiceTest {
 protected:
  PageTest() { MakePage({}); }

  void MakePage(const PageOptions& options) {
    page_.reset();
    page_registry_ = std::make_unique<Registry>();
    page_ = std::make_unique<Page>(
        sim_.env(), *hub_, *page_registry_,
        [this] {
          if (standby_) return FleetView{nullptr, nullptr, "This is a standby.", "another"};
          return FleetView{service_->apps(), service_->clusters(), "", "me"};
        },
        options);
    page_->Start();
    Settle();
  }

  std::shared_ptr<FakeWriter> Request(const std::string& method, const std::string& path,
                                      const http::Headers& more = {}) {
    http::HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = more;
    if (!more.Has("Host")) request.headers.Set("Host", "127.0.0.1:8080");
    auto writer = std::make_shared<FakeWriter>();
    page_->Handle(request, writer);
    return writer;
  }
  std::shared_ptr<FakeWriter> Get(const std::string& path, const http::Headers& more = {}) {
    return Request("GET", path, more);
  }
  // The body of an answer that must be 200.
  Json GetJson(const std::string& path) {
    const auto writer = Get(path);
    EXPECT_EQ(writer->response.status, 200) << path << ": " << writer->response.body;
    return Json::parse(writer->response.body, nullptr, false);
  }

  void Tell(const std::string& reason, const std::string& message = "") {
    v1::Event event;
    event.set_reason(reason);
    event.set_message(message);
    event.set_service("status");
    event.set_type("Normal");
    event.set_time_micros(1'700'000'000'000'000);
    AppendRequest request;
    request.subject = StrCat("events.status.", reason, ".=.=.=.=.=");
    request.payload = event.SerializeAsString();
    hub_->Append(std::move(request),
                 [](const absl::StatusOr<Appended>& result) { EXPECT_OK(result); });
    Settle();
  }

  bool standby_ = false;
  std::unique_ptr<Registry> page_registry_;
  std::unique_ptr<Page> page_;
};

}  // namespace sealane::status
