#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/core/strings.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::policy {

// Parsed manifests of the objects last looked at: matching and rendering look at the same one
// within a moment. Bounded by the bytes of the manifests' texts; the longest unused goes. Thread
// rule: executor thread.
class ManifestCache {
 public:
  // A parsed manifest takes several times the bytes of its text.
  explicit ManifestCache(size_t max_bytes = size_t{2} << 20) : max_bytes_(max_bytes) {}

  // The manifest of the object of that row key, or nullptr when it is not JSON. An entry is known
  // by uid, generation and hash of the manifest (two leaders may give one generation to two
  // manifests).
  std::shared_ptr<const Json> Get(std::string_view key, const v1::StoredObject& object);
  // As Get, for a copy to work on; discarded when it is not JSON. What is not known is not kept:
  // rendering comes after matching, and would push out what is still to be matched.
  Json Copy(std::string_view key, const v1::StoredObject& object);
  // The parsed form is known already: `manifest` is what the object's text says, and stays so.
  void Put(std::string_view key, const v1::StoredObject& object,
           std::shared_ptr<const Json> manifest);
  // Nothing is looked at for now.
  void Clear();
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return by_key_.size(); }

 private:
  struct Entry {
    std::string key;
    std::string uid;
    int64_t generation = 0;
    uint64_t hash = 0;
    size_t bytes = 0;
    std::shared_ptr<const Json> manifest;
  };
  // nullptr when it is not known; otherwise the longest unused from now.
  std::shared_ptr<const Json> Known(std::string_view key, const v1::StoredObject& object);
  void Drop(std::list<Entry>::iterator entry);

  const size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the last used first
  StringMap<std::list<Entry>::iterator> by_key_;
};

}  // namespace sealane::policy
