#pragma once

#include <google/protobuf/map.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/strings.h"

namespace sealane {

// Labels sorted by key: the form that is fastest to search.
using LabelList = std::vector<std::pair<std::string, std::string>>;

// A view of somebody's labels, whatever map they are kept in: finds the value of a key. Cheap to
// copy; valid as long as the map is.
class LabelsView {
 public:
  // No labels.
  LabelsView() : map_(nullptr), find_(&FindNone) {}
  // `map` is a map from std::string to std::string that is searched with a std::string_view, or a
  // LabelList.
  template <typename Map>
  // Implicit: a view, like string_view. NOLINTNEXTLINE(google-explicit-constructor)
  LabelsView(const Map& map) : map_(&map), find_(&FindIn<Map>) {}

  // The value of the key, or nullptr.
  [[nodiscard]] const std::string* Find(std::string_view key) const { return find_(map_, key); }

 private:
  static const std::string* FindNone(const void*, std::string_view) { return nullptr; }

  template <typename Map>
  static const std::string* FindIn(const void* erased, std::string_view key) {
    return Lookup(*static_cast<const Map*>(erased), key);
  }
  static const std::string* Lookup(const LabelList& list, std::string_view key) {
    // Most lists are short, and most keys of a length of their own.
    constexpr size_t kShort = 12;
    if (list.size() <= kShort) {
      for (const auto& entry : list) {
        if (entry.first == key) return &entry.second;
      }
      return nullptr;
    }
    auto it =
        std::lower_bound(list.begin(), list.end(), key,
                         [](const auto& entry, std::string_view k) { return entry.first < k; });
    return it != list.end() && it->first == key ? &it->second : nullptr;
  }
  static const std::string* Lookup(const google::protobuf::Map<std::string, std::string>& map,
                                   std::string_view key) {
    auto it = map.find(std::string(key));
    return it == map.end() ? nullptr : &it->second;
  }
  static const std::string* Lookup(const std::map<std::string, std::string>& map,
                                   std::string_view key) {
    auto it = map.find(std::string(key));
    return it == map.end() ? nullptr : &it->second;
  }
  template <typename Map>
  static const std::string* Lookup(const Map& map, std::string_view key) {
    auto it = map.find(key);
    return it == map.end() ? nullptr : &it->second;
  }

  const void* map_;
  const std::string* (*find_)(const void*, std::string_view);
};

}  // namespace sealane
