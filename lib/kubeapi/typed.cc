#include "lib/kubeapi/typed.h"

#include <map>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

bool IsEmpty(const Json* value) {
  return value == nullptr || value->is_null() || (value->is_structured() && value->empty());
}

// Whether the parts of `value` are tracked one by one.
bool IsGranularMap(const Type& type, const Json& value) {
  if (!value.is_object() || type.atomic) return false;
  return type.kind == Type::Kind::kStruct || type.kind == Type::Kind::kMap ||
         type.kind == Type::Kind::kAny;
}
bool IsGranularList(const Type& type, const Json& value) {
  return value.is_array() && type.kind == Type::Kind::kList &&
         type.list_type != Type::ListType::kAtomic;
}

const Type& ElementType(const Type& list) {
  return list.element == nullptr ? *Schema::Any() : *list.element;
}

bool Declared(const Type& type, std::string_view key) {
  return type.kind == Type::Kind::kStruct && type.Find(key) != nullptr;
}

std::string FieldElement(std::string_view key) { return StrCat("f:", key); }

// Items of a granular list by their element; a repeated element keeps its first item. Items without
// an element (never stored, but defensive) are left out.
struct IndexedList {
  std::vector<std::string> order;
  std::map<std::string, const Json*, std::less<>> items;
};
IndexedList Index(const Type& type, const Json* list) {
  IndexedList out;
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    const auto element = ItemElement(type, item);
    if (!element.ok()) continue;
    if (out.items.emplace(*element, &item).second) out.order.push_back(*element);
  }
  return out;
}

const Json* FindIn(const IndexedList& list, const std::string& element) {
  const auto it = list.items.find(element);
  return it == list.items.end() ? nullptr : it->second;
}

const Json* FindIn(const Json* map, const std::string& key) {
  if (map == nullptr || !map->is_object()) return nullptr;
  const auto it = map->find(key);
  return it == map->end() ? nullptr : &*it;
}

// --- check

absl::Status CheckValue(const Type& type, const Json& value, const std::string& path);

absl::Status WrongShape(const std::string& path, const char* want, const Json& value) {
  return InvalidArgument(StrCat(path.empty() ? "." : path, ": expected ", want, ", got &value.",
                                value.type_name(), "{", value.dump().substr(0, 80), "}"));
}

absl::Status CheckMap(const Type& type, const Json& value, const std::string& path) {
  if (!value.is_object()) return WrongShape(path, "map", value);
  for (const auto& [key, child] : value.items()) {
    const std::string child_path = StrCat(path, ".", key);
    if (type.kind == Type::Kind::kStruct && !Declared(type, key) && !type.preserve_unknown) {
      return InvalidArgument(StrCat(child_path, ": field not declared in schema"));
    }
    SEALANE_RETURN_IF_ERROR(CheckValue(ChildType(type, key), child, child_path));
  }
  return absl::OkStatus();
}

absl::Status CheckList(const Type& type, const Json& value, const std::string& path) {
  if (!value.is_array()) return WrongShape(path, "list", value);
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < value.size(); ++i) {
    std::string item_path = StrCat(path, "[", i, "]");
    if (type.list_type != Type::ListType::kAtomic) {
      const auto element = ItemElement(type, value[i]);
      if (!element.ok()) {
        return InvalidArgument(
            StrCat(path, ": element ", i, ": ", ToStd(element.status().message())));
      }
      if (!seen.emplace(*element, i).second) {
        return InvalidArgument(StrCat(path, ": duplicate entries for key ", element->substr(2)));
      }
    }
    SEALANE_RETURN_IF_ERROR(CheckValue(ElementType(type), value[i], item_path));
  }
  return absl::OkStatus();
}

absl::Status CheckValue(const Type& type, const Json& value, const std::string& path) {
  if (value.is_null()) return absl::OkStatus();
  switch (type.kind) {
    case Type::Kind::kAny:
      return absl::OkStatus();
    case Type::Kind::kStruct:
    case Type::Kind::kMap:
      return CheckMap(type, value, path);
    case Type::Kind::kList:
      return CheckList(type, value, path);
    case Type::Kind::kString:
      return value.is_string() ? absl::OkStatus() : WrongShape(path, "string", value);
    case Type::Kind::kInteger:
    case Type::Kind::kNumber:
      return value.is_number() ? absl::OkStatus() : WrongShape(path, "numeric", value);
    case Type::Kind::kBoolean:
      return value.is_boolean() ? absl::OkStatus() : WrongShape(path, "boolean", value);
    case Type::Kind::kIntOrString:
    case Type::Kind::kQuantity:
      return value.is_string() || value.is_number() ? absl::OkStatus()
                                                    : WrongShape(path, "scalar", value);
  }
  return absl::OkStatus();
}

