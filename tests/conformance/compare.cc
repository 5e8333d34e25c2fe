#include "tests/conformance/compare.h"

#include <set>
#include <string_view>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/quantity.h"

namespace sealane::conformance {
namespace {

bool IsAbsent(const Json& value) {
  return value.is_null() || (value.is_structured() && value.empty());
}

std::string Show(const Json& value) {
  std::string text = IsAbsent(value) ? "nothing" : value.dump();
  if (text.size() > 200) text.replace(200, std::string::npos, "...");
  return text;
}

bool SameQuantity(const Json& a, const Json& b) {
  const auto text = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
  const auto left = Quantity::Parse(text(a));
  const auto right = Quantity::Parse(text(b));
  return left.ok() && right.ok() && *left == *right;
}

const Json& Member(const Json& object, const std::string& key) {
  static const Json& absent = *new Json(nullptr);
  const auto it = object.find(key);
  return it == object.end() ? absent : *it;
}

}  // namespace

std::string Difference(const Json& got, const Json& want, const std::string& path) {
  if (IsAbsent(got) && IsAbsent(want)) return "";
  const auto differ = [&] {
    return StrCat(path.empty() ? "the whole" : path, ": ", Show(got), ", wanted ", Show(want));
  };
  if (got.is_object() && want.is_object()) {
    std::set<std::string> keys;
    for (const auto& [key, value] : got.items()) keys.insert(key);
    for (const auto& [key, value] : want.items()) keys.insert(key);
    for (const std::string& key : keys) {
      std::string difference = Difference(Member(got, key), Member(want, key),
                                          path.empty() ? key : StrCat(path, ".", key));
      if (!difference.empty()) return difference;
    }
    return "";
  }
  if (got.is_array() && want.is_array()) {
    if (got.size() != want.size()) return differ();
    for (size_t i = 0; i < got.size(); ++i) {
      std::string difference = Difference(got[i], want[i], StrCat(path, "[", i, "]"));
      if (!difference.empty()) return difference;
    }
    return "";
  }
  if (got.is_structured() || want.is_structured() || got.is_null() || want.is_null()) {
    return differ();
  }
  if (got == want || SameQuantity(got, want)) return "";
  return differ();
}

}  // namespace sealane::conformance
