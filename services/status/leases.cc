#include "services/status/leases.h"

#include <algorithm>

namespace sealane::status {

std::string_view ReadinessName(Readiness readiness) {
  switch (readiness) {
    case Readiness::kTrue:
      return "True";
    case Readiness::kFalse:
      return "False";
    case Readiness::kUnknown:
      break;
  }
  return "Unknown";
}

std::optional<Readiness> ParseReadiness(std::string_view name) {
  if (name == "True") return Readiness::kTrue;
  if (name == "False") return Readiness::kFalse;
  if (name == "Unknown") return Readiness::kUnknown;
  return std::nullopt;
}

ClusterLease::ClusterLease(const LeaseOptions& options, absl::Duration now,
                           std::optional<Readiness> reported, bool heard_before)
    : options_(options),
      heard_at_(now),
      lease_(options.lease),
      known_(heard_before && reported.has_value()),
      reported_(reported) {}

void ClusterLease::Heard(absl::Duration now, bool api_healthy, absl::Duration lease) {
  heard_ = true;
  heard_at_ = now;
  api_healthy_ = api_healthy;
  lease_ = lease > absl::ZeroDuration() ? lease : options_.lease;
}

Readiness ClusterLease::Observed(absl::Duration now) const {
  if (now > expiry()) return Readiness::kUnknown;
  if (heard_) return api_healthy_ ? Readiness::kTrue : Readiness::kFalse;
  return known_ ? *reported_ : Readiness::kUnknown;
}

absl::Duration ClusterLease::HoldFor(Readiness observed) const {
  if (!known_ || observed == Readiness::kUnknown) return absl::ZeroDuration();
  return options_.hold;
}

Readiness ClusterLease::Judge(absl::Duration now) {
  const Readiness observed = Observed(now);
  if (reported_ == observed) {
    candidate_.reset();
  } else {
    if (candidate_ != observed) {
      candidate_ = observed;
      candidate_since_ = now;
    }
    if (now - candidate_since_ >= HoldFor(observed)) {
      reported_ = observed;
      candidate_.reset();
    }
  }
  known_ = known_ || heard_;
  return *reported_;
}

absl::Duration ClusterLease::NextChange() const {
  absl::Duration next = absl::InfiniteDuration();
  const bool lost = reported_ == Readiness::kUnknown && !candidate_.has_value();
  // Just after the lease: at its very end it still holds.
  if (!lost) next = expiry() + absl::Microseconds(1);
  if (candidate_.has_value()) next = std::min(next, candidate_since_ + HoldFor(*candidate_));
  return next;
}

}  // namespace sealane::status
