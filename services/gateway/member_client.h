#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/message.h"

namespace sealane::gateway {

// A request to a member's API server under way. Destroying it ends it there, too; none of its
// callbacks runs afterwards.
class MemberCall {
 public:
  virtual ~MemberCall() = default;
  // The reader has taken so many more bytes of the body: so many more may come.
  virtual void Taken(size_t bytes) = 0;
};

// Asks the Kubernetes API of member clusters over the bus, through their agents
// (sealane/v1/member_api.proto). Thread rule: the executor thread; callbacks run there, never
// inside the call that caused them. What an agent sends is not trusted: sizes, order and headers
// are checked, and it answers for no cluster but its own, since the bus brings it no other's
// requests.
class MemberClient {
 public:
  struct Callbacks {
    std::function<void(int status, http::Headers headers)> on_head;
    std::function<void(std::string data)> on_data;
    // Last, exactly once. An error has the form of the Kubernetes API (lib/kubeapi/errors.h):
    // 504 the API server does not answer the agent, 502 the agent does not, and anything else.
    // (client-go asks again and again after a 503, and does not show its message.)
    std::function<void(absl::Status)> on_done;
  };
  // How many bytes may be on their way to a reader who takes none.
  static constexpr size_t kWindow = 1 << 20;

  // `bus` must outlive the client, the client its calls.
  MemberClient(Bus& bus, Env env);
  // Only Accept and Content-Type of the request's headers are sent.
  [[nodiscard]] std::unique_ptr<MemberCall> Ask(std::string_view cluster,
                                                const http::HttpRequest& request,
                                                std::string_view user, Callbacks callbacks);

 private:
  class Call;
  Bus& bus_;
  Env env_;
  // Clusters whose agents did not answer, and when (monotonic).
  std::map<std::string, absl::Duration> silent_;
};

}  // namespace sealane::gateway
