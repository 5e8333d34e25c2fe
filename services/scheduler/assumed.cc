#include "services/scheduler/assumed.h"

namespace sealane::scheduler {

void AssumedCapacity::Promise(const std::string& binding, const std::string& cluster,
                              const ResourceList& request, int64_t replicas, absl::Duration now) {
  if (replicas == 0) return;
  if (replicas < 0) {
    const auto own = promises_.find(binding);
    if (own == promises_.end()) return;
    const auto entry = own->second.find(cluster);
    if (entry == own->second.end()) return;
    if (entry->second.replicas + replicas <= 0) return Withdraw(binding, cluster);
    AddLoad(loads_[cluster], entry->second.request, replicas);
    entry->second.replicas += replicas;
    return;
  }
  auto [it, added] = promises_[binding].try_emplace(cluster);
  Entry& entry = it->second;
  if (added) {
    ++count_;
  } else {
    Take(cluster, entry);
  }
  entry.request = request;
  entry.replicas += replicas;
  entry.ends = now + lifetime_;
  AddLoad(loads_[cluster], entry.request, entry.replicas);
}

void AssumedCapacity::Take(const std::string& cluster, const Entry& entry) {
  const auto load = loads_.find(cluster);
  if (load == loads_.end()) return;
  AddLoad(load->second, entry.request, -entry.replicas);
  if (load->second.pods <= 0) loads_.erase(load);
}

void AssumedCapacity::Withdraw(const std::string& binding, const std::string& cluster) {
  const auto own = promises_.find(binding);
  if (own == promises_.end()) return;
  const auto it = own->second.find(cluster);
  if (it == own->second.end()) return;
  Take(cluster, it->second);
  own->second.erase(it);
  --count_;
  if (own->second.empty()) promises_.erase(own);
}

void AssumedCapacity::WithdrawAll(const std::string& binding) {
  const auto own = promises_.find(binding);
  if (own == promises_.end()) return;
  for (const auto& entry : own->second) Take(entry.first, entry.second);
  count_ -= own->second.size();
  promises_.erase(own);
}

bool AssumedCapacity::Expire(absl::Duration now) {
  bool any = false;
  for (auto own = promises_.begin(); own != promises_.end();) {
    for (auto it = own->second.begin(); it != own->second.end();) {
      if (it->second.ends > now) {
        ++it;
        continue;
      }
      Take(it->first, it->second);
      it = own->second.erase(it);
      --count_;
      any = true;
    }
    own = own->second.empty() ? promises_.erase(own) : std::next(own);
  }
  return any;
}

}  // namespace sealane::scheduler
