#include "lib/model/json_reader.h"

#include <limits>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/field_errors.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

const Json& Null() {
  static const Json null;
  return null;
}

}  // namespace

bool JsonReader::Has(std::string_view name) const {
  if (!value_->is_object()) return false;
  auto it = value_->find(std::string(name));
  return it != value_->end() && !it->is_null();
}

JsonReader JsonReader::Field(std::string_view name) const {
  std::string path = path_.empty() ? std::string(name) : StrCat(path_, ".", name);
  if (value_->is_null()) return {Null(), std::move(path), errors_};
  if (!value_->is_object()) {
    WrongType("an object");
    return {Null(), std::move(path), nullptr};
  }
  auto it = value_->find(std::string(name));
  return {it == value_->end() ? Null() : *it, std::move(path), errors_};
}

std::string JsonReader::String() const {
  if (value_->is_null()) return "";
  if (!value_->is_string()) {
    WrongType("a string");
    return "";
  }
  return value_->get<std::string>();
}

int64_t JsonReader::Int() const {
  if (value_->is_null()) return 0;
  if (value_->is_number_integer()) {
    if (value_->is_number_unsigned() &&
        value_->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      WrongType("a 64-bit integer");
      return 0;
    }
    return value_->get<int64_t>();
  }
  if (value_->is_number_float()) {
    const double number = value_->get<double>();
    if (number >= -9e15 && number <= 9e15 &&
        number == static_cast<double>(static_cast<int64_t>(number))) {
      return static_cast<int64_t>(number);
    }
  }
  WrongType("an integer");
  return 0;
}

bool JsonReader::Bool() const {
  if (value_->is_null()) return false;
  if (!value_->is_boolean()) {
    WrongType("true or false");
    return false;
  }
  return value_->get<bool>();
}

std::string JsonReader::QuantityText() const {
  if (value_->is_null()) return "";
  if (value_->is_string()) return value_->get<std::string>();
  if (value_->is_number()) return value_->dump();
  WrongType("a quantity");
  return "";
}

void JsonReader::Each(const std::function<void(const JsonReader&)>& fn) const {
  if (value_->is_null()) return;
  if (!value_->is_array()) {
    WrongType("a list");
    return;
  }
  for (size_t i = 0; i < value_->size(); ++i) {
    fn(JsonReader((*value_)[i], StrCat(path_, "[", i, "]"), errors_));
  }
}

void JsonReader::EachEntry(
    const std::function<void(const std::string&, const JsonReader&)>& fn) const {
  if (value_->is_null()) return;
  if (!value_->is_object()) {
    WrongType("an object");
    return;
  }
  for (auto it = value_->begin(); it != value_->end(); ++it) {
    fn(it.key(), JsonReader(it.value(), StrCat(path_, ".", it.key()), errors_));
  }
}

int64_t JsonReader::TimeMicros() const {
  const std::string text = String();
  if (text.empty()) return 0;
  const auto time = ParseKubeTime(text);
  if (!time.ok()) {
    Error("TypeMismatch", StrCat("\"", text, "\" is not a time like 2026-01-02T03:04:05Z"));
    return 0;
  }
  return ToMicros(*time);
}

void JsonReader::Error(std::string_view reason, std::string_view message) const {
  if (errors_ == nullptr) return;
  for (const v1::FieldError& known : *errors_) {
    if (known.field() == path_ && known.reason() == reason && known.message() == message) return;
  }
  AddFieldError(errors_, path_, reason, message);
}

void JsonReader::WrongType(std::string_view wanted) const {
  Error("TypeMismatch", StrCat("must be ", wanted, ", not ", value_->type_name()));
}

}  // namespace sealane
