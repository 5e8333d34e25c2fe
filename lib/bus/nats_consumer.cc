#include <algorithm>
#include <charconv>

#include "lib/bus/nats_readers.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(2);
constexpr absl::Duration kPullExpires = absl::Seconds(30);
constexpr absl::Duration kReplicaCheck = absl::Seconds(5);
constexpr int kStrandedChecks = 3;  // in a row

}  // namespace

NatsConsumer::NatsConsumer(NatsReaderContext context, ConsumerOptions options,
                           Bus::DeliveryHandler handler)
    : NatsReader(std::move(context), options.stream),
      options_(std::move(options)),
      handler_(std::make_shared<Bus::DeliveryHandler>(std::move(handler))) {}

NatsConsumer::~NatsConsumer() = default;

void NatsConsumer::BeginReading(const Life& life, uint64_t run) {
  life_now_ = life;
  if (created_micros_ != life.created_micros || acked_ > life.last_sequence) {
    created_micros_ = life.created_micros;
    acked_ = 0;
    attempts_.clear();
    durable_.clear();
  }
  // The durable stays for its acknowledgements; it is not deleted by Restart.
  consumer_.clear();
  generations_.clear();
  unacked_.clear();
  floor_ = acked_;
  consumer_sequence_ = 0;
  ListNames(run, 0);
}

void NatsConsumer::ListNames(uint64_t run, int offset) {
  context_.requests.JetStream(
      StrCat("CONSUMER.NAMES.", stream_), {{"offset", offset}},
      [this, alive = executor_.alive(), run, offset](const JetStreamReply& reply) {
        if (alive.expired() || run != run_) return;
        if (!reply.status.ok()) {
          RestartLater("no list of consumers");
          return;
        }
        const Json names = reply.body->value("consumers", Json::array());
        const std::string prefix = StrCat(options_.durable, "-g");
        if (names.is_array()) {
          for (const Json& item : names) {
            const std::string name = item.get<std::string>();
            if (!name.starts_with(prefix)) continue;
            uint64_t generation = 0;
            const char* end = name.data() + name.size();
            const auto parsed = std::from_chars(name.data() + prefix.size(), end, generation);
            if (parsed.ec == std::errc() && parsed.ptr == end) generations_[generation] = name;
          }
          const int next = offset + static_cast<int>(names.size());
          if (!names.empty() && next < reply.body->value("total", 0)) {
            ListNames(run, next);
            return;
          }
        }
        ReadFloors(run);
      });
}

void NatsConsumer::ReadFloors(uint64_t run) {
  if (generations_.empty()) {
    Create(run);
    return;
  }
  const auto left = std::make_shared<size_t>(generations_.size());
  for (const auto& item : generations_) {
    // What we acknowledged to our own we know; it may have lost its majority while the stream has
    // one.
    if (item.second == durable_) {
      if (--*left == 0) return Create(run);
      continue;
    }
    context_.requests.JetStream(
        StrCat("CONSUMER.INFO.", stream_, ".", item.second), Json(),
        [this, alive = executor_.alive(), run, left](const JetStreamReply& reply) {
          if (alive.expired() || run != run_) return;
          if (!reply.status.ok() && reply.err_code != kErrConsumerNotFound) {
            RestartLater("a consumer's state is unknown");
            return;
          }
          if (reply.status.ok()) {
            const Json floor = reply.body->value("ack_floor", Json::object());
            const Json config = reply.body->value("config", Json::object());
            const uint64_t start = config.value("opt_start_seq", uint64_t{0});
            floor_ = std::max(
                {floor_, floor.value("stream_seq", uint64_t{0}), start == 0 ? 0 : start - 1});
          }
          if (--*left == 0) Create(run);
        });
  }
}

void NatsConsumer::Create(uint64_t run) {
  floor_ = std::min(floor_, life_now_.last_sequence);
  acked_ = std::max(acked_, floor_);
  attempts_.erase(attempts_.begin(), attempts_.upper_bound(acked_));
  const uint64_t generation = generations_.empty() ? 1 : generations_.rbegin()->first + 1;
  const std::string name = StrCat(options_.durable, "-g", generation);
  Json config = {{"durable_name", name},
                 {"ack_policy", "all"},
                 {"ack_wait", absl::ToInt64Nanoseconds(absl::Hours(24))},
                 {"max_ack_pending", options_.max_in_flight},
                 {"deliver_policy", "by_start_sequence"},
                 {"opt_start_seq", floor_ + 1},
                 {"replay_policy", "instant"},
                 {"max_deliver", -1}};
  if (!options_.filter.empty()) config["filter_subject"] = options_.filter;
  context_.requests.JetStream(
      StrCat("CONSUMER.DURABLE.CREATE.", stream_, ".", name),
      {{"stream_name", stream_}, {"config", config}},
      [this, alive = executor_.alive(), run, name](const JetStreamReply& reply) {
        if (alive.expired() || run != run_) return;
        if (!reply.status.ok()) {
          RestartLater(ToStd(reply.status.message()));
          return;
        }
        for (const auto& item : generations_) {
          context_.requests.JetStream(StrCat("CONSUMER.DELETE.", stream_, ".", item.second), Json(),
                                      [](const JetStreamReply&) {});
        }
        generations_.clear();
        durable_ = name;
        position_ = floor_;
        inbox_subject_ = OpenInbox();
        GuardHeartbeat(kHeartbeat);
        Pull();
        CheckAcks(run);
        stranded_checks_ = 0;
        CheckReplicas(run);
        if (options_.on_bound) options_.on_bound(floor_);
      });
}

