#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/http/handler.h"
#include "lib/telemetry/metrics.h"
#include "services/status/fleet_view.h"
#include "services/status/page/event_feed.h"
#include "services/status/page/fleet_api.h"

namespace sealane::status {

struct PageOptions {
  // "host:port" of the page; port 0 takes a free one; empty: no page.
  std::string listen;
  // File to write that address to, for scripts; empty: none.
  std::string listen_file;
  // Names under which the page may be asked, besides IP addresses and localhost; "*": any. A page
  // of another site whose name was made to point here does not get answers.
  std::set<std::string, std::less<>> hosts;
  EventFeedOptions events;
};

// The read-only web page of the status service: its files, and the API that they ask
// (docs/web-page.md). Thread rule: the executor thread only.
class Page {
 public:
  // The bus, env and metrics must outlive it. `view` is asked at each request.
  Page(Env env, Bus& bus, Registry& metrics, std::function<FleetView()> view, PageOptions options);

  // Begins to follow the events.
  void Start() { events_.Start(); }
  // An http::Handler. Methods other than GET are answered 405 (files: other than GET and HEAD),
  // foreign names 421.
  void Handle(const http::HttpRequest& request,
              const std::shared_ptr<http::ResponseWriter>& writer);

 private:
  [[nodiscard]] bool MayBeAskedAs(std::string_view host) const;
  void Api(const http::HttpRequest& request, const http::Target& target,
           const std::shared_ptr<http::ResponseWriter>& writer);

  PageOptions options_;
  std::function<FleetView()> view_;
  FleetApi api_;
  EventFeed events_;
};

}  // namespace sealane::status
