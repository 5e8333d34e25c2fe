#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "lib/bus/bus.h"
#include "lib/bus/nats_connection.h"
#include "lib/bus/nats_requests.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// What watches and consumers share: a connection, its requests, and a counter of new beginnings.
struct NatsReaderContext {
  Env env;
  NatsConnection& connection;
  NatsRequests& requests;
  absl::Duration check_every;
  uint64_t& resyncs;
  std::function<void(std::string_view)> on_error;
};

// A reader of one stream that begins again whenever it cannot be sure to have seen everything: the
// connection came back, a message or a heartbeat is missing, or the stream's life (creation time,
// last sequence) is not the remembered one. Thread rule: the executor thread only.
class NatsReader {
 public:
  NatsReader(NatsReaderContext context, std::string stream);
  virtual ~NatsReader();
  NatsReader(const NatsReader&) = delete;
  NatsReader& operator=(const NatsReader&) = delete;

  // The connection came (back) or was lost; core messages may have been lost.
  void OnConnection(bool connected);
  void Begin();
  // Why nothing can be read, for some seconds by now; "" when all is well.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] const std::string& stream() const { return stream_; }
  // Messages that the server still had for this reader when it sent the last one.
  [[nodiscard]] uint64_t pending() const { return pending_; }

 protected:
  struct Life {
    int64_t created_micros = 0;
    uint64_t last_sequence = 0;
    std::string subject;  // what the stream keeps
  };
  // The stream exists: make the consumer. Later steps must check `run == run_`.
  virtual void BeginReading(const Life& life, uint64_t run) = 0;
  // A message of the delivery subject.
  virtual void OnDelivered(BusMessage& message) = 0;
  // Last stream sequence that this reader has seen.
  [[nodiscard]] virtual uint64_t Position() const = 0;

  void Restart(std::string_view why);
  void RestartLater(std::string_view why);
  // Subscribes to a delivery subject of this run.
  [[nodiscard]] std::string OpenInbox();
  void CloseInbox();
  // Something came: the server is alive.
  void Touch() { last_heard_ = context_.env.clock.Monotonic(); }
  // Reading works. From now on, silence for three heartbeats begins anew.
  void GuardHeartbeat(absl::Duration heartbeat);

  NatsReaderContext context_;
  const std::string stream_;
  uint64_t run_ = 0;  // answers of earlier runs are ignored
  uint64_t pending_ = 0;
  std::string consumer_;  // name of the server's half, when there is one

 private:
  static bool ReadLife(const JetStreamReply& reply, Life* life);
  void AskLife();
  void CheckLife();
  void CheckHeartbeat(uint64_t run);

  bool begun_once_ = false;
  std::string trouble_;  // "" while it reads
  absl::Duration trouble_since_;
  bool reading_ = false;
  Life life_;
  uint64_t inbox_ = 0;
  absl::Duration last_heard_;
  absl::Duration heartbeat_;
  TimerId heartbeat_timer_ = 0;
  TimerId check_timer_ = 0;
  Backoff backoff_;

 protected:
  ScopedExecutor executor_;
};

// Bus::Watch: an ephemeral push consumer without acknowledgements, with flow control and
// heartbeats.
class NatsWatch final : public NatsReader {
 public:
  NatsWatch(NatsReaderContext context, WatchOptions options, Bus::WatchHandler handler);
  ~NatsWatch() override;

 private:
  void BeginReading(const Life& life, uint64_t run) override;
  void OnDelivered(BusMessage& message) override;
  [[nodiscard]] uint64_t Position() const override { return position_; }
  void OnCreated(const JetStreamReply& reply, const Life& life, bool goes_on);
  void Handle(BusMessage& message);
  void OnControl(const BusMessage& message);
  void Mark(WatchEvent::Type type, uint64_t last_sequence);
  void Emit(const WatchEvent& event);

  const WatchOptions options_;
  std::shared_ptr<Bus::WatchHandler> handler_;
  bool told_ = false;  // a snapshot was told
  bool replaying_ = false;
  bool created_ = false;          // the consumer's creation was confirmed
  std::deque<BusMessage> early_;  // delivered before the confirmation
  uint64_t consumer_sequence_ = 0;
  uint64_t position_ = 0;
  uint64_t replay_to_ = 0;  // the stream's last sequence when the replay began
  int64_t told_created_micros_ = 0;
};

// Bus::Consume. Every process (and every new beginning) makes its own durable pull consumer
// "<durable>-g<n>", which starts behind what its predecessors had acknowledged, and removes those
// afterwards: so deliveries are in order and at once also after a crash, and the acknowledged
// prefix is never lost in between. Acknowledgements are cumulative.
class NatsConsumer final : public NatsReader {
 public:
  NatsConsumer(NatsReaderContext context, ConsumerOptions options, Bus::DeliveryHandler handler);
  ~NatsConsumer() override;
  void AckThrough(uint64_t stream_sequence);

 private:
  struct Delivered {
    uint64_t sequence;
    std::string reply;
    absl::Duration at;
  };
  void BeginReading(const Life& life, uint64_t run) override;
  void OnDelivered(BusMessage& message) override;
  [[nodiscard]] uint64_t Position() const override { return position_; }
  void ListNames(uint64_t run, int offset);
  void ReadFloors(uint64_t run);
  void Create(uint64_t run);
  void Pull();
  void CheckAcks(uint64_t run);
  void CheckReplicas(uint64_t run);

  const ConsumerOptions options_;
  std::shared_ptr<Bus::DeliveryHandler> handler_;
  std::string durable_;        // this process' consumer
  std::string inbox_subject_;  // where its deliveries go
  Life life_now_;
  int64_t created_micros_ = 0;
  std::map<uint64_t, std::string> generations_;  // of earlier consumers, found on the server
  uint64_t floor_ = 0;
  uint64_t acked_ = 0;
  uint64_t position_ = 0;
  uint64_t consumer_sequence_ = 0;
  int pulled_ = 0;  // messages asked for and not yet delivered
  std::deque<Delivered> unacked_;
  std::map<uint64_t, int64_t> attempts_;  // of what is not acknowledged
  int stranded_checks_ = 0;               // in a row that found a stranded replica
};

// Whether a server that is up does not take part in the consumer whose CONSUMER.INFO this is: it is
// behind, and its leader never heard of it, or not for seconds.
[[nodiscard]] bool HasStrandedReplica(const Json& info);

}  // namespace sealane
