#include "services/policy/state.h"

#include "lib/bus/subjects.h"
#include "lib/model/identity.h"

namespace sealane::policy {

State::State(Bus& bus, Env env)
    : objects(bus, env, kObjectsTable),
      bindings(bus, env, kBindingsTable),
      works(bus, env, kWorksTable),
      placements(bus, env, kPlacementsTable),
      clusters(bus, env, kClusterStatusTable) {}

std::string NamespaceKey(std::string_view ns) {
  return RowKey(ObjectKey{"", "Namespace", "", std::string(ns)});
}

std::string_view ObjectOfWorkKey(std::string_view work_key) {
  return work_key.substr(work_key.find('.') + 1);
}

std::string State::NoteWork(const std::string& work_key) {
  const Row<v1::Work>* row = works.Find(work_key);
  const std::string cluster = work_key.substr(0, work_key.find('.'));
  const std::string_view object = ObjectOfWorkKey(work_key);
  if (row != nullptr) {
    clusters_of[object].insert(cluster);
    const std::string& ns = row->value.ref().namespace_();
    if (ns.empty() || namespace_of_work_.contains(work_key)) return "";
    namespace_of_work_.emplace(work_key, ns);
    return ++namespace_content[ns][cluster] == 1 ? ns : "";
  }
  if (const auto it = clusters_of.find(object); it != clusters_of.end()) {
    it->second.erase(cluster);
    if (it->second.empty()) clusters_of.erase(it);
  }
  const auto counted = namespace_of_work_.find(work_key);
  if (counted == namespace_of_work_.end()) return "";
  const std::string ns = counted->second;
  namespace_of_work_.erase(counted);
  auto& content = namespace_content[ns];
  if (--content[cluster] > 0) return "";
  content.erase(cluster);
  if (content.empty()) namespace_content.erase(ns);
  return ns;
}

std::vector<std::string> State::Concerned(const PolicyIndex::Change& change) const {
  std::set<std::string> keys;
  const auto add = [&](const std::string& prefix, const ResourceSelector* selector) {
    for (auto it = objects.rows().lower_bound(prefix);
         it != objects.rows().end() && it->first.starts_with(prefix); ++it) {
      const v1::ObjectRef& ref = it->second.value.ref();
      if (!change.ns.empty() && ref.namespace_() != change.ns) continue;
      if (selector != nullptr && !selector->name.empty() && ref.name() != selector->name) continue;
      keys.insert(it->first);
    }
  };
  if (change.everything) add("", nullptr);
  for (const ResourceSelector& selector : change.selectors) {
    std::string prefix =
        StrCat(EncodeToken(GroupOf(selector.api_version)), ".", EncodeToken(selector.kind), ".");
    const std::string& ns = change.ns.empty() ? selector.ns : change.ns;
    if (!ns.empty()) prefix += StrCat(EncodeToken(ns), ".");
    add(prefix, &selector);
  }
  return {keys.begin(), keys.end()};
}

}  // namespace sealane::policy
