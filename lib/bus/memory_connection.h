#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/bus/memory_bus.h"
#include "lib/bus/memory_streams.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// One connection to a MemoryServer. Made by MemoryServer::Connect; nobody else needs this header.
class MemoryBus final : public Bus {
 public:
  MemoryBus(MemoryServer& server, BusIdentity identity, std::string_view name);
  ~MemoryBus() override;

  absl::Status Publish(std::string_view subject, std::string_view payload, std::string_view reply,
                       const Headers& headers) override;
  std::unique_ptr<Subscription> Subscribe(std::string_view filter, MessageHandler handler,
                                          std::string_view queue_group) override;
  void Request(std::string_view subject, std::string_view payload, absl::Duration timeout,
               ReplyHandler handler) override;
  std::unique_ptr<Subscription> RequestMany(std::string_view subject, std::string_view payload,
                                            ReplyHandler handler) override;
  void EnsureStream(const StreamConfig& config, DoneHandler done) override;
  void Append(AppendRequest request, AppendHandler handler) override;
  std::unique_ptr<Subscription> Watch(const WatchOptions& options, WatchHandler handler) override;
  std::unique_ptr<DurableConsumer> Consume(const ConsumerOptions& options,
                                           DeliveryHandler handler) override;
  void GetLast(std::string_view stream, std::string_view subject, GetHandler handler) override;
  void GetStreamState(std::string_view stream, StreamStateHandler handler) override;
  void GetLastOrMarker(std::string_view stream, std::string_view subject,
                       GetHandler handler) override;
  std::unique_ptr<Subscription> OnState(StateHandler handler) override;
  [[nodiscard]] size_t MaxPayload() const override { return server_.MaxPayload(); }

 private:
  friend class MemoryServer;
  class Handle;
  class WatchHandle;
  class ConsumerHandle;

  struct Core {
    std::string hub_filter;
    std::string queue_group;
    std::shared_ptr<MessageHandler> handler;
  };
  struct Reader {  // of a stream: a watch
    WatchOptions options;
    std::shared_ptr<WatchHandler> handler;
    bool started = false;
    bool told = false;      // a first snapshot was sent
    uint64_t position = 0;  // last sequence sent
    int64_t created_micros = 0;
  };
  struct Consumer {
    ConsumerOptions options;
    std::shared_ptr<DeliveryHandler> handler;
    bool started = false;
    uint64_t position = 0;  // last sequence sent
    uint64_t acked = 0;
    int64_t created_micros = 0;
    std::map<uint64_t, int64_t> attempts;        // not acknowledged yet
    std::map<uint64_t, absl::Duration> sent_at;  // of those sent since the last restart
    TimerId timer = 0;
  };
  using Operation = std::function<void(const absl::Status&)>;

  // Runs `fn` on the server's side (back: on the client's) after the link's delay, unless the
  // connection drops meanwhile.
  void ToServer(std::function<void()> fn);
  void FromServer(std::function<void()> fn);
  void Transfer(absl::Duration& last_due, size_t& waiting, bool now_if_free,
                std::function<void()> fn);
  [[nodiscard]] bool IsHub() const { return identity_.kind == BusIdentity::Kind::kHub; }
  [[nodiscard]] bool Duplicated();

  // An answer is awaited: `fail` is called when the connection drops.
  uint64_t Await(Operation fail);
  bool Answered(uint64_t operation) { return operations_.erase(operation) > 0; }

  uint64_t AddCore(std::string hub_filter, std::string_view queue_group, MessageHandler handler);
  void SendRequest(std::string_view subject, std::string_view payload, const std::string& inbox,
                   std::function<void()> no_responders);
  void Get(std::string_view stream, std::string_view subject, bool markers, GetHandler handler);
  void UpdateConnected();
  void OnConnected();
  void OnDisconnected();
  void TellState();
  void SendEnsure(uint64_t id);
  [[nodiscard]] absl::Status CheckMessage(std::string_view subject, size_t size,
                                          const Headers& headers) const;
  void StartReader(uint64_t id);
  void StartConsumer(uint64_t id);
  void PumpConsumer(uint64_t id);
  void CheckConsumer(uint64_t id);
  void Ack(uint64_t id, uint64_t sequence);
  void SendEvent(uint64_t id, WatchEvent event);
  void OnStored(const MemoryStreams::Stream& stream, const BusMessage& message);
  void OnRestartReaders(std::string_view stream);
  void Deliver(uint64_t id, const BusMessage& message);

  [[nodiscard]] std::string ToHub(std::string_view subject, bool outgoing) const;
  [[nodiscard]] std::string ToLocal(std::string_view hub_subject) const;

  struct Mapping {
    std::string local;  // ends in '.': a prefix
    std::string hub;
    bool outgoing;
  };

  MemoryServer& server_;
  const BusIdentity identity_;
  const std::string name_;
  std::vector<Mapping> mappings_;
  uint64_t id_ = 0;
  bool connected_ = false;
  bool connecting_ = false;
  uint64_t session_ = 0;
  absl::Duration due_to_server_;
  absl::Duration due_from_server_;
  size_t waiting_to_server_ = 0;
  size_t waiting_from_server_ = 0;
  uint64_t next_operation_ = 1;
  std::map<uint64_t, Operation> operations_;
  std::map<uint64_t, std::pair<StreamConfig, DoneHandler>> ensures_;  // not answered yet
  std::map<uint64_t, Core> core_;
  std::map<uint64_t, Reader> readers_;
  std::map<uint64_t, Consumer> consumers_;
  std::map<uint64_t, StateHandler> states_;
  ScopedExecutor executor_;
};

}  // namespace sealane
