#include "lib/kubeapi/custom.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kubeapi/pattern.h"
#include "lib/kubeapi/validate_util.h"

namespace sealane::kubeapi {
namespace {

std::string Join(const std::string& path, const std::string& key) {
  return path.empty() ? key : StrCat(path, ".", key);
}

void PruneUnknown(const Json& schema, Json& value, const std::string& path, bool root,
                  bool preserve, std::vector<std::string>& unknown) {
  preserve = preserve || BoolAt(schema, "x-kubernetes-preserve-unknown-fields");
  if (value.is_array()) {
    const Json* items = Member(schema, "items");
    for (size_t i = 0; i < value.size(); ++i) {
      if (items != nullptr) {
        PruneUnknown(*items, value[i], StrCat(path, "[", i, "]"), false, false, unknown);
      }
    }
    return;
  }
  if (!value.is_object()) return;
  const Json* properties = Member(schema, "properties");
  const Json* additional = Member(schema, "additionalProperties");
  const bool embedded = BoolAt(schema, "x-kubernetes-embedded-resource");
  for (auto it = value.begin(); it != value.end();) {
    const std::string child_path = Join(path, it.key());
    const bool meta = it.key() == "apiVersion" || it.key() == "kind" || it.key() == "metadata";
    const Json* property = properties == nullptr ? nullptr : Member(*properties, it.key().c_str());
    if ((root || embedded) && meta) {
      ++it;
    } else if (property != nullptr) {
      PruneUnknown(*property, *it, child_path, false, false, unknown);
      ++it;
    } else if (additional != nullptr && additional->is_object()) {
      PruneUnknown(*additional, *it, child_path, false, false, unknown);
      ++it;
    } else if (preserve || (additional != nullptr && *additional == true)) {
      ++it;
    } else {
      unknown.push_back(child_path);
      it = value.erase(it);
    }
  }
}

class Validator {
 public:
  std::vector<FieldError> errors;

  void Check(const Json& schema, const Json& value, const std::string& path, bool root) {
    if (value.is_null()) {
      if (!BoolAt(schema, "nullable") && Member(schema, "type") != nullptr)
        TypeError(schema, value, path);
      return;
    }
    if (!TypeFits(schema, value)) return TypeError(schema, value, path);
    if (const Json* values = Member(schema, "enum")) CheckEnum(*values, value, path);
    if (value.is_object()) CheckObject(schema, value, path, root);
    if (value.is_array()) CheckArray(schema, value, path);
    if (value.is_string()) CheckString(schema, value, path);
    if (value.is_number()) CheckNumber(schema, value, path);
    CheckCombinations(schema, value, path, root);
  }

