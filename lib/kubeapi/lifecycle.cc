#include "lib/kubeapi/lifecycle.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/custom.h"
#include "lib/kubeapi/errors.h"

namespace sealane::kubeapi {
namespace {

// Before what has failed is tried again.
constexpr absl::Duration kRetryPause = absl::Seconds(1);
// How often the objects of a definition are looked at that is being deleted.
constexpr absl::Duration kFirstWait = absl::Seconds(1);
constexpr absl::Duration kLongestWait = absl::Seconds(30);

const Json& StoredMetadata(const StoredObject& object) { return object.value().at("metadata"); }

std::vector<std::string> OwnersOf(const StoredObject& object) {
  std::vector<std::string> out;
  const auto owners = StoredMetadata(object).find("ownerReferences");
  if (owners == StoredMetadata(object).end()) return out;
  for (const Json& owner : *owners) out.push_back(owner.value("uid", ""));
  return out;
}

bool HasFinalizer(const StoredObject& object, const char* name) {
  const auto list = StoredMetadata(object).find("finalizers");
  return list != StoredMetadata(object).end() &&
         std::find(list->begin(), list->end(), name) != list->end();
}

bool Deleting(const StoredObject& object) {
  return StoredMetadata(object).contains("deletionTimestamp");
}

}  // namespace

bool Lifecycle::KeyLess::operator()(const ObjectKey& a, const ObjectKey& b) const {
  return std::tie(a.resource, a.ns, a.name) < std::tie(b.resource, b.ns, b.name);
}

Lifecycle::Lifecycle(ApiServer& server, LifecycleOptions options)
    : server_(server), options_(std::move(options)), executor_(server.env().executor) {
  for (const Resource* resource : server_.registry().Stored()) {
    if (Leaves(resource->StorageName())) continue;
    server_.store().ForEach(resource->StorageName(), "", {}, [&](const ObjectPtr& object) {
      Index(*object, true);
      Enqueue(object->key());
      // Begun by somebody who did not come to its end.
      if (Deleting(*object)) BeginEmptying(*object);
      return true;
    });
  }
  subscription_ = server_.store().Subscribe([this](const Change& change) { OnChange(change); });
}

Lifecycle::~Lifecycle() { server_.store().Unsubscribe(subscription_); }

void Lifecycle::Index(const StoredObject& object, bool present) {
  const std::string uid = StoredMetadata(object).value("uid", "");
  if (present) {
    by_uid_[uid] = object.key();
  } else {
    by_uid_.erase(uid);
  }
  for (const std::string& owner : OwnersOf(object)) {
    if (present) {
      dependents_[owner].insert(object.key());
    } else if (const auto it = dependents_.find(owner); it != dependents_.end()) {
      it->second.erase(object.key());
      if (it->second.empty()) dependents_.erase(it);
    }
  }
}

void Lifecycle::OnChange(const Change& change) {
  const StoredObject& object = *change.object;
  if (Leaves(object.key().resource)) return;
  if (change.previous != nullptr) Index(*change.previous, false);
  if (change.type != ChangeType::kDeleted) {
    Index(object, true);
    const bool owned = StoredMetadata(object).contains("ownerReferences");
    if (Deleting(object) || (owned && change.type == ChangeType::kAdded)) Enqueue(object.key());
    if (Deleting(object) && (change.previous == nullptr || !Deleting(*change.previous))) {
      BeginEmptying(object);
    }
    return;
  }
  const std::string uid = StoredMetadata(object).value("uid", "");
  if (const auto it = dependents_.find(uid); it != dependents_.end()) {
    for (const ObjectKey& key : it->second) Enqueue(key);
  }
  for (const std::string& owner : OwnersOf(object)) {
    if (const auto it = by_uid_.find(owner); it != by_uid_.end()) Enqueue(it->second);
  }
  if (object.key().resource == kCrds) return RemoveLeftovers(object.value());
  if (const auto it = terminating_.find(object.key().resource); it != terminating_.end()) {
    if (server_.store().Count(it->first, "") != 0) return;
    executor_.Post([this, name = it->second] { EmptyDefinition(name, kFirstWait); });
  }
}

void Lifecycle::Enqueue(const ObjectKey& key) {
  queue_.insert(key);
  if (std::exchange(scheduled_, true)) return;
  executor_.Post([this] { Run(); });
}

void Lifecycle::Run() {
  scheduled_ = false;
  KeySet keys;
  keys.swap(queue_);
  for (const ObjectKey& key : keys) Check(key);
}

void Lifecycle::Check(const ObjectKey& key) {
  const ObjectPtr object = server_.store().Get(key);
  if (object == nullptr) return;
  if (Deleting(*object)) {
    if (HasFinalizer(*object, "orphan")) return Orphan(object);
    if (HasFinalizer(*object, "foregroundDeletion")) return FinishForeground(object);
    return;
  }
  const std::vector<std::string> owners = OwnersOf(*object);
  if (owners.empty()) return;
  const Resource* resource = server_.Stored(key.resource);
  if (resource == nullptr) return;
  bool solid = false;    // an owner that stays
  bool waiting = false;  // an owner that waits for its dependents
  for (const std::string& uid : owners) {
    const auto it = by_uid_.find(uid);
    const ObjectPtr owner = it == by_uid_.end() ? nullptr : server_.store().Get(it->second);
    if (owner == nullptr) continue;
    if (Deleting(*owner) && HasFinalizer(*owner, "foregroundDeletion")) {
      waiting = true;
    } else {
      solid = true;
    }
  }
  if (solid) return;
  const bool has_dependents = dependents_.count(StoredMetadata(*object).value("uid", "")) != 0;
  server_.Delete({resource, key.ns, key.name, ""},
                 {{"propagationPolicy", waiting && has_dependents ? "Foreground" : "Background"},
                  {"preconditions", {{"uid", StoredMetadata(*object).value("uid", "")}}}},
                 {}, OrElse([this, key] { Enqueue(key); }));
}

Store::Done Lifecycle::OrElse(std::function<void()> again) {
  return [this, again = std::move(again),
          alive = executor_.alive()](const absl::StatusOr<ObjectPtr>& written) {
    if (alive.expired() || written.ok() || StatusCodeOf(written.status()) == 404) return;
    executor_.After(kRetryPause, again);
  };
}

void Lifecycle::FinishForeground(const ObjectPtr& owner) {
  const auto it = dependents_.find(StoredMetadata(*owner).value("uid", ""));
  if (it == dependents_.end()) return DropFinalizer(owner, "foregroundDeletion");
  const KeySet keys = it->second;
  for (const ObjectKey& key : keys) Check(key);
}

// The owner goes only when no dependent names it any more: those that do would go with it.
void Lifecycle::Orphan(const ObjectPtr& owner) {
  const ObjectKey owner_key = owner->key();
  if (!orphaning_.insert(owner_key).second) return;
  const std::string uid = StoredMetadata(*owner).value("uid", "");
  const auto it = dependents_.find(uid);
  const KeySet keys = it == dependents_.end() ? KeySet() : it->second;
  std::vector<std::pair<WriteTarget, Json>> writes;
  for (const ObjectKey& key : keys) {
    const ObjectPtr dependent = server_.store().Get(key);
    const Resource* resource = server_.Stored(key.resource);
    if (dependent == nullptr || resource == nullptr) continue;
    Json object = dependent->value();
    Json& owners = object["metadata"]["ownerReferences"];
    Json kept = Json::array();
    for (const Json& reference : owners) {
      if (reference.value("uid", "") != uid) kept.push_back(reference);
    }
    owners = std::move(kept);
    writes.emplace_back(WriteTarget{resource, key.ns, key.name, ""}, std::move(object));
  }
  const auto left = std::make_shared<size_t>(writes.size() + 1);
  const auto failed = std::make_shared<bool>(false);
  const Store::Done end = [this, owner_key, left, failed,
                           alive = executor_.alive()](const absl::StatusOr<ObjectPtr>& written) {
    if (alive.expired()) return;
    if (!written.ok() && StatusCodeOf(written.status()) != 404) *failed = true;
    if (--*left != 0) return;
    orphaning_.erase(owner_key);
    const ObjectPtr now = server_.store().Get(owner_key);
    if (*failed) {
      executor_.After(kRetryPause, [this, owner_key] { Enqueue(owner_key); });
    } else if (now != nullptr) {
      DropFinalizer(now, "orphan");
    }
  };
  WriteOptions options;
  options.manager = "kube-controller-manager";
  for (const auto& [target, object] : writes) server_.Update(target, object, options, end);
  end(owner);
}

void Lifecycle::DropFinalizer(const ObjectPtr& object, const char* finalizer) {
  const Resource* resource = server_.Stored(object->key().resource);
  if (resource == nullptr) return;
  Json value = object->value();
  Json kept = Json::array();
  for (const Json& name : value["metadata"]["finalizers"]) {
    if (name != finalizer) kept.push_back(name);
  }
  value["metadata"]["finalizers"] = std::move(kept);
  WriteOptions options;
  options.manager = "kube-controller-manager";
  server_.Update({resource, object->key().ns, object->key().name, ""}, value, options,
                 OrElse([this, key = object->key()] {
                   Enqueue(key);
                   if (key.resource == kCrds) EmptyDefinition(key.name, kFirstWait);
                 }));
}

void Lifecycle::BeginEmptying(const StoredObject& object) {
  const std::string& name = object.key().name;
  if (object.key().resource == "namespaces") {
    executor_.After(options_.namespace_delay, [this, name] { EmptyNamespace(name); });
  } else if (object.key().resource == kCrds && server_.registry().Defines(object.value())) {
    executor_.After(options_.namespace_delay, [this, name] { EmptyDefinition(name, kFirstWait); });
  }
}

void Lifecycle::EmptyNamespace(const std::string& name) {
  const ObjectPtr ns = server_.store().Get({"namespaces", "", name});
  if (ns == nullptr || !Deleting(*ns)) return;
  bool content = false;
  for (const Resource* resource : server_.registry().Stored()) {
    if (!resource->namespaced || Leaves(resource->StorageName())) continue;
    std::vector<ObjectPtr> objects;
    server_.store().ForEach(resource->StorageName(), name, {}, [&](const ObjectPtr& object) {
      objects.push_back(object);
      return true;
    });
    for (const ObjectPtr& object : objects) {
      if (!Deleting(*object)) {
        server_.Delete({resource, name, object->key().name, ""},
                       {{"propagationPolicy", "Background"}}, {}, nullptr);
      }
      if (server_.store().Get(object->key()) != nullptr) content = true;
    }
  }
  if (content) {
    executor_.After(std::max(options_.namespace_delay, absl::Milliseconds(100)),
                    [this, name] { EmptyNamespace(name); });
    return;
  }
  server_.store().Remove(ns->key(), ns->revision(), OrElse([this, name] { EmptyNamespace(name); }));
}

void Lifecycle::EmptyDefinition(const std::string& name, absl::Duration wait) {
  const ObjectPtr crd = server_.store().Get({kCrds, "", name});
  if (crd == nullptr || !Deleting(*crd)) return;
  const std::string storage = StorageOfCrd(crd->value());
  const Resource* resource = server_.Stored(storage);
  std::vector<ObjectPtr> objects;
  server_.store().ForEach(storage, "", {}, [&](const ObjectPtr& object) {
    objects.push_back(object);
    return true;
  });
  for (const ObjectPtr& object : objects) {
    if (resource == nullptr || Deleting(*object)) continue;
    server_.Delete({resource, object->key().ns, object->key().name, ""}, Json(), {}, nullptr);
  }
  if (server_.store().Count(storage, "") == 0) {
    terminating_.erase(storage);
    if (HasFinalizer(*crd, kCrdCleanup)) DropFinalizer(crd, kCrdCleanup);
    return;
  }
  // Whatever holds them may take long; the last one that goes is noticed at once.
  terminating_[storage] = name;
  executor_.After(wait,
                  [this, name, wait] { EmptyDefinition(name, std::min(2 * wait, kLongestWait)); });
}

void Lifecycle::RemoveLeftovers(const Json& crd) {
  if (!server_.registry().Defines(crd)) return;
  executor_.Post([this, storage = StorageOfCrd(crd)] {
    std::vector<ObjectPtr> objects;
    server_.store().ForEach(storage, "", {}, [&](const ObjectPtr& object) {
      objects.push_back(object);
      return true;
    });
    for (const ObjectPtr& object : objects) {
      server_.store().Remove(object->key(), object->revision(), [](auto) {});
    }
  });
}

}  // namespace sealane::kubeapi
