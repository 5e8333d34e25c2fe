// Streams as one connection of a MemoryServer uses them: appends, watches, durable consumers.
#include <algorithm>

#include "lib/bus/memory_connection.h"
#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {

class MemoryBus::WatchHandle final : public Subscription {
 public:
  WatchHandle(MemoryBus& bus, uint64_t id) : bus_(bus), id_(id), alive_(bus.executor_.alive()) {}
  ~WatchHandle() override {
    if (!alive_.expired()) bus_.readers_.erase(id_);
  }

 private:
  MemoryBus& bus_;
  const uint64_t id_;
  std::weak_ptr<const bool> alive_;
};

class MemoryBus::ConsumerHandle final : public DurableConsumer {
 public:
  ConsumerHandle(MemoryBus& bus, uint64_t id) : bus_(bus), id_(id), alive_(bus.executor_.alive()) {}
  ~ConsumerHandle() override {
    if (alive_.expired()) return;
    const auto it = bus_.consumers_.find(id_);
    bus_.executor_.Cancel(it->second.timer);
    bus_.consumers_.erase(it);
  }
  void AckThrough(uint64_t stream_sequence) override {
    if (!alive_.expired()) bus_.Ack(id_, stream_sequence);
  }

 private:
  MemoryBus& bus_;
  const uint64_t id_;
  std::weak_ptr<const bool> alive_;
};

void MemoryBus::EnsureStream(const StreamConfig& config, DoneHandler done) {
  if (!IsHub()) {
    executor_.Post([done = std::move(done)] {
      done(absl::PermissionDeniedError("this account has no streams"));
    });
    return;
  }
  const uint64_t id = next_operation_++;
  ensures_[id] = {config, std::move(done)};
  if (connected_) SendEnsure(id);
}

void MemoryBus::SendEnsure(uint64_t id) {
  ToServer([this, id] {
    const auto it = ensures_.find(id);
    if (it == ensures_.end()) return;
    const StreamConfig config = it->second.first;
    const absl::StatusOr<bool> created = server_.streams_->Ensure(config, server_.env_.clock.Now());
    FromServer([this, id, status = created.status()] {
      const auto found = ensures_.find(id);
      if (found == ensures_.end()) return;
      const DoneHandler done = std::move(found->second.second);
      ensures_.erase(found);
      if (done) done(status);
    });
    if (created.ok() && *created) server_.RestartReaders(config.name);
  });
}

void MemoryBus::Append(AppendRequest request, AppendHandler handler) {
  absl::Status status = CheckMessage(request.subject, request.payload.size(), request.headers);
  if (status.ok()) status = CheckHeader("Nats-Msg-Id", request.message_id);
  if (status.ok() && !connected_) status = Unavailable("not connected to the bus");
  if (!status.ok()) {
    executor_.Post([handler = std::move(handler), status] {
      if (handler) handler(status);
    });
    return;
  }
  request.subject = ToHub(request.subject, true);
  const auto shared = std::make_shared<AppendHandler>(std::move(handler));
  const uint64_t operation = Await([shared](const absl::Status& lost) {
    if (*shared) (*shared)(lost);
  });
  ToServer([this, operation, shared, request = std::move(request)] {
    const absl::StatusOr<Appended> result = server_.Store(request);
    if (Duplicated()) (void)server_.Store(request);
    FromServer([this, operation, shared, result] {
      if (Answered(operation) && *shared) (*shared)(result);
    });
  });
}

void MemoryBus::Get(std::string_view stream, std::string_view subject, bool markers,
                    GetHandler handler) {
  absl::Status status = CheckSubject(subject);
  if (status.ok() && !IsHub()) status = absl::PermissionDeniedError("this account has no streams");
  if (status.ok() && !connected_) status = Unavailable("not connected to the bus");
  if (!status.ok()) {
    executor_.Post([handler = std::move(handler), status] { handler(status); });
    return;
  }
  const auto shared = std::make_shared<GetHandler>(std::move(handler));
  const uint64_t operation = Await([shared](const absl::Status& lost) { (*shared)(lost); });
  ToServer([this, operation, shared, markers, stream = std::string(stream),
            subject = std::string(subject)] {
    absl::StatusOr<std::optional<BusMessage>> result = std::optional<BusMessage>();
    const MemoryStreams::Stream* found = server_.streams_->Find(stream);
    if (found == nullptr) {
      result = Unavailable(StrCat("there is no stream ", stream));
    } else if (const BusMessage* last = found->Last(subject);
               last != nullptr && (markers || !last->IsDeleteMarker())) {
      result = std::optional<BusMessage>(*last);
    }
    FromServer([this, operation, shared, result] {
      if (Answered(operation)) (*shared)(result);
    });
  });
}

