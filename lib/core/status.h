#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealane {

// Adds context in front of the message of a failed status: "context: message". OK stays OK.
// Add context once per layer. The code and payloads are kept.
[[nodiscard]] absl::Status Annotate(const absl::Status& status, std::string_view context);

// Shorthands that take std::string_view (Debian's Abseil has its own string_view type).
[[nodiscard]] absl::Status InvalidArgument(std::string_view message);
[[nodiscard]] absl::Status NotFound(std::string_view message);
[[nodiscard]] absl::Status FailedPrecondition(std::string_view message);
[[nodiscard]] absl::Status Unavailable(std::string_view message);
[[nodiscard]] absl::Status Internal(std::string_view message);

}  // namespace sealane

// Names and meaning follow upstream Abseil's status macros, which Debian's version lacks.
#define SEALANE_CONCAT_INNER(a, b) a##b
#define SEALANE_CONCAT(a, b) SEALANE_CONCAT_INNER(a, b)

// The arguments are declarations and names, which take no parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define SEALANE_RETURN_IF_ERROR(expr)                                                         \
  do {                                                                                        \
    if (absl::Status sealane_status_ = (expr); !sealane_status_.ok()) return sealane_status_; \
  } while (false)

#define SEALANE_ASSIGN_OR_RETURN(lhs, expr) \
  SEALANE_ASSIGN_OR_RETURN_IMPL(SEALANE_CONCAT(sealane_statusor_, __LINE__), lhs, expr)

#define SEALANE_ASSIGN_OR_RETURN_IMPL(var, lhs, expr) \
  auto var = (expr);                                  \
  if (!var.ok()) return var.status();                 \
  lhs = std::move(var).value()
// NOLINTEND(bugprone-macro-parentheses)
