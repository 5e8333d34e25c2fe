#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/http/message.h"

namespace sealane::kube {

// What an API server said about a request it refused: its Status object, travelling as a payload of
// an absl::Status.
struct ApiError {
  int http_status = 0;
  std::string reason;       // "NotFound", "Conflict", "Invalid", "Forbidden", ... or ""
  std::string detail_kind;  // details.kind: the resource the refusal is about ("namespaces")
  std::string detail_name;
  std::string cause;  // reason of the first cause ("NamespaceTerminating", "FieldManagerConflict")
  std::vector<std::string> cause_messages;            // one for each field, as a rule
  absl::Duration retry_after = absl::ZeroDuration();  // zero: the server did not say
};

// OK for 2xx. Otherwise the message is the server's own; codes: 400, 413 and 422 INVALID_ARGUMENT,
// 401 UNAUTHENTICATED, 403 PERMISSION_DENIED, 404 NOT_FOUND, 405, 406 and 415 UNIMPLEMENTED, 409
// ALREADY_EXISTS or ABORTED (by reason), 410 OUT_OF_RANGE, 429 RESOURCE_EXHAUSTED, 503 UNAVAILABLE,
// 504 DEADLINE_EXCEEDED, other 5xx INTERNAL.
[[nodiscard]] absl::Status StatusOfResponse(const http::HttpResponse& response);
[[nodiscard]] absl::Status StatusOfResponse(int http_status, std::string_view body,
                                            std::string_view retry_after_header);

// The server's words, when `status` came from one.
[[nodiscard]] std::optional<ApiError> ApiErrorOf(const absl::Status& status);

// True for what may pass by itself: no connection, timeouts, flow control (429), 5xx.
[[nodiscard]] bool IsTransient(const absl::Status& status);

}  // namespace sealane::kube