void MemoryBus::GetLast(std::string_view stream, std::string_view subject, GetHandler handler) {
  Get(stream, subject, false, std::move(handler));
}

void MemoryBus::GetStreamState(std::string_view stream, StreamStateHandler handler) {
  if (!connected_) {
    executor_.Post(
        [handler = std::move(handler)] { handler(Unavailable("not connected to the bus")); });
    return;
  }
  const auto shared = std::make_shared<StreamStateHandler>(std::move(handler));
  const uint64_t operation = Await([shared](const absl::Status& lost) { (*shared)(lost); });
  ToServer([this, operation, shared, stream = std::string(stream)] {
    absl::StatusOr<StreamState> state = NotFound(StrCat("there is no stream ", stream));
    if (const MemoryStreams::Stream* found = server_.streams_->Find(stream)) {
      state = StreamState{found->created_micros, found->last_sequence};
    }
    FromServer([this, operation, shared, state] {
      if (Answered(operation)) (*shared)(state);
    });
  });
}

void MemoryBus::GetLastOrMarker(std::string_view stream, std::string_view subject,
                                GetHandler handler) {
  Get(stream, subject, true, std::move(handler));
}

// --- Watches
// -------------------------------------------------------------------------------------------

std::unique_ptr<Subscription> MemoryBus::Watch(const WatchOptions& options, WatchHandler handler) {
  const uint64_t id = server_.next_id_++;
  Reader& reader = readers_[id];
  reader.options = options;
  reader.handler = std::make_shared<WatchHandler>(std::move(handler));
  StartReader(id);
  return std::make_unique<WatchHandle>(*this, id);
}

void MemoryBus::SendEvent(uint64_t id, WatchEvent event) {
  FromServer([this, id, event = std::move(event)] {
    const auto it = readers_.find(id);
    if (it == readers_.end()) return;
    const std::shared_ptr<WatchHandler> handler = it->second.handler;
    (*handler)(event);
  });
}

void MemoryBus::StartReader(uint64_t id) {
  if (!IsHub()) return;
  ToServer([this, id] {
    const auto it = readers_.find(id);
    if (it == readers_.end()) return;
    Reader& reader = it->second;
    const MemoryStreams::Stream* stream = server_.streams_->Find(reader.options.stream);
    if (stream == nullptr) return;  // RestartReaders comes when it is made
    const bool log = reader.options.all || reader.options.new_only;
    const bool goes_on = log && reader.told && reader.created_micros == stream->created_micros &&
                         reader.position <= stream->last_sequence;
    reader.started = true;
    reader.created_micros = stream->created_micros;
    const auto mark = [&](WatchEvent::Type type) {
      WatchEvent event{type, {}, stream->last_sequence, stream->created_micros};
      SendEvent(id, std::move(event));
    };
    if (!goes_on) mark(WatchEvent::Type::kReset);
    const uint64_t newest = reader.options.all ? reader.options.newest : 0;
    const uint64_t skipped =
        newest > 0 && stream->last_sequence > newest ? stream->last_sequence - newest : 0;
    const uint64_t after = goes_on ? reader.position : skipped;
    if (goes_on || !reader.options.new_only || reader.told) {
      for (const BusMessage* message : stream->Replay(reader.options.filter, log, after)) {
        SendEvent(id,
                  {message->IsDeleteMarker() ? WatchEvent::Type::kDelete : WatchEvent::Type::kPut,
                   *message});
      }
    }
    if (!goes_on) mark(WatchEvent::Type::kSynced);
    reader.position = stream->last_sequence;
    reader.told = true;
  });
}

void MemoryBus::OnStored(const MemoryStreams::Stream& stream, const BusMessage& message) {
  for (auto& item : readers_) {
    Reader& reader = item.second;
    if (!reader.started || reader.options.stream != stream.config.name ||
        reader.created_micros != stream.created_micros) {
      continue;
    }
    reader.position = message.sequence;
    if (!reader.options.filter.empty() && !SubjectMatches(reader.options.filter, message.subject)) {
      continue;
    }
    SendEvent(
        item.first,
        {message.IsDeleteMarker() ? WatchEvent::Type::kDelete : WatchEvent::Type::kPut, message});
  }
  for (const auto& item : consumers_) {
    if (item.second.started && item.second.options.stream == stream.config.name) {
      PumpConsumer(item.first);
    }
  }
}

void MemoryBus::OnRestartReaders(std::string_view stream) {
  for (auto& item : readers_) {
    if (item.second.options.stream != stream) continue;
    item.second.started = false;
    StartReader(item.first);
  }
  for (auto& item : consumers_) {
    if (item.second.options.stream != stream) continue;
    item.second.started = false;
    StartConsumer(item.first);
  }
}

// --- Durable consumers
// -----------------------------------------------------------------------------------

