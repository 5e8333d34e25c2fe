#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/runtime/leader_lease.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/metrics.h"
#include "services/status/fleet_view.h"
#include "services/status/options.h"
#include "services/status/status_service.h"

namespace sealane::status {

// The status service among several processes of it: one leads, the others follow everything and
// take over where it left off. One that lost the lease begins anew as a standby: what it knew may
// be behind what the new leader wrote. Without Options::elect_leader it always leads.
class ElectedStatus final : public Service {
 public:
  ElectedStatus(ServiceContext context, const Options& options);

  void Start() override;
  [[nodiscard]] bool Ready(std::string* why_not) const override;
  void Retire(std::function<void()> done) override;
  [[nodiscard]] bool Idle() const override { return service_->Idle(); }
  // What this process knows now.
  [[nodiscard]] FleetView View() const;

 private:
  void SetLeading(bool leading);

  ServiceContext context_;
  Options options_;
  Gauge& leader_;
  std::unique_ptr<StatusService> service_;
  std::unique_ptr<LeaderLease> lease_;  // nullptr: no election
};

}  // namespace sealane::status
