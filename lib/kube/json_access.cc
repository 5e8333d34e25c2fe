#include "lib/kube/json_access.h"

#include <string>

#include "lib/core/json.h"

namespace sealane::kube {

const Json* Find(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* at = &json;
  for (const std::string_view step : path) {
    if (!at->is_object()) return nullptr;
    const auto it = at->find(step);
    if (it == at->end()) return nullptr;
    at = &*it;
  }
  return at;
}

std::string_view GetString(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* value = Find(json, path);
  if (value == nullptr || !value->is_string()) return {};
  return *value->get_ptr<const std::string*>();
}

int64_t GetInt(const Json& json, std::initializer_list<std::string_view> path, int64_t fallback) {
  const Json* value = Find(json, path);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : fallback;
}

bool GetBool(const Json& json, std::initializer_list<std::string_view> path, bool fallback) {
  const Json* value = Find(json, path);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

}  // namespace sealane::kube
