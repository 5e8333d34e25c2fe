#include "lib/kube/field_schema.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"

namespace sealane::kube {
namespace {

FieldSchema Make(FieldSchema::Type type) {
  FieldSchema schema;
  schema.type = type;
  return schema;
}

std::string_view TypeName(FieldSchema::Type type) {
  switch (type) {
    case FieldSchema::Type::kObject:
      return "an object";
    case FieldSchema::Type::kStringMap:
      return "a map of strings";
    case FieldSchema::Type::kList:
      return "a list";
    case FieldSchema::Type::kString:
      return "a string";
    case FieldSchema::Type::kInt32:
    case FieldSchema::Type::kInt64:
      return "an integer";
    case FieldSchema::Type::kBool:
      return "true or false";
    case FieldSchema::Type::kAny:
      break;
  }
  return "any value";
}

bool HasType(const FieldSchema& schema, const Json& value) {
  switch (schema.type) {
    case FieldSchema::Type::kObject:
    case FieldSchema::Type::kStringMap:
      return value.is_object();
    case FieldSchema::Type::kList:
      return value.is_array();
    case FieldSchema::Type::kString:
      return value.is_string();
    case FieldSchema::Type::kInt32:
    case FieldSchema::Type::kInt64:
      return value.is_number_integer();
    case FieldSchema::Type::kBool:
      return value.is_boolean();
    case FieldSchema::Type::kAny:
      break;
  }
  return true;
}

bool IsZero(const FieldSchema& field, const Json& value) {
  if (field.type == FieldSchema::Type::kString) {
    return value.is_string() && value.get_ref<const std::string&>().empty();
  }
  return field.omit_zero && (value == false || value == 0);
}

// A required field that Go writes even when it was not given.
const char* EmptyForm(const FieldSchema& field) {
  if (!field.required) return nullptr;
  if (field.type == FieldSchema::Type::kString) {
    return field.allowed.empty() && field.min_size == 0 ? "\"\"" : nullptr;
  }
  const bool plain = field.type == FieldSchema::Type::kObject &&
                     std::all_of(field.fields.begin(), field.fields.end(), [](const auto& f) {
                       return !f.schema.required && f.schema.default_json.empty();
                     });
  return plain ? "{}" : nullptr;
}

// The known name that is closest to a mistyped one, or "".
std::string_view Suggestion(const FieldSchema& schema, const std::string& name) {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
  };
  const std::string wanted = lower(name);
  for (const auto& [field, unused] : schema.fields) {
    const std::string known = lower(field);
    if (known == wanted || known == wanted + "s" || known + "s" == wanted) return field;
  }
  return {};
}

void CheckObject(const FieldSchema& schema, const Json& value, const std::string& path,
                 std::vector<v1::FieldError>* errors) {
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const auto& [name, child] : value.items()) {
    const auto known = std::find_if(schema.fields.begin(), schema.fields.end(),
                                    [&name = name](const auto& f) { return f.name == name; });
    if (known == schema.fields.end()) {
      const std::string_view suggestion = Suggestion(schema, name);
      AddFieldError(errors, prefix + name, "UnknownField",
                    suggestion.empty() ? StrCat("unknown field \"", name, "\"")
                                       : StrCat("unknown field \"", name, "\"; did you mean \"",
                                                suggestion, "\"?"));
      continue;
    }
    if (!child.is_null()) CheckSchema(known->schema, child, prefix + name, errors);
  }
  for (const auto& [name, field] : schema.fields) {
    if (!field.required) continue;
    const auto it = value.find(name);
    if (it == value.end() || it->is_null()) {
      AddFieldError(errors, prefix + name, "Required", StrCat(name, " is missing"));
    }
  }
}

void CheckSize(const FieldSchema& schema, size_t size, const std::string& path,
               std::string_view unit, std::vector<v1::FieldError>* errors) {
  if (size < schema.min_size) {
    AddFieldError(errors, path, "Invalid", StrCat("needs at least ", schema.min_size, " ", unit));
  } else if (size > schema.max_size) {
    AddFieldError(errors, path, "TooLong", StrCat("may have at most ", schema.max_size, " ", unit));
  }
}

}  // namespace

FieldSchema FieldSchema::Required() && {
  required = true;
  return std::move(*this);
}
FieldSchema FieldSchema::Default(std::string_view json) && {
  default_json = json;
  return std::move(*this);
}
FieldSchema FieldSchema::Minimum(int64_t value) && {
  minimum = value;
  return std::move(*this);
}
FieldSchema FieldSchema::OmitZero() && {
  omit_zero = true;
  return std::move(*this);
}
FieldSchema FieldSchema::Size(size_t least, size_t most) && {
  min_size = least;
  max_size = most;
  return std::move(*this);
}

