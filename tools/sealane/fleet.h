#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/query.pb.h"
#include "tools/sealane/context.h"

namespace sealane::cli {

// What the commands ask of the fleet: the platform's side of docs/events.md. Every call blocks
// until it is answered or `timeout` has passed: DEADLINE_EXCEEDED then tells what did not answer,
// UNAVAILABLE that the bus cannot be reached.
class Fleet {
 public:
  virtual ~Fleet() = default;

  [[nodiscard]] virtual int64_t NowMicros() const = 0;
  // A new random event id.
  [[nodiscard]] virtual std::string NewId() = 0;

  // Publishes the event and waits for its result. A result that got lost is asked for, the event is
  // published again only as long as nobody confirmed that it is stored.
  virtual absl::StatusOr<v1::DeployResult> Deploy(const v1::DeployEvent& event,
                                                  absl::Duration timeout) = 0;
  // The result of an event of this platform; nullopt: there is none (yet), or no longer.
  virtual absl::StatusOr<std::optional<v1::DeployResult>> Result(std::string_view event_id,
                                                                 absl::Duration timeout) = 0;
  // All parts of the answer, merged.
  virtual absl::StatusOr<v1::QueryReply> Query(std::string_view service,
                                               const v1::QueryRequest& request,
                                               absl::Duration timeout) = 0;
  // Calls `begin` once it listens to the subjects of `filter`, then tells every message that came
  // since, until a handler returns false or `timeout` has passed (DEADLINE_EXCEEDED; an infinite
  // one never does). The handlers run on the calling thread and may use the fleet.
  using BeginHandler = std::function<bool()>;
  using MessageHandler = std::function<bool(std::string_view subject, std::string_view payload)>;
  virtual absl::Status Follow(std::string_view filter, absl::Duration timeout,
                              const BeginHandler& begin, const MessageHandler& handler) = 0;
  // One request of any subject that this user may ask, and its answer.
  virtual absl::StatusOr<std::string> Call(std::string_view subject, std::string_view payload,
                                           absl::Duration timeout) = 0;
  // While a call waits for an answer, `handler` is told every second for whom and how long so far,
  // on the calling thread; when that wait is over, once more with a zero duration. Follow, which is
  // meant to wait, tells nothing.
  using WaitingHandler = std::function<void(std::string_view who, absl::Duration waited)>;
  virtual void OnWaiting(WaitingHandler /*handler*/) {}
  // The largest message that can be published, in bytes.
  [[nodiscard]] virtual size_t MaxPayload() const = 0;
};

// Connects as the context says. UNAVAILABLE when the server cannot be reached within `timeout` or
// refuses the user.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Fleet>> ConnectFleet(const Context& context,
                                                                  absl::Duration timeout);

}  // namespace sealane::cli
