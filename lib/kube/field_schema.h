#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

namespace kube {

struct NamedField;

// The form of a JSON value, as much of JSON schema as policies need: types, required and unknown
// fields, enumerations, bounds, defaults. Built with the functions below; see policy_schema.cc.
struct FieldSchema {
  enum class Type { kObject, kStringMap, kList, kString, kInt32, kInt64, kBool, kAny };
  Type type = Type::kAny;
  std::vector<NamedField> fields;    // kObject
  std::vector<FieldSchema> item;     // kList: exactly one
  bool required = false;             // in the object it belongs to
  std::vector<std::string> allowed;  // kString: empty means any text
  std::optional<int64_t> minimum;    // kInt32, kInt64
  size_t min_size = 0;               // kString: bytes; kList: items
  size_t max_size = SIZE_MAX;
  std::string default_json;  // "" for none; applies when the field is absent or null
  bool omit_zero = false;    // kBool, numbers: false and 0 mean the same as absent

  FieldSchema Required() &&;
  FieldSchema Default(std::string_view json) &&;
  FieldSchema Minimum(int64_t value) &&;
  FieldSchema OmitZero() &&;
  FieldSchema Size(size_t least, size_t most = SIZE_MAX) &&;
};

// A field of an object.
struct NamedField {
  std::string name;
  FieldSchema schema;
};

[[nodiscard]] FieldSchema ObjectOf(std::vector<NamedField> fields);
[[nodiscard]] FieldSchema ListOf(FieldSchema item);
[[nodiscard]] FieldSchema StringMap();
[[nodiscard]] FieldSchema Text();
[[nodiscard]] FieldSchema OneOf(std::vector<std::string> allowed);
[[nodiscard]] FieldSchema Int32();
[[nodiscard]] FieldSchema Int64();
[[nodiscard]] FieldSchema Boolean();
[[nodiscard]] FieldSchema AnyValue();

// Fills in defaults, at every depth, and drops nulls.
void ApplyDefaults(const FieldSchema& schema, Json& value);
// What becomes of a value that a Go program decodes and writes again, as Karmada's webhooks do:
// optional empty texts and omit_zero fields go; required texts and objects that were absent become
// empty.
void RoundTrip(const FieldSchema& schema, Json& value);
// Appends every difference between the value and the schema, with the field's path below `path`.
void CheckSchema(const FieldSchema& schema, const Json& value, const std::string& path,
                 std::vector<v1::FieldError>* errors);

}  // namespace kube
}  // namespace sealane
