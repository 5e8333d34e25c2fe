#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane::scheduler {

struct PaceOptions {
  // How many objects may leave one cluster per second; 0: as many as can.
  double leave_per_second = 200;
  // A cluster takes so many per second that its free pods last for this long, but at least
  // `take_per_second`.
  absl::Duration fill = absl::Minutes(1);
  double take_per_second = 10;
};

// The pace at which objects leave tainted clusters: each source has its own, and each cluster that
// takes over the one that its room allows. Nobody waits for other clusters' sake. Those that wait
// are woken by priority, then by key.
// Thread rule: executor thread.
class Pace {
 public:
  using Wake = std::function<void(const std::string& key)>;
  Pace(Env env, const PaceOptions& options, Wake wake);

  // A cluster that takes over, with its free pods.
  using Target = std::pair<std::string, int64_t>;
  // Whether the object may leave `source` for `targets` now: then it counts. Else it is woken when
  // its turn may have come, and asks again.
  [[nodiscard]] bool MayLeave(const std::string& key, int64_t priority, const std::string& source,
                              const std::vector<Target>& targets);
  [[nodiscard]] size_t waiting() const { return waiting_; }

 private:
  // Fills up with time, for one second at most.
  struct Bucket {
    double tokens = 0;
    double rate = 0;
    absl::Duration filled_at;
  };
  Bucket& Filled(std::map<std::string, Bucket>& buckets, const std::string& cluster, double rate);
  void Arm();
  void WakeThose();

  Env env_;
  PaceOptions options_;
  Wake wake_;
  std::map<std::string, Bucket> sources_;
  std::map<std::string, Bucket> targets_;
  using Queue = std::set<std::pair<int64_t, std::string>>;  // -priority, key
  std::map<std::string, Queue> queues_;                     // by source
  size_t waiting_ = 0;
  TimerId timer_ = 0;
  ScopedExecutor executor_;
};

}  // namespace sealane::scheduler
