#include "lib/kubeapi/validate_util.h"

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"

namespace sealane::kubeapi {
namespace {

constexpr char kPortRange[] = "must be between 1 and 65535, inclusive";

bool IsPort(const Json& value) { return value.is_number_integer() && value >= 1 && value <= 65535; }

bool IsPercent(std::string_view text) {
  return text.size() > 1 && text.back() == '%' &&
         text.substr(0, text.size() - 1).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string FieldPath::Text() const {
  std::string out = parent_ == nullptr ? std::string() : parent_->Text();
  if (index_ == kKey) return StrCat(out, "[", name_, "]");
  if (parent_ != nullptr) out.push_back('.');
  out.append(name_);
  return index_ == kNone ? out : StrCat(out, "[", index_, "]");
}

const Json& At(const Json& object, const char* field) {
  static const Json* const null = new Json();
  if (!object.is_object()) return *null;
  const auto it = object.find(field);
  return it == object.end() ? *null : *it;
}

const Json* Member(const Json& object, const char* field) {
  const Json& value = At(object, field);
  return value.is_null() ? nullptr : &value;
}

const Json& ListAt(const Json& object, const char* field) {
  static const Json* const none = new Json(Json::array());
  const Json& value = At(object, field);
  return value.is_array() ? value : *none;
}

const Json& MapAt(const Json& object, const char* field) {
  static const Json* const none = new Json(Json::object());
  const Json& value = At(object, field);
  return value.is_object() ? value : *none;
}

bool Has(const Json& object, const char* field) { return !At(object, field).is_null(); }

std::optional<int64_t> IntAt(const Json& object, const char* field) {
  const Json& value = At(object, field);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<int64_t>();
}

bool BoolAt(const Json& object, const char* field) { return At(object, field) == true; }

FieldError NotFoundField(std::string_view field, const Json& value) {
  return {"FieldValueNotFound", std::string(field), StrCat("Not found: ", WriteJson(value))};
}

FieldError TooLongField(std::string_view field, size_t limit) {
  return {"FieldValueTooLong", std::string(field),
          StrCat("Too long: may not be more than ", limit, " bytes")};
}

void CheckNonNegative(const Json& object, const char* field, const FieldPath& path,
                      FieldErrors& errors) {
  const Json& value = At(object, field);
  if (value.is_number() && value < 0) {
    errors.push_back(InvalidField(path.Text(field), value, "must be greater than or equal to 0"));
  }
}

void CheckRequired(const Json& object, const char* field, const FieldPath& path,
                   FieldErrors& errors) {
  if (TextView(object, field).empty()) errors.push_back(RequiredField(path.Text(field)));
}

void CheckOneOf(const Json& object, const char* field, std::initializer_list<const char*> allowed,
                const FieldPath& path, FieldErrors& errors) {
  const Json& value = At(object, field);
  if (value.is_null()) return;
  const std::string_view text = TextView(object, field);
  if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return;
  errors.push_back(UnsupportedField(path.Text(field), value, {allowed.begin(), allowed.end()}));
}

void CheckPortNumber(const Json& object, const char* field, const FieldPath& path,
                     FieldErrors& errors) {
  const Json& value = At(object, field);
  if (IsPort(value)) return;
  errors.push_back(InvalidField(path.Text(field), value.is_null() ? Json(0) : value, kPortRange));
}

void CheckPortOrName(const Json& object, const char* field, const FieldPath& path,
                     FieldErrors& errors) {
  const Json& value = At(object, field);
  if (value.is_null() || IsPort(value)) return;
  const std::string why =
      value.is_string() ? WhyNotPortName(TextView(object, field)) : std::string(kPortRange);
  if (!why.empty()) errors.push_back(InvalidField(path.Text(field), value, why));
}

void CheckIntOrPercent(const Json& object, const char* field, bool at_most_100,
                       const FieldPath& path, FieldErrors& errors) {
  const Json& value = At(object, field);
  if (value.is_string()) {
    if (!IsPercent(TextView(object, field))) {
      errors.push_back(InvalidField(path.Text(field), value,
                                    "a valid percent string must be a numeric string followed by "
                                    "an ending '%' (e.g. '1%',  or '93%', regex used for "
                                    "validation is '[0-9]+%')"));
    } else if (at_most_100 && IntOrPercent(value) > 100) {
      errors.push_back(InvalidField(path.Text(field), value, "must not be greater than 100%"));
    }
    return;
  }
  CheckNonNegative(object, field, path, errors);
}

int64_t IntOrPercent(const Json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return 0;
  const auto& text = value.get_ref<const std::string&>();
  if (!IsPercent(text)) return 0;
  int64_t amount = 0;
  for (const char c : std::string_view(text).substr(0, text.size() - 1)) {
    amount = std::min<int64_t>(amount * 10 + (c - '0'), INT32_MAX);
  }
  return amount;
}

void CheckImmutable(const Json& object, const Json& before, const char* field,
                    const FieldPath& path, FieldErrors& errors) {
  if (At(object, field) != At(before, field)) {
    errors.push_back(InvalidField(path.Text(field), At(object, field), "field is immutable"));
  }
}

bool SameExcept(const Json& a, const Json& b, const std::set<std::string_view>& fields) {
  if (!a.is_object() || !b.is_object()) return a == b;
  for (const Json* side : {&a, &b}) {
    for (const auto& [key, value] : side->items()) {
      if (fields.count(key) == 0 && At(a, key.c_str()) != At(b, key.c_str())) return false;
    }
  }
  return true;
}

std::string WhyNotPortName(std::string_view name) {
  if (name.size() > 15) return "must be no more than 15 bytes";
  bool letter = false;
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    letter = letter || lower;
    if (!lower && c != '-' && (c < '0' || c > '9')) {
      return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    }
  }
  if (!letter) return "must contain at least one letter (a-z)";
  if (name.find("--") != std::string_view::npos) return "must not contain consecutive hyphens";
  if (name.front() == '-' || name.back() == '-') return "must not begin or end with a hyphen";
  return "";
}

std::string WhyNotConfigKey(std::string_view key) {
  if (key.size() > 253) return "must be no more than 253 bytes";
  if (key == ".") return "must not be '.'";
  if (key == "..") return "must not be '..'";
  if (key.substr(0, 2) == "..") return "must not start with '..'";
  const bool good = !key.empty() && key.find_first_not_of(
                                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789-_.") == std::string_view::npos;
  if (good) return "";
  return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
         "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
         "'[-._a-zA-Z0-9]+')";
}

std::string WhyNotIp(std::string_view text) {
  const bool good = text.find_first_not_of("0123456789abcdefABCDEF.:") == std::string_view::npos &&
                    text.find_first_of(".:") != std::string_view::npos;
  return good ? "" : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

std::string WhyNotCidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view bits =
      slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  if (!bits.empty() && bits.size() <= 3 &&
      bits.find_first_not_of("0123456789") == std::string_view::npos &&
      WhyNotIp(text.substr(0, slash)).empty()) {
    return "";
  }
  return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
}

std::string WhyNotDescending(std::string_view path) {
  if (!path.empty() && path.front() == '/') return "must be a relative path";
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return "must not contain '..'";
    start = end + 1;
  }
  return "";
}

}  // namespace sealane::kubeapi
