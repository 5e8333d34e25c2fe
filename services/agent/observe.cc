#include "services/agent/observe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kube/health.h"
#include "lib/kube/json_access.h"
#include "lib/kube/reflect_status.h"
#include "lib/model/identity.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/ownership.h"
#include "services/agent/pods.h"

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetInt;
using kube::GetString;

// A reflected status above this is not sent: it would crowd out everyone else's.
constexpr size_t kMaxStatus = 64 << 10;
constexpr size_t kMaxReason = 1024;
constexpr size_t kMaxJobs = 20;  // of a CronJob, whose pods are looked at

std::string KeyOfObject(const Json& object) {
  return RowKey(ObjectKey{std::string(GroupOf(GetString(object, {"apiVersion"}))),
                          std::string(GetString(object, {"kind"})),
                          std::string(GetString(object, {"metadata", "namespace"})),
                          std::string(GetString(object, {"metadata", "name"}))});
}

// The selector of a workload's pods as a query of the API; "" when it has none that selects.
std::string PodSelector(const Json& object) {
  const Json* selector = Find(object, {"spec", "selector"});
  if (selector == nullptr || Find(object, {"spec", "template"}) == nullptr) return {};
  std::vector<std::string> terms;
  if (const Json* labels = Find(*selector, {"matchLabels"}); labels && labels->is_object()) {
    for (const auto& entry : labels->items()) {
      if (entry.value().is_string()) {
        terms.push_back(StrCat(entry.key(), "=", entry.value().get_ref<const std::string&>()));
      }
    }
  }
  if (const Json* rules = Find(*selector, {"matchExpressions"}); rules && rules->is_array()) {
    for (const Json& rule : *rules) {
      const std::string_view op = GetString(rule, {"operator"});
      const std::string_view key = GetString(rule, {"key"});
      std::vector<std::string> values;
      if (const Json* list = Find(rule, {"values"}); list && list->is_array()) {
        for (const Json& value : *list) {
          if (value.is_string()) values.push_back(value.get<std::string>());
        }
      }
      const std::string set = StrCat(" (", StrJoin(values, ","), ")");
      if (op == "In") terms.push_back(StrCat(key, " in", set));
      if (op == "NotIn") terms.push_back(StrCat(key, " notin", set));
      if (op == "Exists") terms.push_back(std::string(key));
      if (op == "DoesNotExist") terms.push_back(StrCat("!", key));
    }
  }
  return StrJoin(terms, ",");
}

// The same for the Jobs of a CronJob that run: their pods carry the Job's name as a label. "" when
// none runs.
std::string PodSelectorOfCronJob(const Json& object) {
  const Json* active = Find(object, {"status", "active"});
  if (active == nullptr || !active->is_array()) return {};
  std::vector<std::string> names;
  for (const Json& job : *active) {
    if (names.size() == kMaxJobs) break;
    const std::string_view name = GetString(job, {"name"});
    if (!name.empty()) names.emplace_back(name);
  }
  return names.empty() ? "" : StrCat("job-name in (", StrJoin(names, ","), ")");
}

// A Job is healthy while it runs; whether its pods do is another question.
bool IsJobWithIdlePods(const Json& object) {
  return GetString(object, {"kind"}) == "Job" &&
         GetInt(object, {"status", "active"}) > GetInt(object, {"status", "ready"});
}

std::string Finalizers(const Json& object) {
  std::vector<std::string> out;
  const Json* finalizers = Find(object, {"metadata", "finalizers"});
  if (finalizers != nullptr && finalizers->is_array()) {
    for (const Json& finalizer : *finalizers) {
      if (finalizer.is_string()) out.push_back(finalizer.get<std::string>());
    }
  }
  return StrJoin(out, ", ");
}

bool SameForPlan(const Observed& a, const Observed& b) {
  return a.uid == b.uid && a.fields_hash == b.fields_hash && a.managed == b.managed &&
         a.deleting == b.deleting && a.finalizers == b.finalizers;
}

bool SameForReport(const Observed& a, const Observed& b) {
  return a.generation == b.generation && a.observed_generation == b.observed_generation &&
         a.health == b.health && a.health_reason == b.health_reason &&
         a.pod_selector == b.pod_selector && a.status_json == b.status_json;
}

// The newest version of the item's object that is known; 0: none.
uint64_t KnownVersion(const Item& item) {
  return std::max(item.inventory ? item.inventory->resource_version : 0,
                  item.observed ? item.observed->resource_version : 0);
}