// --- paths

void CollectPaths(const Type& type, const Json& value, FieldSet& out) {
  if (IsGranularMap(type, value)) {
    for (const auto& [key, child] : value.items()) {
      FieldSet& node = out.children[FieldElement(key)];
      CollectPaths(ChildType(type, key), child, node);
      if (child.is_null() || (child.is_object() && child.empty()) || !Declared(type, key)) {
        node.member = true;
      }
    }
    return;
  }
  if (IsGranularList(type, value)) {
    for (const Json& item : value) {
      const auto element = ItemElement(type, item);
      if (!element.ok()) continue;
      FieldSet& node = out.children[*element];
      CollectPaths(ElementType(type), item, node);
      node.member = true;
    }
    return;
  }
  out.member = true;
}

// --- compare

struct Walk {
  FieldSet& added;
  FieldSet& modified;
  FieldSet& removed;
  std::vector<std::string> path;
};

void CompareAt(const Type& type, const Json* before, const Json* after, Walk& walk);

void CompareLeaf(const Json* before, const Json* after, Walk& walk) {
  if (before == nullptr) {
    walk.added.Insert(walk.path);
  } else if (after == nullptr) {
    walk.removed.Insert(walk.path);
  } else if (*before != *after) {
    walk.modified.Insert(walk.path);
  }
}

void Descend(const Type& type, std::string element, const Json* before, const Json* after,
             Walk& walk) {
  walk.path.push_back(std::move(element));
  CompareAt(type, before, after, walk);
  walk.path.pop_back();
}

void CompareAt(const Type& type, const Json* before, const Json* after, Walk& walk) {
  const auto maplike = [&](const Json* v) { return IsEmpty(v) || IsGranularMap(type, *v); };
  const auto listlike = [&](const Json* v) { return IsEmpty(v) || IsGranularList(type, *v); };
  if (IsEmpty(before) && IsEmpty(after)) {
    if (!walk.path.empty()) CompareLeaf(before, after, walk);
    return;
  }
  if (maplike(before) && maplike(after)) {
    if (after != nullptr && after->is_object()) {
      for (const auto& [key, value] : after->items()) {
        Descend(ChildType(type, key), FieldElement(key), FindIn(before, key), &value, walk);
      }
    }
    if (before != nullptr && before->is_object()) {
      for (const auto& [key, value] : before->items()) {
        if (FindIn(after, key) == nullptr) {
          Descend(ChildType(type, key), FieldElement(key), &value, nullptr, walk);
        }
      }
    }
  } else if (listlike(before) && listlike(after)) {
    const IndexedList old_items = Index(type, before);
    const IndexedList new_items = Index(type, after);
    for (const std::string& element : new_items.order) {
      Descend(ElementType(type), element, FindIn(old_items, element), FindIn(new_items, element),
              walk);
    }
    for (const std::string& element : old_items.order) {
      if (FindIn(new_items, element) == nullptr) {
        Descend(ElementType(type), element, FindIn(old_items, element), nullptr, walk);
      }
    }
  } else {
    if (!walk.path.empty()) CompareLeaf(before, after, walk);
    return;
  }
  if (walk.path.empty()) return;
  if (before == nullptr) walk.added.Insert(walk.path);
  if (after == nullptr) walk.removed.Insert(walk.path);
}

// --- merge

Json MergeLists(const Type& type, const Json& live, const Json& config) {
  const IndexedList left = Index(type, &live);
  const IndexedList right = Index(type, &config);
  std::vector<std::string> shared;
  for (const std::string& element : right.order) {
    if (left.items.count(element) != 0) shared.push_back(element);
  }
  Json out = Json::array();
  std::map<std::string, bool> merged;
  size_t next = 0;  // the shared item that comes next
  const auto take_right = [&](const std::string& element) {
    merged[element] = true;
    const Json* old_item = FindIn(left, element);
    const Json& new_item = *FindIn(right, element);
    out.push_back(old_item == nullptr ? new_item : Merge(ElementType(type), *old_item, new_item));
    if (next < shared.size() && shared[next] == element) ++next;
  };
  size_t l = 0;
  size_t r = 0;
  while (l < left.order.size() || r < right.order.size()) {
    if (l < left.order.size() && r < right.order.size()) {
      const std::string& element = left.order[l];
      if (element == right.order[r]) {
        take_right(element);
        ++l;
        ++r;
        continue;
      }
      if (right.items.count(element) != 0 && next < shared.size() && shared[next] != element) {
        ++l;  // shared, but its turn comes later in the order of `config`
        continue;
      }
    }
    if (l < left.order.size()) {
      const std::string& element = left.order[l];
      if (right.items.count(element) == 0) {
        out.push_back(*FindIn(left, element));
        ++l;
        continue;
      }
      if (merged.count(element) != 0) ++l;
    }
    if (r < right.order.size()) {
      take_right(right.order[r]);
      ++r;
    }
  }
  return out;
}

}  // namespace

