#include "services/agent/observe.h"

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

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetInt;
using kube::GetString;

// A reflected status above this is not sent: it would crowd out everyone else's.
constexpr size_t kMaxStatus = 64 << 10;
constexpr size_t kMaxReason = 1024;

std::string KeyOfObject(const Json& object) {
  return RowKey(ObjectKey{std::string(GroupOf(GetString(object, {"apiVersion"}))),
                          std::string(GetString(object, {"kind"})),
                          std::string(GetString(object, {"metadata", "namespace"})),
                          std::string(GetString(object, {"metadata", "name"}))});
}

std::string PodSelector(const Json& object) {
  const Json* labels = Find(object, {"spec", "selector", "matchLabels"});
  if (labels == nullptr || !labels->is_object() || Find(object, {"spec", "template"}) == nullptr) {
    return {};
  }
  std::vector<std::string> terms;
  for (const auto& entry : labels->items()) {
    if (entry.value().is_string()) {
      terms.push_back(StrCat(entry.key(), "=", entry.value().get_ref<const std::string&>()));
    }
  }
  return StrJoin(terms, ",");
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
         a.status_json == b.status_json;
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
  out.health_reason = verdict.reason.substr(0, kMaxReason);
  const auto status = kube::ReflectStatus(object, template_generation);
  if (status.ok() && !status->is_null()) {
    out.status_json = WriteJson(*status);
    if (out.status_json.size() > kMaxStatus) {
      out.health_reason += StrCat(out.health_reason.empty() ? "" : "; ", "the status of ",
                                  out.status_json.size(), " bytes is too large to be reported");
      out.status_json.clear();
    }
  }
  out.pod_selector = PodSelector(object);
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
    const Item& item = entry.second;
    if (item.work != nullptr) {
      wanted.emplace(item.work->ref().api_version(), item.work->ref().kind());
    } else if (item.inventory) {
      wanted.emplace(item.inventory->api_version, item.inventory->kind);
    }
  }
  std::erase_if(kinds_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  for (const KindKey& key : wanted) {
    if (kinds_.contains(key)) continue;
    const kube::ResourceType* type = catalog.Find(key.first, key.second);
    if (type != nullptr && type->can_list) Follow(key, *type);
  }
}

void Observer::Follow(const KindKey& key, const kube::ResourceType& type) {
  kube::ReflectorOptions options;
  options.label_selector = kManagedSelector;
  kube::Reflector::Handler handler;
  handler.on_reset = [this, key] {
    Kind& kind = kinds_.at(key);
    kind.seen.clear();
    kind.listing = true;
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
  Observed seen = Observe(object, TemplateGeneration(item));
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
    const bool same_kind = item.work != nullptr
                               ? item.work->ref().kind() == kind_key.second &&
                                     item.work->ref().api_version() == kind_key.first
                               : item.inventory && item.inventory->kind == kind_key.second &&
                                     item.inventory->api_version == kind_key.first;
    if (!same_kind) continue;
    // Written by us after the list was made: the watch will tell.
    const bool newer = item.observed && item.observed->resource_version > listed_at;
    if (item.observed && !newer && !seen.contains(entry.first)) item.observed.reset();
    keys.push_back(entry.first);
  }
  for (const std::string& key : keys) hooks_.on_change(key, /*to_plan=*/true);
}

}  // namespace sealane::agent
