#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "lib/bus/event_sink.h"
#include "lib/core/mutex.h"
#include "lib/core/places.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/handler.h"
#include "lib/kubeapi/api_server.h"
#include "lib/kubeapi/lifecycle.h"
#include "lib/kubeauth/authenticators.h"
#include "lib/kubeauth/rbac.h"
#include "lib/runtime/leader_lease.h"
#include "lib/runtime/service.h"
#include "services/gateway/bus_store.h"
#include "services/gateway/credentials.h"
#include "services/gateway/deploys.h"
#include "services/gateway/gateway_metrics.h"
#include "services/gateway/member_client.h"
#include "services/gateway/member_proxy.h"
#include "services/gateway/options.h"
#include "services/gateway/projector.h"
#include "services/gateway/read_queue.h"

namespace sealane {

namespace http {
class HttpServer;
}  // namespace http

namespace gateway {

// The Kubernetes API in front of the fleet: reads `objects`, `app_status` and `cluster_status`,
// publishes deploy events. Any number of gateways may run and serve; one of them copies rows for
// all.
class GatewayService final : public Service {
 public:
  // Without a server: requests come through Handle.
  GatewayService(ServiceContext context, const Options& options,
                 std::unique_ptr<Credentials> credentials);
  ~GatewayService() override;
  // Reads the files and listens. Errors name the flag whose file is wrong, or are those of
  // HttpServer::Start.
  static absl::StatusOr<std::unique_ptr<GatewayService>> Make(ServiceContext context,
                                                              const Options& options);

  void Start() override;
  void Retire(std::function<void()> done) override;
  [[nodiscard]] bool Ready(std::string* why_not) const override;
  [[nodiscard]] bool Idle() const override { return deploys_.waiting() == 0; }
  // One request. Thread rule: the context's executor.
  void Handle(const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer);
  // "127.0.0.1:43121"; empty: it does not listen.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void Serve();
  // A request into member clusters.
  void HandleMember(const http::HttpRequest& request, const std::optional<kubeapi::UserInfo>& user,
                    std::shared_ptr<http::ResponseWriter> writer);
  void Read(const http::HttpRequest& request, std::optional<kubeapi::UserInfo> user,
            std::shared_ptr<http::ResponseWriter> writer);
  // A place among the writes under way, given back when it is destroyed; nullptr: there is none
  // left, or none for this user, who may have half of them.
  std::shared_ptr<void> TakePlace(const std::string& user);
  // Every write and every denial is an event: who, what, on which object.
  void Audit(const kubeapi::AuditRecord& record);
  void UpdateMetrics();

  ServiceContext context_;
  Options options_;
  std::unique_ptr<Credentials> credentials_;
  kubeauth::Authenticator authenticate_;
  // Given back on any thread.
  struct Writes {
    explicit Writes(size_t most) : places(std::max<size_t>(1, most / 2), most) {}
    Mutex mutex;
    Places places ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<Writes> under_way_;
  GatewayMetrics metrics_;
  uint64_t gave_way_ = 0;  // as the server counted them when the metrics were last written
  uint64_t no_room_ = 0;
  uint64_t not_taken_ = 0;
  uint64_t delayed_ = 0;
  uint64_t not_begun_ = 0;
  EventSink events_;
  Deploys deploys_;
  BusStore store_;
  std::unique_ptr<LeaderLease> lease_;
  std::unique_ptr<Projector> projector_;  // while this one leads
  std::unique_ptr<kubeauth::Rbac> rbac_;
  std::unique_ptr<kubeapi::ApiServer> api_;  // once everything has been read
  std::unique_ptr<kubeapi::Lifecycle> lifecycle_;
  MemberClient members_;
  std::unique_ptr<MemberProxy> proxy_;
  std::string address_;
  ScopedExecutor executor_;
  ReadQueue reads_;
  std::unique_ptr<http::HttpServer> server_;  // stops first
};

// Flags, options and service for main.
[[nodiscard]] ServiceDefinition GatewayDefinition();

}  // namespace gateway
}  // namespace sealane
