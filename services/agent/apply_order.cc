#include "services/agent/apply_order.h"

#include <algorithm>
#include <utility>

namespace sealane::agent {
namespace {

struct Ranked {
  std::string_view group;
  std::string_view kind;
  ApplyStage stage;
};

constexpr Ranked kOrder[] = {
    {"", "Namespace", ApplyStage::kNamespace},
    {"apiextensions.k8s.io", "CustomResourceDefinition", ApplyStage::kDefinition},
    {"scheduling.k8s.io", "PriorityClass", ApplyStage::kDefinition},
    {"storage.k8s.io", "StorageClass", ApplyStage::kDefinition},
    {"", "ResourceQuota", ApplyStage::kDefinition},
    {"", "LimitRange", ApplyStage::kDefinition},
    {"", "ServiceAccount", ApplyStage::kConfig},
    {"rbac.authorization.k8s.io", "ClusterRole", ApplyStage::kConfig},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", ApplyStage::kConfig},
    {"rbac.authorization.k8s.io", "Role", ApplyStage::kConfig},
    {"rbac.authorization.k8s.io", "RoleBinding", ApplyStage::kConfig},
    {"", "Secret", ApplyStage::kConfig},
    {"", "ConfigMap", ApplyStage::kConfig},
    {"", "PersistentVolume", ApplyStage::kConfig},
    {"", "PersistentVolumeClaim", ApplyStage::kConfig},
    {"", "Service", ApplyStage::kConfig},
};

const Ranked* Find(std::string_view group, std::string_view kind) {
  const auto* it = std::find_if(std::begin(kOrder), std::end(kOrder), [&](const Ranked& entry) {
    return entry.group == group && entry.kind == kind;
  });
  return it == std::end(kOrder) ? nullptr : it;
}

bool IsWebhook(std::string_view group) { return group == "admissionregistration.k8s.io"; }

}  // namespace

int ApplyRank(std::string_view group, std::string_view kind) {
  const Ranked* entry = Find(group, kind);
  const auto rest = static_cast<int>(std::size(kOrder));
  if (entry == nullptr) return IsWebhook(group) ? rest + 1 : rest;
  return static_cast<int>(entry - std::begin(kOrder));
}

ApplyStage StageOf(std::string_view group, std::string_view kind) {
  const Ranked* entry = Find(group, kind);
  if (entry != nullptr) return entry->stage;
  return IsWebhook(group) ? ApplyStage::kWebhook : ApplyStage::kWorkload;
}

ApplyOrder::Place ApplyOrder::PlaceOf(std::string_view group, std::string_view kind,
                                      std::string_view ns, std::string_view name) {
  const ApplyStage stage = StageOf(group, kind);
  return {std::string(stage == ApplyStage::kNamespace ? name : ns), stage};
}

void ApplyOrder::Expect(const std::string& key, std::string_view group, std::string_view kind,
                        std::string_view ns, std::string_view name) {
  const auto inserted = places_.try_emplace(key);
  if (!inserted.second) return;
  Place& place = inserted.first->second;
  place = PlaceOf(group, kind, ns, name);
  ++expected_[place.scope][static_cast<size_t>(place.stage)];
}

std::vector<std::string> ApplyOrder::Tried(const std::string& key) {
  const auto it = places_.find(key);
  if (it == places_.end()) return {};
  const Place place = std::move(it->second);
  places_.erase(it);
  const auto scope = expected_.find(place.scope);
  const bool last = --scope->second[static_cast<size_t>(place.stage)] == 0;
  if (std::all_of(scope->second.begin(), scope->second.end(), [](int n) { return n == 0; })) {
    expected_.erase(scope);
  }
  if (!last) return {};
  // Each looks again whether there is more to wait for.
  auto waiting = waiting_.extract(place.scope);
  if (waiting.empty()) return {};
  return {waiting.mapped().begin(), waiting.mapped().end()};
}

bool ApplyOrder::Waits(const std::string& key, std::string_view group, std::string_view kind,
                       std::string_view ns, std::string_view name) {
  const Place place = PlaceOf(group, kind, ns, name);
  const auto earlier = [&](std::string_view scope) {
    const auto it = expected_.find(scope);
    if (it == expected_.end()) return false;
    const auto end = it->second.begin() + static_cast<int>(place.stage);
    return std::any_of(it->second.begin(), end, [](int n) { return n > 0; });
  };
  for (const std::string& scope : {std::string(), place.scope}) {
    if (!earlier(scope)) continue;
    waiting_[scope].insert(key);
    return true;
  }
  return false;
}

std::vector<std::string> ApplyOrder::expected() const {
  std::vector<std::string> keys;
  keys.reserve(places_.size());
  for (const auto& entry : places_) keys.push_back(entry.first);
  return keys;
}

}  // namespace sealane::agent
