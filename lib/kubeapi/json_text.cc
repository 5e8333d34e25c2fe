#include "lib/kubeapi/json_text.h"

#include "lib/core/json.h"

namespace sealane::kubeapi {

std::string_view TextView(const Json& object, const char* field) {
  const auto it = object.find(field);
  if (it == object.end() || !it->is_string()) return {};
  return it->get_ref<const std::string&>();
}

std::string Text(const Json& object, const char* field) {
  return std::string(TextView(object, field));
}

}  // namespace sealane::kubeapi
