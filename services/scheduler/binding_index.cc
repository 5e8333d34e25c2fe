#include "services/scheduler/binding_index.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {

// Bindings with the same affinity.
struct BindingIndex::Shape {
  std::vector<AffinityTerm> terms;
  bool all_clusters = false;
  Keys following;  // they follow clusters that come: not divided by room
  Keys others;
  // May return to an earlier group, or spread onto clusters that join; looked at on every change.
  Keys looking_on;

  [[nodiscard]] bool Matches(const ClusterInfo* cluster) const {
    if (cluster == nullptr) return false;
    return all_clusters || MatchesBefore(*cluster, terms.size());
  }
  // One of the first `count` groups has the cluster.
  [[nodiscard]] bool MatchesBefore(const ClusterInfo& cluster, size_t count) const {
    const ClusterFacts facts = cluster.Facts();
    const auto end = terms.begin() + static_cast<std::ptrdiff_t>(std::min(count, terms.size()));
    return std::any_of(terms.begin(), end, [&](const AffinityTerm& term) {
      return term.primary.matcher.Matches(facts) ||
             std::any_of(term.overflow.begin(), term.overflow.end(),
                         [&](const ClusterRule& tier) { return tier.matcher.Matches(facts); });
    });
  }
  // The place of the group; 0 when there is none of this name.
  [[nodiscard]] size_t PlaceOf(const std::string& group) const {
    for (size_t i = 0; i < terms.size(); ++i) {
      if (terms[i].name == group) return i;
    }
    return 0;
  }
  [[nodiscard]] bool empty() const { return following.empty() && others.empty(); }
};

struct BindingIndex::Entry {
  bool has_binding = false;
  bool has_placed = false;
  std::string shape;  // key in shapes_
  std::string affinity_group;
  std::string anti_affinity_group;
  bool fails_back = false;
  std::string group;                  // of clusterAffinities, in force
  std::vector<std::string> clusters;  // of the placement, sorted
};

namespace {

std::string Serialize(const google::protobuf::Message& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

std::string ShapeKey(const v1::Binding& binding) {
  v1::Placement affinity;
  if (binding.placement().has_cluster_affinity()) {
    *affinity.mutable_cluster_affinity() = binding.placement().cluster_affinity();
  }
  *affinity.mutable_cluster_affinities() = binding.placement().cluster_affinities();
  return StrCat(binding.explicit_all_clusters() ? "all" : "", Serialize(affinity));
}

bool Spreads(const v1::Binding& binding) {
  const auto it = binding.options().find(std::string(kRebalanceOption));
  return it != binding.options().end() && it->second == "WhenClustersJoin";
}

bool FailsBack(const v1::Binding& binding) {
  const auto it = binding.options().find(std::string(kFailbackOption));
  if (it == binding.options().end()) return false;
  const auto after = ParseFailback(it->second);
  return after.ok() && *after != absl::InfiniteDuration();
}

}  // namespace

BindingIndex::BindingIndex() = default;
BindingIndex::~BindingIndex() = default;

BindingIndex::Entry& BindingIndex::EntryOf(const std::string& key) { return entries_[key]; }

void BindingIndex::Erase(std::map<std::string, Keys, std::less<>>& sets, const std::string& name,
                         std::string_view key) {
  const auto it = sets.find(name);
  if (it == sets.end()) return;
  it->second.erase(key);
  if (it->second.empty()) sets.erase(it);
}

void BindingIndex::Unlink(const std::string& key, Entry& entry) {
  if (const auto it = shapes_.find(entry.shape); entry.has_binding && it != shapes_.end()) {
    it->second->following.erase(key);
    it->second->others.erase(key);
    it->second->looking_on.erase(key);
    if (it->second->empty()) shapes_.erase(it);
  }
  if (!entry.affinity_group.empty()) Erase(affinity_groups_, entry.affinity_group, key);
  if (!entry.anti_affinity_group.empty()) {
    Erase(anti_affinity_groups_, entry.anti_affinity_group, key);
  }
  entry.has_binding = false;
}

void BindingIndex::UpdateAway(std::string_view own_key, const Entry& entry) {
  const auto shape = shapes_.find(entry.shape);
  const bool away = entry.has_binding && entry.has_placed && entry.fails_back &&
                    shape != shapes_.end() && shape->second->PlaceOf(entry.group) > 0;
  if (away) {
    away_.insert(own_key);
  } else {
    away_.erase(own_key);
  }
}

void BindingIndex::DropIfEmpty(const std::string& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.has_binding || it->second.has_placed) return;
  waiting_.erase(it->first);
  away_.erase(it->first);
  entries_.erase(it);
}

void BindingIndex::SetBinding(const std::string& key, const v1::Binding& binding) {
  Entry& entry = EntryOf(key);
  const std::string_view own_key = entries_.find(key)->first;
  Unlink(key, entry);
  const Request request(binding);
  entry.has_binding = true;
  entry.shape = ShapeKey(binding);
  std::unique_ptr<Shape>& shape = shapes_[entry.shape];
  if (shape == nullptr) {
    shape = std::make_unique<Shape>();
    shape->terms = request.terms;
    shape->all_clusters = request.all_clusters;
  }
  (request.FollowsClusters() ? shape->following : shape->others).insert(own_key);
  entry.fails_back = FailsBack(binding);
  if (entry.fails_back || Spreads(binding)) shape->looking_on.insert(own_key);
  entry.affinity_group = request.affinity_group;
  entry.anti_affinity_group = request.anti_affinity_group;
  if (!entry.affinity_group.empty()) affinity_groups_[entry.affinity_group].insert(own_key);
  if (!entry.anti_affinity_group.empty()) {
    anti_affinity_groups_[entry.anti_affinity_group].insert(own_key);
  }
  UpdateAway(own_key, entry);
}

