// What a table knows of its keys.
#include <utility>

#include "lib/bus/raw_table.h"

namespace sealane {

RawTable::Entry::Entry(std::string_view key)
    : text(key), key_size(static_cast<uint32_t>(key.size())) {}

RawTable::Entry::~Entry() = default;

RawTable::Entry* RawTable::FindEntry(std::string_view key) const {
  if (last_found_ != nullptr && last_found_->key() == key) return last_found_;
  const auto it = entries_.find(key);
  if (it == entries_.end()) return nullptr;
  return last_found_ = it->get();
}

const RawTable::Entry* RawTable::FindRow(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry != nullptr && entry->present ? entry : nullptr;
}

RawTable::Entry& RawTable::MakeEntry(std::string_view key) {
  if (last_found_ != nullptr && last_found_->key() == key) return *last_found_;
  auto it = entries_.lower_bound(key);
  if (it == entries_.end() || (*it)->key() != key) {
    it = entries_.insert(it, std::make_unique<Entry>(key));
  }
  return *(last_found_ = it->get());
}

void RawTable::EraseEntry(std::string_view key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  last_found_ = nullptr;
  if ((*it)->present) --row_count_;
  entries_.erase(it);
}

void RawTable::SetPresent(Entry& entry, std::string_view bytes) {
  if (!std::exchange(entry.present, true)) ++row_count_;
  if (!keep_bytes_) return;
  std::string text;
  text.reserve(entry.key_size + bytes.size());
  text.append(entry.key()).append(bytes);
  entry.text = std::move(text);
}

void RawTable::SetAbsent(Entry& entry) {
  if (std::exchange(entry.present, false)) --row_count_;
  if (!entry.bytes().empty()) entry.text = std::string(entry.key());
}

}  // namespace sealane
