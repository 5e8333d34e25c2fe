#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/runtime/service.h"
#include "services/status/elected_status.h"
#include "services/status/options.h"
#include "services/status/page/page.h"

namespace sealane {

namespace http {
class HttpServer;
}  // namespace http

namespace status {

// The status service with its web page. Every process serves the page; one that does not lead says
// on it who does.
class PageService final : public Service {
 public:
  // Listens at once, but answers only while the executor runs. Errors: those of HttpServer::Start,
  // and Unavailable when the address cannot be written to its file.
  static absl::StatusOr<std::unique_ptr<PageService>> Make(const ServiceContext& context,
                                                           const Options& options,
                                                           const PageOptions& page_options);
  ~PageService() override;

  void Start() override;
  [[nodiscard]] bool Ready(std::string* why_not) const override { return status_.Ready(why_not); }
  void Retire(std::function<void()> done) override { status_.Retire(std::move(done)); }
  [[nodiscard]] bool Idle() const override { return status_.Idle(); }
  // "127.0.0.1:43121"; empty: no page.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  PageService(const ServiceContext& context, const Options& options,
              const PageOptions& page_options);

  ElectedStatus status_;
  Page page_;
  std::string address_;
  std::unique_ptr<http::HttpServer> server_;  // stops first
};

// Flags, options and service for main.
[[nodiscard]] ServiceDefinition StatusDefinition();

}  // namespace status
}  // namespace sealane
