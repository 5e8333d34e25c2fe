#include "lib/kubeapi/json_text.h"

#include "lib/core/json.h"

namespace sealane::kubeapi {

std::string Text(const Json& object, const char* field) {
  const auto it = object.find(field);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace sealane::kubeapi
