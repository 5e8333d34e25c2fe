#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace sealane {

// Debian builds Abseil with its own string_view. Interfaces use std::string_view; these two convert
// at the call of an Abseil function.
inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

namespace internal {
inline void AppendPiece(std::string& out, std::string_view piece) { out.append(piece); }
template <typename T>
requires std::is_arithmetic_v<T>
inline void AppendPiece(std::string& out, T piece) {
  if constexpr (std::same_as<T, char>) {
    out.push_back(piece);
  } else if constexpr (std::same_as<T, bool>) {
    out.append(piece ? "true" : "false");
  } else {
    out.append(std::to_string(piece));
  }
}
}  // namespace internal

// Concatenates strings, characters and numbers.
template <typename... Pieces>
[[nodiscard]] std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (internal::AppendPiece(out, pieces), ...);
  return out;
}

// Joins the elements of a range of strings with a separator.
template <typename Range>
[[nodiscard]] std::string StrJoin(const Range& range, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& element : range) {
    if (!first) out.append(separator);
    first = false;
    out.append(std::string_view(element));
  }
  return out;
}

// Hash and equality that let maps keyed by std::string be searched with std::string_view.
struct SvHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return absl::Hash<absl::string_view>{}(ToAbsl(s)); }
};
struct SvEq {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <typename V>
using StringMap = absl::flat_hash_map<std::string, V, SvHash, SvEq>;
using StringSet = absl::flat_hash_set<std::string, SvHash, SvEq>;

}  // namespace sealane
