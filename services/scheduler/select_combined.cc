#include "services/scheduler/select_combined.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::scheduler {
namespace {

using By = SpreadRule::By;

constexpr int64_t kMaxLooks = 4'000'000;

class CombinedSearch {
 public:
  CombinedSearch(const Request& request, const Candidates& candidates, const CombinedGoal& goal)
      : candidates_(candidates), goal_(goal), steps_(goal.budget) {
    for (const SpreadRule& rule : request.spread) {
      if (rule.by == By::kCluster) {
        min_clusters_ = rule.min_groups;
        max_clusters_ = rule.max_groups;
      } else {
        AddDimension(rule);
      }
    }
    if (goal.one_grouping) {
      for (const Dimension& d : dimensions_) max_clusters_ = std::max(max_clusters_, d.min);
    }
    max_clusters_ = std::min(max_clusters_, static_cast<int64_t>(candidates.size()));
    taken_.assign(candidates.size(), false);
    FindKinds();
    FindMostRoom();
  }

  absl::StatusOr<Candidates> Run() {
    if (goal_.keep_in_use) TakeInUse();
    if (!Reach()) return FailedPrecondition(WhyNot());
    Candidates chosen;
    for (size_t index : order_) chosen.push_back(candidates_[index]);
    return chosen;
  }

 private:
  struct Dimension {
    int64_t min = 0;
    int64_t max = 0;
    std::vector<std::vector<size_t>> groups_of;  // by candidate
    int64_t widest = 0;                          // most groups of one candidate
    std::vector<int64_t> members;                // chosen clusters, by group
    int64_t covered = 0;                         // groups with members
  };

  void AddDimension(const SpreadRule& rule) {
    Dimension& dimension = dimensions_.emplace_back();
    dimension.min = rule.min_groups;
    dimension.max = rule.max_groups;
    std::map<std::string_view, size_t> ids;
    for (const Candidate& candidate : candidates_) {
      std::vector<size_t>& own = dimension.groups_of.emplace_back();
      for (std::string_view name : GroupNames(rule, *candidate.cluster)) {
        const size_t id = ids.emplace(name, ids.size()).first->second;
        if (std::find(own.begin(), own.end(), id) == own.end()) own.push_back(id);
      }
      dimension.widest = std::max(dimension.widest, static_cast<int64_t>(own.size()));
    }
    dimension.members.assign(ids.size(), 0);
  }

  // Candidates that stand in the same groups everywhere.
  struct Kind {
    std::vector<size_t> members;  // in the given order
    size_t used = 0;              // of them, from the first on
    bool closed = false;          // no choice with more of them is left to try
  };

  void FindKinds() {
    std::map<std::vector<size_t>, size_t> ids;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      std::vector<size_t> signature = {static_cast<size_t>(candidates_[i].tier)};
      for (const Dimension& dimension : dimensions_) {
        std::vector<size_t> groups = dimension.groups_of[i];
        std::sort(groups.begin(), groups.end());
        signature.push_back(groups.size());
        signature.insert(signature.end(), groups.begin(), groups.end());
      }
      const size_t id = ids.emplace(std::move(signature), kinds_.size()).first->second;
      if (id == kinds_.size()) kinds_.emplace_back();
      kinds_[id].members.push_back(i);
      kind_of_.push_back(id);
    }
  }

  void FindMostRoom() {
    if (goal_.needed < 0) return;
    std::vector<int64_t> rooms;
    for (const Candidate& candidate : candidates_) rooms.push_back(candidate.available());
    std::sort(rooms.begin(), rooms.end(), std::greater<>());
    most_room_.assign(1, 0);
    for (int64_t room : rooms) most_room_.push_back(most_room_.back() + room);
  }

  static int64_t NewGroups(const Dimension& dimension, size_t candidate) {
    int64_t count = 0;
    for (size_t group : dimension.groups_of[candidate]) {
      if (dimension.members[group] == 0) ++count;
    }
    return count;
  }

  // Whether the candidate may join without breaking a maximum. What may not join now may not join
  // later either: with the groups that others cover, as many new groups remain too many.
  [[nodiscard]] bool Allowed(size_t candidate) const {
    if (FreePlaces() <= 0) return false;
    return std::all_of(dimensions_.begin(), dimensions_.end(), [candidate](const Dimension& d) {
      return d.covered + NewGroups(d, candidate) <= d.max;
    });
  }

  // How many unmet constraints the candidate brings closer to their minimum.
  [[nodiscard]] int64_t Helps(size_t candidate) const {
    int64_t count = 0;
    for (const Dimension& dimension : dimensions_) {
      if (dimension.covered < dimension.min && NewGroups(dimension, candidate) > 0) ++count;
    }
    return count;
  }

  [[nodiscard]] bool MinimaMet() const {
    return std::all_of(dimensions_.begin(), dimensions_.end(),
                       [](const Dimension& d) { return d.covered >= d.min; });
  }

  [[nodiscard]] int64_t FreePlaces() const {
    return max_clusters_ - static_cast<int64_t>(order_.size());
  }

  // False when the places that are left cannot be enough, whoever takes them.
  [[nodiscard]] bool Hopeful() const {
    const int64_t places = std::max<int64_t>(0, FreePlaces());
    if (max_clusters_ < min_clusters_) return false;
    if (goal_.needed >= 0 && room_ + most_room_[static_cast<size_t>(places)] < goal_.needed) {
      return false;
    }
    return std::all_of(dimensions_.begin(), dimensions_.end(), [places](const Dimension& d) {
      return d.covered + places * d.widest >= d.min &&
             static_cast<int64_t>(d.members.size()) >= d.min;
    });
  }

