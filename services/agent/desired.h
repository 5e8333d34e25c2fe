#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/agent/item.h"
#include "services/agent/state_store.h"

namespace sealane::agent {

// Takes works into the items and the state store, and drops what is older than what is known.
// Thread rule: the executor thread.
class DesiredState {
 public:
  enum class Taken { kChanged, kStale, kMalformed };

  // `cluster` is this agent's: works of another one are malformed. Everything must outlive it.
  DesiredState(std::string_view cluster, Items& items, StateStore& store);

  // A row as it arrived. `error` (may be nullptr) says what is malformed.
  Taken Put(const std::string& key, v1::Work work, std::string* error);
  // The row is gone. False when it was not known.
  bool Remove(const std::string& key);
  // The work is no longer anyone's business: its object stays as it is, and nothing is remembered.
  void Abandon(const std::string& key);
  // A work read back from the state store.
  absl::Status Restore(const std::string& key, std::string_view payload);

 private:
  absl::Status Check(const std::string& key, const v1::Work& work) const;
  static void Set(Item& item, std::shared_ptr<v1::Work> work);

  std::string cluster_;
  Items& items_;
  StateStore& store_;
  // Versions of rows that are gone: an old work that arrives late does not bring them back. The
  // oldest are forgotten.
  std::map<std::string, int64_t, std::less<>> tombstones_;
  std::deque<std::string> tombstone_order_;
};

}  // namespace sealane::agent
