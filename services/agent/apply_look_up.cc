// Applier: is the object there already, and whose is it?

#include <utility>

#include "lib/core/json.h"
#include "services/agent/apply.h"
#include "services/agent/observe.h"

namespace sealane::agent {

void Applier::LookUp(const std::string& key, const kube::ResourceType& type, const Target& target,
                     const Done& done) {
  client_.Get(
      type, target.ns, target.name,
      [this, key, done, alive = executor_.alive()](const absl::Status& status, const Json* object) {
        if (alive.expired()) return;
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        if (status.ok()) {
          item->observed = Observe(*object, TemplateGeneration(*item));
          return Attempt(key, /*looked_up=*/true, object, done);
        }
        if (status.code() != absl::StatusCode::kNotFound) return Failed(key, status, done);
        item->observed.reset();
        Attempt(key, /*looked_up=*/true, nullptr, done);
      });
}

void Applier::LookUpOneOfMany(const std::string& key, const kube::ResourceType& type,
                              const Target& target, const Done& done) {
  roll_call_.Check(
      type, target.ns, target.name, [this, &target] { return InQuestion(target); },
      [this, key, type, target, done](bool absent) {
        Item* item = Find(key);
        if (item == nullptr) return done(ReconcileResult::Done());
        // The watch may have shown it meanwhile.
        if (!absent || item->observed) return LookUp(key, type, target, done);
        Attempt(key, /*looked_up=*/true, nullptr, done);
      });
}

std::vector<std::string> Applier::InQuestion(const Target& target) {
  std::vector<std::string> names;
  for (const std::string& key : order_.expected()) {
    const Item* item = Find(key);
    if (item == nullptr || item->observed) continue;
    Target other = TargetOf(*item);
    if (other.ns == target.ns && other.kind == target.kind &&
        other.api_version == target.api_version) {
      names.push_back(std::move(other.name));
    }
  }
  return names;
}

}  // namespace sealane::agent
