#include "services/agent/desired.h"

#include <utility>

#include "lib/core/hash.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::agent {
namespace {

constexpr size_t kMaxTombstones = 10000;

}  // namespace

DesiredState::DesiredState(std::string_view cluster, Items& items, StateStore& store)
    : cluster_(cluster), items_(items), store_(store) {}

absl::Status DesiredState::Check(const std::string& key, const v1::Work& work) const {
  if (work.cluster() != cluster_) {
    return InvalidArgument(StrCat("cluster: \"", work.cluster(), "\" is not this cluster"));
  }
  if (work.ref().kind().empty() || work.ref().name().empty() || work.ref().api_version().empty()) {
    return InvalidArgument("ref: kind, name and api_version are required");
  }
  if (RowKey(work.ref()) != key) {
    return InvalidArgument(StrCat("ref: does not belong to the subject ", key));
  }
  if (work.fence().version() <= 0) return InvalidArgument("fence.version: must be positive");
  return absl::OkStatus();
}

void DesiredState::Set(Item& item, std::shared_ptr<v1::Work> work) {
  // For people who look at the control plane; the agent has no use for it.
  work->clear_applied_overrides();
  const bool another = item.work == nullptr || item.work->fence().uid() != work->fence().uid() ||
                       item.work->deleting() != work->deleting();
  if (another) {
    item.outcome = Outcome::kNone;
    item.reason.clear();
    item.message.clear();
  }
  if (work->deleting()) item.recreating = false;
  item.manifest_hash = Fnv1a64(work->manifest());
  if (item.manifest_hash == 0) item.manifest_hash = 1;
  item.work = std::move(work);
}

DesiredState::Taken DesiredState::Put(const std::string& key, v1::Work received,
                                      std::string* error) {
  auto work = std::make_shared<v1::Work>(std::move(received));
  const absl::Status status = Check(key, *work);
  if (!status.ok()) {
    if (error != nullptr) *error = ToStd(status.message());
    return Taken::kMalformed;
  }
  const auto known = items_.find(key);
  if (known != items_.end() && known->second.work != nullptr &&
      work->fence().version() <= known->second.work->fence().version()) {
    return Taken::kStale;
  }
  const auto tombstone = tombstones_.find(key);
  if (tombstone != tombstones_.end()) {
    if (work->fence().version() <= tombstone->second) return Taken::kStale;
    tombstones_.erase(tombstone);
  }
  Item& item = items_[key];
  Set(item, std::move(work));
  // A failure is kept by the store and tried again; the agent's health says so meanwhile.
  store_.Put(StrCat("w/", key), item.work->SerializeAsString()).IgnoreError();
  return Taken::kChanged;
}

bool DesiredState::Remove(const std::string& key) {
  const auto it = items_.find(key);
  if (it == items_.end() || it->second.work == nullptr) return false;
  const auto inserted =
      tombstones_.insert_or_assign(key, it->second.work->fence().version()).second;
  if (inserted) tombstone_order_.push_back(key);
  while (tombstone_order_.size() > kMaxTombstones) {
    tombstones_.erase(tombstone_order_.front());
    tombstone_order_.pop_front();
  }
  if (it->second.inventory && it->second.work->preserve_on_deletion()) {
    it->second.inventory->preserve = true;
    store_.Put(StrCat("i/", key), EncodeInventory(*it->second.inventory)).IgnoreError();
  }
  it->second.work.reset();
  it->second.manifest_hash = 0;
  store_.Erase(StrCat("w/", key)).IgnoreError();
  return true;
}

void DesiredState::Abandon(const std::string& key) {
  const auto it = items_.find(key);
  if (it == items_.end()) return;
  items_.erase(it);
  for (const char* kind : {"w/", "i/"}) store_.Erase(StrCat(kind, key)).IgnoreError();
}

absl::Status DesiredState::Restore(const std::string& key, std::string_view payload) {
  auto work = std::make_shared<v1::Work>();
  if (!work->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return InvalidArgument("not a Work message");
  }
  SEALANE_RETURN_IF_ERROR(Check(key, *work));
  Set(items_[key], std::move(work));
  return absl::OkStatus();
}

}  // namespace sealane::agent
