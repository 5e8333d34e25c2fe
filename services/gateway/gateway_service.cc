#include "services/gateway/gateway_service.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server.h"
#include "lib/kube/json_access.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeauth/rbac.h"
#include "lib/runtime/files.h"
#include "lib/telemetry/log.h"
#include "services/gateway/admit.h"
#include "services/gateway/kinds.h"

namespace sealane::gateway {
namespace {

constexpr absl::Duration kMetricsInterval = absl::Seconds(5);
// Bytes of one request's body: as much as kube-apiserver takes.
constexpr size_t kMaxBody = 3 << 20;
// File descriptors besides those of clients' connections.
constexpr size_t kOtherFiles = 64;

void Refuse(http::ResponseWriter& writer, const absl::Status& status) {
  http::Headers headers = {{"Content-Type", "application/json"}};
  const int code = kubeapi::StatusCodeOf(status);
  if (code == 503 || code == 429) headers.Add("Retry-After", "1");
  writer.Send({code, std::move(headers), WriteJson(kubeapi::StatusObject(status)) + "\n"});
}

bool IsRead(const http::HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool ClusterIsReady(const Json& cluster) {
  const Json* conditions = kube::Find(cluster, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& condition) {
    return kube::GetString(condition, {"type"}) == "Ready" &&
           kube::GetString(condition, {"status"}) == "True";
  });
}

bool IsProbe(const http::HttpRequest& request) {
  const std::string_view path = request.path;
  return path == "/healthz" || path == "/livez" || path == "/readyz";
}

// Passes an answer on, tells how long it took, and holds a place among the writes until the client
// has taken it.
class Timed final : public http::ForwardingWriter {
 public:
  Timed(std::shared_ptr<http::ResponseWriter> next, const Clock& clock, Histogram& seconds,
        std::shared_ptr<void> place)
      : ForwardingWriter(std::move(next)),
        clock_(clock),
        seconds_(seconds),
        began_(clock.Monotonic()),
        place_(std::move(place)) {}
  void Send(http::HttpResponse response) override {
    seconds_.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - began_));
    Hold(std::move(place_));
    ForwardingWriter::Send(std::move(response));
  }

 private:
  const Clock& clock_;
  Histogram& seconds_;
  absl::Duration began_;
  std::shared_ptr<void> place_;
};

}  // namespace

GatewayService::GatewayService(ServiceContext context, const Options& options,
                               std::unique_ptr<Credentials> credentials)
    : context_(std::move(context)),
      options_(options),
      credentials_(std::move(credentials)),
      authenticate_(credentials_->authenticator()),
      under_way_(std::make_shared<Writes>(static_cast<size_t>(options.max_writes))),
      metrics_(context_.metrics),
      events_(context_.bus, context_.env, "gateway"),
      deploys_(context_.bus, context_.env, options.write_timeout),
      store_(context_.bus, context_.env, deploys_, context_.bus_replicas,
             static_cast<size_t>(options.history), metrics_.lag),
      members_(context_.bus, context_.env),
      executor_(context_.env.executor),
      reads_(context_.env.executor,
             {.max_reads = static_cast<size_t>(options.max_reads_per_user)}) {}

// Requests that end without an answer are told in the audit, which needs all that is declared after
// what they wait in.
GatewayService::~GatewayService() { deploys_.Abandon(); }

absl::StatusOr<std::unique_ptr<GatewayService>> GatewayService::Make(ServiceContext context,
                                                                     const Options& options) {
  SEALANE_ASSIGN_OR_RETURN(
      std::unique_ptr<Credentials> credentials,
      Credentials::Load(context.env, options, GatewayMetrics::ForCredentials(context.metrics)));
  http::HttpServerOptions server;
  server.listen = options.listen;
  server.max_connections = static_cast<size_t>(options.max_connections);
  server.handshakes.max_under_way = static_cast<size_t>(options.max_handshakes);
  server.handshakes.per_second = options.max_handshakes_per_address;
  server.max_body_bytes = kMaxBody;
  const size_t files = RaiseFileLimit(server.max_connections + kOtherFiles);
  if (files < server.max_connections + kOtherFiles) {
    Logger("gateway").Warn("fewer files than connections may be open",
                           {{"files", std::to_string(files)},
                            {"max_connections", std::to_string(server.max_connections)}});
  }
  credentials->SetTls(server);
  auto service = std::make_unique<GatewayService>(context, options, std::move(credentials));
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
    SEALANE_RETURN_IF_ERROR(WriteFileAtomically(options.listen_file, service->address_ + "\n"));
  }
  Logger("gateway").Info("Kubernetes API", {{"url", StrCat("https://", service->address_)}});
  return service;
}

void GatewayService::Start() {
  credentials_->Start(server_.get());
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
  store_.Start([this] { Serve(); });
  UpdateMetrics();
}

