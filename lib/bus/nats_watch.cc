#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/bus/nats_readers.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr absl::Duration kIdleHeartbeat = absl::Seconds(1);

uint64_t NumberOr0(std::string_view text) {
  uint64_t value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

NatsWatch::NatsWatch(NatsReaderContext context, WatchOptions options, Bus::WatchHandler handler)
    : NatsReader(std::move(context), options.stream),
      options_(std::move(options)),
      handler_(std::make_shared<Bus::WatchHandler>(std::move(handler))) {}

NatsWatch::~NatsWatch() {
  if (consumer_.empty()) return;
  context_.requests.JetStream(StrCat("CONSUMER.DELETE.", stream_, ".", consumer_), Json(),
                              [](const JetStreamReply&) {});
}

void NatsWatch::BeginReading(const Life& life, uint64_t run) {
  const bool log = options_.all || options_.new_only;
  // A log goes on behind what was told; a table is told anew, because removals may have been
  // missed.
  const bool goes_on = log && told_ && told_created_micros_ == life.created_micros &&
                       position_ <= life.last_sequence;
  created_ = false;
  early_.clear();
  consumer_sequence_ = 0;
  consumer_.clear();
  Json config = {{"deliver_subject", OpenInbox()},
                 {"ack_policy", "none"},
                 {"replay_policy", "instant"},
                 {"max_deliver", 1},
                 {"flow_control", true},
                 {"idle_heartbeat", absl::ToInt64Nanoseconds(kIdleHeartbeat)},
                 {"inactive_threshold", absl::ToInt64Nanoseconds(absl::Seconds(10))},
                 {"mem_storage", true},
                 {"num_replicas", 1},
                 {"filter_subject", options_.filter.empty() ? life.subject : options_.filter}};
  const uint64_t after = goes_on ? position_ : life.last_sequence;
  if (goes_on || (options_.new_only && !told_)) {
    config["deliver_policy"] = "by_start_sequence";
    config["opt_start_seq"] = after + 1;
  } else if (options_.all && options_.newest > 0 && life.last_sequence > options_.newest) {
    config["deliver_policy"] = "by_start_sequence";
    config["opt_start_seq"] = life.last_sequence - options_.newest + 1;
  } else {
    config["deliver_policy"] = log ? "all" : "last_per_subject";
  }
  context_.requests.JetStream(
      StrCat("CONSUMER.CREATE.", stream_), {{"stream_name", stream_}, {"config", config}},
      [this, alive = executor_.alive(), run, life, goes_on](const JetStreamReply& reply) {
        if (!alive.expired() && run == run_) OnCreated(reply, life, goes_on);
      });
}

void NatsWatch::OnCreated(const JetStreamReply& reply, const Life& life, bool goes_on) {
  if (!reply.status.ok()) {
    RestartLater(ToStd(reply.status.message()));
    return;
  }
  consumer_ = reply.body->value("name", "");
  created_ = true;
  GuardHeartbeat(kIdleHeartbeat);
  const std::weak_ptr<const bool> alive = executor_.alive();
  const uint64_t run = run_;
  if (!goes_on) {
    told_created_micros_ = life.created_micros;
    position_ = 0;
    replaying_ = true;
    replay_to_ = life.last_sequence;
    const bool fresh = options_.new_only && !told_;
    if (fresh) position_ = life.last_sequence;
    told_ = true;
    Mark(WatchEvent::Type::kReset, life.last_sequence);
    if (alive.expired() || run != run_) return;
    const bool nothing =
        early_.empty() && reply.body->value("num_pending", uint64_t{0}) == 0 &&
        reply.body->value("delivered", Json::object()).value("consumer_seq", uint64_t{0}) == 0;
    if (fresh || life.last_sequence == 0 || nothing) {
      replaying_ = false;
      Mark(WatchEvent::Type::kSynced, life.last_sequence);
      if (alive.expired()) return;
    }
  }
  std::deque<BusMessage> early = std::exchange(early_, {});
  for (BusMessage& message : early) {
    if (run != run_) return;
    Handle(message);
    if (alive.expired()) return;
  }
}

void NatsWatch::OnDelivered(BusMessage& message) {
  if (created_) {
    Handle(message);
  } else {
    early_.push_back(std::move(message));
  }
}

void NatsWatch::Handle(BusMessage& message) {
  DeliveryInfo info;
  if (!ParseDeliveryInfo(message.reply, &info)) {
    OnControl(message);
    return;
  }
  if (info.consumer_sequence != consumer_sequence_ + 1) {
    Restart("a message is missing");
    return;
  }
  consumer_sequence_ = info.consumer_sequence;
  pending_ = info.pending;
  position_ = std::max(position_, info.stream_sequence);
  WatchEvent event{
      message.IsDeleteMarker() ? WatchEvent::Type::kDelete : WatchEvent::Type::kPut, {}, 0, 0};
  event.message = std::move(message);
  event.message.reply.clear();
  event.message.sequence = info.stream_sequence;
  event.message.stored_micros = info.stored_micros;
  StripProtocolHeaders(event.message.headers);
  const std::weak_ptr<const bool> alive = executor_.alive();
  const uint64_t run = run_;
  Emit(event);
  if (alive.expired() || run != run_ || !replaying_) return;
  if (info.pending == 0 || info.stream_sequence >= replay_to_) {
    replaying_ = false;
    Mark(WatchEvent::Type::kSynced, std::max(replay_to_, position_));
  }
}

void NatsWatch::OnControl(const BusMessage& message) {
  if (message.Header("Status") != "100") {
    RestartLater("the consumer ended");
    return;
  }
  if (!message.reply.empty()) {  // flow control: everything before this was handled
    (void)context_.connection.Publish(message.reply, "", "", {});
    return;
  }
  const std::string_view stalled = message.Header("Nats-Consumer-Stalled");
  if (!stalled.empty()) {
    (void)context_.connection.Publish(std::string(stalled), "", "", {});
    return;
  }
  if (NumberOr0(message.Header("Nats-Last-Consumer")) > consumer_sequence_) {
    Restart("messages are missing");
  } else if (replaying_) {  // idle: there is nothing more
    replaying_ = false;
    Mark(WatchEvent::Type::kSynced, std::max(replay_to_, position_));
  }
}

void NatsWatch::Mark(WatchEvent::Type type, uint64_t last_sequence) {
  Emit({type, {}, last_sequence, told_created_micros_});
}

void NatsWatch::Emit(const WatchEvent& event) {
  const std::shared_ptr<Bus::WatchHandler> handler = handler_;
  (*handler)(event);
}

}  // namespace sealane
