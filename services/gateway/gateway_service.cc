#include "services/gateway/gateway_service.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server.h"
#include "lib/kubeapi/errors.h"
#include "lib/telemetry/log.h"
#include "services/gateway/kinds.h"

namespace sealane::gateway {
namespace {

constexpr std::string_view kMasters = "system:masters";
constexpr absl::Duration kMetricsInterval = absl::Seconds(5);

absl::StatusOr<std::string> ReadFile(std::string_view flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return InvalidArgument(StrCat("--", flag, ": cannot read ", path));
  return text.str();
}

// Appears with its whole content at once.
absl::Status WriteAddress(const std::string& path, const std::string& address) {
  const std::string temporary = StrCat(path, ".tmp");
  std::ofstream file(temporary, std::ios::trunc);
  file << address << "\n";
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return Unavailable(StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

void Refuse(http::ResponseWriter& writer, const absl::Status& status) {
  http::Headers headers = {{"Content-Type", "application/json"}};
  const int code = kubeapi::StatusCodeOf(status);
  if (code == 503) headers.Add("Retry-After", "1");
  writer.Send({code, std::move(headers), WriteJson(kubeapi::StatusObject(status)) + "\n"});
}

bool IsRead(const http::HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool IsProbe(const http::HttpRequest& request) {
  const std::string_view path = request.path;
  return path == "/healthz" || path == "/livez" || path == "/readyz";
}

// Passes an answer on and tells how long it took.
class Timed final : public http::ResponseWriter {
 public:
  Timed(std::shared_ptr<http::ResponseWriter> next, const Clock& clock, Histogram& seconds)
      : next_(std::move(next)), clock_(clock), seconds_(seconds), began_(clock.Monotonic()) {}
  void Send(http::HttpResponse response) override {
    seconds_.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - began_));
    next_->Send(std::move(response));
  }
  void StartStream(int status, http::Headers headers) override {
    next_->StartStream(status, std::move(headers));
  }
  void Write(std::string chunk) override { next_->Write(std::move(chunk)); }
  void End() override { next_->End(); }
  void Abort() override { next_->Abort(); }
  void OnClose(std::function<void()> fn) override { next_->OnClose(std::move(fn)); }
  [[nodiscard]] size_t pending_bytes() const override { return next_->pending_bytes(); }

 private:
  std::shared_ptr<http::ResponseWriter> next_;
  const Clock& clock_;
  Histogram& seconds_;
  absl::Duration began_;
};

}  // namespace

GatewayService::GatewayService(ServiceContext context, const Options& options, Tokens tokens)
    : context_(std::move(context)),
      options_(options),
      tokens_(std::move(tokens)),
      metrics_(context_.metrics),
      deploys_(context_.bus, context_.env, options.write_timeout),
      store_(context_.bus, context_.env, deploys_, context_.bus_replicas,
             static_cast<size_t>(options.history)),
      executor_(context_.env.executor) {}

GatewayService::~GatewayService() = default;

absl::StatusOr<std::unique_ptr<GatewayService>> GatewayService::Make(ServiceContext context,
                                                                     const Options& options) {
  SEALANE_ASSIGN_OR_RETURN(const std::string file, ReadFile("token-file", options.token_file));
  absl::StatusOr<Tokens> tokens = Tokens::Parse(file);
  if (!tokens.ok()) return Annotate(tokens.status(), "--token-file");
  http::HttpServerOptions server;
  server.listen = options.listen;
  SEALANE_ASSIGN_OR_RETURN(server.certificate_pem, ReadFile("tls-cert", options.tls_certificate));
  SEALANE_ASSIGN_OR_RETURN(server.private_key_pem, ReadFile("tls-key", options.tls_key));
  auto service = std::make_unique<GatewayService>(context, options, *std::move(tokens));
  SEALANE_ASSIGN_OR_RETURN(
      service->server_, http::HttpServer::Start(server, context.env.executor,
                                                [gateway = service.get()](
                                                    const http::HttpRequest& request,
                                                    std::shared_ptr<http::ResponseWriter> writer) {
                                                  gateway->Handle(request, std::move(writer));
                                                }));
  service->address_ =
      StrCat(options.listen.substr(0, options.listen.rfind(':')), ":", service->server_->port());
  if (!options.listen_file.empty()) {
    SEALANE_RETURN_IF_ERROR(WriteAddress(options.listen_file, service->address_));
  }
  Logger("gateway").Info("Kubernetes API", {{"url", StrCat("https://", service->address_)}});
  return service;
}

void GatewayService::Start() {
  LeaderLeaseOptions lease;
  lease.service = "gateway";
  lease.instance = context_.instance;
  lease.replicas = context_.bus_replicas;
  lease_ = std::make_unique<LeaderLease>(
      context_.bus, context_.env, lease,
      [this] {
        projector_ = std::make_unique<Projector>(context_.bus, context_.env, metrics_.rows_copied);
        projector_->Start();
        metrics_.leader.Set(1);
      },
      [this] {
        projector_.reset();
        metrics_.leader.Set(0);
      });
  lease_->Start();
  deploys_.Start();
  store_.Start([this] {
    kubeapi::ApiServerOptions options;
    options.server_address = address_;
    options.node_ports = false;  // each cluster has its own
    options.definitions = Kinds::FleetDefinitions();
    api_ = std::make_unique<kubeapi::ApiServer>(context_.env, store_, options);
    lifecycle_ = std::make_unique<kubeapi::Lifecycle>(*api_, kubeapi::LifecycleOptions());
  });
  UpdateMetrics();
}

void GatewayService::UpdateMetrics() {
  metrics_.objects.Set(static_cast<double>(store_.size()));
  metrics_.watches.Set(api_ == nullptr ? 0 : static_cast<double>(api_->watches()));
  metrics_.waiting.Set(static_cast<double>(deploys_.waiting()));
  executor_.After(kMetricsInterval, [this] { UpdateMetrics(); });
}

void GatewayService::Retire(std::function<void()> done) {
  if (lease_ == nullptr) {
    done();
  } else {
    lease_->Release(std::move(done));
  }
}

bool GatewayService::Ready(std::string* why_not) const {
  if (store_.lost()) {
    *why_not = "the stream of the API was made anew: start this process again";
    return false;
  }
  if (api_ != nullptr && deploys_.ready()) return true;
  *why_not = "the fleet has not been read yet";
  return false;
}

void GatewayService::Handle(const http::HttpRequest& request,
                            std::shared_ptr<http::ResponseWriter> writer) {
  const std::optional<User> user = tokens_.Authenticate(request.headers);
  if (!user.has_value() && !IsProbe(request)) {
    metrics_.unauthenticated.Increment();
    return Refuse(*writer, kubeapi::ApiError(401, "Unauthorized", "Unauthorized"));
  }
  if (std::string why; !Ready(&why)) {
    return Refuse(*writer, kubeapi::ApiError(503, "ServiceUnavailable", why));
  }
  if (user.has_value() && !user->Is(kMasters)) {
    metrics_.forbidden.Increment();
    return Refuse(*writer, kubeapi::ApiError(403, "Forbidden",
                                             StrCat("forbidden: User \"", user->name,
                                                    "\" is not a member of "
                                                    "the group system:masters")));
  }
  const bool read = IsRead(request);
  (read ? metrics_.reads : metrics_.writes).Increment();
  if (user.has_value()) store_.SetPublisher(StrCat("gateway/", user->name));
  if (!read) {
    writer = std::make_shared<Timed>(std::move(writer), context_.env.clock, metrics_.write_seconds);
  }
  api_->Handle(request, std::move(writer));
}

ServiceDefinition GatewayDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-gateway";
  definition.summary = "Serves the Kubernetes API in front of the fleet.";
  definition.flags = OptionFlags();
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    SEALANE_ASSIGN_OR_RETURN(const Options options, ParseOptions(flags));
    return GatewayService::Make(std::move(context), options);
  };
  return definition;
}

}  // namespace sealane::gateway
