#include "services/policy/manifest_cache.h"

#include <utility>

#include "lib/core/json.h"

namespace sealane::policy {

std::shared_ptr<const Json> ManifestCache::Get(std::string_view key,
                                               const v1::StoredObject& object) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const auto entry = found->second;
    if (entry->generation == object.generation() && entry->hash == object.manifest_hash() &&
        entry->uid == object.uid()) {
      entries_.splice(entries_.begin(), entries_, entry);
      return entry->manifest;
    }
  }
  auto manifest = std::make_shared<const Json>(
      Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false));
  if (manifest->is_discarded()) return nullptr;
  Put(key, object, manifest);
  return manifest;
}

void ManifestCache::Put(std::string_view key, const v1::StoredObject& object,
                        std::shared_ptr<const Json> manifest) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) Drop(found->second);
  entries_.push_front({std::string(key), object.uid(), object.generation(), object.manifest_hash(),
                       object.manifest().size(), std::move(manifest)});
  by_key_[std::string(key)] = entries_.begin();
  bytes_ += object.manifest().size();
  while (bytes_ > max_bytes_ && entries_.size() > 1) Drop(std::prev(entries_.end()));
}

void ManifestCache::Clear() {
  by_key_ = {};
  entries_.clear();
  bytes_ = 0;
}

void ManifestCache::Drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace sealane::policy
