#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Reads fields of an object by the types that Kubernetes gives them. An absent or null field reads
// as its zero value; a field of another type does too, and is remembered in status(). Reads nothing
// from a null or absent object. The object must outlive the reader.
class FieldReader {
 public:
  // `path` goes in front of field names in errors: "status".
  FieldReader(const Json* object, std::string_view path);

  [[nodiscard]] bool Has(std::string_view name) const;
  [[nodiscard]] int64_t Int(std::string_view name);
  [[nodiscard]] bool Bool(std::string_view name);
  [[nodiscard]] std::string String(std::string_view name);
  // nullptr when absent or of another type.
  [[nodiscard]] const Json* Object(std::string_view name);
  [[nodiscard]] const Json* Array(std::string_view name);

  // INVALID_ARGUMENT naming the first field of a wrong type.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  const Json* Find(std::string_view name) const;
  void Wrong(std::string_view name, std::string_view expected);

  const Json* object_;
  std::string path_;
  absl::Status status_;
};

// One number of a status. Kubernetes omits some numbers when they are zero and keeps others.
struct NumberField {
  std::string_view name;
  bool keep_zero = false;
};

// "apps/Deployment"; "/Pod" for the core group: what tables of rules per kind are keyed by.
[[nodiscard]] std::string GroupKind(const Json& object);

}  // namespace sealane::kube