void NatsConsumer::Pull() {
  const Json request = {{"batch", options_.max_in_flight},
                        {"expires", absl::ToInt64Nanoseconds(kPullExpires)},
                        {"idle_heartbeat", absl::ToInt64Nanoseconds(kHeartbeat)}};
  pulled_ = options_.max_in_flight;
  (void)context_.connection.Publish(StrCat("$JS.API.CONSUMER.MSG.NEXT.", stream_, ".", durable_),
                                    inbox_subject_, request.dump(), {});
}

void NatsConsumer::OnDelivered(BusMessage& message) {
  DeliveryInfo info;
  if (!ParseDeliveryInfo(message.reply, &info)) {
    const std::string_view status = message.Header("Status");
    if (status == "100") return;
    if (status == "404" || status == "408") {
      Pull();
    } else {
      RestartLater("the consumer ended");
    }
    return;
  }
  if (info.consumer_sequence != consumer_sequence_ + 1) {
    Restart("a message is missing");
    return;
  }
  consumer_sequence_ = info.consumer_sequence;
  pending_ = info.pending;
  position_ = info.stream_sequence;
  if (--pulled_ == 0) Pull();
  unacked_.push_back({info.stream_sequence, message.reply, context_.env.clock.Monotonic()});
  if (info.stream_sequence <= acked_) {  // acknowledged before the server knew of it
    const uint64_t acked = acked_;
    acked_ = 0;
    AckThrough(acked);
    return;
  }
  Delivery delivery;
  delivery.attempts = ++attempts_[info.stream_sequence];
  delivery.message = std::move(message);
  delivery.message.reply.clear();
  delivery.message.sequence = info.stream_sequence;
  delivery.message.stored_micros = info.stored_micros;
  StripProtocolHeaders(delivery.message.headers);
  const std::shared_ptr<Bus::DeliveryHandler> handler = handler_;
  (*handler)(delivery);
}

void NatsConsumer::AckThrough(uint64_t stream_sequence) {
  if (stream_sequence <= acked_) return;
  acked_ = stream_sequence;
  attempts_.erase(attempts_.begin(), attempts_.upper_bound(stream_sequence));
  std::string reply;
  while (!unacked_.empty() && unacked_.front().sequence <= stream_sequence) {
    reply = std::move(unacked_.front().reply);
    unacked_.pop_front();
  }
  // A lost acknowledgement is made up for by the next beginning, which starts behind `acked_`.
  if (!reply.empty()) (void)context_.connection.Publish(reply, "", "+ACK", {});
}

void NatsConsumer::CheckAcks(uint64_t run) {
  if (run != run_) return;
  absl::Duration wait = options_.ack_wait;
  if (!unacked_.empty()) {
    const absl::Duration age = context_.env.clock.Monotonic() - unacked_.front().at;
    if (age >= options_.ack_wait) {
      Restart("a message was not acknowledged in time");
      return;
    }
    wait -= age;
  }
  executor_.After(wait, [this, run] { CheckAcks(run); });
}

// A server that comes back may leave its part of a consumer unopened (seen with 2.9.10, for a
// consumer that was made while it was away): the others would be without a majority as soon as one
// of them went. A new consumer has three parts again.
void NatsConsumer::CheckReplicas(uint64_t run) {
  if (run != run_) return;
  context_.requests.JetStream(StrCat("CONSUMER.INFO.", stream_, ".", durable_), Json(),
                              [this, alive = executor_.alive(), run](const JetStreamReply& reply) {
                                if (alive.expired() || run != run_) return;
                                const bool stranded =
                                    reply.status.ok() && HasStrandedReplica(*reply.body);
                                stranded_checks_ = stranded ? stranded_checks_ + 1 : 0;
                                if (stranded_checks_ >= kStrandedChecks) {
                                  Restart("a server does not hold its part of the consumer");
                                  return;
                                }
                                executor_.After(kReplicaCheck, [this, run] { CheckReplicas(run); });
                              });
}

bool HasStrandedReplica(const Json& info) {
  const Json cluster = info.value("cluster", Json::object());
  if (!cluster.is_object()) return false;
  const Json replicas = cluster.value("replicas", Json::array());
  if (!replicas.is_array()) return false;
  return std::any_of(replicas.begin(), replicas.end(), [](const Json& replica) {
    if (!replica.is_object() || replica.value("offline", false)) return false;
    const int64_t silent_ns = replica.value("active", int64_t{0});  // 0: never heard of
    return !replica.value("current", true) && replica.value("lag", uint64_t{0}) > 0 &&
           (silent_ns == 0 || silent_ns > absl::ToInt64Nanoseconds(kReplicaCheck));
  });
}

}  // namespace sealane