 private:
  static bool TypeFits(const Json& schema, const Json& value) {
    if (BoolAt(schema, "x-kubernetes-int-or-string")) {
      return value.is_string() || value.is_number_integer();
    }
    const Json* type = Member(schema, "type");
    if (type == nullptr) return true;
    if (*type == "object") return value.is_object();
    if (*type == "array") return value.is_array();
    if (*type == "string") return value.is_string();
    if (*type == "boolean") return value.is_boolean();
    if (*type == "number") return value.is_number();
    if (*type == "integer") {
      return value.is_number_integer() ||
             (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
    }
    return true;
  }

  static std::string Where(const std::string& path) { return path.empty() ? "<nil>" : path; }

  void TypeError(const Json& schema, const Json& value, const std::string& path) {
    std::string got = value.type_name();
    if (value.is_number_integer()) got = "integer";
    const Json* type = Member(schema, "type");
    const std::string want = type == nullptr ? "integer or string" : type->get<std::string>();
    errors.push_back({"FieldValueTypeInvalid", Where(path),
                      StrCat("Invalid value: \"", got, "\": ", Where(path),
                             " in body must be of type ", want, ": \"", got, "\"")});
  }

  void CheckEnum(const Json& values, const Json& value, const std::string& path) {
    if (std::find(values.begin(), values.end(), value) != values.end()) return;
    std::vector<std::string> names;
    for (const Json& v : values) names.push_back(v.is_string() ? v.get<std::string>() : v.dump());
    errors.push_back(UnsupportedField(path, value, names));
  }

  void Invalid(const std::string& path, const Json& value, const std::string& rule) {
    errors.push_back(InvalidField(path, value, StrCat(path, " in body should ", rule)));
  }

  void CheckObject(const Json& schema, const Json& value, const std::string& path, bool root) {
    if (const Json* required = Member(schema, "required")) {
      for (const Json& name : *required) {
        if (!value.contains(name.get<std::string>())) {
          errors.push_back(RequiredField(Join(path, name.get<std::string>())));
        }
      }
    }
    const Json* properties = Member(schema, "properties");
    const Json* additional = Member(schema, "additionalProperties");
    for (const auto& [key, child] : value.items()) {
      if (root && (key == "metadata" || key == "apiVersion" || key == "kind")) continue;
      if (const Json* property =
              properties == nullptr ? nullptr : Member(*properties, key.c_str())) {
        Check(*property, child, Join(path, key), false);
      } else if (additional != nullptr && additional->is_object()) {
        Check(*additional, child, Join(path, key), false);
      }
    }
    if (const Json* limit = Member(schema, "maxProperties"); limit && value.size() > *limit) {
      errors.push_back(
          {"FieldValueTooMany", path,
           StrCat("Too many: ", value.size(), ": must have at most ", limit->dump(), " items")});
    }
    if (const Json* limit = Member(schema, "minProperties"); limit && value.size() < *limit) {
      Invalid(path, value, StrCat("have at least ", limit->dump(), " properties"));
    }
  }

  void CheckArray(const Json& schema, const Json& value, const std::string& path) {
    if (const Json* limit = Member(schema, "maxItems"); limit && value.size() > *limit) {
      errors.push_back(
          {"FieldValueTooMany", path,
           StrCat("Too many: ", value.size(), ": must have at most ", limit->dump(), " items")});
    }
    if (const Json* limit = Member(schema, "minItems"); limit && value.size() < *limit) {
      Invalid(path, value, StrCat("have at least ", limit->dump(), " items"));
    }
    const Json* items = Member(schema, "items");
    const std::string list_type = schema.value("x-kubernetes-list-type", "");
    std::set<std::string> seen;
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string item_path = StrCat(path, "[", i, "]");
      if (items != nullptr) Check(*items, value[i], item_path, false);
      Json identity = value[i];
      if (list_type == "map" && identity.is_object()) {
        identity = Json::object();
        for (const Json& key : schema.value("x-kubernetes-list-map-keys", Json::array())) {
          const std::string name = key.get<std::string>();
          if (value[i].contains(name)) identity[name] = value[i].at(name);
        }
      }
      const bool unique = list_type == "map" || list_type == "set" || BoolAt(schema, "uniqueItems");
      if (unique && !seen.insert(identity.dump()).second) {
        errors.push_back(DuplicateField(item_path, identity));
      }
    }
  }

  void CheckString(const Json& schema, const Json& value, const std::string& path) {
    const auto& text = value.get_ref<const std::string&>();
    // Lengths count characters, not bytes.
    const auto length = static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
    if (const Json* limit = Member(schema, "maxLength"); limit && length > *limit) {
      errors.push_back({"FieldValueTooLong", path,
                        StrCat("Too long: may not be more than ", limit->dump(), " bytes")});
    }
    if (const Json* limit = Member(schema, "minLength"); limit && length < *limit) {
      Invalid(path, value, StrCat("be at least ", limit->dump(), " chars long"));
    }
    if (const Json* pattern = Member(schema, "pattern"); pattern && text.size() < 4096) {
      if (!PatternFinds(pattern->get<std::string>(), text)) {
        Invalid(path, value, StrCat("match '", pattern->get<std::string>(), "'"));
      }
    }
    if (const Json* format = Member(schema, "format"); format && *format == "date-time") {
      if (!ParseKubeTime(text).ok()) {
        errors.push_back(InvalidField(
            path, value, StrCat(path, " in body must be of type date-time: ", value.dump())));
      }
    }
  }

