#include "services/status/page/page_service.h"

#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server.h"
#include "lib/runtime/files.h"
#include "lib/telemetry/log.h"
#include "services/status/page/page_options.h"

namespace sealane::status {
namespace {

constexpr size_t kConnectionsBesidesListeners = 192;
constexpr size_t kMaxPendingBytes = 8 << 20;  // of one answer

}  // namespace

PageService::PageService(const ServiceContext& context, const Options& options,
                         const PageOptions& page_options)
    : status_(context, options),
      page_(
          context.env, context.bus, context.metrics, [this] { return status_.View(); },
          page_options) {}

PageService::~PageService() = default;

absl::StatusOr<std::unique_ptr<PageService>> PageService::Make(const ServiceContext& context,
                                                               const Options& options,
                                                               const PageOptions& page_options) {
  std::unique_ptr<PageService> service(new PageService(context, options, page_options));
  if (page_options.listen.empty()) return service;
  http::HttpServerOptions server;
  server.listen = page_options.listen;
  server.max_body_bytes = 4096;
  server.max_connections = page_options.events.max_listeners + kConnectionsBesidesListeners;
  server.max_pending_bytes = kMaxPendingBytes;
  SEALANE_ASSIGN_OR_RETURN(
      service->server_,
      http::HttpServer::Start(
          server, context.env.executor,
          [page = &service->page_](const http::HttpRequest& request,
                                   const std::shared_ptr<http::ResponseWriter>& writer) {
            page->Handle(request, writer);
          }));
  const std::string& listen = page_options.listen;
  service->address_ = StrCat(listen.substr(0, listen.rfind(':')), ":", service->server_->port());
  if (!page_options.listen_file.empty()) {
    SEALANE_RETURN_IF_ERROR(
        WriteFileAtomically(page_options.listen_file, service->address_ + "\n"));
  }
  Logger("status").Info("web page", {{"url", StrCat("http://", service->address_, "/")}});
  return service;
}

void PageService::Start() {
  status_.Start();
  page_.Start();
}

ServiceDefinition StatusDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-status";
  definition.writes_bursts = true;
  definition.summary = "Judges clusters, makes one picture of each application, and shows both.";
  definition.flags = OptionFlags();
  for (const Flag& flag : PageFlags()) definition.flags.push_back(flag);
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    SEALANE_ASSIGN_OR_RETURN(const Options options, ParseOptions(flags));
    SEALANE_ASSIGN_OR_RETURN(const PageOptions page, ParsePageOptions(flags));
    return PageService::Make(context, options, page);
  };
  return definition;
}

}  // namespace sealane::status
