#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "services/scheduler/estimator.h"

namespace sealane::scheduler {

// Capacity that was given away a moment ago and that heartbeats do not show yet. Each promise holds
// for a fixed time: by then the replicas are pods, and counted by the cluster itself.
// Thread rule: executor thread.
class AssumedCapacity {
 public:
  explicit AssumedCapacity(absl::Duration lifetime) : lifetime_(lifetime) {}

  // The binding was given `replicas` more of `request` in the cluster. A new promise for the same
  // binding and cluster adds to the old one and renews it. Negative: it was given fewer, or a
  // promise is taken back.
  void Promise(const std::string& binding, const std::string& cluster, const ResourceList& request,
               int64_t replicas, absl::Duration now);
  // The binding left the cluster, or went.
  void Withdraw(const std::string& binding, const std::string& cluster);
  void WithdrawAll(const std::string& binding);
  // Forgets what is older than the lifetime; true when there was any.
  bool Expire(absl::Duration now);

  [[nodiscard]] const AssumedLoads& loads() const { return loads_; }
  [[nodiscard]] size_t size() const { return count_; }

 private:
  struct Entry {
    ResourceList request;
    int64_t replicas = 0;
    absl::Duration ends;
  };
  void Take(const std::string& cluster, const Entry& entry);

  absl::Duration lifetime_;
  std::map<std::string, std::map<std::string, Entry>> promises_;  // binding -> cluster
  AssumedLoads loads_;
  size_t count_ = 0;
};

}  // namespace sealane::scheduler
