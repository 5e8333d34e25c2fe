#include "services/policy/manifest_cache.h"

#include <utility>

#include "lib/core/json.h"

namespace sealane::policy {

namespace {

Json Parse(const v1::StoredObject& object) {
  return Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::shared_ptr<const Json> ManifestCache::Known(std::string_view key,
                                                 const v1::StoredObject& object) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->generation != object.generation() || entry->hash != object.manifest_hash() ||
      entry->uid != object.uid()) {
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->manifest;
}

std::shared_ptr<const Json> ManifestCache::Get(std::string_view key,
                                               const v1::StoredObject& object) {
  if (auto known = Known(key, object)) return known;
  auto manifest = std::make_shared<const Json>(Parse(object));
  if (manifest->is_discarded()) return nullptr;
  Put(key, object, manifest);
  return manifest;
}

Json ManifestCache::Copy(std::string_view key, const v1::StoredObject& object) {
  const auto known = Known(key, object);
  return known != nullptr ? *known : Parse(object);
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
