#pragma once

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace sealane::status {

// The value of a cluster's condition Ready.
enum class Readiness { kUnknown, kTrue, kFalse };

// "Unknown", "True", "False".
[[nodiscard]] std::string_view ReadinessName(Readiness readiness);
// The reverse; nullopt for any other word.
[[nodiscard]] std::optional<Readiness> ParseReadiness(std::string_view name);

struct LeaseOptions {
  // How long a heartbeat holds when it does not say itself.
  absl::Duration lease = absl::Seconds(40);
  // How long a cluster must be seen in another state before that is believed. A lost cluster is
  // believed at once: its lease was the hold.
  absl::Duration hold = absl::Seconds(30);
};

// Judges one cluster by its heartbeats: True while the agent says that the member's API server is
// healthy, False while it says the opposite, Unknown when its lease has run out. A flapping link
// changes nothing: a return must last for the hold time.
//
// All times are monotonic. A service that was restarted gives each cluster one lease to speak up.
class ClusterLease {
 public:
  // `reported`: the last judgement, by an earlier process perhaps; nullopt for a new cluster.
  // `heard_before`: the cluster has spoken at least once in its life.
  ClusterLease(const LeaseOptions& options, absl::Duration now, std::optional<Readiness> reported,
               bool heard_before);

  // A heartbeat arrived. `lease` zero or less: the default.
  void Heard(absl::Duration now, bool api_healthy, absl::Duration lease);
  // The judgement now. Call it after each Heard and at each NextChange.
  [[nodiscard]] Readiness Judge(absl::Duration now);
  // When Judge may answer otherwise without a heartbeat in between; infinite when it will not.
  [[nodiscard]] absl::Duration NextChange() const;

  [[nodiscard]] bool heard() const { return heard_; }
  // Of the last heartbeat, or of the start when there was none.
  [[nodiscard]] absl::Duration heard_at() const { return heard_at_; }

 private:
  [[nodiscard]] Readiness Observed(absl::Duration now) const;
  [[nodiscard]] absl::Duration HoldFor(Readiness observed) const;
  [[nodiscard]] absl::Duration expiry() const { return heard_at_ + lease_; }

  LeaseOptions options_;
  absl::Duration heard_at_;
  absl::Duration lease_;
  bool heard_ = false;  // by this process
  bool api_healthy_ = false;
  bool known_ = false;  // has been judged by its own word once
  std::optional<Readiness> reported_;
  std::optional<Readiness> candidate_;
  absl::Duration candidate_since_;
};

}  // namespace sealane::status
