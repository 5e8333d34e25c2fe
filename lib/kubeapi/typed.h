#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/field_set.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {

// Objects seen through their type: which paths they set, how two differ, how one is merged into
// another. These are the operations of server-side apply (Kubernetes' structured merge and diff).
// All are pure.

// The type below a struct's field or a map's key; Any when it is not declared.
[[nodiscard]] const Type& ChildType(const Type& type, std::string_view key);

// The path element of a list item: "k:{...}", "v:...". An error when an item of a list-map lacks a
// key or is not an object. Atomic lists have no elements.
[[nodiscard]] absl::StatusOr<std::string> ItemElement(const Type& list, const Json& item);

// Whether `value` can be applied: declared fields only, right shapes, unique list items. The error
// names the path: ".spec.replica: field not declared in schema".
[[nodiscard]] absl::Status CheckTyped(const Type& type, const Json& value);

// The paths that `value` sets.
[[nodiscard]] FieldSet PathsOf(const Type& type, const Json& value);

struct Comparison {
  FieldSet added;
  FieldSet modified;
  FieldSet removed;
  [[nodiscard]] bool Same() const { return added.Empty() && modified.Empty() && removed.Empty(); }
};
[[nodiscard]] Comparison Compare(const Type& type, const Json& before, const Json& after);

// `live` with everything that `config` sets laid over it. List items keep an order that respects
// both.
[[nodiscard]] Json Merge(const Type& type, const Json& live, const Json& config);

// `value` without the members of `set`; null when nothing remains.
[[nodiscard]] Json RemoveItems(const Type& type, const Json& value, const FieldSet& set);

// `set` with every struct field on the way to a member being a member too.
[[nodiscard]] FieldSet WithNamedFields(const Type& type, const FieldSet& set);

}  // namespace sealane::kubeapi
