#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib/bus/raw_table.h"

namespace sealane::status {

// A view of a table that keeps of each row only what its owner makes of it (lib/bus/table.h keeps
// whole messages). Thread rule: the executor thread only.
class Projection : private RawTable::View {
 public:
  struct Handlers {
    // The durable value of a row; false when it is not usable: the row is then treated as absent.
    std::function<bool(const std::string& key, std::string_view bytes, uint64_t revision)> store;
    std::function<void(const std::string& key)> erase;
    // After a row's own write became durable. May be empty.
    std::function<void(const std::string& key, uint64_t revision)> durable = {};
  };

  Projection(Bus& bus, Env env, std::string_view name, Handlers handlers)
      : handlers_(std::move(handlers)), table_(bus, env, name, {}, *this, /*keep_bytes=*/false) {}

  void Start(RawTable::ChangeHandler on_change, std::function<void()> on_synced) {
    table_.Start(std::move(on_change), std::move(on_synced));
  }
  [[nodiscard]] RawTable& table() { return table_; }
  [[nodiscard]] const RawTable& table() const { return table_; }

 private:
  std::optional<std::string_view> Store(std::string_view key, std::string_view bytes,
                                        uint64_t revision) override {
    if (!handlers_.store(std::string(key), bytes, revision)) return std::nullopt;
    return std::string_view();
  }
  void Erase(std::string_view key) override { handlers_.erase(std::string(key)); }
  void MarkDurable(std::string_view key, uint64_t revision, bool /*pending*/) override {
    if (handlers_.durable) handlers_.durable(std::string(key), revision);
  }

  Handlers handlers_;
  RawTable table_;
};

}  // namespace sealane::status
