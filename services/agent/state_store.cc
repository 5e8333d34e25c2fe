#include "services/agent/state_store.h"

#include <optional>
#include <utility>

namespace sealane::agent {
namespace {

class MemoryStore final : public StateStore {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  absl::Status Load(const std::function<void(std::string_view, std::string_view)>& each) override {
    for (const auto& entry : disk_->values) each(entry.first, entry.second);
    return absl::OkStatus();
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    if (!disk_->failure.ok()) {
      unwritten_.insert_or_assign(std::string(key), std::string(value));
      return disk_->failure;
    }
    ++disk_->unsynced;
    unwritten_.erase(std::string(key));
    disk_->values.insert_or_assign(std::string(key), std::string(value));
    return absl::OkStatus();
  }
  absl::Status Erase(std::string_view key) override {
    if (!disk_->failure.ok()) {
      unwritten_.insert_or_assign(std::string(key), std::nullopt);
      return disk_->failure;
    }
    ++disk_->unsynced;
    unwritten_.erase(std::string(key));
    const auto it = disk_->values.find(key);
    if (it != disk_->values.end()) disk_->values.erase(it);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return disk_->failure.ok() ? Flush() : disk_->failure; }
  absl::Status Flush() override {
    if (!disk_->failure.ok()) return unwritten_.empty() ? absl::OkStatus() : disk_->failure;
    for (auto& entry : std::exchange(unwritten_, {})) {
      if (entry.second) {
        disk_->values.insert_or_assign(entry.first, std::move(*entry.second));
      } else {
        disk_->values.erase(entry.first);
      }
    }
    if (std::exchange(disk_->unsynced, 0) > 0) ++disk_->syncs;
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  std::map<std::string, std::optional<std::string>> unwritten_;  // nullopt: erased
};

}  // namespace

std::unique_ptr<StateStore> OpenMemoryStore(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryStore>(std::move(disk));
}

}  // namespace sealane::agent
