#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// A set of field paths of an object, in the form of managedFields' FieldsV1: a tree whose edges are
// path elements in their published text: "f:<field>", "k:<keys as JSON>", "v:<value as JSON>",
// "i:<index>". A node is a member when its path itself is in the set.
struct FieldSet {
  bool member = false;
  std::map<std::string, FieldSet, std::less<>> children;

  [[nodiscard]] bool Empty() const;
  [[nodiscard]] bool operator==(const FieldSet& other) const;
  [[nodiscard]] const FieldSet* Child(std::string_view element) const;
  // Adds a path.
  void Insert(const std::vector<std::string>& path);
  [[nodiscard]] bool Has(const std::vector<std::string>& path) const;
};

[[nodiscard]] FieldSet Union(const FieldSet& a, const FieldSet& b);
[[nodiscard]] FieldSet Intersection(const FieldSet& a, const FieldSet& b);
// The paths of `a` that are not in `b`. A path of b does not cover the paths below it.
[[nodiscard]] FieldSet Difference(const FieldSet& a, const FieldSet& b);
// As Difference, but a path of `b` removes everything below it too.
[[nodiscard]] FieldSet RecursiveDifference(const FieldSet& a, const FieldSet& b);

// FieldsV1, both ways. Unknown shapes are ignored when reading.
[[nodiscard]] Json ToFieldsV1(const FieldSet& set);
[[nodiscard]] FieldSet FromFieldsV1(const Json& fields);

// The paths as people read them, sorted: ".spec.containers[name=\"app\"].image".
[[nodiscard]] std::vector<std::string> PathTexts(const FieldSet& set);

}  // namespace sealane::kubeapi
