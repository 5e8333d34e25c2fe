#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// Names a stored object. `resource` is Resource::StorageName.
struct ObjectKey {
  std::string resource;
  std::string ns;
  std::string name;
};

// One version of an object, immutable. Its JSON carries its resourceVersion.
class StoredObject {
 public:
  StoredObject(ObjectKey key, Json value, uint64_t revision);
  ~StoredObject();
  StoredObject(const StoredObject&) = delete;
  StoredObject& operator=(const StoredObject&) = delete;

  [[nodiscard]] const ObjectKey& key() const { return key_; }
  [[nodiscard]] const Json& value() const { return *value_; }
  [[nodiscard]] uint64_t revision() const { return revision_; }
  // The JSON text without kind and apiVersion, made once. Never "{}": objects have metadata.
  [[nodiscard]] const std::string& Body() const;

 private:
  ObjectKey key_;
  std::unique_ptr<const Json> value_;
  uint64_t revision_;
  mutable std::string body_;
};
using ObjectPtr = std::shared_ptr<const StoredObject>;

enum class ChangeType { kAdded, kModified, kDeleted };

struct Change {
  ChangeType type;
  ObjectPtr object;  // the new version; the last one, with the revision of the deletion, if deleted
  ObjectPtr previous;  // nullptr when added
};

// Where an API server keeps its objects: a map with one revision counter and a history of changes.
// Thread rule: the API server's executor only; observers and callbacks run there too.
class Store {
 public:
  using Done = std::function<void(absl::StatusOr<ObjectPtr>)>;
  using Observer = std::function<void(const Change&)>;

  virtual ~Store() = default;
  [[nodiscard]] virtual uint64_t revision() const = 0;
  [[nodiscard]] virtual ObjectPtr Get(const ObjectKey& key) const = 0;
  // Objects of a resource in order of (namespace, name), from behind `after` on, while `visit`
  // returns true. An empty namespace means all.
  virtual void ForEach(std::string_view resource, std::string_view ns,
                       const std::pair<std::string, std::string>& after,
                       const std::function<bool(const ObjectPtr&)>& visit) const = 0;
  // Number of objects of a resource (in a namespace).
  [[nodiscard]] virtual size_t Count(std::string_view resource, std::string_view ns) const = 0;

  // Writes a new version. `expected`: the revision the object must have, 0: must not exist. Fails
  // with Aborted (changed meanwhile) or AlreadyExists. `done` may run inside the call.
  virtual void Put(const ObjectKey& key, Json object, uint64_t expected, Done done) = 0;
  // Removes an object that has revision `expected`.
  virtual void Remove(const ObjectKey& key, uint64_t expected, Done done) = 0;

  // Tells every change, in order, inside the write that makes it.
  virtual uint64_t Subscribe(Observer observer) = 0;
  virtual void Unsubscribe(uint64_t id) = 0;
  // Changes of a resource after `revision`. OutOfRange when they are no longer all kept.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Change>> History(std::string_view resource,
                                                                    uint64_t revision) const = 0;
};

// A Store in memory.
class MemoryStore final : public Store {
 public:
  // Keeps the last `history_limit` changes for watches to resume from.
  explicit MemoryStore(size_t history_limit = 4096) : history_limit_(history_limit) {}

  using Objects = std::map<std::pair<std::string, std::string>, ObjectPtr>;
  // Everything that is stored, and how far its revisions go.
  struct Backup {
    uint64_t revision = 0;
    std::map<std::string, Objects, std::less<>> resources;
  };
  [[nodiscard]] Backup MakeBackup() const { return {revision_, resources_}; }
  // As restoring etcd from a backup: what was written since is gone, revisions count on from the
  // backup's, and there is no history. Observers are told what differs.
  void Restore(const Backup& backup);

  // As a copy of another store, whose revisions count: takes over the object as it is there, or its
  // removal (nothing when there is none). Revisions only grow. Observers are told as by Put.
  ObjectPtr Follow(const ObjectKey& key, Json object, uint64_t revision);
  void FollowRemoval(const ObjectKey& key, uint64_t revision);
  // The other store has come this far, with nothing new for this one.
  void FollowTo(uint64_t revision) { revision_ = std::max(revision_, revision); }

  // Changes up to this revision are not all known: watches cannot resume from before it.
  void Compact(uint64_t revision) { compacted_ = std::max(compacted_, revision); }

  uint64_t revision() const override { return revision_; }
  ObjectPtr Get(const ObjectKey& key) const override;
  void ForEach(std::string_view resource, std::string_view ns,
               const std::pair<std::string, std::string>& after,
               const std::function<bool(const ObjectPtr&)>& visit) const override;
  size_t Count(std::string_view resource, std::string_view ns) const override;
  void Put(const ObjectKey& key, Json object, uint64_t expected, Done done) override;
  void Remove(const ObjectKey& key, uint64_t expected, Done done) override;
  uint64_t Subscribe(Observer observer) override;
  void Unsubscribe(uint64_t id) override;
  absl::StatusOr<std::vector<Change>> History(std::string_view resource,
                                              uint64_t revision) const override;

 private:
  void Publish(Change change);
  void Tell(const Change& change);

  const size_t history_limit_;
  uint64_t revision_ = 1;
  uint64_t compacted_ = 0;  // changes up to this revision are no longer all in the history
  std::map<std::string, Objects, std::less<>> resources_;
  std::deque<Change> history_;
  std::map<uint64_t, Observer> observers_;
  uint64_t next_observer_ = 1;
};

}  // namespace sealane::kubeapi
