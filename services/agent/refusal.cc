#include "services/agent/refusal.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lib/core/strings.h"
#include "lib/kube/api_error.h"

namespace sealane::agent {
namespace {

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The words of Kubernetes' validations for updates (pkg/apis/*/validation, v1.25 to v1.34).
bool NamesImmutable(std::string_view text) {
  return Has(text, "immutable") || Has(text, "may not change") || Has(text, "may not be changed") ||
         Has(text, "cannot change") || Has(text, "cannot be changed") ||
         (Has(text, "updates to ") && Has(text, "forbidden"));
}

}  // namespace

std::string_view CodeReason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return "Invalid";
    case absl::StatusCode::kPermissionDenied:
      return "Forbidden";
    case absl::StatusCode::kUnauthenticated:
      return "Unauthorized";
    case absl::StatusCode::kDeadlineExceeded:
      return "Timeout";
    case absl::StatusCode::kUnavailable:
      return "Unavailable";
    default:
      return "Error";
  }
}

bool OnlyImmutable(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return false;
  const auto error = kube::ApiErrorOf(status);
  if (!error || error->cause_messages.empty()) return NamesImmutable(ToStd(status.message()));
  return std::all_of(error->cause_messages.begin(), error->cause_messages.end(),
                     [](const std::string& message) { return NamesImmutable(message); });
}

}  // namespace sealane::agent
