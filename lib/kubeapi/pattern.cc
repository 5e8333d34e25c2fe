#include "lib/kubeapi/pattern.h"

#include <map>
#include <memory>
#include <regex>

namespace sealane::kubeapi {
namespace {

// More distinct ones than all definitions of a large fleet have.
constexpr size_t kKept = 4096;

// The library's parser calls itself for each group, and builds a group once for each time that it
// repeats. Go has like limits: 1000 for either.
constexpr size_t kLongest = 4096;
constexpr size_t kDeepest = 200;
constexpr size_t kMostRepeats = 1000;

bool IsWithinLimits(const std::string& pattern) {
  if (pattern.size() > kLongest) return false;
  size_t depth = 0;
  bool in_braces = false;
  size_t number = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (c == '(') {
      if (++depth > kDeepest) return false;  // those within [] count, too: no harm
    } else if (c == ')') {
      depth -= depth > 0 ? 1 : 0;
    } else if (c == '{' || c == '}') {
      in_braces = c == '{';
      number = 0;
    } else if (in_braces && c >= '0' && c <= '9') {
      number = number * 10 + static_cast<size_t>(c - '0');
      if (number > kMostRepeats) return false;
    } else {
      number = 0;
    }
  }
  return true;
}

std::unique_ptr<const std::regex> Compile(const std::string& pattern) {
  if (!IsWithinLimits(pattern)) return nullptr;
  try {
    // Those who may define kinds choose the expression: no backtracking (a flag of libstdc++).
    return std::make_unique<const std::regex>(
        pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error&) {
    return nullptr;
  }
}

// nullptr: not known.
const std::regex* Compiled(const std::string& pattern) {
  static thread_local std::map<std::string, std::unique_ptr<const std::regex>> patterns;
  if (const auto it = patterns.find(pattern); it != patterns.end()) return it->second.get();
  if (patterns.size() >= kKept) patterns.clear();
  return (patterns[pattern] = Compile(pattern)).get();
}

}  // namespace

bool KnowsPattern(const std::string& pattern) { return Compiled(pattern) != nullptr; }

bool PatternFinds(const std::string& pattern, const std::string& text) {
  const std::regex* compiled = Compiled(pattern);
  return compiled == nullptr || std::regex_search(text, *compiled);
}

}  // namespace sealane::kubeapi
