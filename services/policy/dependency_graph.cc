#include "services/policy/dependency_graph.h"

#include <utility>

namespace sealane::policy {

const std::set<std::string>& DependencyGraph::Find(const Edges& edges, std::string_view key) {
  static const std::set<std::string> kNone;
  const auto it = edges.find(key);
  return it == edges.end() ? kNone : it->second;
}

const std::set<std::string>& DependencyGraph::NeededBy(std::string_view parent) const {
  return Find(needs_, parent);
}

const std::set<std::string>& DependencyGraph::ParentsOf(std::string_view needed) const {
  return Find(parents_, needed);
}

std::set<std::string> DependencyGraph::Set(const std::string& parent,
                                           std::set<std::string> needed) {
  std::set<std::string> changed;
  const std::set<std::string>& before = NeededBy(parent);
  for (const std::string& key : before) {
    if (!needed.contains(key)) changed.insert(key);
  }
  for (const std::string& key : needed) {
    if (!before.contains(key)) changed.insert(key);
  }
  for (const std::string& key : changed) {
    if (needed.contains(key)) {
      parents_[key].insert(parent);
    } else if (auto it = parents_.find(key); it != parents_.end()) {
      it->second.erase(parent);
      if (it->second.empty()) parents_.erase(it);
    }
  }
  if (needed.empty()) {
    needs_.erase(parent);
  } else {
    needs_[parent] = std::move(needed);
  }
  return changed;
}

}  // namespace sealane::policy
