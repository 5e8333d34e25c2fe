#include "benchmarks/failover/new_cluster.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "benchmarks/common/fleet.h"
#include "benchmarks/common/workload.h"
#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr char kNew[] = "bench-new";

// One run. Members marked "loop" belong to the loop's thread.
class NewClusterRun {
 public:
  explicit NewClusterRun(const FailoverOptions& options)
      : options_(options), base_(static_cast<size_t>(options.base)) {}

  absl::StatusOr<NewClusterResult> Go() {
    FleetOptions fleet;
    fleet.bin_dir = options_.bin_dir;
    fleet.clusters = {kNew};
    fleet.log_level = options_.log_level;
    fleet.keep = options_.keep;
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(fleet)));
    SEALANE_RETURN_IF_ERROR(DeployBase());
    const std::string kubeconfig = StrCat(fleet_->directory(), "/kubeconfig");
    SEALANE_ASSIGN_OR_RETURN(
        const Subprocess kubesim,
        fleet_->StartProgram("kubesim", {StrCat(options_.bin_dir, "/kubesim"), "--nodes=50",
                                         "--cpu=32", StrCat("--kubeconfig-out=", kubeconfig)}));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("kubesim's kubeconfig", absl::Seconds(20),
                                              [&] { return std::filesystem::exists(kubeconfig); }));
    absl::Duration began;
    fleet_->OnLoop([&] {
      WatchTables();
      began = Now();
    });
    SEALANE_ASSIGN_OR_RETURN(
        const Subprocess agent,
        fleet_->StartAgent(
            kNew, {StrCat("--kubeconfig=", kubeconfig),
                   StrCat("--state-dir=", fleet_->directory(), "/agent"), "--listen=127.0.0.1:0"}));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy({ClusterManifest(kNew, 0)}, absl::Seconds(60)));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all base services applied", absl::Minutes(5),
                                              [this] { return applied_.size() >= base_; }));
    fleet_->OnLoop([this] { watches_.clear(); });
    NewClusterResult result;
    result.ready = absl::ToDoubleSeconds(ready_at_.value_or(began) - began);
    result.placed = absl::ToDoubleSeconds(placed_at_ - began);
    result.rendered = absl::ToDoubleSeconds(rendered_at_ - began);
    result.applied = absl::ToDoubleSeconds(applied_at_ - began);
    return result;
  }

 private:
  absl::Status DeployBase() {
    std::vector<std::string> manifests = SetupManifests("no-cluster-is-left-out");
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    constexpr int kBatch = 100;
    for (int i = 0; i < options_.base; i += kBatch) {
      manifests.clear();
      for (int k = i; k < std::min(i + kBatch, options_.base); ++k) {
        manifests.push_back(AppManifest(k, 1));
      }
      SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    }
    return absl::OkStatus();
  }

  // loop
  void WatchTables() {
    const auto watch = [this](std::string_view table, std::function<void(const WatchEvent&)> on) {
      WatchOptions options;
      options.stream = std::string(table);
      watches_.push_back(fleet_->hub().Watch(options, [on = std::move(on)](const WatchEvent& e) {
        if (e.type == WatchEvent::Type::kPut) on(e);
      }));
    };
    watch(kClusterStatusTable, [this](const WatchEvent& event) {
      v1::ClusterStatus status;
      if (ready_at_ || !status.ParseFromString(event.message.payload)) return;
      for (const v1::Condition& condition : status.conditions()) {
        if (condition.type() == "Ready" && condition.status() == "True") ready_at_ = Now();
      }
    });
    watch(kPlacementsTable, [this](const WatchEvent& event) {
      v1::Placed placed;
      if (!placed.ParseFromString(event.message.payload)) return;
      for (const v1::TargetCluster& target : placed.clusters()) {
        if (target.name() == kNew && placed_.insert(placed.ref().name()).second) placed_at_ = Now();
      }
    });
    watch(kWorksTable, [this](const WatchEvent& event) {
      if (works_.insert(event.message.subject).second) rendered_at_ = Now();
    });
    watch(kWorkStatusTable, [this](const WatchEvent& event) {
      v1::WorkStatus status;
      if (!status.ParseFromString(event.message.payload) ||
          status.state() != v1::WorkStatus::APPLIED || status.ref().kind() != "Deployment") {
        return;
      }
      if (applied_.insert(status.ref().name()).second) applied_at_ = Now();
    });
  }

  [[nodiscard]] absl::Duration Now() const { return fleet_->loop().clock().Monotonic(); }

  const FailoverOptions& options_;
  const size_t base_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<Subscription>> watches_;  // loop
  std::optional<absl::Duration> ready_at_;              // loop
  std::set<std::string> placed_;                        // loop; names
  std::set<std::string> works_;                         // loop; subjects
  std::set<std::string> applied_;                       // loop; names
  absl::Duration placed_at_;                            // loop
  absl::Duration rendered_at_;                          // loop
  absl::Duration applied_at_;                           // loop
};

}  // namespace

absl::StatusOr<NewClusterResult> JoinCluster(const FailoverOptions& options) {
  return NewClusterRun(options).Go();
}

}  // namespace sealane::bench