void GatewayService::Serve() {
  rbac_ = std::make_unique<kubeauth::Rbac>(store_);
  credentials_->UseStore(store_);
  kubeapi::ApiServerOptions options;
  options.server_address = address_;
  options.node_ports = false;  // each cluster has its own
  options.definitions = Kinds::FleetDefinitions();
  options.max_watches_per_user = static_cast<size_t>(options_.max_watches_per_user);
  options.on_watch_refused = [this] { metrics_.too_many_watches.Increment(); };
  options.on_watch_expired = [this] { metrics_.watches_expired.Increment(); };
  options.access.authenticate = authenticate_;
  options.access.authorize = [this](const kubeapi::UserInfo& user,
                                    const kubeapi::Attributes& attributes) {
    return rbac_->Allowed(user, attributes);
  };
  options.access.may_write = [this](const kubeapi::UserInfo& user,
                                    const kubeapi::Resource& resource, std::string_view ns,
                                    const Json& object) {
    if (resource.group != kubeauth::kRbacGroup) return absl::OkStatus();
    return rbac_->MayWrite(user, resource.plural, ns, object);
  };
  // What the gateway does by itself is done in its own name.
  options.access.writing = [this](const kubeapi::UserInfo* user) {
    store_.SetPublisher(user == nullptr ? std::string(kGatewayPlatform)
                                        : StrCat(kGatewayPlatform, "/", user->name));
  };
  options.access.rules = [this](const kubeapi::UserInfo& user, std::string_view ns) {
    return rbac_->RulesReview(user, ns);
  };
  options.admit = AdmitObject;
  if (credentials_->service_accounts() != nullptr) {
    options.access.issue_token = [accounts = credentials_->service_accounts()](
                                     const kubeapi::StoredObject& account, const Json& request) {
      return accounts->Issue(account, request);
    };
  } else {
    options.access.issue_token = [](const kubeapi::StoredObject&,
                                    const Json&) -> absl::StatusOr<Json> {
      return kubeapi::ApiError(405, "MethodNotAllowed",
                               "this gateway gives no tokens: it was started without "
                               "--service-account-key, the key that signs them");
    };
  }
  options.access.review_token = [this](std::string_view token) {
    return kubeauth::ReviewToken(authenticate_, token);
  };
  options.access.audit = [this](const kubeapi::AuditRecord& record) { Audit(record); };
  api_ = std::make_unique<kubeapi::ApiServer>(context_.env, store_, std::move(options));
  kubeapi::LifecycleOptions lifecycle;
  lifecycle.leaves = BindingViews::Has;
  lifecycle_ = std::make_unique<kubeapi::Lifecycle>(*api_, std::move(lifecycle));
  MemberProxy::Hooks hooks;
  hooks.authorize = [this](const kubeapi::UserInfo& user, const kubeapi::Attributes& attributes) {
    return rbac_->Allowed(user, attributes);
  };
  hooks.audit = [this](const kubeapi::AuditRecord& record) { Audit(record); };
  hooks.clusters = [this] {
    std::map<std::string, bool> out;
    store_.ForEach("cluster.karmada.io/clusters", "", {}, [&](const kubeapi::ObjectPtr& object) {
      out[object->key().name] = ClusterIsReady(object->value());
      return true;
    });
    return out;
  };
  proxy_ = std::make_unique<MemberProxy>(context_.env, members_, std::move(hooks));
}

void GatewayService::HandleMember(const http::HttpRequest& request,
                                  const std::optional<kubeapi::UserInfo>& user,
                                  std::shared_ptr<http::ResponseWriter> writer) {
  if (!user.has_value()) {
    metrics_.unauthenticated.Increment();
    return Refuse(*writer, kubeapi::ApiError(401, "Unauthorized", "Unauthorized"));
  }
  MemberAsker asker{*user, nullptr};
  // The request without its body: what says who it is.
  http::HttpRequest proof = request;
  proof.body.clear();
  asker.still_known = [this, proof = std::move(proof), name = user->name] {
    const std::optional<kubeapi::UserInfo> now = authenticate_(proof);
    return now.has_value() && now->name == name;
  };
  proxy_->Handle(asker, request, std::move(writer));
}

