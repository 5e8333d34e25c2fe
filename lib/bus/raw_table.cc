#include "lib/bus/raw_table.h"

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/hash.h"
#include "lib/core/status.h"

namespace sealane {
namespace {

constexpr std::string_view kWriterHeader = "Sealane-Writer";
constexpr size_t kMaxSending = 2048;
// What subject, headers and protocol add to a value.
constexpr size_t kOverhead = 4096;
const BackoffOptions kWriteBackoff{absl::Milliseconds(100), absl::Seconds(10)};

absl::Status Conflict(std::string_view table, std::string_view key) {
  return absl::AbortedError(
      ToAbsl(StrCat("another writer changed row ", key, " of table ", table)));
}

void Tell(std::vector<RawTable::WriteHandler> handlers, const absl::StatusOr<uint64_t>& result) {
  for (auto& handler : handlers) {
    if (handler) handler(result);
  }
}

void MoveHandlers(std::vector<RawTable::WriteHandler>& from,
                  std::vector<RawTable::WriteHandler>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

RawTable::RawTable(Bus& bus, Env env, std::string_view name, std::string_view filter, View& view,
                   bool keep_bytes)
    : bus_(bus),
      env_(env),
      name_(name),
      filter_(filter),
      writer_(Hex64(env.random.Next())),
      view_(view),
      keep_bytes_(keep_bytes),
      sole_writer_(bus, env, name_,
                   {[this]() -> std::optional<StreamState> {
                      if (!ever_synced_ || replaying_ || pending_count_ > 0) return std::nullopt;
                      return StreamState{stream_created_micros_, last_sequence_};
                    },
                    [this](bool follow) { Follow(follow); }}),
      executor_(env.executor) {}

RawTable::~RawTable() = default;

void RawTable::Start(ChangeHandler on_change, std::function<void()> on_synced) {
  on_change_ = std::move(on_change);
  on_synced_ = std::move(on_synced);
  Watch();
}

// --- Following the stream
// --------------------------------------------------------------------------

void RawTable::Follow(bool follow) {
  if (!follow) {
    watch_.reset();
    return;
  }
  // What is acknowledged while the snapshot begins could be missing in it: nothing is sent until it
  // was told.
  replaying_ = true;
  watch_wanted_ = true;
  if (sending_ == 0) Watch();
}

void RawTable::Watch() {
  watch_wanted_ = false;
  WatchOptions options;
  options.stream = name_;
  options.filter = StrCat(name_, ".", filter_.empty() ? ">" : filter_);
  watch_ = bus_.Watch(options, [this](const WatchEvent& event) { OnEvent(event); });
}

TableStats RawTable::stats() const {
  TableStats stats = stats_;
  stats.in_flight = pending_count_;
  stats.following = watch_ != nullptr || watch_wanted_;
  return stats;
}

std::string RawTable::WriterOf(uint64_t number) const { return StrCat(writer_, ":", number); }

bool RawTable::Own(const BusMessage& message) const {
  const std::string_view writer = message.Header(kWriterHeader);
  return writer.size() > writer_.size() && writer.starts_with(writer_) &&
         writer[writer_.size()] == ':';
}

void RawTable::OnEvent(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kReset:
      OnReset(event);
      break;
    case WatchEvent::Type::kPut:
      OnRow(event.message, true);
      break;
    case WatchEvent::Type::kDelete:
      OnRow(event.message, false);
      break;
    case WatchEvent::Type::kSynced:
      OnSynced(event);
      break;
  }
}

void RawTable::OnReset(const WatchEvent& event) {
  if (ever_synced_ && !replaying_) ++stats_.resyncs;
  // Sequences of another life, or of a stream that was rolled back, say nothing about these.
  new_life_ =
      event.stream_created_micros != stream_created_micros_ || event.last_sequence < last_sequence_;
  ++epoch_;
  replaying_ = true;
}

void RawTable::OnRow(const BusMessage& message, bool live) {
  const std::string_view key_view = SubjectAfter(message.subject, 1);
  if (key_view.empty()) return;
  const std::string key(key_view);
  if (!replaying_) last_sequence_ = std::max(last_sequence_, message.sequence);
  Entry& entry = MakeEntry(key);
  // Seen in this snapshot already (or acknowledged since it began): only newer news counts. Outside
  // of a replay every entry is of the current epoch.
  if (entry.epoch == epoch_ && message.sequence <= entry.revision) return;
  const uint64_t known = entry.revision;
  entry.epoch = epoch_;
  // A snapshot told it again.
  if (known == message.sequence && !new_life_) return;

  if (entry.pending == nullptr) {
    ApplyDurable(key, entry, message.payload, live, message.sequence);
    Changed(key);
    return;
  }
  entry.revision = message.sequence;
  entry.live = live;
  Pending& pending = *entry.pending;
  if (Own(message)) {
    // The echo of a write whose answer is on its way, or was lost: the attempt decides. The view
    // holds this value, or a newer one of ours.
    pending.foreign.reset();
    return;
  }
  pending.foreign = Foreign{message.payload, live, message.sequence};
  const bool got_in_between = ever_synced_ && !new_life_ && message.sequence > known;
  if (got_in_between && pending.phase == Phase::kQueued) {
    ++stats_.conflicts;
    std::optional<Foreign> durable = std::move(pending.foreign);
    Abort(key, entry, Conflict(name_, key), std::move(durable));
  }
}

void RawTable::OnSynced(const WatchEvent& event) {
  last_sequence_ = event.last_sequence;
  stream_created_micros_ = event.stream_created_micros;
  replaying_ = false;
  new_life_ = false;
  std::vector<std::string> unseen;
  for (const auto& entry : entries_) {
    if (entry->epoch != epoch_) unseen.emplace_back(entry->key());
  }
  for (const std::string& key : unseen) {
    Entry& entry = MakeEntry(key);
    entry.epoch = epoch_;
    entry.revision = 0;
    const bool was_live = std::exchange(entry.live, false);
    if (entry.pending != nullptr) {
      entry.pending->foreign.reset();
      continue;
    }
    EraseEntry(key);
    view_.Erase(key);
    if (was_live) Changed(key);
  }
  const bool first = !std::exchange(ever_synced_, true);
  if (first && on_synced_) on_synced_();
  Pump();
}

void RawTable::ApplyDurable(const std::string& key, Entry& entry, std::string_view bytes, bool live,
                            uint64_t revision) {
  entry.revision = revision;
  entry.epoch = epoch_;
  entry.live = live;
  if (live) {
    if (const auto kept = view_.Store(key, bytes, revision)) return SetPresent(entry, *kept);
    ++stats_.parse_errors;
  }
  SetAbsent(entry);
  view_.Erase(key);
}

// --- Writing
// -----------------------------------------------------------------------------------------

absl::Status RawTable::CheckWrite(std::string_view key, size_t size) const {
  SEALANE_RETURN_IF_ERROR(
      Annotate(CheckSubject(StrCat(name_, ".", key)), StrCat("key of table ", name_)));
  const size_t limit = bus_.MaxPayload() - std::min(bus_.MaxPayload(), kOverhead);
  if (size > limit) {
    return InvalidArgument(StrCat("row ", key, " of table ", name_, " has ", size,
                                  " bytes; the bus carries at most ", limit));
  }
  return absl::OkStatus();
}

absl::Status RawTable::CheckExpected(std::string_view key, uint64_t expected) const {
  const Entry* entry = FindEntry(key);
  if (entry != nullptr && entry->pending != nullptr) return Conflict(name_, key);
  if (!ever_synced_) return absl::OkStatus();  // decided when the row is known
  const uint64_t revision = entry != nullptr && entry->live ? entry->revision : 0;
  return revision == expected ? absl::OkStatus() : Conflict(name_, key);
}

void RawTable::Fail(WriteHandler done, absl::Status status) {
  if (!done) return;
  executor_.Post([done = std::move(done), status = std::move(status)] { done(status); });
}

void RawTable::Write(std::string_view key_view, std::string bytes, bool remove,
                     std::optional<uint64_t> expected, WriteHandler done) {
  const std::string key(key_view);
  if (changed_.insert(key).second) {
    changed_order_.push_back(key);
    if (changed_order_.size() == 1) {
      executor_.Post([this] {
        const std::vector<std::string> keys = std::exchange(changed_order_, {});
        changed_.clear();
        for (const std::string& changed : keys) Changed(changed);
      });
    }
  }
  Entry& entry = MakeEntry(key);
  if (remove) {
    SetAbsent(entry);
  } else {
    SetPresent(entry, bytes);
  }
  if (entry.pending == nullptr && remove && ever_synced_ && !entry.live) {
    const uint64_t revision = entry.revision;
    if (revision == 0) EraseEntry(key);
    if (done) executor_.Post([done = std::move(done), revision] { done(revision); });
    return;
  }
  const auto fill = [&](WriteOp& op) {
    op.bytes = std::move(bytes);
    op.remove = remove;
    op.expected = expected;
    op.number = next_number_++;
    if (done) op.done.push_back(std::move(done));
  };
  if (entry.pending == nullptr) {
    ++pending_count_;
    entry.pending = std::make_unique<Pending>();
    entry.pending->backoff = Backoff(kWriteBackoff);
    // New entries belong to the current epoch only once they are seen or durable; the sweep leaves
    // pending ones alone.
    fill(entry.pending->current);
    Enqueue(key, entry);
    return;
  }
  Pending& pending = *entry.pending;
  if (pending.phase == Phase::kQueued) {
    ++stats_.coalesced;
    fill(pending.current);
  } else {
    if (pending.next) ++stats_.coalesced;
    if (!pending.next) pending.next = WriteOp{};
    fill(*pending.next);
  }
}

void RawTable::Enqueue(const std::string& key, Entry& entry) {
  entry.pending->phase = Phase::kQueued;
  entry.pending->attempt = next_attempt_++;
  if (MaySend() && send_queue_.empty()) return Send(key, entry);
  send_queue_.push_back(key);
  Pump();
}

bool RawTable::MaySend() const { return ever_synced_ && !replaying_ && sending_ < kMaxSending; }

void RawTable::Pump() {
  while (MaySend() && !send_queue_.empty()) {
    const std::string key = std::move(send_queue_.front());
    send_queue_.pop_front();
    Entry* entry = FindEntry(key);
    if (entry == nullptr || entry->pending == nullptr || entry->pending->phase != Phase::kQueued) {
      continue;  // aborted meanwhile
    }
    Send(key, *entry);
  }
}

void RawTable::Send(const std::string& key, Entry& entry) {
  Pending& pending = *entry.pending;
  const WriteOp& op = pending.current;
  if (op.expected && *op.expected != (entry.live ? entry.revision : 0)) {
    ++stats_.conflicts;
    pending.phase = Phase::kReading;
    executor_.Post([this, key, attempt = pending.attempt] {
      if (Entry* e = PendingEntry(key, attempt)) Doom(key, *e, Conflict(name_, key));
    });
    return;
  }
  if (op.remove && !entry.live) {  // it turned out that there is nothing to remove
    pending.phase = Phase::kReading;
    executor_.Post([this, key, attempt = pending.attempt] {
      if (Entry* e = PendingEntry(key, attempt)) Succeed(key, *e, e->revision);
    });
    return;
  }
  pending.phase = Phase::kInFlight;
  pending.foreign.reset();
  ++sending_;
  AppendRequest request;
  request.subject = StrCat(name_, ".", key);
  request.payload = op.bytes;
  request.headers.emplace_back(kWriterHeader, WriterOf(op.number));
  request.expected_last_sequence = entry.revision;
  request.remove = op.remove;
  request.unordered = true;  // a key has one write on its way at a time
  bus_.Append(std::move(request), [this, alive = executor_.alive(), key,
                                   attempt = pending.attempt](absl::StatusOr<Appended> result) {
    if (alive.expired()) return;
    --sending_;
    if (!result.ok() && !absl::IsInvalidArgument(result.status())) sole_writer_.Doubt();
    OnAppended(key, attempt, result);
    if (alive.expired()) return;
    if (watch_wanted_ && sending_ == 0) Watch();
    Pump();
  });
}

RawTable::Entry* RawTable::PendingEntry(const std::string& key, uint64_t attempt) {
  Entry* entry = FindEntry(key);
  return entry != nullptr && entry->pending != nullptr && entry->pending->attempt == attempt
             ? entry
             : nullptr;
}

void RawTable::OnAppended(const std::string& key, uint64_t attempt,
                          const absl::StatusOr<Appended>& result) {
  Entry* entry = PendingEntry(key, attempt);
  if (entry == nullptr) return;
  if (result.ok()) {
    Succeed(key, *entry, result->sequence);
  } else if (absl::IsInvalidArgument(result.status())) {
    Doom(key, *entry, result.status());
  } else if (absl::IsAborted(result.status()) && entry->pending->foreign) {
    ++stats_.conflicts;
    Doom(key, *entry, Conflict(name_, key));
  } else {
    // Unknown, or the known revision is wrong: what the row says decides.
    ++stats_.retries;
    RereadLater(key, *entry);
  }
}

void RawTable::RereadLater(const std::string& key, Entry& entry) {
  Pending& pending = *entry.pending;
  pending.phase = Phase::kReading;
  pending.attempt = next_attempt_++;
  executor_.After(pending.backoff.Next(env_.random), [this, key, attempt = pending.attempt] {
    if (Entry* e = PendingEntry(key, attempt)) Reread(key, *e);
  });
}

void RawTable::Reread(const std::string& key, Entry& entry) {
  Pending& pending = *entry.pending;
  pending.phase = Phase::kReading;
  pending.attempt = next_attempt_++;
  bus_.GetLastOrMarker(name_, StrCat(name_, ".", key),
                       [this, alive = executor_.alive(), key, attempt = pending.attempt](
                           absl::StatusOr<std::optional<BusMessage>> result) {
                         if (!alive.expired()) OnReread(key, attempt, result);
                       });
}

void RawTable::OnReread(const std::string& key, uint64_t attempt,
                        const absl::StatusOr<std::optional<BusMessage>>& result) {
  Entry* entry = PendingEntry(key, attempt);
  if (entry == nullptr) return;
  Pending& pending = *entry->pending;
  if (!result.ok()) {
    RereadLater(key, *entry);
    return;
  }
  Foreign found;
  bool own = false;
  if (result->has_value()) {
    const BusMessage& message = **result;
    found = Foreign{message.payload, !message.IsDeleteMarker(), message.sequence};
    own = Own(message);
    if (own && !pending.doomed &&
        message.Header(kWriterHeader) == WriterOf(pending.current.number)) {
      Succeed(key, *entry, message.sequence);
      return;
    }
  }
  if (pending.doomed) {
    Abort(key, *entry, *pending.doomed, std::move(found));
    return;
  }
  if (!own && (pending.foreign || found.revision > entry->revision)) {
    ++stats_.conflicts;
    Abort(key, *entry, Conflict(name_, key), std::move(found));
    return;
  }
  // Nothing was stored since (or an earlier write of ours, or the stream was rolled back): again,
  // on top of what is there; a later value replaces this one.
  entry->revision = found.revision;
  entry->live = found.live;
  if (pending.next) {
    ++stats_.coalesced;
    MoveHandlers(pending.next->done, pending.current.done);
    pending.next->done = std::move(pending.current.done);
    pending.current = std::move(*pending.next);
    pending.next.reset();
  }
  Enqueue(key, *entry);
}

void RawTable::Succeed(const std::string& key, Entry& entry, uint64_t revision) {
  Pending& pending = *entry.pending;
  ++stats_.writes;
  if (!replaying_) last_sequence_ = std::max(last_sequence_, revision);
  std::vector<WriteHandler> done = std::move(pending.current.done);
  if (pending.foreign && pending.foreign->revision > revision) {
    // Stored, and overwritten by someone else since.
    ++stats_.conflicts;
    pending.current.done.clear();
    std::optional<Foreign> durable = std::move(pending.foreign);
    Tell(std::move(done), revision);
    if (Entry* again = PendingEntry(key, pending.attempt)) {
      Abort(key, *again, Conflict(name_, key), std::move(durable));
    }
    return;
  }
  entry.revision = revision;
  entry.epoch = epoch_;
  entry.live = !pending.current.remove;
  const bool more = pending.next.has_value();
  view_.MarkDurable(key, revision, more);
  if (more) {
    pending.current = std::move(*pending.next);
    pending.next.reset();
    pending.foreign.reset();
    pending.backoff.Reset();
    Enqueue(key, entry);
  } else {
    entry.pending.reset();
    --pending_count_;
  }
  Tell(std::move(done), revision);
}

void RawTable::Doom(const std::string& key, Entry& entry, const absl::Status& status) {
  if (entry.pending->foreign) {
    std::optional<Foreign> durable = std::move(entry.pending->foreign);
    Abort(key, entry, status, std::move(durable));
    return;
  }
  entry.pending->doomed = status;
  Reread(key, entry);
}

void RawTable::Abort(const std::string& key_ref, Entry& entry, const absl::Status& status,
                     std::optional<Foreign> durable) {
  const std::string key = key_ref;
  const absl::Status why = status;
  std::vector<WriteHandler> done = std::move(entry.pending->current.done);
  if (entry.pending->next) MoveHandlers(entry.pending->next->done, done);
  entry.pending.reset();
  --pending_count_;
  ApplyDurable(key, entry, durable->bytes, durable->live, durable->revision);
  Changed(key);
  Tell(std::move(done), why);
}

void RawTable::Changed(const std::string& key) {
  if (on_change_) on_change_(key);
}

}  // namespace sealane
