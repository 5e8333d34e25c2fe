#include "lib/bus/work_feed.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/bus/subjects.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane {

WorkFeed::WorkFeed(Bus& bus, Env env, WorkFeedOptions options, Handlers handlers)
    : bus_(bus),
      env_(env),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      backoff_({absl::Milliseconds(500), absl::Seconds(30)}),
      executor_(env.executor) {}

WorkFeed::~WorkFeed() = default;

void WorkFeed::Start() {
  live_ = bus_.Subscribe(agent::kLiveWorks, [this](const BusMessage& m) { OnLive(m); });
  state_ = bus_.OnState([this](BusState state) {
    connected_ = state == BusState::kConnected;
    if (!connected_) return;
    // What was published while the link was down was missed.
    const absl::Duration jitter = synced_ ? options_.jitter : absl::ZeroDuration();
    backoff_.Reset();
    Schedule(jitter * env_.random.Fraction());
  });
}

void WorkFeed::Resnapshot() { Schedule(options_.jitter * env_.random.Fraction()); }

void WorkFeed::OnLive(const BusMessage& message) {
  const std::string key(agent::RowKeyOfLiveWork(message.subject));
  if (key.empty()) return;
  if (message.sequence <= last_live_sequence_) {
    // A stream tells its messages in order: this one is of another life of the stream, or a repeat.
    if (message.sequence < last_live_sequence_) Resnapshot();
  }
  last_live_sequence_ = message.sequence;
  if (collecting_) meanwhile_.push_back(message);
  Apply(key, message.sequence, !message.IsDeleteMarker(), message.payload);
}

void WorkFeed::Apply(const std::string& key, uint64_t sequence, bool live, std::string_view value) {
  Known& known = known_[key];
  if (sequence <= known.sequence) {
    if (sequence < known.sequence) ++stats_.stale;
    return;
  }
  const bool was_live = known.live;
  known = {sequence, live};
  if (!live) {
    if (!was_live) return;
    ++stats_.deletes;
    handlers_.on_delete(key);
    return;
  }
  v1::Work work;
  if (!work.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    // As if nothing had been said: what was known stays in force.
    ++stats_.parse_errors;
    known.live = was_live;
    return;
  }
  ++stats_.puts;
  handlers_.on_put(key, std::move(work));
}

// --- Snapshots
// -------------------------------------------------------------------------------------------

void WorkFeed::Schedule(absl::Duration delay) {
  const absl::Duration at = env_.clock.Monotonic() + delay;
  if (ask_timer_ != 0) {
    if (ask_at_ <= at) return;
    executor_.Cancel(ask_timer_);
  }
  ask_at_ = at;
  ask_timer_ = executor_.After(delay, [this] {
    ask_timer_ = 0;
    Ask();
  });
}

void WorkFeed::Ask() {
  if (!connected_) return;  // asked again when it is
  v1::SnapshotRequest request;
  request.set_cluster(options_.cluster);
  request.set_incarnation(options_.incarnation);
  collecting_ = true;
  collected_.clear();
  meanwhile_.clear();
  const uint64_t attempt = ++attempt_;
  request_ = bus_.RequestMany(agent::kSnapshot, request.SerializeAsString(),
                              [this, attempt](const absl::StatusOr<BusMessage>& reply) {
                                // The subscription that calls this may go while it runs.
                                executor_.Post([this, attempt, reply] { OnPart(attempt, reply); });
                              });
  ArmTimeout();
}

void WorkFeed::ArmTimeout() {
  executor_.Cancel(timeout_timer_);
  timeout_timer_ = executor_.After(options_.part_timeout, [this] {
    timeout_timer_ = 0;
    Fail();
  });
}

void WorkFeed::OnPart(uint64_t attempt, const absl::StatusOr<BusMessage>& reply) {
  if (attempt != attempt_ || !collecting_) return;
  v1::SnapshotPart part;
  if (!reply.ok() || !part.ParseFromString(reply->payload) || !part.error().empty()) {
    Fail();
    return;
  }
  ArmTimeout();
  for (v1::SnapshotRow& row : *part.mutable_rows()) {
    // works.<cluster>.<row key>
    collected_.push_back({std::string(SubjectAfter(row.subject(), 2)), row.sequence(),
                          std::move(*row.mutable_value())});
  }
  if (!part.end()) return;
  if (part.row_count() != collected_.size()) {
    Fail();  // a part was lost on the way
    return;
  }
  Finish(part);
}

void WorkFeed::Fail() {
  ++stats_.snapshot_errors;
  collecting_ = false;
  request_.reset();
  collected_ = {};
  meanwhile_ = {};
  executor_.Cancel(timeout_timer_);
  timeout_timer_ = 0;
  Schedule(backoff_.Next(env_.random));
}

void WorkFeed::Finish(const v1::SnapshotPart& end) {
  collecting_ = false;
  request_.reset();
  executor_.Cancel(timeout_timer_);
  timeout_timer_ = 0;
  const std::vector<Collected> rows = std::exchange(collected_, {});
  const std::vector<BusMessage> meanwhile = std::exchange(meanwhile_, {});
  // The stream was made again, or rolled back: what is remembered is ahead of what there is.
  const bool new_life =
      (stream_created_micros_ != 0 && end.stream_created_micros() != stream_created_micros_) ||
      (synced_ && end.last_sequence() < last_live_sequence_ && meanwhile.empty());
  stream_created_micros_ = end.stream_created_micros();
  if (new_life) {
    // Sequences of the other life say nothing here; what is live stays live until it is swept.
    last_live_sequence_ = 0;
    for (auto& item : known_) item.second.sequence = 0;
  }
  std::set<std::string, std::less<>> present;
  for (const Collected& row : rows) {
    present.insert(row.key);
    // A row that its writer has not made durable yet has no sequence.
    Apply(row.key, std::max<uint64_t>(row.sequence, 1), true, row.value);
  }
  if (new_life) {
    for (const BusMessage& message : meanwhile) {
      const std::string key(agent::RowKeyOfLiveWork(message.subject));
      last_live_sequence_ = std::max(last_live_sequence_, message.sequence);
      present.insert(key);
      Apply(key, message.sequence, !message.IsDeleteMarker(), message.payload);
    }
  }
  std::vector<std::string> gone;
  for (auto it = known_.begin(); it != known_.end();) {
    // Known from a live message newer than the snapshot: not its business.
    if (it->second.sequence > end.last_sequence() || present.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->second.live) gone.push_back(it->first);
    it = known_.erase(it);
  }
  for (const std::string& key : gone) {
    ++stats_.deletes;
    handlers_.on_delete(key);
  }
  ++stats_.snapshots;
  backoff_.Reset();
  const bool first = !std::exchange(synced_, true);
  if (handlers_.on_synced) handlers_.on_synced(first);
  // Spread over a tenth, so that agents started together drift apart.
  Schedule(options_.resnapshot_every * (0.95 + 0.1 * env_.random.Fraction()));
}

}  // namespace sealane
