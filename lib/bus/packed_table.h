#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/bus/table.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"

namespace sealane {

// A row as a packed table keeps it.
template <typename T>
struct PackedRow {
  std::string_view bytes;  // serialized
  uint64_t revision = 0;
  bool pending = false;

  [[nodiscard]] T Parse() const {
    T value;
    value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    return value;
  }
};

// A table that keeps its rows as they are sent, and parses those that are asked for: for tables
// with many rows, few of which are looked at at a time. A parsed row takes several times the bytes
// of the wire, and as much time to make as to parse it. Otherwise as Table.
template <typename T>
class PackedTable final : public TableBase<T> {
 public:
  PackedTable(Bus& bus, Env env, std::string_view name, std::string_view filter = {})
      : TableBase<T>(bus, env, name, filter, /*keep_bytes=*/true), executor_(env.executor) {}

  // nullptr when there is no such row. The pointer is valid until control returns to the executor.
  [[nodiscard]] const Row<T>* Find(std::string_view key) const {
    if (const auto known = parsed_.find(key); known != parsed_.end()) return known->second.get();
    const RawTable::Entry* entry = raw_.FindRow(key);
    if (entry == nullptr) return nullptr;
    const PackedRow<T> packed = RowOf(*entry);
    return &Remember(key, Row<T>{packed.Parse(), packed.revision, packed.pending});
  }

  // A copy for who goes through many rows: what Find finds stays parsed until the end of the turn.
  [[nodiscard]] std::optional<T> Read(std::string_view key) const {
    const RawTable::Entry* entry = raw_.FindRow(key);
    if (entry == nullptr) return std::nullopt;
    return RowOf(*entry).Parse();
  }

  // All rows in key order; iterators are valid until a row appears or goes.
  class Rows;
  [[nodiscard]] Rows rows() const { return Rows(raw_.entries()); }
  [[nodiscard]] size_t size() const { return raw_.row_count(); }
  // How many rows are kept parsed just now.
  [[nodiscard]] size_t parsed() const { return parsed_.size(); }

 private:
  using TableBase<T>::raw_;

  // So many parsed rows stay from one turn of the executor to the next.
  static constexpr size_t kMaxParsed = 64;

  static PackedRow<T> RowOf(const RawTable::Entry& entry) {
    return {entry.bytes(), entry.live ? entry.revision : 0, entry.pending != nullptr};
  }

  // Rows that were found stay where they are for the rest of the turn.
  const Row<T>& Remember(std::string_view key, Row<T> row) const {
    std::unique_ptr<Row<T>>& known = parsed_[key];
    if (known == nullptr) {
      known = std::make_unique<Row<T>>(std::move(row));
    } else {
      *known = std::move(row);
    }
    if (parsed_.size() > kMaxParsed && !std::exchange(clearing_, true)) {
      executor_.Post([this] {
        clearing_ = false;
        parsed_.clear();
      });
    }
    return *known;
  }

  void SetOwn(std::string_view key, T value) override {
    const RawTable::Entry* entry = raw_.FindRow(key);
    const uint64_t revision = entry == nullptr ? 0 : RowOf(*entry).revision;
    Remember(key, Row<T>{std::move(value), revision, /*pending=*/true});
  }
  std::optional<std::string_view> Store(std::string_view key, std::string_view bytes,
                                        uint64_t revision) override {
    T value;
    if (!value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    if (this->trim_) {
      this->trim_(value);
      value.SerializeToString(&trimmed_);
      bytes = trimmed_;
    }
    Remember(key, Row<T>{std::move(value), revision, /*pending=*/false});
    return bytes;
  }
  void Erase(std::string_view key) override { parsed_.erase(key); }
  void MarkDurable(std::string_view key, uint64_t revision, bool pending) override {
    const auto known = parsed_.find(key);
    if (known == parsed_.end()) return;
    known->second->revision = revision;
    known->second->pending = pending;
  }

  mutable StringMap<std::unique_ptr<Row<T>>> parsed_;
  mutable bool clearing_ = false;
  std::string trimmed_;
  mutable ScopedExecutor executor_;
};

template <typename T>
class PackedTable<T>::Rows {
 public:
  // Of pairs of key and PackedRow<T>, which point into the table.
  class Iterator {
   public:
    using value_type = std::pair<std::string_view, PackedRow<T>>;
    using difference_type = std::ptrdiff_t;

    Iterator(const RawTable::Entries& entries, RawTable::Entries::const_iterator at)
        : entries_(&entries), at_(at) {
      SkipAbsent();
    }
    value_type operator*() const { return {(*at_)->key(), RowOf(**at_)}; }
    // What `->` needs to point at a pair that is made when it is asked for.
    struct Arrow {
      value_type value;
      const value_type* operator->() const { return &value; }
    };
    Arrow operator->() const { return {**this}; }
    Iterator& operator++() {
      ++at_;
      SkipAbsent();
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void SkipAbsent() {
      while (at_ != entries_->end() && !(*at_)->present) ++at_;
    }
    const RawTable::Entries* entries_;
    RawTable::Entries::const_iterator at_;
  };

  explicit Rows(const RawTable::Entries& entries) : entries_(&entries) {}
  [[nodiscard]] Iterator begin() const { return {*entries_, entries_->begin()}; }
  [[nodiscard]] Iterator end() const { return {*entries_, entries_->end()}; }
  [[nodiscard]] Iterator lower_bound(std::string_view key) const {
    return {*entries_, entries_->lower_bound(key)};
  }
  [[nodiscard]] Iterator upper_bound(std::string_view key) const {
    return {*entries_, entries_->upper_bound(key)};
  }
  [[nodiscard]] bool contains(std::string_view key) const {
    const auto it = entries_->find(key);
    return it != entries_->end() && (*it)->present;
  }

 private:
  const RawTable::Entries* entries_;
};

}  // namespace sealane