void BindingIndex::RemoveBinding(const std::string& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  Unlink(key, it->second);
  UpdateAway(it->first, it->second);
  DropIfEmpty(key);
}

void BindingIndex::SetPlaced(const std::string& key, const v1::Placed* placed) {
  Entry& entry = EntryOf(key);
  const std::string_view own_key = entries_.find(key)->first;
  for (const std::string& cluster : entry.clusters) Erase(by_cluster_, cluster, own_key);
  entry.clusters.clear();
  entry.has_placed = placed != nullptr;
  if (placed != nullptr) {
    for (const v1::TargetCluster& target : placed->clusters()) {
      entry.clusters.push_back(target.name());
      by_cluster_[target.name()].insert(own_key);
    }
    std::sort(entry.clusters.begin(), entry.clusters.end());
  }
  entry.group = placed == nullptr ? "" : placed->affinity_name();
  UpdateAway(own_key, entry);
  if (placed != nullptr && placed->state() != "Scheduled" && placed->state() != "Suspended") {
    waiting_.insert(own_key);
  } else {
    waiting_.erase(own_key);
  }
  DropIfEmpty(key);
}

void BindingIndex::ConcernedBy(const ClusterInfo* before, const ClusterInfo* after,
                               const Add& add) const {
  Keys concerned;
  const std::string& name = before != nullptr ? before->name : after->name;
  if (const auto it = by_cluster_.find(name); it != by_cluster_.end()) concerned = it->second;
  std::set<std::string_view> matching;  // shapes
  for (const auto& [text, shape] : shapes_) {
    if (!shape->Matches(before) && !shape->Matches(after)) continue;
    matching.insert(text);
    concerned.insert(shape->following.begin(), shape->following.end());
    concerned.insert(shape->looking_on.begin(), shape->looking_on.end());
  }
  for (std::string_view key : waiting_) {
    const auto entry = entries_.find(key);
    if (entry != entries_.end() && matching.count(entry->second.shape) > 0) concerned.insert(key);
  }
  for (std::string_view key : concerned) add(std::string(key));
}

void BindingIndex::PlacedIn(std::string_view cluster, const Add& add) const {
  const auto it = by_cluster_.find(cluster);
  if (it == by_cluster_.end()) return;
  for (std::string_view key : it->second) add(std::string(key));
}

void BindingIndex::WaitingFor(const ClusterInfo& cluster, const Add& add) const {
  std::map<std::string_view, bool> matches;  // by shape
  for (std::string_view key : waiting_) {
    const auto entry = entries_.find(key);
    if (entry == entries_.end() || !entry->second.has_binding) continue;
    const auto shape = shapes_.find(entry->second.shape);
    if (shape == shapes_.end()) continue;
    const auto known = matches.find(shape->first);
    const bool match = known != matches.end() ? known->second : shape->second->Matches(&cluster);
    matches[shape->first] = match;
    if (match) add(entry->first);
  }
}

void BindingIndex::AwayFrom(const ClusterInfo& cluster, const Add& add) const {
  std::map<std::pair<std::string_view, std::string_view>, bool> matches;  // by shape and group
  for (std::string_view key : away_) {
    const Entry& entry = entries_.find(key)->second;
    const auto [known, added] = matches.try_emplace({entry.shape, entry.group}, false);
    if (added) {
      const Shape& shape = *shapes_.find(entry.shape)->second;
      known->second = shape.MatchesBefore(cluster, shape.PlaceOf(entry.group));
    }
    if (known->second) add(std::string(key));
  }
}

void BindingIndex::Waiting(const Add& add) const {
  for (std::string_view key : waiting_) add(std::string(key));
}

void BindingIndex::WaitingPeers(const std::string& key, const Add& add) const {
  const auto self = entries_.find(key);
  if (self == entries_.end() || waiting_.empty()) return;
  const auto tell = [&](const std::map<std::string, Keys, std::less<>>& groups,
                        const std::string& group) {
    const auto it = groups.find(group);
    if (group.empty() || it == groups.end()) return;
    for (std::string_view peer : it->second) {
      if (peer != key && waiting_.count(peer) > 0) add(std::string(peer));
    }
  };
  tell(affinity_groups_, self->second.affinity_group);
  tell(anti_affinity_groups_, self->second.anti_affinity_group);
}

bool BindingIndex::AllRunIn(const std::string& group, const v1::Binding& self,
                            std::string_view cluster) const {
  const auto it = affinity_groups_.find(group);
  if (it == affinity_groups_.end()) return true;
  const std::string own = RowKey(self.ref());
  return std::all_of(it->second.begin(), it->second.end(), [&](std::string_view key) {
    const auto entry = entries_.find(key);
    if (key == own || entry == entries_.end() || entry->second.clusters.empty()) return true;
    const auto& clusters = entry->second.clusters;
    return std::binary_search(clusters.begin(), clusters.end(), cluster);
  });
}

bool BindingIndex::AnyRunsIn(const std::string& group, const v1::Binding& self,
                             std::string_view cluster) const {
  const auto it = anti_affinity_groups_.find(group);
  if (it == anti_affinity_groups_.end()) return false;
  const std::string own = RowKey(self.ref());
  return std::any_of(it->second.begin(), it->second.end(), [&](std::string_view key) {
    const auto entry = entries_.find(key);
    if (key == own || entry == entries_.end()) return false;
    const auto& clusters = entry->second.clusters;
    return std::binary_search(clusters.begin(), clusters.end(), cluster);
  });
}

}  // namespace sealane::scheduler
