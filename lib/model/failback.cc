#include "lib/model/failback.h"

#include "lib/core/hash.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {

absl::StatusOr<absl::Duration> ParseFailback(std::string_view text) {
  constexpr std::string_view kWhenHealthy = "WhenHealthyFor=";
  if (text.empty() || text == "Never") return absl::InfiniteDuration();
  absl::Duration duration;
  if (text.starts_with(kWhenHealthy) &&
      absl::ParseDuration(ToAbsl(text.substr(kWhenHealthy.size())), &duration) &&
      duration >= absl::ZeroDuration()) {
    return duration;
  }
  return InvalidArgument(
      StrCat("\"", text, "\" is neither Never nor WhenHealthyFor=<duration> (such as 5m)"));
}

absl::Duration FailbackDelay(std::string_view uid, absl::Duration spread) {
  constexpr uint64_t kSteps = 1024;
  return spread * static_cast<int64_t>(Fnv1a64(uid) % kSteps) / static_cast<int64_t>(kSteps);
}

}  // namespace sealane
