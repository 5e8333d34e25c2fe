#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/bus/bus.h"
#include "lib/bus/raw_table.h"

namespace sealane {

// A row of a table: its value and the revision (stream sequence) that wrote it. A value that this
// process has written but that is not durable yet has `pending` set; its revision is the last
// durable one.
template <typename T>
struct Row {
  T value;
  uint64_t revision = 0;
  bool pending = false;
};

// What typed tables have in common: a view of a table over JetStream, last message per subject, key
// = subject after "<table>.". T is a protobuf message.
//
// Readers and the table's one writer use the same class. The writer's own writes are visible in the
// view at once and are sent pipelined; a failed send is repeated until it is durable or superseded
// by a later write of the same key. Writes made before the first replay was seen wait for it. Rows
// that do not parse are counted and treated as absent.
//
// Thread rule: the executor thread only. Callbacks never run inside a call.
template <typename T>
class TableBase : protected RawTable::View {
 public:
  using ChangeHandler = RawTable::ChangeHandler;

  TableBase(const TableBase&) = delete;
  TableBase& operator=(const TableBase&) = delete;

  // A reader that needs only a part of each row drops the rest here, before the row is kept. Not
  // for the table's writer. Before Start.
  void TrimRows(std::function<void(T&)> trim) { trim_ = std::move(trim); }

  // Starts to follow the table. `on_change` is told each key whose row appeared, changed or went
  // (also the writer's own writes, once); `on_synced` once, when the first full replay was seen.
  void Start(ChangeHandler on_change, std::function<void()> on_synced) {
    raw_.Start(std::move(on_change), std::move(on_synced));
  }

  // As RawTable::SetSoleWriter.
  void SetSoleWriter(bool sole) { raw_.SetSoleWriter(sole); }

  [[nodiscard]] bool synced() const { return raw_.synced(); }
  // Of the newest change seen, and of the stream itself: what a snapshot of this view is worth.
  [[nodiscard]] uint64_t last_sequence() const { return raw_.last_sequence(); }
  [[nodiscard]] int64_t stream_created_micros() const { return raw_.stream_created_micros(); }
  [[nodiscard]] const std::string& name() const { return raw_.name(); }

  // Called when the write is durable (OK), or will never be: ABORTED when another writer got in
  // between (the view then follows the other's value), INVALID_ARGUMENT when the value cannot be
  // sent.
  using WriteHandler = RawTable::WriteHandler;
  // Writes the row. A later Put or Remove of the same key replaces one that is not sent yet; then
  // both handlers are told the later one's result.
  void Put(std::string_view key, T value, WriteHandler done = {}) {
    DoPut(key, std::move(value), std::nullopt, std::move(done));
  }
  // As Put, but only if the durable revision is still `expected` (0: no row); ABORTED also when a
  // write of this key is still on its way.
  void PutIf(std::string_view key, T value, uint64_t expected, WriteHandler done = {}) {
    if (const absl::Status status = raw_.CheckExpected(key, expected); !status.ok()) {
      raw_.Fail(std::move(done), status);
      return;
    }
    DoPut(key, std::move(value), expected, std::move(done));
  }
  // Removes the row; OK at once when there is none.
  void Remove(std::string_view key, WriteHandler done = {}) {
    if (const absl::Status status = raw_.CheckWrite(key, 0); !status.ok()) {
      raw_.Fail(std::move(done), status);
      return;
    }
    this->Erase(key);
    raw_.Write(key, "", true, std::nullopt, std::move(done));
  }
  // Keys with writes not yet durable.
  [[nodiscard]] size_t in_flight() const { return raw_.in_flight(); }
  [[nodiscard]] TableStats stats() const { return raw_.stats(); }

 protected:
  // `name` is the stream's name and the first token of its subjects. `filter` ("cluster-a.>")
  // limits the view. The bus and env must outlive the table.
  TableBase(Bus& bus, Env env, std::string_view name, std::string_view filter, bool keep_bytes)
      : raw_(bus, env, name, filter, *this, keep_bytes) {}
  ~TableBase() override = default;

  // This process has written the row; it is not durable yet.
  virtual void SetOwn(std::string_view key, T value) = 0;

  std::function<void(T&)> trim_;
  RawTable raw_;

 private:
  void DoPut(std::string_view key, T value, std::optional<uint64_t> expected, WriteHandler done) {
    std::string bytes;
    if (!value.SerializeToString(&bytes)) {
      raw_.Fail(std::move(done), absl::InvalidArgumentError("the row cannot be serialized"));
      return;
    }
    if (const absl::Status status = raw_.CheckWrite(key, bytes.size()); !status.ok()) {
      raw_.Fail(std::move(done), status);
      return;
    }
    SetOwn(key, std::move(value));
    raw_.Write(key, std::move(bytes), false, expected, std::move(done));
  }
};

// A table that keeps its rows parsed. For many rows see also lib/bus/packed_table.h.
template <typename T>
class Table final : public TableBase<T> {
 public:
  Table(Bus& bus, Env env, std::string_view name, std::string_view filter = {})
      : TableBase<T>(bus, env, name, filter, /*keep_bytes=*/false) {}

  // nullptr when there is no such row. The pointer is valid until control returns to the executor.
  [[nodiscard]] const Row<T>* Find(std::string_view key) const {
    const auto it = rows_.find(key);
    return it == rows_.end() ? nullptr : &it->second;
  }
  // All rows in key order.
  [[nodiscard]] const std::map<std::string, Row<T>, std::less<>>& rows() const { return rows_; }
  [[nodiscard]] size_t size() const { return rows_.size(); }

 private:
  void SetOwn(std::string_view key, T value) override {
    Row<T>& row = rows_.try_emplace(std::string(key)).first->second;
    row.value = std::move(value);
    row.pending = true;
  }
  std::optional<std::string_view> Store(std::string_view key, std::string_view bytes,
                                        uint64_t revision) override {
    T value;
    if (!value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    if (this->trim_) this->trim_(value);
    Row<T>& row = rows_[std::string(key)];
    row.value = std::move(value);
    row.revision = revision;
    row.pending = false;
    return bytes;
  }
  void Erase(std::string_view key) override {
    const auto it = rows_.find(key);
    if (it != rows_.end()) rows_.erase(it);
  }
  void MarkDurable(std::string_view key, uint64_t revision, bool pending) override {
    const auto it = rows_.find(key);
    if (it == rows_.end()) return;
    it->second.revision = revision;
    it->second.pending = pending;
  }

  std::map<std::string, Row<T>, std::less<>> rows_;
};

}  // namespace sealane
