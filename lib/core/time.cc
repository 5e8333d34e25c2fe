#include "lib/core/time.h"

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {

std::string FormatKubeTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> ParseKubeTime(std::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error)) {
    return InvalidArgument(StrCat("not an RFC 3339 time: ", text));
  }
  return time;
}

}  // namespace sealane
