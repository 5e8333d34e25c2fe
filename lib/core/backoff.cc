#include "lib/core/backoff.h"

#include <algorithm>

namespace sealane {

absl::Duration Backoff::Next(Random& random) {
  absl::Duration delay = options_.max;
  if (failures_ < 30) delay = std::min(options_.max, options_.initial * (int64_t{1} << failures_));
  ++failures_;
  return delay * (0.5 + 0.5 * random.Fraction());
}

}  // namespace sealane
