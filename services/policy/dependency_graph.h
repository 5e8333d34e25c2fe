#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace sealane::policy {

// Which objects need which (propagateDeps): both directions. Thread rule: executor thread.
class DependencyGraph {
 public:
  // Replaces what `parent` needs. Returns the row keys whose parents changed.
  std::set<std::string> Set(const std::string& parent, std::set<std::string> needed);
  [[nodiscard]] const std::set<std::string>& NeededBy(std::string_view parent) const;
  [[nodiscard]] const std::set<std::string>& ParentsOf(std::string_view needed) const;

 private:
  using Edges = std::map<std::string, std::set<std::string>, std::less<>>;
  static const std::set<std::string>& Find(const Edges& edges, std::string_view key);
  Edges needs_;
  Edges parents_;
};

}  // namespace sealane::policy