void GatewayService::Audit(const kubeapi::AuditRecord& record) {
  if (record.code == 401) metrics_.unauthenticated.Increment();
  if (record.code == 403) metrics_.forbidden.Increment();
  // Strangers are counted and not told of: they could fill the log.
  if (record.user.name.empty()) return;
  const kubeapi::Attributes& asked = record.attributes;
  const bool done = record.code >= 200 && record.code < 300;
  std::string what = asked.resource_request ? asked.resource : asked.path;
  if (!asked.group.empty()) what += StrCat(".", asked.group);
  if (!asked.subresource.empty()) what += StrCat("/", asked.subresource);
  if (!asked.ns.empty()) what += StrCat(" in ", asked.ns);
  if (!asked.name.empty()) what += StrCat(" ", asked.name);
  if (asked.resource_request && !asked.path.empty()) what += StrCat(" (", asked.path, ")");
  v1::Event event;
  event.set_type(done ? "Normal" : "Warning");
  event.set_reason(record.code == 403 ? "Denied" : "Audit");
  event.set_message(StrCat(record.user.name, ": ", asked.verb, " ", what, ": ",
                           record.code == 0 ? "not answered" : std::to_string(record.code)));
  // Found by the object's name, too; what is in a member cluster is no object of the fleet.
  const Kind* kind =
      asked.path.empty() && !asked.name.empty()
          ? store_.KindOf(asked.group.empty() ? asked.resource
                                              : StrCat(asked.group, "/", asked.resource))
          : nullptr;
  if (kind != nullptr) {
    event.mutable_ref()->set_api_version(kind->api_version);
    event.mutable_ref()->set_kind(kind->kind);
    event.mutable_ref()->set_namespace_(asked.ns);
    event.mutable_ref()->set_name(asked.name);
  }
  events_.Emit(std::move(event));
}

void GatewayService::UpdateMetrics() {
  metrics_.objects.Set(static_cast<double>(store_.size()));
  metrics_.watches.Set(api_ == nullptr ? 0 : static_cast<double>(api_->watches()));
  metrics_.member_answers.Set(proxy_ == nullptr ? 0 : static_cast<double>(proxy_->busy()));
  if (server_ != nullptr) {
    metrics_.connections.Set(static_cast<double>(server_->connections()));
    const auto more = [](uint64_t now, uint64_t& before) {
      return static_cast<double>(now - std::exchange(before, now));
    };
    metrics_.gave_way.Increment(more(server_->gave_way(), gave_way_));
    metrics_.no_room.Increment(more(server_->refused(), no_room_));
    metrics_.not_taken.Increment(more(server_->not_taken(), not_taken_));
    metrics_.handshakes_delayed.Increment(more(server_->handshakes_delayed(), delayed_));
    metrics_.handshakes_refused.Increment(more(server_->handshakes_refused(), not_begun_));
  }
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

std::shared_ptr<void> GatewayService::TakePlace(const std::string& name) {
  const MutexLock lock(&under_way_->mutex);
  if (!under_way_->places.Take(name)) return nullptr;
  // Answers may end after this service.
  return {under_way_.get(), [writes = under_way_, name](void*) {
            const MutexLock back(&writes->mutex);
            writes->places.GiveBack(name);
          }};
}

void GatewayService::Handle(const http::HttpRequest& request,
                            std::shared_ptr<http::ResponseWriter> writer) {
  std::string why;
  const bool ready = Ready(&why);
  if (IsProbe(request) && (ready || request.path == "/livez")) {
    return writer->Send({200, {{"Content-Type", "text/plain; charset=utf-8"}}, "ok"});
  }
  const bool member = MemberProxy::IsMine(request.path);
  writer = member ? RequestMetrics::ObserveMember(metrics_.requests, std::move(writer))
                  : RequestMetrics::Observe(metrics_.requests, request, context_.env.clock,
                                            std::move(writer));
  if (!ready) return Refuse(*writer, kubeapi::ApiError(503, "ServiceUnavailable", why));
  std::optional<kubeapi::UserInfo> user = authenticate_(request);
  if (member) return HandleMember(request, user, std::move(writer));
  if (IsRead(request)) return Read(request, std::move(user), std::move(writer));
  std::shared_ptr<void> place = TakePlace(user.has_value() ? user->name : "");
  if (place == nullptr) {
    metrics_.too_many.Increment();
    return Refuse(*writer, kubeapi::ApiError(429, "TooManyRequests",
                                             "too many writes are under way: try again later"));
  }
  writer = std::make_shared<Timed>(std::move(writer), context_.env.clock, metrics_.write_seconds,
                                   std::move(place));
  api_->Handle(request, std::move(writer), std::move(user));
}

// In turn with those of other users. Strangers are refused at once.
void GatewayService::Read(const http::HttpRequest& request, std::optional<kubeapi::UserInfo> user,
                          std::shared_ptr<http::ResponseWriter> writer) {
  if (!user.has_value()) return api_->Handle(request, std::move(writer));
  auto kept = std::make_shared<http::HttpRequest>(request);
  kept->body.clear();
  const bool added = reads_.Add(user->name, writer, [this, kept, user](auto answer) {
    api_->Handle(*kept, std::move(answer), user);
  });
  if (added) return;
  metrics_.too_many_reads.Increment();
  Refuse(*writer, kubeapi::ApiError(429, "TooManyRequests",
                                    "too many reads of this user are under way: try again later"));
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
