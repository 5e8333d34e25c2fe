#include "services/policy/state.h"

#include <algorithm>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/kube/json_access.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/identity.h"
#include "services/policy/override_rules.h"

namespace sealane::policy {
namespace {

bool ByName(const std::string* a, const std::string* b) { return *a < *b; }

}  // namespace

State::State(Bus& bus, Env env)
    : objects(bus, env, kObjectsTable),
      bindings(bus, env, kBindingsTable),
      works(bus, env, kWorksTable),
      placements(bus, env, kPlacementsTable),
      clusters(bus, env, kClusterStatusTable) {
  // Why the scheduler decided so is for others; with many clusters it is most of the row. The same
  // for what clusters have room for.
  placements.TrimRows([](v1::Placed& placed) {
    placed.clear_decisions();
    placed.clear_observed_placement();
    placed.clear_observed_options();
    placed.clear_message();
  });
  clusters.TrimRows([](v1::ClusterStatus& cluster) {
    cluster.clear_conditions();
    cluster.clear_api_enablements();
    cluster.clear_resource_models();
    cluster.clear_resource_summary();
    cluster.clear_node_summary();
  });
}

std::string NamespaceKey(std::string_view ns) {
  return RowKey(ObjectKey{"", "Namespace", "", std::string(ns)});
}

ObjectKey ClusterObject(std::string_view name) {
  return ObjectKey{"cluster.karmada.io", "Cluster", "", std::string(name)};
}

std::string_view ObjectOfWorkKey(std::string_view work_key) {
  return work_key.substr(work_key.find('.') + 1);
}

std::string State::NoteWork(const std::string& work_key) {
  const std::string& cluster =
      *cluster_tokens_.emplace(work_key.substr(0, work_key.find('.'))).first;
  const std::string_view object = ObjectOfWorkKey(work_key);
  const std::string ns = DecodeToken(SubjectToken(object, 2)).value_or("");
  auto known = clusters_of.find(object);
  if (works.rows().contains(work_key)) {
    if (known == clusters_of.end()) known = clusters_of.try_emplace(std::string(object)).first;
    auto& clusters = known->second;
    const auto at = std::lower_bound(clusters.begin(), clusters.end(), &cluster, ByName);
    if (at != clusters.end() && *at == &cluster) return "";
    clusters.insert(at, &cluster);
    return !ns.empty() && ++namespace_content[ns][cluster] == 1 ? ns : "";
  }
  if (known == clusters_of.end() || std::erase(known->second, &cluster) == 0) return "";
  if (known->second.empty()) clusters_of.erase(known);
  if (ns.empty()) return "";
  auto& content = namespace_content[ns];
  if (--content[cluster] > 0) return "";
  content.erase(cluster);
  if (content.empty()) namespace_content.erase(ns);
  return ns;
}

bool State::KeepsWorkloads(const std::string& cluster_token) const {
  const std::string name = DecodeToken(cluster_token).value_or("");
  const Row<v1::StoredObject>* row = objects.Find(RowKey(ClusterObject(name)));
  if (row == nullptr || !row->value.deleting()) return false;
  const std::string mark(kKeepWorkloadsAnnotation);
  if (row->value.manifest().find(mark) == std::string::npos) return false;
  const Json manifest = Json::parse(row->value.manifest(), nullptr, /*allow_exceptions=*/false);
  return manifest.is_object() &&
         kube::GetString(manifest, {"metadata", "annotations", mark}) == "true";
}

bool State::IsAbandoned(const std::string& cluster_token) const {
  const Row<v1::ClusterStatus>* row = clusters.Find(cluster_token);
  if (row == nullptr || !row->value.deleting()) return false;
  const auto mark = row->value.annotations().find(std::string(kAbandonAnnotation));
  return mark != row->value.annotations().end() && mark->second == "true";
}

bool State::NoteCluster(const std::string& cluster_key) {
  const Row<v1::ClusterStatus>* row = clusters.Find(cluster_key);
  std::string facts;
  if (row != nullptr) {
    const v1::ClusterStatus& cluster = row->value;
    facts = StrCat(cluster.provider(), "\n", cluster.region(), "\n", StrJoin(cluster.zones(), ","));
    const std::map<std::string, std::string> sorted(cluster.labels().begin(),
                                                    cluster.labels().end());
    for (const auto& [name, value] : sorted) facts += StrCat("\n", name, "=", value);
    if (IsAbandoned(cluster_key)) facts += "\nabandoned";
  }
  std::string& known = cluster_facts_[cluster_key];
  const bool changed = known != facts;
  known = std::move(facts);
  if (row == nullptr) cluster_facts_.erase(cluster_key);
  return changed;
}

void State::AddConcerned(const ResourceSelector& selector, std::string_view ns,
                         std::set<std::string>* keys) const {
  const auto rows = objects.rows();
  const std::string kind =
      StrCat(EncodeToken(GroupOf(selector.api_version)), ".", EncodeToken(selector.kind), ".");
  const std::string prefix = ns.empty() ? kind : StrCat(kind, EncodeToken(ns), ".");
  auto it = rows.lower_bound(prefix);
  const auto within = [&] { return it != rows.end() && it->first.starts_with(prefix); };
  if (!selector.name.empty()) {
    // One look per namespace that has objects of the kind. '/' is what follows '.'.
    const std::string name = EncodeToken(selector.name);
    while (within()) {
      const std::string space = StrCat(kind, SubjectToken(it->first, 2));
      std::string key = StrCat(space, ".", name);
      it = rows.lower_bound(StrCat(space, "/"));
      if (rows.contains(key)) keys->insert(std::move(key));
    }
    return;
  }
  if (selector.has_label_selector) {
    if (!selector.valid) return;
    if (auto found = labels.Find(prefix, selector.label_selector); found.has_value()) {
      keys->insert(found->begin(), found->end());
      return;
    }
  }
  for (; within(); ++it) keys->emplace(it->first);
}

bool State::MayBeRelabelled(const ResourceSelector& selector, const std::string& ns) const {
  v1::ObjectRef ref;
  ref.set_api_version(selector.api_version);
  ref.set_kind(selector.kind);
  ref.set_namespace_(ns);
  const std::vector<const OverridePolicy*> overrides = policies.OverridesFor(ref);
  const auto& demands = selector.label_selector.requirements();
  return std::any_of(overrides.begin(), overrides.end(), [&demands](const OverridePolicy* policy) {
    const auto& labels = policy->rules->relabels;
    return policy->cluster_wide() &&
           (labels.contains("") || std::any_of(demands.begin(), demands.end(), [&](const auto& d) {
              return labels.contains(d.key);
            }));
  });
}

std::vector<std::string> State::Concerned(const PolicyIndex::Change& change) const {
  std::set<std::string> keys;
  if (change.everything) {
    const std::string ns = EncodeToken(change.ns);
    for (const auto& [key, row] : objects.rows()) {
      if (change.ns.empty() || SubjectToken(key, 2) == ns) keys.emplace(key);
    }
  }
  for (const ResourceSelector& selector : change.selectors) {
    if (!change.propagation && !change.ns.empty() && selector.has_label_selector &&
        MayBeRelabelled(selector, change.ns)) {
      ResourceSelector wider = selector;
      wider.has_label_selector = false;
      AddConcerned(wider, change.ns, &keys);
      continue;
    }
    AddConcerned(selector, change.ns.empty() ? selector.ns : change.ns, &keys);
  }
  return {keys.begin(), keys.end()};
}

std::vector<std::string> State::ConcernedNamespaces(const PolicyIndex::Change& change) const {
  std::vector<std::string> keys;
  if (change.propagation || !change.ns.empty()) return keys;
  const auto concerns = [&change](std::string_view ns) {
    return change.everything || std::any_of(change.selectors.begin(), change.selectors.end(),
                                            [ns](const auto& selector) {
                                              return selector.api_version == "v1" &&
                                                     selector.kind == "Namespace" &&
                                                     (selector.name.empty() || selector.name == ns);
                                            });
  };
  for (const auto& [ns, clusters] : namespace_content) {
    if (concerns(ns)) keys.push_back(NamespaceKey(ns));
  }
  return keys;
}

}  // namespace sealane::policy
