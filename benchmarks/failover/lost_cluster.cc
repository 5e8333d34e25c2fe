#include "benchmarks/failover/lost_cluster.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "benchmarks/common/bare_publisher.h"
#include "benchmarks/common/consuming_agent.h"
#include "benchmarks/common/fleet.h"
#include "benchmarks/common/numbers.h"
#include "benchmarks/common/workload.h"
#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr int kLost = 0;

// Applications of a home run there; in one other cluster when that cannot be.
std::string PolicyOf(int home) {
  return StrCat(R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",
          "metadata":{"name":"home-)",
                home, R"(","namespace":"bench"},
          "spec":{"resourceSelectors":[{"apiVersion":"apps/v1","kind":"Deployment",
                    "labelSelector":{"matchLabels":{"home":"home-)",
                home, R"("}}}],
                  "placement":{"clusterAffinities":[
                      {"affinityName":"home","clusterNames":[")",
                ClusterName(home), R"("]},{"affinityName":"others","exclude":[")",
                ClusterName(home), R"("]}],
                    "spreadConstraints":[{"spreadByField":"cluster","minGroups":1,"maxGroups":1}],
                    "replicaScheduling":{"replicaSchedulingType":"Duplicated"}}}})");
}

// One run. Members marked "loop" belong to the loop's thread.
class LostClusterRun {
 public:
  explicit LostClusterRun(const FailoverOptions& options) : options_(options) {}

  absl::StatusOr<LostClusterResult> Go() {
    SEALANE_RETURN_IF_ERROR(Begin());
    SEALANE_RETURN_IF_ERROR(DeployAll());
    SEALANE_RETURN_IF_ERROR(Lose());
    SEALANE_RETURN_IF_ERROR(fleet_->CheckAlive());
    fleet_->OnLoop([this] {
      placements_.reset();
      clusters_.reset();
      agents_.clear();
    });
    BareOptions bare;
    bare.url = fleet_->hub_url();
    bare.payload_sizes = sizes_;
    SEALANE_ASSIGN_OR_RETURN(const BareResult reference, PublishBare(bare, fleet_->loop().clock()));
    result_.bare_seconds = reference.seconds;
    result_.ratio = result_.bare_seconds / result_.works_seconds;
    return result_;
  }

 private:
  [[nodiscard]] std::string Home(int app) const { return StrCat("home-", app % options_.clusters); }
  [[nodiscard]] uint64_t AtHome() const {
    return static_cast<uint64_t>((options_.apps + options_.clusters - 1) / options_.clusters);
  }

