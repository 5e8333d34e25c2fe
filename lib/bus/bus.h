#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// The message bus as Sealane uses it: core NATS subjects and JetStream streams. Two implementations
// pass the same contract tests: NatsBus (lib/bus/nats_bus.h) and MemoryBus (lib/bus/memory_bus.h).
//
// Thread rule: every method is called on the bus' executor thread, and every callback runs there,
// never inside the call that caused it. Destroying a Subscription (or the Bus) on that thread
// guarantees that none of its callbacks run any more. The Bus must outlive its Subscriptions.

using Headers = std::vector<std::pair<std::string, std::string>>;

// A message as it was received.
struct BusMessage {
  std::string subject;
  std::string reply;  // empty: no answer is expected
  std::string payload;
  Headers headers;
  uint64_t sequence = 0;  // in its stream (also of republished messages); 0 for core messages
  int64_t stored_micros = 0;

  // The value of a header, or "".
  [[nodiscard]] std::string_view Header(std::string_view name) const;
  // The subject has no value since this message: removed, purged or expired.
  [[nodiscard]] bool IsDeleteMarker() const;
};

// Something that is going on until this object is destroyed.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

// A stream, with the settings of a table or of a log. Everything else is the same for all streams:
// file storage, rollup headers refused, direct get allowed, discard new, deny nothing.
struct StreamConfig {
  std::string name;                   // [A-Za-z0-9_-]+
  std::vector<std::string> subjects;  // "works.>"
  bool last_per_subject = true;       // a table: keep the newest messages of each subject,
  int history = 1;                    // so many
  // Published again for core subscribers as republish_prefix + subject ("live." + "works.a.b").
  std::string republish_prefix;
  absl::Duration max_age = absl::ZeroDuration();  // zero: forever
  int64_t max_bytes = -1;                         // -1: no limit
  absl::Duration duplicate_window = absl::Minutes(2);
  int replicas = 1;          // 0: 3 where the server is in a cluster, else 1
  bool discard_old = false;  // a bounded log drops its oldest messages instead of refusing new ones
};

// A durable write.
struct AppendRequest {
  std::string subject;
  std::string payload;
  Headers headers;
  std::string message_id;  // Nats-Msg-Id; empty: no de-duplication
  // Refuse (ABORTED) unless the subject's last sequence is this; 0: the subject must be empty.
  std::optional<uint64_t> expected_last_sequence;
  bool remove = false;  // write a delete marker (header KV-Operation: DEL, empty payload)
  // May be stored after appends that were asked for later (never so for the same subject, if the
  // caller awaits each answer). A burst of such appends travels in fewer, larger packets.
  bool unordered = false;
};

// Where a stream is. The creation time tells two lives of a stream of the same name apart.
struct StreamState {
  int64_t created_micros = 0;
  uint64_t last_sequence = 0;
  bool operator==(const StreamState&) const = default;
};

struct Appended {
  uint64_t sequence = 0;
  bool duplicate = false;  // the message id was known: `sequence` is the first one's
};

// What a watch of a stream tells.
struct WatchEvent {
  enum class Type {
    // A snapshot follows: afterwards, every subject not seen since this event is gone. Sent first,
    // and
    // again after a gap, a re-created or rolled back stream, or a lost connection that may hide
    // one.
    kReset,
    kPut,     // `message` is the last message of its subject
    kDelete,  // the subject has no value any more; message.sequence is the marker's
    // Everything that was in the stream when the watch (or the snapshot) began has been told.
    kSynced,
  };
  Type type;
  BusMessage message;
  // kReset, kSynced: of the stream. `stream_created_micros` tells two lives of a stream apart.
  uint64_t last_sequence = 0;
  int64_t stream_created_micros = 0;
};

struct WatchOptions {
  std::string stream;
  std::string filter;  // subject with wildcards; empty: all subjects of the stream
  // false: the last message per subject, then what follows. true: only what is new from now on.
  bool new_only = false;
  // Logs (not tables): deliver all messages kept, in order.
  bool all = false;
  // With `all`: of what is kept, only the stream's newest so many messages; 0: no limit. Without a
  // filter that is what is told; with one, those of them that it lets through.
  uint64_t newest = 0;
};

// A message of a durable consumer; it is delivered again until it is acknowledged.
struct Delivery {
  BusMessage message;
  int64_t attempts = 1;
};

