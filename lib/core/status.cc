#include "lib/core/status.h"

#include <string>

#include "lib/core/strings.h"

namespace sealane {

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), StrCat(context, ": ", ToStd(status.message())));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    annotated.SetPayload(type, payload);
  });
  return annotated;
}

absl::Status InvalidArgument(std::string_view message) {
  return absl::InvalidArgumentError(ToAbsl(message));
}
absl::Status NotFound(std::string_view message) { return absl::NotFoundError(ToAbsl(message)); }
absl::Status FailedPrecondition(std::string_view message) {
  return absl::FailedPreconditionError(ToAbsl(message));
}
absl::Status Unavailable(std::string_view message) {
  return absl::UnavailableError(ToAbsl(message));
}
absl::Status Internal(std::string_view message) { return absl::InternalError(ToAbsl(message)); }

}  // namespace sealane
