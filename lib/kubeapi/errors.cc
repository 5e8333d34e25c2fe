#include "lib/kubeapi/errors.h"

#include "absl/strings/cord.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {
namespace {

constexpr char kPayload[] = "sealane.io/kubernetes-status";

absl::StatusCode CodeFor(int http) {
  switch (http) {
    case 400:
    case 415:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAborted;
    case 410:
      return absl::StatusCode::kOutOfRange;
    case 405:
    case 406:
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 429:
    case 503:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

Json Details(const ErrorTarget& target) {
  Json details = Json::object();
  if (!target.name.empty()) details["name"] = target.name;
  if (!target.group.empty()) details["group"] = target.group;
  if (!target.kind.empty()) details["kind"] = target.kind;
  return details;
}

std::string Qualified(const ErrorTarget& target) {
  return target.group.empty() ? target.kind : StrCat(target.kind, ".", target.group);
}

}  // namespace

FieldError RequiredField(std::string_view field, std::string_view detail) {
  return {"FieldValueRequired", std::string(field),
          detail.empty() ? std::string("Required value") : StrCat("Required value: ", detail)};
}

FieldError InvalidField(std::string_view field, const Json& value, std::string_view detail) {
  return {"FieldValueInvalid", std::string(field),
          StrCat("Invalid value: ", WriteJson(value), ": ", detail)};
}

FieldError UnsupportedField(std::string_view field, const Json& value,
                            const std::vector<std::string>& supported) {
  std::vector<std::string> quoted;
  for (const std::string& s : supported) quoted.push_back(StrCat("\"", s, "\""));
  return {"FieldValueNotSupported", std::string(field),
          StrCat("Unsupported value: ", WriteJson(value),
                 ": supported values: ", StrJoin(quoted, ", "))};
}

FieldError ForbiddenField(std::string_view field, std::string_view detail) {
  return {"FieldValueForbidden", std::string(field), StrCat("Forbidden: ", detail)};
}

FieldError DuplicateField(std::string_view field, const Json& value) {
  return {"FieldValueDuplicate", std::string(field), StrCat("Duplicate value: ", WriteJson(value))};
}

absl::Status ApiError(int code, std::string_view reason, std::string_view message,
                      const Json& details) {
  Json status = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
                 {"status", "Failure"}, {"message", message}, {"code", code}};
  if (!reason.empty()) status["reason"] = reason;
  if (!details.is_null()) status["details"] = details;
  absl::Status out(CodeFor(code), ToAbsl(message));
  out.SetPayload(kPayload, absl::Cord(WriteJson(status)));
  return out;
}

absl::Status ApiError(int code, std::string_view reason, std::string_view message) {
  return ApiError(code, reason, message, Json());
}

absl::Status BadRequest(std::string_view message) { return ApiError(400, "BadRequest", message); }

absl::Status NotFoundError(const ErrorTarget& target) {
  return ApiError(404, "NotFound", StrCat(Qualified(target), " \"", target.name, "\" not found"),
                  Details(target));
}

absl::Status NoSuchResource() {
  return ApiError(404, "NotFound", "the server could not find the requested resource",
                  Json::object());
}

absl::Status AlreadyExists(const ErrorTarget& target) {
  return ApiError(409, "AlreadyExists",
                  StrCat(Qualified(target), " \"", target.name, "\" already exists"),
                  Details(target));
}

absl::Status ConflictError(const ErrorTarget& target, std::string_view why) {
  return ApiError(409, "Conflict",
                  StrCat("Operation cannot be fulfilled on ", Qualified(target), " \"", target.name,
                         "\": ", why),
                  Details(target));
}

absl::Status InvalidObject(const ErrorTarget& target, const std::vector<FieldError>& errors) {
  Json details = Details(target);
  Json causes = Json::array();
  std::vector<std::string> texts;
  for (const FieldError& error : errors) {
    causes.push_back(
        {{"reason", error.reason}, {"message", error.message}, {"field", error.field}});
    texts.push_back(StrCat(error.field, ": ", error.message));
  }
  details["causes"] = causes;
  const std::string list =
      texts.size() == 1 ? texts.front() : StrCat("[", StrJoin(texts, ", "), "]");
  return ApiError(422, "Invalid",
                  StrCat(Qualified(target), " \"", target.name, "\" is invalid: ", list), details);
}

absl::Status ForbiddenError(const ErrorTarget& target, std::string_view why) {
  return ApiError(403, "Forbidden",
                  StrCat(Qualified(target), " \"", target.name, "\" is forbidden: ", why),
                  Details(target));
}

absl::Status MethodNotAllowed() {
  return ApiError(405, "MethodNotAllowed",
                  "the server does not allow this method on the requested resource",
                  Json::object());
}

absl::Status Expired(std::string_view message) { return ApiError(410, "Expired", message); }

bool IsApiError(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

Json StatusObject(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kPayload)) {
    return Json::parse(std::string(*payload));
  }
  return StatusObject(ApiError(500, "InternalError", ToStd(status.message())));
}

int StatusCodeOf(const absl::Status& status) { return StatusObject(status).value("code", 500); }

}  // namespace sealane::kubeapi
