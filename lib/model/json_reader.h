#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

// Reads a JSON value that should have a known form. Absent and null fields read as empty; a field
// of a wrong type is reported once as a TypeMismatch with its path ("spec.zones[1]") and reads as
// empty. A view: the value and the list of errors (null: errors are dropped) must outlive it.
class JsonReader {
 public:
  JsonReader(const Json& value, std::string path, std::vector<v1::FieldError>* errors)
      : value_(&value), path_(std::move(path)), errors_(errors) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Json& value() const { return *value_; }
  // Whether the field is there and not null.
  [[nodiscard]] bool Has(std::string_view name) const;
  // A field; an absent one reads as null.
  [[nodiscard]] JsonReader Field(std::string_view name) const;

  // The value itself, as this type.
  [[nodiscard]] std::string String() const;
  [[nodiscard]] int64_t Int() const;
  [[nodiscard]] bool Bool() const;
  // Text or a number: how Kubernetes reads a quantity.
  [[nodiscard]] std::string QuantityText() const;
  // Calls for each item of an array, or each entry of an object.
  void Each(const std::function<void(const JsonReader& item)>& fn) const;
  void EachEntry(
      const std::function<void(const std::string& key, const JsonReader& item)>& fn) const;
  // Microseconds since the epoch of a Kubernetes time; 0 when absent.
  [[nodiscard]] int64_t TimeMicros() const;

  void Error(std::string_view reason, std::string_view message) const;

 private:
  void WrongType(std::string_view wanted) const;

  const Json* value_;
  std::string path_;
  std::vector<v1::FieldError>* errors_;
};

}  // namespace sealane
