#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/env.h"
#include "lib/core/places.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/handler.h"
#include "lib/kubeapi/access.h"
#include "services/gateway/member_client.h"
#include "services/gateway/member_tasks.h"

namespace sealane::gateway {

struct MemberProxyOptions {
  size_t max_per_user = 64;  // requests under way, watches and logs among them
  size_t max = 512;
  absl::Duration fleet_timeout = absl::Seconds(10);  // clusters that take longer are left out
  size_t max_answer_bytes = 16 << 20;                // of one cluster's part of a joined list
  size_t max_unread_bytes = 4 << 20;                 // of a joined watch, then it is cut
};

// Who asks, and whether that still holds: looked at again while an answer goes on.
struct MemberAsker {
  kubeapi::UserInfo user;
  std::function<bool()> still_known;
};

// /clusters/NAME/proxy/... (and Karmada's longer path, the same below
// /apis/cluster.karmada.io/v1alpha1): the Kubernetes API of a member cluster. With the name "-": of
// all clusters together that the user may look into, for reads.
//
// A user needs two rights: the verb on clusters/proxy of that name, and, for the object itself, the
// same right as in the gateway.
//
// Thread rule: the executor thread.
class MemberProxy {
 public:
  struct Hooks {
    std::function<bool(const kubeapi::UserInfo&, const kubeapi::Attributes&)> authorize;
    // Every write and every denial; reads of Secrets, too.
    std::function<void(const kubeapi::AuditRecord&)> audit;
    // All clusters, by name: whether it is ready.
    std::function<std::map<std::string, bool>()> clusters;
  };
  // A request below such a path, taken apart.
  struct Path {
    std::string cluster;
    std::string inner;  // the member's own request target
  };

  MemberProxy(Env env, MemberClient& client, Hooks hooks, MemberProxyOptions options = {});
  ~MemberProxy();

  // Whether a path is the proxy's.
  [[nodiscard]] static bool IsMine(std::string_view target);
  // nullopt: it names no cluster, or could be read in two ways.
  [[nodiscard]] static std::optional<Path> Parse(std::string_view target);

  void Handle(const MemberAsker& asker, const http::HttpRequest& request,
              std::shared_ptr<http::ResponseWriter> writer);
  // Answers under way.
  [[nodiscard]] size_t busy() const { return tasks_.size(); }

 private:
  struct Asked;  // one request on its way to a task
  struct Running {
    std::unique_ptr<MemberTask> task;
    std::string user;
    std::function<bool()> still_allowed;
  };

  // Whether the user may ask that of the cluster.
  [[nodiscard]] bool Allowed(const kubeapi::UserInfo& user, const kubeapi::Attributes& proxy,
                             const kubeapi::Attributes& inner) const;
  // Answers that 403, and tells the audit once.
  void Deny(const Asked& asked, const kubeapi::Attributes& what, const absl::Status& why) const;
  // A place for the task that Add makes then. False: there is none, which is answered with 429.
  [[nodiscard]] bool TakePlace(const Asked& asked);
  void One(const Asked& asked);
  void All(const Asked& asked);
  // Makes a task of that type whose end gives its place back.
  template <typename T>
  T& Add(const Asked& asked, std::function<bool()> still_allowed);
  void LookAgain();

  Env env_;
  MemberClient& client_;
  Hooks hooks_;
  MemberProxyOptions options_;
  std::map<uint64_t, Running> tasks_;
  Places places_;
  uint64_t next_id_ = 1;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway
