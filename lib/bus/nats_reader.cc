// NatsReader: when to begin again. The two kinds of readers are in nats_watch.cc and
// nats_consumer.cc.
#include "lib/bus/nats_readers.h"

#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"

namespace sealane {
namespace {

// What passes sooner is no trouble.
constexpr absl::Duration kTrouble = absl::Seconds(5);

}  // namespace

NatsReader::NatsReader(NatsReaderContext context, std::string stream)
    : context_(std::move(context)),
      stream_(std::move(stream)),
      backoff_({absl::Milliseconds(100), absl::Seconds(2)}),
      executor_(context_.env.executor) {
  check_timer_ = executor_.After(context_.check_every, [this] { CheckLife(); });
}

NatsReader::~NatsReader() { CloseInbox(); }

void NatsReader::OnConnection(bool connected) {
  reading_ = false;
  ++run_;
  CloseInbox();
  if (connected) Begin();
}

void NatsReader::Begin() {
  if (!context_.connection.connected()) return;  // OnConnection comes
  ++run_;
  reading_ = false;
  pending_ = 0;
  if (begun_once_) ++context_.resyncs;
  AskLife();
}

void NatsReader::Restart(std::string_view why) {
  context_.on_error(StrCat("reading stream ", stream_, " begins again: ", why));
  CloseInbox();
  if (!consumer_.empty()) {
    // Its messages are not wanted any more.
    context_.requests.JetStream(StrCat("CONSUMER.DELETE.", stream_, ".", consumer_), Json(),
                                [](const JetStreamReply&) {});
    consumer_.clear();
  }
  Begin();
}

void NatsReader::RestartLater(std::string_view why) {
  if (trouble_.empty()) {
    trouble_ = StrCat("reading stream ", stream_, ": ", why);
    trouble_since_ = context_.env.clock.Monotonic();
    if (begun_once_) context_.on_error(trouble_);
  }
  const uint64_t run = ++run_;
  reading_ = false;
  CloseInbox();
  executor_.After(backoff_.Next(context_.env.random), [this, run] {
    if (run == run_) Begin();
  });
}

std::string NatsReader::OpenInbox() {
  CloseInbox();
  const std::string subject =
      StrCat(context_.connection.inbox(), "R", Hex64(context_.env.random.Next()));
  inbox_ = context_.connection.Subscribe(subject, "", /*bounded=*/false, [this](BusMessage& m) {
    Touch();
    OnDelivered(m);
  });
  return subject;
}

void NatsReader::CloseInbox() {
  if (inbox_ != 0) context_.connection.Unsubscribe(inbox_);
  inbox_ = 0;
  executor_.Cancel(heartbeat_timer_);
  heartbeat_timer_ = 0;
}

// --- The stream's life
// -------------------------------------------------------------------------------------

bool NatsReader::ReadLife(const JetStreamReply& reply, Life* life) {
  const absl::StatusOr<StreamState> state = ReadStreamState(reply);
  if (!state.ok()) return false;
  const auto config = reply.body->find("config");
  if (config == reply.body->end()) return false;
  life->created_micros = state->created_micros;
  life->last_sequence = state->last_sequence;
  const Json subjects = config->value("subjects", Json::array());
  life->subject = subjects.size() == 1 ? subjects[0].get<std::string>() : ">";
  return true;
}

void NatsReader::AskLife() {
  context_.requests.JetStream(
      StrCat("STREAM.INFO.", stream_), Json(),
      [this, alive = executor_.alive(), run = run_](const JetStreamReply& reply) {
        if (alive.expired() || run != run_) return;
        Life life;
        if (!ReadLife(reply, &life)) {
          RestartLater("the stream is not there (yet)");
          return;
        }
        begun_once_ = true;
        reading_ = true;
        life_ = life;
        BeginReading(life, run_);
      });
}

void NatsReader::CheckLife() {
  check_timer_ = executor_.After(context_.check_every, [this] { CheckLife(); });
  if (!reading_ || !context_.connection.connected()) return;
  context_.requests.JetStream(
      StrCat("STREAM.INFO.", stream_), Json(),
      [this, alive = executor_.alive(), run = run_](const JetStreamReply& reply) {
        if (alive.expired() || run != run_) return;
        Life life;
        if (reply.err_code == kErrStreamNotFound) {
          Restart("the stream is gone");
        } else if (!ReadLife(reply, &life)) {
          return;  // unknown: the next check tells
        } else if (life.created_micros != life_.created_micros) {
          Restart("the stream was made again");
        } else if (life.last_sequence < Position()) {
          Restart("the stream was rolled back");
        }
      });
}

std::string NatsReader::trouble() const {
  const bool long_enough = context_.env.clock.Monotonic() - trouble_since_ >= kTrouble;
  return long_enough ? trouble_ : std::string();
}

void NatsReader::GuardHeartbeat(absl::Duration heartbeat) {
  backoff_.Reset();
  trouble_.clear();
  heartbeat_ = heartbeat;
  Touch();
  executor_.Cancel(heartbeat_timer_);
  heartbeat_timer_ = executor_.After(heartbeat_ * 3, [this, run = run_] { CheckHeartbeat(run); });
}

void NatsReader::CheckHeartbeat(uint64_t run) {
  heartbeat_timer_ = 0;
  if (run != run_) return;
  const absl::Duration silent = context_.env.clock.Monotonic() - last_heard_;
  if (silent >= heartbeat_ * 3) {
    Restart("heartbeats are missing");
    return;
  }
  heartbeat_timer_ = executor_.After(heartbeat_ * 3 - silent, [this, run] { CheckHeartbeat(run); });
}

}  // namespace sealane