  absl::Status Begin() {
    FleetOptions options;
    options.bin_dir = options_.bin_dir;
    options.log_level = options_.log_level;
    options.keep = options_.keep;
    // Detection is not what is measured, nor the pace that spares the clusters.
    options.flags["sealane-status"] = {"--lease=6s", "--hold=1s", "--failover-after=1s"};
    options.flags["sealane-scheduler"] = {"--failover-rate=0"};
    std::vector<std::string> manifests = {
        R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"bench"}})"};
    for (int i = 0; i < options_.clusters; ++i) {
      options.clusters.push_back(ClusterName(i));
      manifests.push_back(ClusterManifest(ClusterName(i), i));
      manifests.push_back(PolicyOf(i));
    }
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(options)));
    absl::Status status;
    for (int i = 0; i < options_.clusters; ++i) {
      fleet_->OnLoop([&] { status.Update(AddAgent(i)); });
    }
    SEALANE_RETURN_IF_ERROR(status);
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    fleet_->OnLoop([this] { WatchTables(); });
    return fleet_->WaitUntil("the agents' first snapshot", absl::Seconds(60), [this] {
      return std::all_of(agents_.begin(), agents_.end(),
                         [](const auto& agent) { return agent->ready(); });
    });
  }

  // loop
  absl::Status AddAgent(int cluster) {
    SEALANE_ASSIGN_OR_RETURN(Bus * bus, fleet_->ConnectCluster(ClusterName(cluster)));
    ConsumingAgentOptions options;
    options.cluster = ClusterName(cluster);
    options.report = true;
    agents_.push_back(std::make_unique<ConsumingAgent>(
        *bus, fleet_->loop().env(), options, [this](const v1::Work& work) { OnWork(work); }));
    agents_.back()->Start();
    return absl::OkStatus();
  }

  // loop
  void OnWork(const v1::Work& work) {
    if (work.ref().kind() != "Deployment" || work.deleting()) return;
    if (!lost_) {
      delivered_.insert(work.ref().name());
    } else if (received_.insert(work.ref().name()).second) {
      sizes_.push_back(static_cast<uint32_t>(work.ByteSizeLong()));
      last_work_at_ = Now();
    }
  }

  // loop
  void WatchTables() {
    WatchOptions clusters;
    clusters.stream = std::string(kClusterStatusTable);
    clusters_ = fleet_->hub().Watch(clusters, [this](const WatchEvent& event) {
      v1::ClusterStatus status;
      if (detected_at_ > absl::ZeroDuration() || event.type != WatchEvent::Type::kPut ||
          !status.ParseFromString(event.message.payload) || status.name() != ClusterName(kLost)) {
        return;
      }
      for (const v1::Taint& taint : status.taints()) {
        if (taint.effect() == "NoExecute") detected_at_ = Now();
      }
    });
    WatchOptions placements;
    placements.stream = std::string(kPlacementsTable);
    placements_ = fleet_->hub().Watch(placements, [this](const WatchEvent& event) {
      v1::Placed placed;
      if (!lost_ || event.type != WatchEvent::Type::kPut ||
          !placed.ParseFromString(event.message.payload)) {
        return;
      }
      const bool elsewhere = std::any_of(
          placed.clusters().begin(), placed.clusters().end(),
          [](const v1::TargetCluster& target) { return target.name() != ClusterName(kLost); });
      if (!elsewhere || !moved_.insert(placed.ref().name()).second) return;
      sizes_.push_back(static_cast<uint32_t>(event.message.payload.size()));
      last_placed_at_ = Now();
    });
  }

  absl::Status DeployAll() {
    uint64_t failed = 0;
    fleet_->OnLoop([&] {
      for (int i = 0; i < options_.apps; ++i) {
        Json manifest = Json::parse(AppManifest(i, 1));
        manifest["metadata"]["labels"]["home"] = Home(i);
        v1::DeployEvent event;
        event.set_id(NewUuid(fleet_->loop().random()));
        event.set_publisher("bench");
        v1::Operation* operation = event.add_operations();
        operation->set_type(v1::Operation::APPLY);
        operation->set_manifest(manifest.dump());
        AppendRequest request;
        request.subject = std::string(platform::kDeploy);
        request.payload = event.SerializeAsString();
        request.message_id = event.id();
        fleet_->platform().Append(std::move(request),
                                  [&failed](const absl::StatusOr<Appended>& appended) {
                                    if (!appended.ok()) ++failed;
                                  });
      }
    });
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all applications at home", absl::Minutes(5), [&] {
      return delivered_.size() >= static_cast<size_t>(options_.apps) || failed > 0;
    }));
    if (failed > 0) return Internal(StrCat(failed, " deploy events not stored"));
    return WaitForRest();
  }

  // No service used the processor for half a second.
  absl::Status WaitForRest() {
    double seen = -1;
    absl::Duration since = Now();
    return fleet_->WaitUntil("rest", absl::Minutes(2), [&, this] {
      if (Now() - since < absl::Milliseconds(500)) return false;
      double total = 0;
      for (const auto& [name, process] : fleet_->processes()) total += CpuSeconds(process.pid());
      const bool rest = seen >= 0 && total - seen < 0.05;
      seen = total;
      since = Now();
      return rest;
    });
  }

  [[nodiscard]] double SchedulerCpu() const {
    double seconds = 0;
    for (const auto& [name, process] : fleet_->processes()) {
      if (name == "sealane-scheduler") seconds += CpuSeconds(process.pid());
    }
    return seconds;
  }

  absl::Status Lose() {
    const double cpu = SchedulerCpu();
    fleet_->OnLoop([this] {
      lost_ = true;
      agents_.erase(agents_.begin() + kLost);
    });
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the loss is noticed", absl::Minutes(2), [this] {
      return detected_at_ > absl::ZeroDuration();
    }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all placements", absl::Minutes(5),
                                              [this] { return moved_.size() >= AtHome(); }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all works", absl::Minutes(5),
                                              [this] { return received_.size() >= AtHome(); }));
    result_.moved = AtHome();
    result_.placed_seconds = absl::ToDoubleSeconds(last_placed_at_ - detected_at_);
    result_.works_seconds = absl::ToDoubleSeconds(last_work_at_ - detected_at_);
    result_.scheduler_cpu_seconds = SchedulerCpu() - cpu;
    return WaitForRest();
  }

  [[nodiscard]] absl::Duration Now() const { return fleet_->loop().clock().Monotonic(); }

  const FailoverOptions& options_;
  LostClusterResult result_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<ConsumingAgent>> agents_;  // loop
  std::unique_ptr<Subscription> clusters_;               // loop
  std::unique_ptr<Subscription> placements_;             // loop
  bool lost_ = false;                                    // loop
  std::set<std::string> delivered_;                      // loop; before the loss
  std::set<std::string> moved_;                          // loop; placed elsewhere
  std::set<std::string> received_;                       // loop; by another agent
  std::vector<uint32_t> sizes_;                          // loop; of placements and works
  absl::Duration detected_at_;                           // loop
  absl::Duration last_placed_at_;                        // loop
  absl::Duration last_work_at_;                          // loop
};

}  // namespace

absl::StatusOr<LostClusterResult> LoseCluster(const FailoverOptions& options) {
  return LostClusterRun(options).Go();
}

}  // namespace sealane::bench
