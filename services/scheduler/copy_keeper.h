#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/scheduler/failover.h"
#include "services/scheduler/placed_rows.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {

class Copies;

// Takes the evictions from that cluster off the list.
void Forget(std::string_view cluster, std::vector<v1::Eviction>& evictions);

// Whatever made a placement move: what was taken from a cluster stays there until what takes its
// place is healthy (docs/failover.md, "A copy that stays"). A part of FailoverPlanner; keeps what
// it is given by reference.
class CopyKeeper {
 public:
  struct Facts {
    const PlanInput& in;
    const Copies& copies;
    const Targets& base;                    // in force, without the copies that stay
    const Targets& before;                  // ... with them
    const std::vector<v1::Eviction>& left;  // because of a taint, and nothing takes over
    bool divided;                           // the replicas are
  };
  // `failover`: its evictions that stand, and which copies stay, are brought up to date.
  CopyKeeper(const Facts& facts, Failover& failover) : facts_(facts), failover_(failover) {}

  // Adds the copies that stay to the targets of a plan.
  void Keep(const Plan& plan, Targets& targets);

 private:
  void ForgetReturned(const Targets& targets);
  void Hold(const Plan& plan, const Targets& targets);
  void Add(Targets& targets);
  [[nodiscard]] const v1::Eviction* Standing(const std::string& cluster) const;
  [[nodiscard]] bool IsDue(const std::string& cluster) const;
  [[nodiscard]] google::protobuf::RepeatedPtrField<v1::TargetCluster> BaseClusters() const;
  [[nodiscard]] bool RunsIn(const Targets& targets) const;
  [[nodiscard]] bool IsReplaced(const std::string& cluster, const std::vector<std::string>& gained,
                                const Targets& targets) const;

  const Facts facts_;
  Failover& failover_;
};

}  // namespace sealane::scheduler
