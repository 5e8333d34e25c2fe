#include "lib/kubeapi/watch_set.h"

#include <utility>

namespace sealane::kubeapi {

uint64_t WatchSet::Add(std::shared_ptr<Watch> watch) {
  const uint64_t id = next_++;
  const Watch::Options& options = watch->options();
  static_cast<void>(by_user_.Take(options.user));
  places_[options.resource->StorageName()][options.ns][id] = watch;
  watches_[id] = std::move(watch);
  return id;
}

std::shared_ptr<Watch> WatchSet::Find(uint64_t id) const {
  const auto it = watches_.find(id);
  return it == watches_.end() ? nullptr : it->second;
}

void WatchSet::End(uint64_t id) {
  const auto it = watches_.find(id);
  if (it == watches_.end()) return;
  const std::shared_ptr<Watch> watch = std::move(it->second);
  watches_.erase(it);
  const Watch::Options& options = watch->options();
  by_user_.GiveBack(options.user);
  const auto place = places_.find(options.resource->StorageName());
  auto& namespaces = place->second;
  const auto ns = namespaces.find(options.ns);
  ns->second.erase(id);
  if (ns->second.empty()) namespaces.erase(ns);
  if (namespaces.empty()) places_.erase(place);
  watch->End();
}

void WatchSet::EndAll() {
  while (!watches_.empty()) End(watches_.begin()->first);
}

void WatchSet::Deliver(const Change& change) {
  const auto place = places_.find(change.object->key().resource);
  if (place == places_.end()) return;
  EventTexts texts;
  const auto deliver = [&](const std::string& ns) {
    const auto it = place->second.find(ns);
    if (it == place->second.end()) return;
    for (const auto& entry : it->second) entry.second->Deliver(change, texts);
  };
  deliver("");
  if (!change.object->key().ns.empty()) deliver(change.object->key().ns);
}

}  // namespace sealane::kubeapi