// The API server was restored from a backup: what we applied may be in force or not, with the same
// fields or not, and its versions compare with nothing. It is applied again, which changes nothing
// where it is in force.
void Distrust(Item& item) {
  if (item.observed) item.observed->resource_version = 0;
  if (!item.inventory) return;
  item.inventory->resource_version = 0;
  item.inventory->fields_hash = 0;
}

}  // namespace

Observed Observe(const Json& object, std::optional<int64_t> template_generation) {
  Observed out;
  out.uid = GetString(object, {"metadata", "uid"});
  out.resource_version = ResourceVersionOf(object);
  out.fields_hash = OwnedFieldsHash(object);
  out.managed = IsManaged(object);
  if (!out.managed) out.owner = DescribeOwner(object);
  out.deleting = !GetString(object, {"metadata", "deletionTimestamp"}).empty();
  if (out.deleting) out.finalizers = Finalizers(object);
  out.generation = GetInt(object, {"metadata", "generation"});
  out.observed_generation = GetInt(object, {"status", "observedGeneration"});
  const kube::HealthVerdict verdict = kube::InterpretHealth(object);
  out.health = kube::HealthName(verdict.health);
  out.health_reason = verdict.reason;
  const bool unhealthy = verdict.health == kube::Health::kUnhealthy;
  if (unhealthy && GetString(object, {"kind"}) == "Pod") {
    const std::string trouble = DescribeTrouble(TroubleOf(object));
    if (!trouble.empty()) out.health_reason += StrCat("; ", trouble);
  }
  out.health_reason.resize(std::min(out.health_reason.size(), kMaxReason));
  const auto status = kube::ReflectStatus(object, template_generation);
  if (status.ok() && !status->is_null()) {
    out.status_json = WriteJson(*status);
    if (out.status_json.size() > kMaxStatus) {
      out.health_reason += StrCat(out.health_reason.empty() ? "" : "; ", "the status of ",
                                  out.status_json.size(), " bytes is too large to be reported");
      out.status_json.clear();
    }
  }
  if (unhealthy || IsJobWithIdlePods(object)) out.pod_selector = PodSelector(object);
  if (out.pod_selector.empty() && GetString(object, {"kind"}) == "CronJob") {
    out.pod_selector = PodSelectorOfCronJob(object);
  }
  return out;
}

std::optional<int64_t> TemplateGeneration(const Item& item) {
  if (item.inventory && item.inventory->manifest_hash != 0) {
    return item.inventory->object_generation;
  }
  if (item.work != nullptr) return item.work->object_generation();
  return std::nullopt;
}

Observer::Observer(kube::KubeClient& client, Items& items, AgentMetrics& metrics, Hooks hooks)
    : client_(client), items_(items), metrics_(metrics), hooks_(std::move(hooks)) {}

