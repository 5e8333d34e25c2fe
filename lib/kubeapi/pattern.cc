#include "lib/kubeapi/pattern.h"

#include <map>
#include <memory>
#include <regex>

namespace sealane::kubeapi {
namespace {

// More distinct ones than all definitions of a large fleet have.
constexpr size_t kKept = 4096;

std::unique_ptr<const std::regex> Compile(const std::string& pattern) {
  try {
    // Those who may define kinds choose the expression: no backtracking (a flag of libstdc++).
    return std::make_unique<const std::regex>(
        pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error&) {
    return nullptr;
  }
}

// nullptr: not known.
const std::regex* Find(const std::string& pattern) {
  static thread_local std::map<std::string, std::unique_ptr<const std::regex>> patterns;
  if (const auto it = patterns.find(pattern); it != patterns.end()) return it->second.get();
  if (patterns.size() >= kKept) patterns.clear();
  return (patterns[pattern] = Compile(pattern)).get();
}

}  // namespace

bool KnowsPattern(const std::string& pattern) { return Find(pattern) != nullptr; }

bool PatternFinds(const std::string& pattern, const std::string& text) {
  const std::regex* compiled = Find(pattern);
  return compiled == nullptr || std::regex_search(text, *compiled);
}

}  // namespace sealane::kubeapi
