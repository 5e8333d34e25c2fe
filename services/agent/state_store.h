#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealane::agent {

// What the agent must remember when it dies: a small map from keys to values.
//
// Keys: "w/<row>" desired works, "i/<row>" the inventory, "s/<row>" what was last reported, "meta".
//
// Thread rule: the executor thread.
class StateStore {
 public:
  virtual ~StateStore() = default;
  // Tells everything that is stored, in key order. Call once, first.
  virtual absl::Status Load(
      const std::function<void(std::string_view key, std::string_view value)>& each) = 0;
  // Stores a value. When it returns OK, the value survives the death of this process at any later
  // moment. On failure (a full disk) the value is kept in memory and written by a later Flush.
  virtual absl::Status Put(std::string_view key, std::string_view value) = 0;
  virtual absl::Status Erase(std::string_view key) = 0;
  // Returns OK when everything stored so far survives also the end of the machine (a power
  // failure). Costs a disk's round trip when something is new: gather what needs it.
  virtual absl::Status Sync() = 0;
  // Tries again what failed. OK when everything is stored, and the store in good order.
  virtual absl::Status Flush() = 0;
};

// The contents of a disk that outlives agents: for simulations and tests, and for agents that run
// without a state directory.
struct MemoryDisk {
  std::map<std::string, std::string, std::less<>> values;
  absl::Status failure;  // not OK: every write fails with this, as on a full disk
  size_t unsynced = 0;   // writes since the last Sync
  size_t syncs = 0;      // that had something to sync
};
[[nodiscard]] std::unique_ptr<StateStore> OpenMemoryStore(std::shared_ptr<MemoryDisk> disk);

// A journal file "state.journal" in `directory` (created when missing): records with a checksum,
// the last one of a key counts; a torn end (power loss, full disk) is cut off. It is rewritten to a
// new file, synced and renamed, when most of it is outdated; while that fails, the old one goes on
// to be used, grows, and Flush tries again and says why. One process at a time:
// FAILED_PRECONDITION while another holds the directory's lock.
[[nodiscard]] absl::StatusOr<std::unique_ptr<StateStore>> OpenJournal(const std::string& directory);

// As OpenJournal; but where the directory cannot be used (a full or read-only disk), a memory that
// says so at each Flush: the cluster is looked after all the same. Only another process' lock is an
// error.
[[nodiscard]] absl::StatusOr<std::unique_ptr<StateStore>> OpenJournalOrMemory(
    const std::string& directory);

}  // namespace sealane::agent
