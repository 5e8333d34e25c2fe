#include "lib/kubeapi/patch.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/typed.h"

namespace sealane::kubeapi {
namespace {

// A JSON patch of more operations than this is refused, as the real server does.
constexpr size_t kMaxPatchOperations = 10000;

constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitives = "$deleteFromPrimitiveList/";

absl::Status DoesNotApply() {
  return ApiError(422, "Invalid", "the server rejected our request due to an error in our request",
                  Json::object());
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// The $patch directive of a list item; empty when it has none.
std::string DirectiveOf(const Json& item) { return Text(item, "$patch"); }

// Directives mean nothing where there is nothing to merge with.
Json WithoutDirectives(const Json& patch) {
  if (patch.is_object()) {
    Json out = Json::object();
    for (const auto& [key, value] : patch.items()) {
      if (key == "$patch" || key == "$retainKeys" || StartsWith(key, kOrder) ||
          StartsWith(key, kDeletePrimitives) || value.is_null()) {
        continue;
      }
      out[key] = WithoutDirectives(value);
    }
    return out;
  }
  if (patch.is_array()) {
    Json out = Json::array();
    for (const Json& item : patch) {
      if (item.is_object() && DirectiveOf(item) == "delete") continue;
      out.push_back(WithoutDirectives(item));
    }
    return out;
  }
  return patch;
}

bool SameItem(const Json& a, const Json& b, const std::string& key) {
  if (key.empty()) return a == b;
  return a.is_object() && b.is_object() && a.contains(key) && b.contains(key) &&
         a.at(key) == b.at(key);
}

ptrdiff_t IndexOf(const Json& list, const Json& item, const std::string& key) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (SameItem(list[i], item, key)) return static_cast<ptrdiff_t>(i);
  }
  return -1;
}

// Orders `items` as `order` lists them; items that it does not list keep their place at the end.
Json Ordered(const Json& items, const Json& order, const std::string& key) {
  std::vector<Json> sorted(items.begin(), items.end());
  const auto rank = [&](const Json& item) {
    const ptrdiff_t index = IndexOf(order, item, key);
    return index < 0 ? static_cast<ptrdiff_t>(order.size()) : index;
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Json& a, const Json& b) { return rank(a) < rank(b); });
  return Json(std::move(sorted));
}

// Puts `merged` in order: the patched items as `patch_order` says, the others placed among them by
// the order they had on the server.
Json NormalizeOrder(const Json& merged, const Json& patch_order, const Json& server_order,
                    const std::string& key) {
  Json patched = Json::array();
  Json server_only = Json::array();
  for (const Json& item : merged) {
    (IndexOf(patch_order, item, key) >= 0 ? patched : server_only).push_back(item);
  }
  patched = Ordered(patched, patch_order, key);
  server_only = Ordered(server_only, server_order, key);
  Json out = Json::array();
  size_t left = 0;
  size_t right = 0;
  while (left < server_only.size() || right < patched.size()) {
    bool take_left = right >= patched.size();
    if (!take_left && left < server_only.size()) {
      const ptrdiff_t l = IndexOf(server_order, server_only[left], key);
      const ptrdiff_t r = IndexOf(server_order, patched[right], key);
      take_left = l >= 0 && r >= 0 && l < r;
    }
    out.push_back(take_left ? server_only[left++] : patched[right++]);
  }
  return out;
}

class StrategicMerger {
 public:
  absl::StatusOr<Json> MergeMap(const Type& type, const Json& object, const Json& patch) {
    if (const auto directive = patch.find("$patch"); directive != patch.end()) {
      if (*directive == "replace") return WithoutDirectives(patch);
      if (*directive == "delete") return Json::object();
      if (*directive != "merge") return BadRequest(StrCat("unknown $patch: ", directive->dump()));
    }
    Json out = object.is_object() ? object : Json::object();
    if (const auto retain = patch.find("$retainKeys"); retain != patch.end()) {
      if (!retain->is_array()) return BadRequest("$retainKeys must be a list");
      for (auto it = out.begin(); it != out.end();) {
        it = IndexOf(*retain, it.key(), "") < 0 ? out.erase(it) : std::next(it);
      }
    }
    for (const auto& [key, value] : patch.items()) {
      if (key == "$patch" || key == "$retainKeys" || StartsWith(key, kOrder)) continue;
      if (StartsWith(key, kDeletePrimitives)) {
        DeletePrimitives(key.substr(kDeletePrimitives.size()), value, out);
        continue;
      }
      if (value.is_null()) {
        out.erase(key);
        continue;
      }
      const auto current = out.find(key);
      const Field* field = type.kind == Type::Kind::kStruct ? type.Find(key) : nullptr;
      if (current == out.end() || current->is_null()) {
        out[key] = WithoutDirectives(value);
      } else if (value.is_object() && current->is_object()) {
        SEALANE_ASSIGN_OR_RETURN(Json merged, MergeMap(ChildType(type, key), *current, value));
        *current = std::move(merged);
      } else if (value.is_array() && current->is_array() && field != nullptr && field->merge_list) {
        SEALANE_ASSIGN_OR_RETURN(Json merged, MergeList(*field, *current, value));
        *current = std::move(merged);
      } else {
        *current = WithoutDirectives(value);
      }
    }
    return ApplyOrder(type, object, patch, std::move(out));
  }

