#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// Errors as kube-apiserver words them. An absl::Status carries the Kubernetes Status object
// (reason, message, details, code) as a payload, so that ordinary StatusOr flow keeps it whole. The
// forms follow the recorded exchanges under tests/conformance/data/kubernetes.

// One wrong field: `field` is its path, `reason` one of FieldValueInvalid, FieldValueRequired,
// FieldValueNotSupported, FieldValueForbidden, FieldValueDuplicate, FieldValueTypeInvalid.
struct FieldError {
  std::string reason;
  std::string field;
  std::string message;  // "Invalid value: \"x\": why"
};
[[nodiscard]] FieldError RequiredField(std::string_view field, std::string_view detail = "");
// `value` is printed as JSON.
[[nodiscard]] FieldError InvalidField(std::string_view field, const Json& value,
                                      std::string_view detail);
[[nodiscard]] FieldError UnsupportedField(std::string_view field, const Json& value,
                                          const std::vector<std::string>& supported);
[[nodiscard]] FieldError ForbiddenField(std::string_view field, std::string_view detail);
[[nodiscard]] FieldError DuplicateField(std::string_view field, const Json& value);

// Names the object that an error is about. `kind` is a kind or a plural, as the real server uses
// it.
struct ErrorTarget {
  std::string group;
  std::string kind;
  std::string name;
};

[[nodiscard]] absl::Status ApiError(int code, std::string_view reason, std::string_view message);
[[nodiscard]] absl::Status ApiError(int code, std::string_view reason, std::string_view message,
                                    const Json& details);
[[nodiscard]] absl::Status BadRequest(std::string_view message);
[[nodiscard]] absl::Status NotFoundError(const ErrorTarget& target);
// The path names no resource.
[[nodiscard]] absl::Status NoSuchResource();
[[nodiscard]] absl::Status AlreadyExists(const ErrorTarget& target);
[[nodiscard]] absl::Status ConflictError(const ErrorTarget& target, std::string_view why);
[[nodiscard]] absl::Status InvalidObject(const ErrorTarget& target,
                                         const std::vector<FieldError>& errors);
[[nodiscard]] absl::Status ForbiddenError(const ErrorTarget& target, std::string_view why);
[[nodiscard]] absl::Status MethodNotAllowed();
[[nodiscard]] absl::Status Expired(std::string_view message);

// Whether it has the form of the API already: what it says is meant for the client.
[[nodiscard]] bool IsApiError(const absl::Status& status);
// The Status object of a failed status; statuses without the payload become InternalError (500).
[[nodiscard]] Json StatusObject(const absl::Status& status);
// Its HTTP code.
[[nodiscard]] int StatusCodeOf(const absl::Status& status);

}  // namespace sealane::kubeapi
