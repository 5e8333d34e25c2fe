#include "services/status/page/page.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "services/status/page/answers.h"
#include "services/status/page/static_files.h"

namespace sealane::status {
namespace {

http::HttpResponse WrongMethod(std::string_view allowed) {
  http::HttpResponse response =
      ErrorAnswer(405, "method", StrCat("Only ", allowed, " is allowed: this only shows."));
  response.headers.Set("Allow", allowed);
  return response;
}

http::HttpResponse FileAnswer(const http::HttpRequest& request, const StaticFile& file) {
  http::HttpResponse response;
  response.headers.Set("ETag", file.etag);
  // Kept, but asked for each time: a new program has a new page.
  response.headers.Set("Cache-Control", "no-cache");
  AddSafetyHeaders(response.headers);
  if (request.headers.Get("If-None-Match").find(file.etag) != std::string_view::npos) {
    response.status = 304;
    return response;
  }
  response.status = 200;
  response.headers.Set("Content-Type", file.content_type);
  response.body = std::string(file.body);
  return response;
}

// "example.com:80" -> "example.com", "[::1]:80" -> "[::1]".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool IsAddress(std::string_view host) {
  if (host.starts_with('[')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Page::Page(Env env, Bus& bus, Registry& metrics, std::function<FleetView()> view,
           PageOptions options)
    : options_(std::move(options)),
      view_(view),
      api_(env, bus, view),
      events_(
          env, bus, metrics, [view] { return view().has_data(); }, options_.events) {}

bool Page::MayBeAskedAs(std::string_view host) const {
  host = WithoutPort(host);
  return IsAddress(host) || host == "localhost" || options_.hosts.contains(host) ||
         options_.hosts.contains("*");
}

void Page::Handle(const http::HttpRequest& request,
                  const std::shared_ptr<http::ResponseWriter>& writer) {
  if (!MayBeAskedAs(request.headers.Get("Host"))) {
    return writer->Send(
        ErrorAnswer(421, "host",
                    "The page is not served under this name; see --page-hosts of sealane-status."));
  }
  const http::Target target = http::ParseTarget(request.path);
  if (target.path == "/api" || target.path.starts_with("/api/")) {
    return Api(request, target, writer);
  }
  const StaticFile* file = FindStaticFile(target.path);
  if (file == nullptr) {
    return writer->Send(ErrorAnswer(404, "not-found", "There is no such file."));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return writer->Send(WrongMethod("GET, HEAD"));
  }
  writer->Send(FileAnswer(request, *file));
}

void Page::Api(const http::HttpRequest& request, const http::Target& target,
               const std::shared_ptr<http::ResponseWriter>& writer) {
  if (request.method != "GET") return writer->Send(WrongMethod("GET"));
  if (target.path != "/api/events") return api_.Handle(target, writer);
  const FleetView view = view_();
  if (!view.has_data()) return writer->Send(ErrorAnswer(503, "no-data", view.why_not));
  // A browser says by itself where it was, except after the page has closed the stream.
  const std::string_view last = request.headers.Get("Last-Event-ID");
  events_.Listen(last.empty() ? target.Query("after") : last, writer);
}

}  // namespace sealane::status
