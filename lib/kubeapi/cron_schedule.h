#pragma once

#include <string>
#include <string_view>

namespace sealane::kubeapi {

// Why a text is no schedule of a CronJob, in the words of the parser that Kubernetes uses; empty
// when it is one. Five fields (minute, hour, day of month, month, day of week) of "*", "?",
// numbers, names, ranges and steps; or "@hourly", "@daily", ..., "@every 90s". Time zones are not
// looked at.
[[nodiscard]] std::string WhyNotSchedule(std::string_view text);

}  // namespace sealane::kubeapi
