// Applier: objects whose works go.

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/model/identity.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/apply.h"
#include "services/agent/observe.h"
#include "services/agent/ownership.h"

namespace sealane::agent {

using kube::GetString;

void Applier::Remove(const std::string& key, const kube::ResourceType& type, const Target& target,
                     const Done& done) {
  Item& item = *Find(key);
  kube::DeleteOptions options;
  options.uid = item.observed->uid;
  client_.Delete(
      type, target.ns, target.name, options,
      [this, key, done, alive = executor_.alive()](const absl::Status& status, const Json* object) {
        if (alive.expired()) return;
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        NoteWrite(status);
        const bool gone = status.code() == absl::StatusCode::kNotFound;
        // Another uid: ours is gone, what is there now is looked at anew.
        const bool replaced = status.code() == absl::StatusCode::kAborted;
        if (!status.ok() && !gone && !replaced) return Failed(key, status, done);
        if (status.ok()) metrics_.deleted.Increment();
        const bool held =
            status.ok() && !GetString(*object, {"metadata", "deletionTimestamp"}).empty();
        if (held) {
          item->observed = Observe(*object, TemplateGeneration(*item));
        } else {
          item->observed.reset();
        }
        // Gone at once or not: what the server says now decides.
        Attempt(key, /*looked_up=*/held || gone, nullptr, done);
      });
}

void Applier::Release(const std::string& key, const kube::ResourceType& type, const Target& target,
                      const Done& done) {
  const Json patch = {{"metadata", {{"labels", {{kManagedLabel, nullptr}}}}}};
  client_.MergePatch(
      type, target.ns, target.name, patch.dump(),
      [this, key, done, alive = executor_.alive()](const absl::Status& status, const Json*) {
        if (alive.expired()) return;
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        NoteWrite(status);
        if (!status.ok() && status.code() != absl::StatusCode::kNotFound) {
          return Failed(key, status, done);
        }
        metrics_.released.Increment();
        item->observed.reset();
        item->inventory.reset();
        // Neither there for us any more nor ours: the plan ends here.
        Attempt(key, /*looked_up=*/true, nullptr, done);
      });
}

void Applier::StepBack(const std::string& key, const kube::ResourceType& type, const Target& target,
                       const Done& done) {
  // An apply without fields takes away those that are ours alone.
  Json nothing = {{"apiVersion", target.api_version},
                  {"kind", target.kind},
                  {"metadata", {{"name", target.name}}}};
  if (!target.ns.empty()) nothing["metadata"]["namespace"] = target.ns;
  client_.Apply(
      type, target.ns, target.name, nothing.dump(), {},
      [this, key, done, alive = executor_.alive()](const absl::Status& status, const Json*, bool) {
        if (alive.expired()) return;
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        NoteWrite(status);
        if (!status.ok()) return Failed(key, status, done);
        OnGone(key, *item);
        Attempt(key, /*looked_up=*/false, nullptr, done);
      });
}

void Applier::OnGone(const std::string& key, Item& item) {
  item.observed.reset();
  item.inventory.reset();
  item.recreating = false;
  transient_.erase(key);
  failures_.erase(key);
  store_.Erase(StrCat("i/", key)).IgnoreError();
}

bool Applier::OwnedByAnother(const std::string& key, const Target& target,
                             const std::string& uid) const {
  if (uid.empty()) return false;
  const auto& types = catalog_->types();
  return std::any_of(types.begin(), types.end(), [&](const auto& entry) {
    if (entry.second.kind != target.kind) return false;
    const auto it =
        items_.find(RowKey(ObjectKey{entry.second.group, target.kind, target.ns, target.name}));
    return it != items_.end() && it->first != key && it->second.inventory &&
           it->second.inventory->uid == uid && it->second.work != nullptr &&
           !it->second.work->deleting();
  });
}

}  // namespace sealane::agent
