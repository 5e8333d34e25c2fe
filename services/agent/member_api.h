#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/transport.h"
#include "lib/kube/kube_client.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/member_access.h"

namespace sealane::v1 {
class MemberMore;
class MemberPart;
class MemberRequest;
}  // namespace sealane::v1

namespace sealane::agent {

struct MemberApiLimits {
  size_t sessions = 64;              // at once; more are answered 429
  size_t buffered_bytes = 32 << 20;  // of all answers together that their readers have not taken
  absl::Duration silence = absl::Seconds(45);  // of the asker, after which a session ends
};

// Answers requests to this cluster's Kubernetes API that come over the bus (ctl.api and
// ctl.api-more, sealane/v1/member_api.proto): reads, watches and logs for people and tools at the
// control plane. What is allowed is said by MemberAccess and by the rights of the agent's own
// account. Only Accept and Content-Type of the asker reach the API server.
//
// Thread rule: the executor thread.
class MemberApi {
 public:
  // All borrowed.
  MemberApi(Env env, Bus& bus, kube::KubeClient& client, MemberAccess access, AgentMetrics& metrics,
            MemberApiLimits limits = {});
  ~MemberApi();
  void Start();
  [[nodiscard]] size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  void OnRequest(const BusMessage& message);
  void OnMore(const BusMessage& message);
  void Ask(const std::string& id, Session& session, const v1::MemberRequest& request);
  void Refuse(const BusMessage& message, int code, std::string_view why);
  // Sends what the asker takes; `always`: an empty part, if there is nothing to send.
  void Flush(const std::string& id, bool always);
  void FlushSoon(const std::string& id);
  // Drops what waits and ends with an error.
  void Break(const std::string& id, std::string_view why);
  void End(const std::string& id);
  void DropSilent();

  Env env_;
  Bus& bus_;
  kube::KubeClient& client_;
  const MemberAccess access_;
  AgentMetrics& metrics_;
  const MemberApiLimits limits_;
  std::map<std::string, std::unique_ptr<Session>> sessions_;
  size_t buffered_ = 0;
  std::unique_ptr<Subscription> requests_;
  std::unique_ptr<Subscription> more_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
