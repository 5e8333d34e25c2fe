#include "lib/kube/api_error.h"

#include <cstdlib>

#include "absl/strings/cord.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"

namespace sealane::kube {
namespace {

constexpr char kPayload[] = "sealane.io/api-error";

absl::StatusCode CodeOf(int http_status, std::string_view reason) {
  switch (http_status) {
    case 400:
    case 413:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 405:
    case 406:
    case 415:
      return absl::StatusCode::kUnimplemented;
    case 409:
      return reason == "AlreadyExists" ? absl::StatusCode::kAlreadyExists
                                       : absl::StatusCode::kAborted;
    case 410:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return http_status >= 500 ? absl::StatusCode::kInternal : absl::StatusCode::kUnknown;
  }
}

// Seconds, as API servers write it; the date form of RFC 9110 is not used by them.
int64_t ParseSeconds(std::string_view text) {
  int64_t seconds = 0;
  if (text.empty() || text.size() > 6) return 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    seconds = seconds * 10 + (c - '0');
  }
  return seconds;
}

}  // namespace

absl::Status StatusOfResponse(int http_status, std::string_view body,
                              std::string_view retry_after_header) {
  if (http_status >= 200 && http_status < 300) return absl::OkStatus();
  const Json parsed = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  Json error = Json::object();
  error["status"] = http_status;
  std::string message;
  int64_t retry_after = ParseSeconds(retry_after_header);
  if (parsed.is_object() && GetString(parsed, {"kind"}) == "Status") {
    message = GetString(parsed, {"message"});
    error["reason"] = GetString(parsed, {"reason"});
    error["kind"] = GetString(parsed, {"details", "kind"});
    error["name"] = GetString(parsed, {"details", "name"});
    const Json* causes = Find(parsed, {"details", "causes"});
    if (causes != nullptr && causes->is_array() && !causes->empty()) {
      error["cause"] = GetString(causes->front(), {"reason"});
      for (const Json& cause : *causes) {
        error["messages"].push_back(std::string(GetString(cause, {"message"})));
      }
    }
    if (retry_after == 0) retry_after = GetInt(parsed, {"details", "retryAfterSeconds"});
  }
  if (message.empty()) {
    message = StrCat("HTTP ", http_status, " ", http::StatusPhrase(http_status));
    if (!body.empty() && !parsed.is_object()) message += StrCat(": ", body.substr(0, 200));
  }
  error["retryAfterSeconds"] = retry_after;
  absl::Status status(CodeOf(http_status, GetString(error, {"reason"})), ToAbsl(message));
  status.SetPayload(kPayload, absl::Cord(WriteJson(error)));
  return status;
}

absl::Status StatusOfResponse(const http::HttpResponse& response) {
  return StatusOfResponse(response.status, response.body, response.headers.Get("Retry-After"));
}

std::optional<ApiError> ApiErrorOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  const Json parsed = Json::parse(std::string(*payload), nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  ApiError error;
  error.http_status = static_cast<int>(GetInt(parsed, {"status"}));
  error.reason = GetString(parsed, {"reason"});
  error.detail_kind = GetString(parsed, {"kind"});
  error.detail_name = GetString(parsed, {"name"});
  error.cause = GetString(parsed, {"cause"});
  if (const Json* messages = Find(parsed, {"messages"}); messages != nullptr) {
    for (const Json& message : *messages) error.cause_messages.push_back(message);
  }
  error.retry_after = absl::Seconds(GetInt(parsed, {"retryAfterSeconds"}));
  return error;
}

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnauthenticated:
      return true;
    default:
      return false;
  }
}

}  // namespace sealane::kube
