#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "lib/bus/bus.h"
#include "lib/bus/sole_writer.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"

namespace sealane {

// Counters of one table; read them on the executor thread.
struct TableStats {
  uint64_t parse_errors = 0;  // rows that were not a valid message: treated as absent
  uint64_t resyncs = 0;       // snapshots after the first
  uint64_t writes = 0;        // made durable
  uint64_t coalesced = 0;     // replaced by a later write before they were sent
  uint64_t retries = 0;       // sent again after an unknown result
  uint64_t conflicts = 0;     // another writer got in between
  size_t in_flight = 0;       // keys with writes that are not durable yet
  bool following = true;      // the rows of the stream are sent to us
};

// What is the same for tables of every type: following the stream, the revisions, and the writes
// that are on their way. Values are bytes here; Table<T> (lib/bus/table.h) gives them a type. See
// there for the meaning of the operations.
//
// Rules it keeps:
//  - Every write expects the subject's last known sequence, so that a foreign write is never
//    overwritten unseen, and one write per key is on its way at a time.
//  - A write whose result is unknown (time-out, lost connection) is decided by reading the row,
//  then
//    repeated. The header Sealane-Writer tells this process' own words from another's.
//  - Between kReset and kSynced nothing new is sent; afterwards, rows not seen are gone.
class RawTable {
 public:
  // Where rows are kept. Called on the executor thread, from bus callbacks and from Write.
  class View {
   public:
    virtual ~View() = default;
    // The durable value of a row. Returns what of it a table that keeps bytes is to keep, valid
    // until the next call. Nothing: it does not parse; the row is then to be absent.
    virtual std::optional<std::string_view> Store(std::string_view key, std::string_view bytes,
                                                  uint64_t revision) = 0;
    virtual void Erase(std::string_view key) = 0;
    // The row's value, set by this process, is durable with this revision; `pending`: but a later
    // one of the same key is not.
    virtual void MarkDurable(std::string_view key, uint64_t revision, bool pending) = 0;
  };
  using ChangeHandler = std::function<void(const std::string& key)>;
  using WriteHandler = std::function<void(absl::StatusOr<uint64_t> revision)>;

  // `keep_bytes`: the rows' bytes are kept here, beside their keys, for a view that has no other
  // place for them.
  RawTable(Bus& bus, Env env, std::string_view name, std::string_view filter, View& view,
           bool keep_bytes);
  ~RawTable();
  RawTable(const RawTable&) = delete;
  RawTable& operator=(const RawTable&) = delete;

  void Start(ChangeHandler on_change, std::function<void()> on_synced);
  // This process alone writes the table (it leads), or not any more. A sole writer's rows are not
  // sent back to it: see lib/bus/sole_writer.h. Another's row is then seen half a minute late, or
  // when a write meets it. Only for a table without filter.
  void SetSoleWriter(bool sole) { sole_writer_.Set(sole); }
  [[nodiscard]] bool synced() const { return ever_synced_; }
  [[nodiscard]] uint64_t last_sequence() const { return last_sequence_; }
  [[nodiscard]] int64_t stream_created_micros() const { return stream_created_micros_; }
  [[nodiscard]] size_t in_flight() const { return pending_count_; }
  [[nodiscard]] TableStats stats() const;
  [[nodiscard]] const std::string& name() const { return name_; }

  // OK when a value of `size` bytes may be written under `key`.
  [[nodiscard]] absl::Status CheckWrite(std::string_view key, size_t size) const;
  // Sends the value (or, with `remove`, a delete marker). The caller has already put it into the
  // view. `expected`: of PutIf.
  void Write(std::string_view key, std::string bytes, bool remove, std::optional<uint64_t> expected,
             WriteHandler done);
  // Tells the handler later, as every result is told.
  void Fail(WriteHandler done, absl::Status status);
  // OK when a conditional write may be attempted: nothing of this key is on its way and (once
  // synced) its durable revision is `expected`.
  [[nodiscard]] absl::Status CheckExpected(std::string_view key, uint64_t expected) const;

 private:
  struct Pending;

 public:
  // What is known of a key. There are as many as rows, so they are small; they stay where they are.
  struct Entry {
    uint64_t revision = 0;  // last sequence of the subject, delete markers included
    std::unique_ptr<Pending> pending;
    std::string text;  // the key, and the bytes that are kept of the row
    uint32_t key_size = 0;
    uint32_t epoch = 0;    // snapshot it was last seen in
    bool live = false;     // the subject holds a value
    bool present = false;  // the view holds a row