const Type& ChildType(const Type& type, std::string_view key) {
  if (type.kind == Type::Kind::kStruct) {
    const Field* field = type.Find(key);
    return field == nullptr ? *Schema::Any() : *field->type;
  }
  if (type.kind == Type::Kind::kMap) return ElementType(type);
  return *Schema::Any();
}

absl::StatusOr<std::string> ItemElement(const Type& list, const Json& item) {
  if (list.list_type == Type::ListType::kSet) {
    if (item.is_null() || item.is_structured()) return InvalidArgument("set items must be scalars");
    return StrCat("v:", item.dump());
  }
  if (!item.is_object()) return InvalidArgument("associative list items must be maps");
  Json keys = Json::object();
  for (const std::string& key : list.keys) {
    if (const auto it = item.find(key); it != item.end() && !it->is_null()) {
      keys[key] = *it;
    } else if (const Json* fallback = ListKeyDefault(key)) {
      keys[key] = *fallback;
    } else {
      return InvalidArgument(
          StrCat("associative list with keys has an element that omits key field \"", key,
                 "\" (and doesn't have default value)"));
    }
  }
  return StrCat("k:", keys.dump());
}

absl::Status CheckTyped(const Type& type, const Json& value) { return CheckValue(type, value, ""); }

FieldSet PathsOf(const Type& type, const Json& value) {
  FieldSet out;
  CollectPaths(type, value, out);
  return out;
}

Comparison Compare(const Type& type, const Json& before, const Json& after) {
  Comparison out;
  Walk walk{out.added, out.modified, out.removed, {}};
  CompareAt(type, &before, &after, walk);
  return out;
}

Json Merge(const Type& type, const Json& live, const Json& config) {
  if (IsGranularMap(type, live) && IsGranularMap(type, config)) {
    Json out = live;
    for (const auto& [key, value] : config.items()) {
      const auto it = live.find(key);
      out[key] = it == live.end() ? value : Merge(ChildType(type, key), *it, value);
    }
    return out;
  }
  if (IsGranularList(type, live) && IsGranularList(type, config)) {
    return MergeLists(type, live, config);
  }
  return config;
}

Json RemoveItems(const Type& type, const Json& value, const FieldSet& set) {
  if (IsGranularMap(type, value)) {
    Json out = Json::object();
    for (const auto& [key, child] : value.items()) {
      const FieldSet* below = set.Child(FieldElement(key));
      if (below == nullptr) {
        out[key] = child;
      } else if (!below->member) {
        Json kept = RemoveItems(ChildType(type, key), child, *below);
        if (!kept.is_null()) out[key] = std::move(kept);
      }
    }
    return out.empty() ? Json() : out;
  }
  if (IsGranularList(type, value)) {
    Json out = Json::array();
    for (const Json& item : value) {
      const auto element = ItemElement(type, item);
      const FieldSet* below = element.ok() ? set.Child(*element) : nullptr;
      if (below == nullptr) {
        out.push_back(item);
      } else if (!below->member) {
        Json kept = RemoveItems(ElementType(type), item, *below);
        if (!kept.is_null()) out.push_back(std::move(kept));
      }
    }
    return out.empty() ? Json() : out;
  }
  return value;
}

FieldSet WithNamedFields(const Type& type, const FieldSet& set) {
  FieldSet out;
  out.member = set.member;
  for (const auto& [element, child] : set.children) {
    const bool field = element[0] == 'f';
    const std::string_view key = std::string_view(element).substr(2);
    const Type& below = field
                            ? ChildType(type, key)
                            : (type.kind == Type::Kind::kList ? ElementType(type) : *Schema::Any());
    FieldSet copy = WithNamedFields(below, child);
    if (field && Declared(type, key) && !child.children.empty()) copy.member = true;
    out.children.emplace(element, std::move(copy));
  }
  return out;
}

}  // namespace sealane::kubeapi
