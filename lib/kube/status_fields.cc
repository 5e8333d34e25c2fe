#include "lib/kube/status_fields.h"

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane::kube {

FieldReader::FieldReader(const Json* object, std::string_view path) : object_(object), path_(path) {
  if (object_ == nullptr || object_->is_null()) {
    object_ = nullptr;
  } else if (!object_->is_object()) {
    object_ = nullptr;
    status_ = InvalidArgument(StrCat(path_, ": must be an object"));
  }
}

const Json* FieldReader::Find(std::string_view name) const {
  if (object_ == nullptr) return nullptr;
  const auto it = object_->find(name);
  if (it == object_->end() || it->is_null()) return nullptr;
  return &*it;
}

void FieldReader::Wrong(std::string_view name, std::string_view expected) {
  if (!status_.ok()) return;
  status_ = InvalidArgument(StrCat(path_, ".", name, ": must be ", expected));
}

bool FieldReader::Has(std::string_view name) const { return Find(name) != nullptr; }

int64_t FieldReader::Int(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) return 0;
  if (value->is_number_integer()) return value->get<int64_t>();
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (number >= -9e18 && number <= 9e18) {
      const auto whole = static_cast<int64_t>(number);
      if (static_cast<double>(whole) == number) return whole;
    }
  }
  Wrong(name, "a whole number");
  return 0;
}

bool FieldReader::Bool(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  Wrong(name, "true or false");
  return false;
}

std::string FieldReader::String(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  Wrong(name, "a string");
  return {};
}

const Json* FieldReader::Object(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr || value->is_object()) return value;
  Wrong(name, "an object");
  return nullptr;
}

const Json* FieldReader::Array(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr || value->is_array()) return value;
  Wrong(name, "a list");
  return nullptr;
}

std::string GroupKind(const Json& object) {
  FieldReader reader(&object, "object");
  const std::string api_version = reader.String("apiVersion");
  return StrCat(GroupOf(api_version), "/", reader.String("kind"));
}

}  // namespace sealane::kube
