#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "lib/bus/bus.h"
#include "lib/bus/nats_connection.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// The answer of the server's JetStream interface.
struct JetStreamReply {
  absl::Status status;               // UNAVAILABLE: try again; else as Bus::Append
  int err_code = 0;                  // the server's, 0: none
  std::shared_ptr<const Json> body;  // when OK
};

// Server error codes that decide something here.
inline constexpr int kErrConsumerNotFound = 10014;
inline constexpr int kErrStreamNotFound = 10059;
inline constexpr int kErrStreamNameInUse = 10058;
inline constexpr int kErrMessageNotFound = 10037;
// More than one replica on a server that is not in a cluster.
inline constexpr int kErrReplicasNotSupported = 10074;
// A cluster with fewer servers up than the stream wants replicas.
inline constexpr int kErrNoPeers = 10005;
// The settings cannot be changed into these (2.9 says so of a republished prefix, as a code 500).
inline constexpr int kErrStreamInvalidConfig = 10052;

// Requests and their answers over one connection: all answers come to one inbox subscription and
// are told apart by its last token. Every request ends: with its answer, its time-out, or the
// connection's loss. Thread rule: the executor thread only.
class NatsRequests {
 public:
  using Handler = std::function<void(absl::StatusOr<BusMessage>)>;

  NatsRequests(Env env, NatsConnection& connection);
  ~NatsRequests();

  // One answer. "No responders" is UNAVAILABLE.
  void Request(const std::string& subject, std::string_view payload, const Headers& headers,
               absl::Duration timeout, Handler handler) {
    RequestOver(connection_, subject, payload, headers, timeout, std::move(handler));
  }
  // Sent over another connection of the same account; the answer comes over this one.
  void RequestOver(NatsConnection& way, const std::string& subject, std::string_view payload,
                   const Headers& headers, absl::Duration timeout, Handler handler);
  // Answers until Forget(the id returned). Told UNAVAILABLE when the request cannot be delivered.
  uint64_t RequestMany(const std::string& subject, std::string_view payload, Handler handler);
  void Forget(uint64_t id);
  // Fails everything that waits: call when the connection dropped, as its answers are lost.
  void FailAll(const absl::Status& status);
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

  // Asks $JS.API.<call>.
  void JetStream(const std::string& call, const Json& request,
                 std::function<void(const JetStreamReply&)> handler);

 private:
  struct Waiting {
    std::shared_ptr<Handler> handler;
    absl::Duration deadline;
    bool many = false;
  };
  uint64_t Add(Handler handler, absl::Duration timeout, bool many);
  void Finish(uint64_t id, absl::StatusOr<BusMessage> result);
  void FinishLater(uint64_t id, absl::Status status);
  void OnReply(BusMessage& message);
  void ArmTimer();
  void OnTimer();
  [[nodiscard]] std::string ReplySubject(uint64_t id) const;

  Env env_;
  NatsConnection& connection_;
  uint64_t subscription_ = 0;
  uint64_t next_id_ = 1;
  absl::flat_hash_map<uint64_t, Waiting> waiting_;
  std::set<std::pair<absl::Duration, uint64_t>> deadlines_;
  TimerId timer_ = 0;
  absl::Duration timer_at_;
  ScopedExecutor executor_;
};

// What a JetStream error means to us.
[[nodiscard]] absl::Status JetStreamError(int code, int err_code, std::string_view description);

// What the answer of STREAM.INFO says. UNAVAILABLE when it is malformed.
[[nodiscard]] absl::StatusOr<StreamState> ReadStreamState(const JetStreamReply& reply);

// The parts of a delivered message's reply subject ($JS.ACK...).
struct DeliveryInfo {
  uint64_t stream_sequence = 0;
  uint64_t consumer_sequence = 0;
  int64_t stored_micros = 0;
  uint64_t pending = 0;
};
// False when the text is not such a subject.
[[nodiscard]] bool ParseDeliveryInfo(std::string_view reply, DeliveryInfo* info);
// Takes out the headers that are instructions to the server, not part of the message.
void StripProtocolHeaders(Headers& headers);

}  // namespace sealane