struct ConsumerOptions {
  std::string stream;
  std::string durable;
  std::string filter;
  int max_in_flight = 256;
  absl::Duration ack_wait = absl::Seconds(30);
  // Told each time the consumer begins: everything up to this stream sequence is acknowledged and
  // will not be delivered again. May be empty.
  std::function<void(uint64_t acknowledged)> on_bound;
};

// A durable consumer with cumulative acknowledgement.
class DurableConsumer : public Subscription {
 public:
  // Acknowledges everything up to and including the stream sequence.
  virtual void AckThrough(uint64_t stream_sequence) = 0;
};

enum class BusState { kDisconnected, kConnected };

class Bus {
 public:
  virtual ~Bus() = default;

  // --- Core: at most once -----------------------------------------------------------------------
  // INVALID_ARGUMENT for a subject that is not publishable (empty token, wildcard, space, CR, LF)
  // or a payload above MaxPayload; UNAVAILABLE when disconnected.
  virtual absl::Status Publish(std::string_view subject, std::string_view payload,
                               std::string_view reply = {}, const Headers& headers = {}) = 0;
  using MessageHandler = std::function<void(const BusMessage&)>;
  // Members of one queue group share the messages. The filter may hold wildcards.
  virtual std::unique_ptr<Subscription> Subscribe(std::string_view filter, MessageHandler handler,
                                                  std::string_view queue_group = {}) = 0;
  // One answer: DEADLINE_EXCEEDED, UNAVAILABLE (disconnected, or nobody listens) or the message.
  using ReplyHandler = std::function<void(absl::StatusOr<BusMessage>)>;
  virtual void Request(std::string_view subject, std::string_view payload, absl::Duration timeout,
                       ReplyHandler handler) = 0;
  // Many answers to one request, until the subscription is destroyed. "Nobody listens" is told as
  // an UNAVAILABLE.
  virtual std::unique_ptr<Subscription> RequestMany(std::string_view subject,
                                                    std::string_view payload,
                                                    ReplyHandler handler) = 0;

  // --- Streams
  // ------------------------------------------------------------------------------------
  using DoneHandler = std::function<void(absl::Status)>;
  // Creates the stream or updates its settings. Retries until it succeeds or is impossible.
  virtual void EnsureStream(const StreamConfig& config, DoneHandler done) = 0;
  // Durable and acknowledged. Many may be in flight; answers come in any order. Errors: ABORTED
  // (the expectation failed: someone else wrote), INVALID_ARGUMENT (subject, size),
  // RESOURCE_EXHAUSTED (the stream is full), DEADLINE_EXCEEDED or UNAVAILABLE (unknown: it may have
  // been stored).
  using AppendHandler = std::function<void(absl::StatusOr<Appended>)>;
  virtual void Append(AppendRequest request, AppendHandler handler) = 0;
  using WatchHandler = std::function<void(const WatchEvent&)>;
  // Survives reconnects, server restarts and re-created streams; waits for the stream to exist.
  virtual std::unique_ptr<Subscription> Watch(const WatchOptions& options,
                                              WatchHandler handler) = 0;
  using DeliveryHandler = std::function<void(const Delivery&)>;
  // Creates or binds the durable consumer; deliveries come in stream order.
  virtual std::unique_ptr<DurableConsumer> Consume(const ConsumerOptions& options,
                                                   DeliveryHandler handler) = 0;
  // The last message of a subject; nullopt when there is none or it is a delete marker.
  using GetHandler = std::function<void(absl::StatusOr<std::optional<BusMessage>>)>;
  virtual void GetLast(std::string_view stream, std::string_view subject, GetHandler handler) = 0;

  // The same, but a delete marker is told as a message: for writers, who need its sequence.
  virtual void GetLastOrMarker(std::string_view stream, std::string_view subject,
                               GetHandler handler) = 0;

  // NOT_FOUND: there is no such stream; UNAVAILABLE: unknown.
  using StreamStateHandler = std::function<void(absl::StatusOr<StreamState>)>;
  virtual void GetStreamState(std::string_view stream, StreamStateHandler handler) = 0;

  // --- State
  // --------------------------------------------------------------------------------------
  using StateHandler = std::function<void(BusState)>;
  // Told now and at each change. One listener per subscription.
  virtual std::unique_ptr<Subscription> OnState(StateHandler handler) = 0;
  // Who this is on the bus, for people; "" where nobody asks.
  [[nodiscard]] virtual std::string User() const { return {}; }
  [[nodiscard]] virtual size_t MaxPayload() const = 0;  // bytes; 1 MiB before the first connection
};

}  // namespace sealane