FieldSchema ObjectOf(std::vector<NamedField> fields) {
  FieldSchema schema = Make(FieldSchema::Type::kObject);
  schema.fields = std::move(fields);
  return schema;
}
FieldSchema ListOf(FieldSchema item) {
  FieldSchema schema = Make(FieldSchema::Type::kList);
  schema.item.push_back(std::move(item));
  return schema;
}
FieldSchema StringMap() { return Make(FieldSchema::Type::kStringMap); }
FieldSchema Text() { return Make(FieldSchema::Type::kString); }
FieldSchema OneOf(std::vector<std::string> allowed) {
  FieldSchema schema = Text();
  schema.allowed = std::move(allowed);
  return schema;
}
FieldSchema Int32() { return Make(FieldSchema::Type::kInt32); }
FieldSchema Int64() { return Make(FieldSchema::Type::kInt64); }
FieldSchema Boolean() { return Make(FieldSchema::Type::kBool); }
FieldSchema AnyValue() { return Make(FieldSchema::Type::kAny); }

void ApplyDefaults(const FieldSchema& schema, Json& value) {
  if (schema.type == FieldSchema::Type::kList && value.is_array()) {
    for (Json& item : value) ApplyDefaults(schema.item.front(), item);
  }
  if (schema.type != FieldSchema::Type::kObject || !value.is_object()) return;
  for (const auto& [name, field] : schema.fields) {
    const auto it = value.find(name);
    const bool absent = it == value.end() || it->is_null();
    if (absent && !field.default_json.empty()) {
      value[name] = Json::parse(field.default_json);
    } else if (absent && it != value.end()) {
      value.erase(it);
    } else if (!absent) {
      ApplyDefaults(field, *it);
    }
  }
}

void RoundTrip(const FieldSchema& schema, Json& value) {
  if (schema.type == FieldSchema::Type::kList && value.is_array()) {
    for (Json& item : value) RoundTrip(schema.item.front(), item);
  }
  if (schema.type != FieldSchema::Type::kObject || !value.is_object()) return;
  for (const auto& [name, field] : schema.fields) {
    const auto it = value.find(name);
    if (it != value.end()) {
      if (!field.required && IsZero(field, *it)) {
        value.erase(it);
      } else {
        RoundTrip(field, *it);
      }
    } else if (const char* empty = EmptyForm(field); empty != nullptr) {
      value[name] = Json::parse(empty);
    }
  }
}

void CheckSchema(const FieldSchema& schema, const Json& value, const std::string& path,
                 std::vector<v1::FieldError>* errors) {
  if (!HasType(schema, value)) {
    AddFieldError(errors, path, "TypeMismatch",
                  StrCat("must be ", TypeName(schema.type), ", not ", value.type_name()));
    return;
  }
  switch (schema.type) {
    case FieldSchema::Type::kObject:
      CheckObject(schema, value, path, errors);
      break;
    case FieldSchema::Type::kStringMap:
      for (const auto& [key, text] : value.items()) {
        if (text.is_string()) continue;
        AddFieldError(errors, StrCat(path, ".", key), "TypeMismatch",
                      StrCat("must be a string, not ", text.type_name()));
      }
      break;
    case FieldSchema::Type::kList:
      CheckSize(schema, value.size(), path, "items", errors);
      for (size_t i = 0; i < value.size(); ++i) {
        CheckSchema(schema.item.front(), value[i], StrCat(path, "[", i, "]"), errors);
      }
      break;
    case FieldSchema::Type::kString: {
      const auto& text = value.get_ref<const std::string&>();
      CheckSize(schema, text.size(), path, "characters", errors);
      if (!schema.allowed.empty() &&
          std::find(schema.allowed.begin(), schema.allowed.end(), text) == schema.allowed.end()) {
        AddFieldError(errors, path, "NotSupported",
                      StrCat("\"", text, "\" is not one of: ", StrJoin(schema.allowed, ", ")));
      }
      break;
    }
    case FieldSchema::Type::kInt32:
    case FieldSchema::Type::kInt64: {
      const bool fits64 =
          !value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
      const int64_t number = fits64 ? value.get<int64_t>() : 0;
      const bool fits32 = number >= INT32_MIN && number <= INT32_MAX;
      if (!fits64 || (schema.type == FieldSchema::Type::kInt32 && !fits32)) {
        AddFieldError(errors, path, "Invalid", "the number is out of range");
      } else if (schema.minimum && number < *schema.minimum) {
        AddFieldError(errors, path, "Invalid", StrCat("must be at least ", *schema.minimum));
      }
      break;
    }
    case FieldSchema::Type::kBool:
    case FieldSchema::Type::kAny:
      break;
  }
}

}  // namespace sealane::kube