  void CheckNumber(const Json& schema, const Json& value, const std::string& path) {
    const double number = value.get<double>();
    if (const Json* limit = Member(schema, "minimum")) {
      const bool exclusive = BoolAt(schema, "exclusiveMinimum");
      if (number < limit->get<double>() || (exclusive && number == limit->get<double>())) {
        Invalid(path, value,
                StrCat("be greater than ", exclusive ? "" : "or equal to ", limit->dump()));
      }
    }
    if (const Json* limit = Member(schema, "maximum")) {
      const bool exclusive = BoolAt(schema, "exclusiveMaximum");
      if (number > limit->get<double>() || (exclusive && number == limit->get<double>())) {
        Invalid(path, value,
                StrCat("be less than ", exclusive ? "" : "or equal to ", limit->dump()));
      }
    }
    if (const Json* step = Member(schema, "multipleOf"); step && step->get<double>() > 0) {
      const double ratio = number / step->get<double>();
      if (std::fabs(ratio - std::round(ratio)) > 1e-9) {
        Invalid(path, value, StrCat("be a multiple of ", step->dump()));
      }
    }
  }

  static size_t Passing(const Json& schemas, const Json& value, const std::string& path) {
    size_t count = 0;
    for (const Json& schema : schemas) {
      Validator validator;
      validator.Check(schema, value, path, false);
      if (validator.errors.empty()) ++count;
    }
    return count;
  }

  void CheckCombinations(const Json& schema, const Json& value, const std::string& path,
                         bool root) {
    if (const Json* all = Member(schema, "allOf")) {
      for (const Json& one : *all) Check(one, value, path, root);
    }
    if (const Json* any = Member(schema, "anyOf"); any && Passing(*any, value, path) == 0) {
      errors.push_back(InvalidField(Where(path), value,
                                    StrCat(Where(path),
                                           " in body must validate at least one schema "
                                           "(anyOf)")));
    }
    if (const Json* one = Member(schema, "oneOf"); one && Passing(*one, value, path) != 1) {
      errors.push_back(InvalidField(Where(path), value,
                                    StrCat(Where(path),
                                           " in body must validate one and only one "
                                           "schema (oneOf)")));
    }
    if (const Json* no = Member(schema, "not"); no && no->is_object()) {
      Validator validator;
      validator.Check(*no, value, path, false);
      if (validator.errors.empty()) {
        errors.push_back(InvalidField(Where(path), value,
                                      StrCat(Where(path),
                                             " in body must not validate the schema "
                                             "(not)")));
      }
    }
  }
};

}  // namespace

void PruneCustom(const Json& schema, Json& object, std::vector<std::string>& unknown) {
  PruneUnknown(schema, object, "", /*root=*/true, false, unknown);
}

void DefaultCustom(const Json& schema, Json& value) {
  if (value.is_array()) {
    if (const Json* items = Member(schema, "items")) {
      for (Json& item : value) DefaultCustom(*items, item);
    }
    return;
  }
  if (!value.is_object()) return;
  if (const Json* properties = Member(schema, "properties")) {
    for (const auto& [key, property] : properties->items()) {
      if (!property.is_object()) continue;
      const auto it = value.find(key);
      const bool null_to_default =
          it != value.end() && it->is_null() && !BoolAt(property, "nullable");
      if (const auto fallback = property.find("default");
          fallback != property.end() && (it == value.end() || null_to_default)) {
        value[key] = *fallback;
      }
      if (const auto child = value.find(key); child != value.end()) DefaultCustom(property, *child);
    }
  }
  if (const Json* additional = Member(schema, "additionalProperties");
      additional != nullptr && additional->is_object()) {
    for (Json& child : value) DefaultCustom(*additional, child);
  }
}

std::vector<FieldError> ValidateCustom(const Json& schema, const Json& object) {
  Validator validator;
  validator.Check(schema, object, "", /*root=*/true);
  std::stable_sort(validator.errors.begin(), validator.errors.end(),
                   [](const FieldError& a, const FieldError& b) { return a.field < b.field; });
  return std::move(validator.errors);
}

}  // namespace sealane::kubeapi