  void Take(size_t candidate) {
    taken_[candidate] = true;
    order_.push_back(candidate);
    room_ += candidates_[candidate].available();
    ++kinds_[kind_of_[candidate]].used;
    for (Dimension& dimension : dimensions_) {
      for (size_t group : dimension.groups_of[candidate]) {
        if (dimension.members[group]++ == 0) ++dimension.covered;
      }
    }
  }

  void GiveBack() {
    const size_t candidate = order_.back();
    order_.pop_back();
    taken_[candidate] = false;
    room_ -= candidates_[candidate].available();
    --kinds_[kind_of_[candidate]].used;
    for (Dimension& dimension : dimensions_) {
      for (size_t group : dimension.groups_of[candidate]) {
        if (--dimension.members[group] == 0) --dimension.covered;
      }
    }
  }

  [[nodiscard]] bool Spent() const { return steps_ < 0 || looks_ < 0; }

  void TakeInUse() {
    for (size_t i = 0; i < candidates_.size() && candidates_[i].in_use; ++i) {
      if (Allowed(i)) Take(i);
    }
  }

  [[nodiscard]] bool Fills(size_t candidate) const {
    if (taken_[candidate] || !Allowed(candidate)) return false;
    return !goal_.one_grouping ||
           std::all_of(dimensions_.begin(), dimensions_.end(),
                       [candidate](const Dimension& d) { return NewGroups(d, candidate) == 0; });
  }

  // Takes candidates in order as far as the maxima allow; false (and nothing is taken) when these
  // are too few or have too little room.
  bool FillUp() {
    if (Spent()) return false;
    const size_t before = order_.size();
    for (size_t i = 0; i < candidates_.size() && FreePlaces() > 0; ++i) {
      --looks_;
      if (Fills(i)) Take(i);
    }
    if (static_cast<int64_t>(order_.size()) >= min_clusters_ && room_ >= goal_.needed) return true;
    while (order_.size() > before) GiveBack();
    return false;
  }

  // Extends the choice until every minimum is met and fills it up; false when that is impossible
  // (or the budget is used up).
  bool Reach() {
    --steps_;
    looks_ -= static_cast<int64_t>(kinds_.size());
    if (Spent() || !Hopeful()) return false;
    const bool groups_met = MinimaMet();
    if (groups_met && FillUp()) return true;
    std::vector<std::pair<int64_t, size_t>> next;  // -helps, place
    for (const Kind& kind : kinds_) {
      // Members are taken from the first on, so the next one is free.
      if (kind.closed || kind.used == kind.members.size()) continue;
      const size_t i = kind.members[kind.used];
      if (!Allowed(i)) continue;
      const int64_t helps = Helps(i);
      if (groups_met || helps > 0) next.emplace_back(-helps, i);
    }
    std::sort(next.begin(), next.end());
    size_t tried = 0;
    bool reached = false;
    for (; tried < next.size() && !reached && !Spent(); ++tried) {
      Take(next[tried].second);
      reached = Reach();
      if (reached) break;
      GiveBack();
      // Every choice with one more of this kind was tried.
      kinds_[kind_of_[next[tried].second]].closed = true;
    }
    for (size_t i = 0; i < tried; ++i) kinds_[kind_of_[next[i].second]].closed = false;
    return reached;
  }

  [[nodiscard]] std::string WhyNot() const {
    const std::string room =
        goal_.needed < 0 ? "" : StrCat(" and has room for ", goal_.needed, " replicas");
    return Spent() ? StrCat("no choice of clusters that meets all spread constraints", room,
                            " was found within the bounded search")
                   : StrCat("no choice of clusters meets all spread constraints", room);
  }

  const Candidates& candidates_;
  const CombinedGoal goal_;
  int64_t steps_;
  int64_t looks_ = kMaxLooks;
  int64_t min_clusters_ = 0;
  int64_t max_clusters_ = std::numeric_limits<int64_t>::max();
  std::vector<Dimension> dimensions_;
  std::vector<Kind> kinds_;
  std::vector<size_t> kind_of_;     // by candidate
  std::vector<int64_t> most_room_;  // of that many candidates; empty when room does not matter
  std::vector<bool> taken_;
  std::vector<size_t> order_;
  int64_t room_ = 0;  // of those that are taken
};

}  // namespace

std::vector<std::string_view> GroupNames(const SpreadRule& rule, const ClusterInfo& cluster) {
  switch (rule.by) {
    case By::kRegion:
      return {cluster.region};
    case By::kProvider:
      return {cluster.provider};
    case By::kZone:
      return {cluster.zones.begin(), cluster.zones.end()};
    case By::kLabel: {
      const std::string* value = LabelsView(cluster.labels).Find(rule.label);
      if (value != nullptr) return {*value};
      break;
    }
    case By::kCluster:
      return {cluster.name};
  }
  return {};
}

absl::StatusOr<Candidates> ChooseCombined(const Request& request, const Candidates& candidates,
                                          const CombinedGoal& goal) {
  return CombinedSearch(request, candidates, goal).Run();
}

}  // namespace sealane::scheduler