std::unique_ptr<DurableConsumer> MemoryBus::Consume(const ConsumerOptions& options,
                                                    DeliveryHandler handler) {
  const uint64_t id = server_.next_id_++;
  Consumer& consumer = consumers_[id];
  consumer.options = options;
  consumer.handler = std::make_shared<DeliveryHandler>(std::move(handler));
  StartConsumer(id);
  return std::make_unique<ConsumerHandle>(*this, id);
}

void MemoryBus::StartConsumer(uint64_t id) {
  if (!IsHub()) return;
  ToServer([this, id] {
    const auto it = consumers_.find(id);
    if (it == consumers_.end()) return;
    Consumer& consumer = it->second;
    MemoryStreams::Stream* stream = server_.streams_->Find(consumer.options.stream);
    if (stream == nullptr) return;
    MemoryStreams::Stream::Consumer& durable = stream->consumers[consumer.options.durable];
    durable.owner = id;
    if (consumer.created_micros != stream->created_micros ||
        consumer.acked > stream->last_sequence) {
      consumer.created_micros = stream->created_micros;
      consumer.acked = 0;
      consumer.attempts.clear();
    }
    durable.floor = std::max(durable.floor, consumer.acked);
    consumer.acked = durable.floor;
    consumer.position = durable.floor;
    consumer.sent_at.clear();
    consumer.started = true;
    if (consumer.options.on_bound) {
      executor_.Post(
          [on_bound = consumer.options.on_bound, floor = durable.floor] { on_bound(floor); });
    }
    PumpConsumer(id);
  });
}

void MemoryBus::PumpConsumer(uint64_t id) {
  const auto it = consumers_.find(id);
  if (it == consumers_.end() || !it->second.started) return;
  Consumer& consumer = it->second;
  const MemoryStreams::Stream* stream = server_.streams_->Find(consumer.options.stream);
  if (stream == nullptr || stream->created_micros != consumer.created_micros) return;
  const auto durable = stream->consumers.find(consumer.options.durable);
  if (durable == stream->consumers.end() || durable->second.owner != id) return;
  auto next = stream->messages.upper_bound(consumer.position);
  for (; next != stream->messages.end() &&
         consumer.sent_at.size() < static_cast<size_t>(consumer.options.max_in_flight);
       ++next) {
    consumer.position = next->first;
    const BusMessage& message = next->second;
    if (!consumer.options.filter.empty() &&
        !SubjectMatches(consumer.options.filter, message.subject)) {
      continue;
    }
    consumer.sent_at[message.sequence] = server_.env_.clock.Monotonic();
    const int copies = Duplicated() ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      FromServer([this, id, delivery = Delivery{message, ++consumer.attempts[message.sequence]}] {
        const auto found = consumers_.find(id);
        if (found == consumers_.end()) return;
        if (delivery.message.sequence <= found->second.acked) return;
        const std::shared_ptr<DeliveryHandler> handler = found->second.handler;
        (*handler)(delivery);
      });
    }
  }
  if (consumer.timer == 0 && !consumer.sent_at.empty()) {
    consumer.timer = executor_.After(consumer.options.ack_wait, [this, id] { CheckConsumer(id); });
  }
}

// Nothing was acknowledged for too long: everything after the floor is delivered again, in order.
void MemoryBus::CheckConsumer(uint64_t id) {
  Consumer& consumer = consumers_.at(id);
  consumer.timer = 0;
  if (!consumer.started || consumer.sent_at.empty()) return;
  const absl::Duration due = consumer.sent_at.begin()->second + consumer.options.ack_wait;
  const absl::Duration now = server_.env_.clock.Monotonic();
  if (due > now) {
    consumer.timer = executor_.After(due - now, [this, id] { CheckConsumer(id); });
    return;
  }
  consumer.position = consumer.acked;
  consumer.sent_at.clear();
  PumpConsumer(id);
}

void MemoryBus::Ack(uint64_t id, uint64_t sequence) {
  Consumer& consumer = consumers_.at(id);
  if (sequence <= consumer.acked) return;
  consumer.acked = sequence;
  consumer.attempts.erase(consumer.attempts.begin(), consumer.attempts.upper_bound(sequence));
  consumer.sent_at.erase(consumer.sent_at.begin(), consumer.sent_at.upper_bound(sequence));
  ToServer([this, id, sequence] {
    const auto it = consumers_.find(id);
    if (it == consumers_.end()) return;
    MemoryStreams::Stream* stream = server_.streams_->Find(it->second.options.stream);
    if (stream == nullptr || stream->created_micros != it->second.created_micros) return;
    MemoryStreams::Stream::Consumer& durable = stream->consumers[it->second.options.durable];
    if (durable.owner == id) durable.floor = std::max(durable.floor, sequence);
    PumpConsumer(id);
  });
}

}  // namespace sealane
