#include "services/status/elected_status.h"

#include <utility>

namespace sealane::status {

ElectedStatus::ElectedStatus(ServiceContext context, const Options& options)
    : context_(std::move(context)),
      options_(options),
      leader_(context_.metrics.AddGauge("sealane_status_leader", "1 while this process leads.")),
      service_(std::make_unique<StatusService>(context_, options_)) {
  if (!options_.elect_leader) return;
  LeaderLeaseOptions lease;
  lease.service = "status";
  lease.instance = context_.instance;
  lease.replicas = context_.bus_replicas;
  lease_ = std::make_unique<LeaderLease>(
      context_.bus, context_.env, lease, [this] { SetLeading(true); },
      [this] { SetLeading(false); });
}

void ElectedStatus::Start() {
  service_->Start();
  if (lease_ != nullptr) {
    lease_->Start();
  } else {
    leader_.Set(1);
  }
}

void ElectedStatus::SetLeading(bool leading) {
  leader_.Set(leading ? 1 : 0);
  if (leading) return service_->Lead();
  service_.reset();
  service_ = std::make_unique<StatusService>(context_, options_);
  service_->Start();
}

bool ElectedStatus::Ready(std::string* why_not) const { return service_->Ready(why_not); }

void ElectedStatus::Retire(std::function<void()> done) {
  if (lease_ == nullptr) {
    done();
  } else {
    lease_->Release(std::move(done));
  }
}

}  // namespace sealane::status