 private:
  static void DeletePrimitives(const std::string& key, const Json& values, Json& out) {
    const auto list = out.find(key);
    if (list == out.end() || !list->is_array() || !values.is_array()) return;
    Json kept = Json::array();
    for (const Json& item : *list) {
      if (IndexOf(values, item, "") < 0) kept.push_back(item);
    }
    *list = std::move(kept);
  }

  static absl::StatusOr<Json> ApplyOrder(const Type& type, const Json& object, const Json& patch,
                                         Json out) {
    for (const auto& [key, order] : patch.items()) {
      if (!StartsWith(key, kOrder)) continue;
      const std::string name = key.substr(kOrder.size());
      if (!order.is_array()) return BadRequest(StrCat(key, " must be a list"));
      const Field* field = type.kind == Type::Kind::kStruct ? type.Find(name) : nullptr;
      const auto list = out.find(name);
      if (field == nullptr || list == out.end() || !list->is_array()) continue;
      const bool maps = !list->empty() && list->front().is_object();
      const Json server = object.is_object() ? object.value(name, Json::array()) : Json::array();
      *list = NormalizeOrder(*list, order, server, maps ? field->merge_key : "");
    }
    return out;
  }

  absl::StatusOr<Json> MergeList(const Field& field, const Json& current, const Json& patch) {
    const bool maps = (!current.empty() && current.front().is_object()) ||
                      (!patch.empty() && patch.front().is_object());
    if (!maps) {
      Json merged = current;
      for (const Json& item : patch) {
        if (IndexOf(merged, item, "") < 0) merged.push_back(item);
      }
      return NormalizeOrder(merged, patch, current, "");
    }
    const std::string& key = field.merge_key;
    if (key.empty()) return WithoutDirectives(patch);
    const Type& element = field.type->element == nullptr ? *Schema::Any() : *field.type->element;
    Json merged = current;
    Json wanted = Json::array();
    bool replace = false;
    for (const Json& item : patch) {
      if (!item.is_object()) return BadRequest("a list of objects cannot hold other values");
      const std::string directive = DirectiveOf(item);
      if (directive == "replace") {
        replace = true;
        Json rest = WithoutDirectives(item);
        if (!rest.empty()) wanted.push_back(std::move(rest));
        continue;
      }
      if (!item.contains(key)) {
        return ApiError(
            500, "InternalError",
            StrCat("map: ", item.dump(), " does not contain declared merge key: ", key));
      }
      if (directive == "delete") {
        Json kept = Json::array();
        for (const Json& old : merged) {
          if (!SameItem(old, item, key)) kept.push_back(old);
        }
        merged = std::move(kept);
        continue;
      }
      wanted.push_back(item);
    }
    if (replace) return WithoutDirectives(wanted);
    for (const Json& item : wanted) {
      const ptrdiff_t index = IndexOf(merged, item, key);
      if (index < 0) {
        merged.push_back(WithoutDirectives(item));
      } else {
        SEALANE_ASSIGN_OR_RETURN(Json one, MergeMap(element, merged[index], item));
        merged[index] = std::move(one);
      }
    }
    return NormalizeOrder(merged, wanted, current, key);
  }
};

}  // namespace

absl::StatusOr<Json> ApplyJsonPatch(const Json& object, const Json& patch) {
  if (!patch.is_array()) {
    return BadRequest(
        "error decoding patch: json: cannot unmarshal object into Go value of type "
        "jsonpatch.Patch");
  }
  if (patch.size() > kMaxPatchOperations) {
    return ApiError(413, "RequestEntityTooLarge",
                    StrCat("The allowed maximum operations in a JSON patch is ",
                           kMaxPatchOperations, ", got ", patch.size()));
  }
  try {
    return object.patch(patch);
  } catch (const Json::exception&) {
    return DoesNotApply();
  }
}

absl::StatusOr<Json> ApplyMergePatch(const Json& object, const Json& patch) {
  if (!patch.is_object())
    return BadRequest("error decoding patch: a merge patch must be an object");
  Json out = object;
  out.merge_patch(patch);
  return out;
}

absl::StatusOr<Json> ApplyStrategicMergePatch(const Type& type, const Json& object,
                                              const Json& patch) {
  if (!patch.is_object()) return BadRequest("error decoding patch: the patch must be an object");
  return StrategicMerger().MergeMap(type, object, patch);
}

}  // namespace sealane::kubeapi
