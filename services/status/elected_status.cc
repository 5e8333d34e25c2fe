#include "services/status/elected_status.h"

#include <utility>

#include "lib/core/strings.h"

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

FleetView ElectedStatus::View() const {
  FleetView view;
  view.apps = service_->apps();
  view.clusters = service_->clusters();
  if (lease_ != nullptr) {
    // Without the random part behind the instance's name.
    const std::string& holder = lease_->leading() ? lease_->self() : lease_->leader();
    view.leader = holder.substr(0, holder.rfind('/'));
  }
  if (view.has_data()) return view;
  if (lease_ == nullptr || lease_->leading()) {
    view.why_not = "The tables have not been replayed yet.";
  } else if (view.leader.empty()) {
    view.why_not = "No process of the status service leads at the moment.";
  } else {
    view.why_not = StrCat("This process of the status service is a standby; ", view.leader,
                          " leads and has the data.");
  }
  return view;
}

void ElectedStatus::Retire(std::function<void()> done) {
  if (lease_ == nullptr) {
    done();
  } else {
    lease_->Release(std::move(done));
  }
}

}  // namespace sealane::status
