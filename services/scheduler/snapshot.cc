#include "services/scheduler/snapshot.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/core/hash.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/quantity.h"
#include "lib/model/toleration.h"

namespace sealane::scheduler {
namespace {

constexpr std::string_view kPodsResource = "pods";
// How much may be remembered of which affinity matches which cluster: a byte for each pair.
constexpr size_t kMemoBytes = size_t{32} << 20;

Quantity Parse(const google::protobuf::Map<std::string, std::string>& map,
               const std::string& name) {
  auto it = map.find(name);
  if (it == map.end()) return {};
  const auto quantity = Quantity::Parse(it->second);
  return quantity.ok() ? *quantity : Quantity();
}

ResourceAmount Amount(std::string_view name, const Quantity& quantity) {
  return {std::string(name), quantity.Value(), quantity.MilliValue()};
}

void SortByName(ResourceList& list) {
  std::sort(list.begin(), list.end(),
            [](const ResourceAmount& a, const ResourceAmount& b) { return a.name < b.name; });
}

ResourceList FreeResources(const v1::ResourceSummary& summary) {
  ResourceList free;
  for (const auto& entry : summary.allocatable()) {
    Quantity amount = Parse(summary.allocatable(), entry.first);
    amount -= Parse(summary.allocated(), entry.first);
    amount -= Parse(summary.allocating(), entry.first);
    free.push_back(Amount(entry.first, amount));
  }
  SortByName(free);
  return free;
}

// Nodes by grade, each counted at the lower end of its ranges.
// Source: the general estimator of Karmada, pkg/estimator/client/general.go.
std::vector<NodeGrade> Grades(const v1::ClusterStatus& status) {
  std::map<uint32_t, int64_t> counts;
  for (const auto& modeling : status.resource_summary().allocatable_modelings()) {
    counts[modeling.grade()] += std::max(0, modeling.count());
  }
  std::vector<NodeGrade> grades;
  for (const v1::ResourceModel& model : status.resource_models()) {
    auto it = counts.find(model.grade());
    if (it == counts.end()) continue;
    NodeGrade& grade = grades.emplace_back();
    grade.count = it->second;
    for (const v1::ResourceRange& range : model.ranges()) {
      const auto min = Quantity::Parse(range.min());
      if (min.ok()) grade.capacity.push_back(Amount(range.name(), *min));
    }
    SortByName(grade.capacity);
  }
  return grades;
}

}  // namespace

const ResourceAmount* FindAmount(const ResourceList& list, std::string_view name) {
  for (const ResourceAmount& amount : list) {
    if (amount.name == name) return &amount;
  }
  return nullptr;
}

ResourceList ParseResources(const google::protobuf::Map<std::string, std::string>& quantities) {
  ResourceList list;
  for (const auto& entry : quantities) {
    const auto quantity = Quantity::Parse(entry.second);
    if (quantity.ok()) list.push_back(Amount(entry.first, *quantity));
  }
  SortByName(list);
  return list;
}

std::vector<Snapshot::ClusterPtr>::const_iterator Snapshot::Position(std::string_view name) const {
  return std::lower_bound(clusters_.begin(), clusters_.end(), name,
                          [](const ClusterPtr& c, std::string_view n) { return c->name < n; });
}

std::shared_ptr<const ApiSet> Snapshot::InternApis(const v1::ClusterStatus& status) {
  std::set<std::string> sorted;
  for (const v1::ApiEnablement& enablement : status.api_enablements()) {
    for (const v1::ApiResource& resource : enablement.resources()) {
      sorted.insert(StrCat(enablement.group_version(), "|", resource.kind()));
    }
  }
  std::weak_ptr<const ApiSet>& known = api_sets_[Fnv1a64(StrJoin(sorted, "\n"))];
  if (auto shared = known.lock(); shared != nullptr && shared->size() == sorted.size() &&
                                  std::all_of(sorted.begin(), sorted.end(),
                                              [&](const auto& k) { return shared->contains(k); })) {
    return shared;
  }
  auto set = std::make_shared<const ApiSet>(sorted.begin(), sorted.end());
  known = set;
  return set;
}

void Snapshot::Set(const v1::ClusterStatus& status) {
  auto info = std::make_shared<ClusterInfo>();
  info->name = status.name();
  for (const auto& label : status.labels()) info->labels.emplace_back(label.first, label.second);
  std::sort(info->labels.begin(), info->labels.end());
  info->provider = status.provider();
  info->region = status.region();
  info->zones.assign(status.zones().begin(), status.zones().end());
  for (const v1::Taint& taint : status.taints()) {
    if (TaintForbidsScheduling(taint)) info->taints.push_back(taint);
    if (taint.effect() == "NoExecute") info->evicts = true;
    // By our own judgement; one by hand is a taint like any other, as Karmada has it.
    if (!taint.source().empty() &&
        (taint.key() == kNotReadyTaint || taint.key() == kUnreachableTaint)) {
      info->out_of_touch = true;
    }
  }
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() == "Settled") info->joined_micros = condition.last_transition_micros();
  }
  info->deleting = status.deleting();
  const auto abandon = status.annotations().find(std::string(kAbandonAnnotation));
  info->abandoned =
      status.deleting() && abandon != status.annotations().end() && abandon->second == "true";
  info->apis = InternApis(status);
  info->has_summary = status.has_resource_summary();
  info->free = FreeResources(status.resource_summary());
  // Counted in whole pods before the subtraction, as Karmada does.
  const v1::ResourceSummary& summary = status.resource_summary();
  const std::string pods(kPodsResource);
  info->free_pods = Parse(summary.allocatable(), pods).Value() -
                    Parse(summary.allocated(), pods).Value() -
                    Parse(summary.allocating(), pods).Value();
  info->grades = Grades(status);

  auto at = Position(info->name);
  const auto index = at - clusters_.begin();
  evicting_ += info->evicts ? 1 : 0;
  if (at != clusters_.end() && (*at)->name == info->name) {
    evicting_ -= (*at)->evicts ? 1 : 0;
    if (!SameForFilters(**at, *info)) {
      for (auto& entry : memos_.by_key) {
        entry.second->known_[static_cast<size_t>(index)] = MatchMemo::kUnknown;
      }
    }
    clusters_[static_cast<size_t>(index)] = std::move(info);
    return;
  }
  clusters_.insert(at, std::move(info));
  for (auto& entry : memos_.by_key) {
    std::vector<int8_t>& known = entry.second->known_;
    known.insert(known.begin() + index, MatchMemo::kUnknown);
  }
}