void Observer::Update(const kube::ApiCatalog& catalog) {
  std::set<KindKey> wanted;
  for (const auto& entry : items_) {
    if (entry.second.work != nullptr || entry.second.inventory) wanted.insert(KindOf(entry.second));
  }
  std::erase_if(kinds_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  for (const KindKey& key : wanted) {
    if (kinds_.contains(key)) continue;
    const kube::ResourceType* type = catalog.Find(key.first, key.second);
    if (type != nullptr && type->can_list) Follow(key, *type);
  }
}

bool Observer::Lacks(const Item& item, const kube::ApiCatalog& catalog) const {
  const KindKey key = KindOf(item);
  if (kinds_.contains(key)) return false;
  const kube::ResourceType* type = catalog.Find(key.first, key.second);
  return type != nullptr && type->can_list;
}

void Observer::Relist() {
  for (auto& entry : kinds_) entry.second.reflector->Relist();
}

Observer::KindKey Observer::KindOf(const Item& item) {
  if (item.work != nullptr) return {item.work->ref().api_version(), item.work->ref().kind()};
  if (item.inventory) return {item.inventory->api_version, item.inventory->kind};
  return {};
}

uint64_t Observer::KnownVersion(const KindKey& key) const {
  uint64_t newest = 0;
  for (const auto& entry : items_) {
    if (KindOf(entry.second) == key) newest = std::max(newest, agent::KnownVersion(entry.second));
  }
  return newest;
}

void Observer::Follow(const KindKey& key, const kube::ResourceType& type) {
  kube::ReflectorOptions options;
  options.label_selector = kManagedSelector;
  kube::Reflector::Handler handler;
  handler.known_version = [this, key] { return KnownVersion(key); };
  handler.on_reset = [this, key](bool went_back) {
    Kind& kind = kinds_.at(key);
    kind.seen.clear();
    kind.listing = true;
    if (!went_back) return;
    metrics_.versions_went_back.Increment();
    for (auto& entry : items_) {
      if (KindOf(entry.second) == key) Distrust(entry.second);
    }
  };
  handler.on_put = [this, key](const Json& object) { OnPut(key, object); };
  handler.on_delete = [this, key](const Json& object) { OnDelete(key, object); };
  handler.on_synced = [this, key] { OnSynced(key); };
  handler.on_status = [this](const absl::Status& status) {
    if (!status.ok()) metrics_.watch_failures.Increment();
  };
  Kind& kind = kinds_[key];
  kind.reflector = std::make_unique<kube::Reflector>(client_, type, options, std::move(handler));
  kind.reflector->Start();
}

bool Observer::IsKnown(std::string_view api_version, std::string_view kind) const {
  const auto it = kinds_.find(KindKey(api_version, kind));
  return it != kinds_.end() && it->second.reflector->synced() && !it->second.listing;
}

bool Observer::AllKnown() const {
  for (const auto& entry : kinds_) {
    if (!entry.second.reflector->synced()) return false;
  }
  return true;
}

void Observer::OnPut(const KindKey& kind_key, const Json& object) {
  const std::string key = KeyOfObject(object);
  Kind& kind = kinds_.at(kind_key);
  if (kind.listing) kind.seen.insert(key);
  if (kind_key.second == "CustomResourceDefinition") hooks_.on_definition_change();
  const auto it = items_.find(key);
  if (it == items_.end()) return;
  Item& item = it->second;
  // The echo of our own write: the answer to it told the same. A list is taken as it is: after a
  // restore of the API server a version may stand for another state.
  if (!kind.listing && item.observed && item.observed->resource_version != 0 &&
      item.observed->resource_version == ResourceVersionOf(object) &&
      item.observed->uid == GetString(object, {"metadata", "uid"})) {
    return;
  }
  Observed seen = Observe(object, TemplateGeneration(item));
  // A list that is newer than what is known, and shows the object as it was before: the versions
  // went back, and by now are past what we knew.
  if (kind.listing && seen.resource_version < agent::KnownVersion(item) &&
      kind.reflector->list_version() >= agent::KnownVersion(item)) {
    Distrust(item);
  }
  const bool older = item.observed && item.observed->uid == seen.uid &&
                     seen.resource_version < item.observed->resource_version;
  if (older) return;
  // Reported drift ends with whatever anybody does to the object.
  const bool moved = item.reason == kDrifted && item.observed &&
                     item.observed->resource_version != seen.resource_version;
  const bool to_plan = !item.observed || moved || !SameForPlan(*item.observed, seen);
  const bool changed = to_plan || !SameForReport(*item.observed, seen);
  item.observed = std::move(seen);
  if (changed) hooks_.on_change(key, to_plan);
}

void Observer::OnDelete(const KindKey& kind_key, const Json& object) {
  if (kind_key.second == "CustomResourceDefinition") hooks_.on_definition_change();
  const std::string key = KeyOfObject(object);
  const auto it = items_.find(key);
  if (it == items_.end() || !it->second.observed) return;
  // The end of an earlier object of this name says nothing about the present one.
  if (it->second.observed->uid != GetString(object, {"metadata", "uid"})) return;
  // A delete event that is older than our own write (relabelled, then repaired).
  const uint64_t version = ResourceVersionOf(object);
  if (version != 0 && version < it->second.observed->resource_version) return;
  it->second.observed.reset();
  hooks_.on_change(key, /*to_plan=*/true);
}

void Observer::OnSynced(const KindKey& kind_key) {
  Kind& kind = kinds_.at(kind_key);
  kind.listing = false;
  const std::set<std::string> seen = std::exchange(kind.seen, {});
  const uint64_t listed_at = kind.reflector->list_version();
  std::vector<std::string> keys;
  for (auto& entry : items_) {
    Item& item = entry.second;
    if (KindOf(item) != kind_key) continue;
    // Written by us after the list was made: the watch will tell.
    const bool newer = item.observed && item.observed->resource_version > listed_at;
    if (item.observed && !newer && !seen.contains(entry.first)) item.observed.reset();
    keys.push_back(entry.first);
  }
  for (const std::string& key : keys) hooks_.on_change(key, /*to_plan=*/true);
}

}  // namespace sealane::agent
