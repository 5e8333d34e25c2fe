#include "lib/kubeapi/store.h"

#include <utility>

#include "absl/status/status.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {

StoredObject::StoredObject(ObjectKey key, Json value, uint64_t revision)
    : key_(std::move(key)),
      value_(std::make_unique<const Json>(std::move(value))),
      revision_(revision) {}
StoredObject::~StoredObject() = default;

const std::string& StoredObject::Body() const {
  if (body_.empty()) {
    body_.push_back('{');  // GCC 12 misreads the assignment of a literal here when it optimises
    for (const auto& [key, value] : value_->items()) {
      if (key == "kind" || key == "apiVersion") continue;
      if (body_.size() > 1) body_.push_back(',');
      body_ += StrCat("\"", key, "\":", WriteJson(value));
    }
    body_.push_back('}');
  }
  return body_;
}

ObjectPtr MemoryStore::Get(const ObjectKey& key) const {
  const auto resource = resources_.find(key.resource);
  if (resource == resources_.end()) return nullptr;
  const auto it = resource->second.find({key.ns, key.name});
  return it == resource->second.end() ? nullptr : it->second;
}

void MemoryStore::ForEach(std::string_view resource, std::string_view ns,
                          const std::pair<std::string, std::string>& after,
                          const std::function<bool(const ObjectPtr&)>& visit) const {
  const auto found = resources_.find(resource);
  if (found == resources_.end()) return;
  const Objects& objects = found->second;
  auto it = objects.upper_bound(after);
  if (!ns.empty() && after.first < ns) it = objects.lower_bound({std::string(ns), ""});
  for (; it != objects.end(); ++it) {
    if (!ns.empty() && it->first.first != ns) break;
    if (!visit(it->second)) break;
  }
}

size_t MemoryStore::Count(std::string_view resource, std::string_view ns) const {
  if (ns.empty()) {
    const auto found = resources_.find(resource);
    return found == resources_.end() ? 0 : found->second.size();
  }
  size_t count = 0;
  ForEach(resource, ns, {}, [&](const ObjectPtr&) {
    ++count;
    return true;
  });
  return count;
}

void MemoryStore::Put(const ObjectKey& key, Json object, uint64_t expected, Done done) {
  const ObjectPtr previous = Get(key);
  if (expected == 0 && previous != nullptr) {
    return done(absl::AlreadyExistsError("the object exists"));
  }
  if (expected != 0 && (previous == nullptr || previous->revision() != expected)) {
    return done(absl::AbortedError("the object has been modified"));
  }
  done(Follow(key, std::move(object), revision_ + 1));
}

ObjectPtr MemoryStore::Follow(const ObjectKey& key, Json object, uint64_t revision) {
  ObjectPtr& slot = resources_[key.resource][{key.ns, key.name}];
  const ObjectPtr previous = slot;
  FollowTo(revision);
  object["metadata"]["resourceVersion"] = std::to_string(revision);
  auto stored = std::make_shared<const StoredObject>(key, std::move(object), revision);
  slot = stored;
  Publish({previous == nullptr ? ChangeType::kAdded : ChangeType::kModified, stored, previous});
  return stored;
}

void MemoryStore::Remove(const ObjectKey& key, uint64_t expected, Done done) {
  const ObjectPtr previous = Get(key);
  if (previous == nullptr || previous->revision() != expected) {
    return done(absl::AbortedError("the object has been modified"));
  }
  FollowRemoval(key, revision_ + 1);
  done(ObjectPtr(previous));
}

void MemoryStore::FollowRemoval(const ObjectKey& key, uint64_t revision) {
  FollowTo(revision);
  Objects& objects = resources_[key.resource];
  const auto it = objects.find({key.ns, key.name});
  if (it == objects.end()) return;
  const ObjectPtr previous = it->second;
  objects.erase(it);
  Json last = previous->value();
  last["metadata"]["resourceVersion"] = std::to_string(revision);
  auto stored = std::make_shared<const StoredObject>(key, std::move(last), revision);
  Publish({ChangeType::kDeleted, stored, previous});
}

uint64_t MemoryStore::Subscribe(Observer observer) {
  observers_[next_observer_] = std::move(observer);
  return next_observer_++;
}

void MemoryStore::Unsubscribe(uint64_t id) { observers_.erase(id); }

absl::StatusOr<std::vector<Change>> MemoryStore::History(std::string_view resource,
                                                         uint64_t revision) const {
  if (revision < compacted_) {
    return absl::OutOfRangeError(
        StrCat("too old resource version: ", revision, " (", compacted_, ")"));
  }
  std::vector<Change> out;
  auto it = history_.end();
  while (it != history_.begin() && std::prev(it)->object->revision() > revision) --it;
  for (; it != history_.end(); ++it) {
    if (it->object->key().resource == resource) out.push_back(*it);
  }
  return out;
}

void MemoryStore::Publish(Change change) {
  history_.push_back(change);
  while (history_.size() > history_limit_) {
    compacted_ = history_.front().object->revision();
    history_.pop_front();
  }
  Tell(change);
}

void MemoryStore::Restore(const Backup& backup) {
  const std::map<std::string, Objects, std::less<>> before =
      std::exchange(resources_, backup.resources);
  revision_ = backup.revision;
  compacted_ = revision_;
  history_.clear();
  for (const auto& [resource, objects] : before) {
    const auto now = resources_.find(resource);
    for (const auto& [name, object] : objects) {
      if (now != resources_.end() && now->second.contains(name)) continue;
      Tell({ChangeType::kDeleted, object, object});
    }
  }
  for (const auto& [resource, objects] : backup.resources) {
    const auto then = before.find(resource);
    for (const auto& [name, object] : objects) {
      ObjectPtr previous;
      if (then != before.end()) {
        if (const auto it = then->second.find(name); it != then->second.end())
          previous = it->second;
      }
      if (previous == object) continue;
      Tell({previous == nullptr ? ChangeType::kAdded : ChangeType::kModified, object, previous});
    }
  }
}

void MemoryStore::Tell(const Change& change) {
  // An observer may unsubscribe itself or others while it runs.
  std::vector<uint64_t> ids;
  for (const auto& entry : observers_) ids.push_back(entry.first);
  for (const uint64_t id : ids) {
    if (const auto it = observers_.find(id); it != observers_.end()) {
      const Observer observer = it->second;
      observer(change);
    }
  }
}

}  // namespace sealane::kubeapi