Snapshot::MemoPtr Snapshot::MemoFor(const std::string& key) const {
  MemoPtr& memo = memos_.by_key[key];
  if (memo != nullptr) return memo;
  const MemoPtr made = std::make_shared<MatchMemo>(clusters_.size());
  // Policies come and go; a fleet with more of them than this asks again now and then.
  if (memos_.by_key.size() > std::max<size_t>(64, kMemoBytes / (clusters_.size() + 1))) {
    memos_.by_key.clear();
    memos_.by_key[key] = made;
  } else {
    memo = made;
  }
  return made;
}

bool SameForFilters(const ClusterInfo& a, const ClusterInfo& b) {
  const auto same_taint = [](const v1::Taint& x, const v1::Taint& y) {
    return x.key() == y.key() && x.value() == y.value() && x.effect() == y.effect() &&
           x.time_added_micros() == y.time_added_micros();
  };
  return a.labels == b.labels && a.provider == b.provider && a.region == b.region &&
         a.zones == b.zones && a.deleting == b.deleting && a.drained == b.drained &&
         a.abandoned == b.abandoned &&
         std::equal(a.taints.begin(), a.taints.end(), b.taints.begin(), b.taints.end(),
                    same_taint) &&
         (a.apis == b.apis || *a.apis == *b.apis);
}

bool SameCapacity(const ClusterInfo& a, const ClusterInfo& b) {
  return a.has_summary == b.has_summary && a.out_of_touch == b.out_of_touch &&
         a.free_pods == b.free_pods && a.free == b.free && a.grades == b.grades;
}

void Snapshot::Drain(std::string_view name) {
  const size_t index = IndexOf(name);
  if (index == clusters_.size()) return;
  auto drained = std::make_shared<ClusterInfo>(*clusters_[index]);
  drained->drained = true;
  clusters_[index] = std::move(drained);
}

void Snapshot::Remove(std::string_view name) {
  auto at = Position(name);
  if (at != clusters_.end() && (*at)->name == name) {
    const auto index = at - clusters_.begin();
    evicting_ -= (*at)->evicts ? 1 : 0;
    clusters_.erase(at);
    for (auto& entry : memos_.by_key) {
      entry.second->known_.erase(entry.second->known_.begin() + index);
    }
  }
  for (auto it = api_sets_.begin(); it != api_sets_.end();) {
    it = it->second.expired() ? api_sets_.erase(it) : std::next(it);
  }
}

size_t Snapshot::IndexOf(std::string_view name) const {
  auto at = Position(name);
  const bool found = at != clusters_.end() && (*at)->name == name;
  return found ? static_cast<size_t>(at - clusters_.begin()) : clusters_.size();
}

const ClusterInfo* Snapshot::Find(std::string_view name) const {
  auto at = Position(name);
  return at != clusters_.end() && (*at)->name == name ? at->get() : nullptr;
}

Snapshot::ClusterPtr Snapshot::Share(std::string_view name) const {
  auto at = Position(name);
  return at != clusters_.end() && (*at)->name == name ? *at : nullptr;
}

}  // namespace sealane::scheduler