    explicit Entry(std::string_view key);
    ~Entry();
    [[nodiscard]] std::string_view key() const {
      return std::string_view(text).substr(0, key_size);
    }
    [[nodiscard]] std::string_view bytes() const { return std::string_view(text).substr(key_size); }
  };
  struct ByKey {
    using is_transparent = void;
    static std::string_view KeyOf(std::string_view key) { return key; }
    static std::string_view KeyOf(const std::unique_ptr<Entry>& entry) { return entry->key(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) < KeyOf(b);
    }
  };
  using Entries = absl::btree_set<std::unique_ptr<Entry>, ByKey>;
  // In key order; also those of keys that have no row.
  [[nodiscard]] const Entries& entries() const { return entries_; }
  // nullptr when the key has no row.
  [[nodiscard]] const Entry* FindRow(std::string_view key) const;
  [[nodiscard]] size_t row_count() const { return row_count_; }

 private:
  struct WriteOp {
    std::string bytes;
    bool remove = false;
    std::optional<uint64_t> expected;
    uint64_t number = 0;  // of this process
    std::vector<WriteHandler> done;
  };
  // kReading: waiting to read the row, or for it.
  enum class Phase { kQueued, kInFlight, kReading };
  struct Foreign {  // another writer's row, seen while own writes were on their way
    std::string bytes;
    bool live = false;
    uint64_t revision = 0;
  };
  struct Pending {  // the writes of a key that are not durable yet
    Phase phase = Phase::kQueued;
    WriteOp current;
    std::optional<WriteOp> next;  // replaces `current` when that is done
    std::optional<Foreign> foreign;
    Backoff backoff;
    std::optional<absl::Status> doomed;  // to be aborted with this
    uint64_t attempt = 0;                // answers of earlier attempts are ignored
  };

  [[nodiscard]] Entry* FindEntry(std::string_view key) const;
  Entry& MakeEntry(std::string_view key);
  void EraseEntry(std::string_view key);
  // The view's row of the entry is there, with these bytes, or it is not.
  void SetPresent(Entry& entry, std::string_view bytes);
  void SetAbsent(Entry& entry);
  void Follow(bool follow);
  void Watch();
  void OnEvent(const WatchEvent& event);
  void OnReset(const WatchEvent& event);
  void OnRow(const BusMessage& message, bool live);
  void OnSynced(const WatchEvent& event);
  void ApplyDurable(const std::string& key, Entry& entry, std::string_view bytes, bool live,
                    uint64_t revision);
  void Enqueue(const std::string& key, Entry& entry);
  [[nodiscard]] bool MaySend() const;
  void Pump();
  void Send(const std::string& key, Entry& entry);
  void OnAppended(const std::string& key, uint64_t attempt, const absl::StatusOr<Appended>& result);
  void Reread(const std::string& key, Entry& entry);
  void RereadLater(const std::string& key, Entry& entry);
  void OnReread(const std::string& key, uint64_t attempt,
                const absl::StatusOr<std::optional<BusMessage>>& result);
  void Succeed(const std::string& key, Entry& entry, uint64_t revision);
  // Gives up the key's writes, once it is known what is durable.
  void Doom(const std::string& key, Entry& entry, const absl::Status& status);
  // Drops all writes of the key; the view goes back to what is durable.
  void Abort(const std::string& key, Entry& entry, const absl::Status& status,
             std::optional<Foreign> durable);
  void Changed(const std::string& key);
  [[nodiscard]] std::string WriterOf(uint64_t number) const;
  [[nodiscard]] bool Own(const BusMessage& message) const;
  Entry* PendingEntry(const std::string& key, uint64_t attempt);

  Bus& bus_;
  Env env_;
  const std::string name_;
  const std::string filter_;
  const std::string writer_;  // of this process and table
  View& view_;
  const bool keep_bytes_;
  ChangeHandler on_change_;
  std::function<void()> on_synced_;
  bool ever_synced_ = false;
  bool replaying_ = true;
  bool new_life_ = false;  // the replay is of another life of the stream
  uint32_t epoch_ = 0;
  uint64_t last_sequence_ = 0;
  int64_t stream_created_micros_ = 0;
  uint64_t next_number_ = 1;
  uint64_t next_attempt_ = 1;
  size_t sending_ = 0;
  size_t pending_count_ = 0;
  TableStats stats_;
  Entries entries_;
  mutable Entry* last_found_ = nullptr;  // a key is looked up several times in a row
  size_t row_count_ = 0;
  std::deque<std::string> send_queue_;
  StringSet changed_;  // own writes not yet told
  std::vector<std::string> changed_order_;
  std::unique_ptr<Subscription> watch_;
  bool watch_wanted_ = false;  // once no write is on its way
  SoleWriter sole_writer_;
  ScopedExecutor executor_;
};

}  // namespace sealane
