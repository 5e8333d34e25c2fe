#include "lib/telemetry/endpoints.h"

#include <utility>

#include "lib/core/strings.h"
#include "lib/http/handler.h"
#include "lib/http/message.h"
#include "lib/http/server.h"

namespace sealane {
namespace {

http::HttpResponse Text(int status, std::string body) {
  http::HttpResponse response;
  response.status = status;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  return response;
}

}  // namespace

http::HttpResponse AnswerEndpoint(const http::HttpRequest& request,
                                  const EndpointsSources& sources) {
  const std::string path = http::ParseTarget(request.path).path;
  if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
    return Text(404, "not found: /metrics, /healthz and /readyz are served here\n");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    http::HttpResponse response = Text(405, "only GET and HEAD are allowed\n");
    response.headers.Set("Allow", "GET, HEAD");
    return response;
  }
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/readyz") {
    std::string why;
    if (!sources.ready(&why)) return Text(503, StrCat("not ready: ", why, "\n"));
    return Text(200, why.empty() ? std::string("ok\n") : StrCat("ok, but ", why, "\n"));
  }
  http::HttpResponse response = Text(200, sources.metrics.Expose());
  response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  return response;
}

absl::StatusOr<std::unique_ptr<Endpoints>> Endpoints::Start(const std::string& listen,
                                                            Executor& executor,
                                                            EndpointsSources sources) {
  http::HttpServerOptions options;
  options.listen = listen;
  options.max_body_bytes = 4096;
  options.max_connections = 64;
  auto server = http::HttpServer::Start(
      std::move(options), executor,
      [sources = std::move(sources)](const http::HttpRequest& request,
                                     const std::shared_ptr<http::ResponseWriter>& writer) {
        writer->Send(AnswerEndpoint(request, sources));
      });
  if (!server.ok()) return server.status();
  const std::string host = listen.substr(0, listen.rfind(':'));
  std::string address = StrCat(host, ":", (*server)->port());
  return std::unique_ptr<Endpoints>(new Endpoints(*std::move(server), std::move(address)));
}

Endpoints::Endpoints(std::unique_ptr<http::HttpServer> server, std::string address)
    : server_(std::move(server)), address_(std::move(address)) {}

Endpoints::~Endpoints() = default;

}  // namespace sealane
