#include "benchmarks/pipeline/relocation.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "benchmarks/common/bare_publisher.h"
#include "benchmarks/common/consuming_agent.h"
#include "benchmarks/common/fleet.h"
#include "benchmarks/common/numbers.h"
#include "benchmarks/pipeline/workload.h"
#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr int kLost = 0;
constexpr int kSpare = 1;

// Everything in the first cluster; in the second when that cannot be.
std::string PolicyWithSpare() {
  return StrCat(R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy",
          "metadata":{"name":"with-spare","namespace":"bench"},
          "spec":{"resourceSelectors":[{"apiVersion":"apps/v1","kind":"Deployment",
                    "labelSelector":{"matchLabels":{"tier":"bench"}}}],
                  "placement":{"clusterAffinities":[
                      {"affinityName":"home","clusterNames":[")",
                ClusterName(kLost), R"("]},{"affinityName":"spare","clusterNames":[")",
                ClusterName(kSpare), R"("]}],
                    "replicaScheduling":{"replicaSchedulingType":"Duplicated"}}}})");
}

std::string LostClusterManifest() {
  Json manifest = Json::parse(ClusterManifest(ClusterName(kLost), kLost));
  manifest["spec"]["taints"] = {{{"key", "bench.example.org/lost"}, {"effect", "NoExecute"}}};
  return manifest.dump();
}

// One run. Members marked "loop" belong to the loop's thread.
class Relocation {
 public:
  Relocation(const PipelineOptions& options, int applications)
      : options_(options), count_(static_cast<uint64_t>(applications)) {}

  absl::StatusOr<RelocationResult> Go() {
    SEALANE_RETURN_IF_ERROR(Begin());
    SEALANE_RETURN_IF_ERROR(DeployAll());
    SEALANE_RETURN_IF_ERROR(LoseTheCluster());
    SEALANE_RETURN_IF_ERROR(fleet_->CheckAlive());
    fleet_->OnLoop([this] {
      placements_.reset();
      agents_.clear();
    });
    SEALANE_ASSIGN_OR_RETURN(result_.bare_placed_seconds, Bare(row_sizes_));
    std::vector<uint32_t> all = row_sizes_;
    all.insert(all.end(), work_sizes_.begin(), work_sizes_.end());
    SEALANE_ASSIGN_OR_RETURN(result_.bare_works_seconds, Bare(all));
    result_.bindings = count_;
    result_.placed_ratio = result_.bare_placed_seconds / result_.placed_seconds;
    result_.works_ratio = result_.bare_works_seconds / result_.works_seconds;
    return result_;
  }

 private:
  absl::Status Begin() {
    FleetOptions options;
    options.bin_dir = options_.bin_dir;
    options.log_level = options_.log_level;
    options.keep = options_.keep;
    options.clusters = {ClusterName(kLost), ClusterName(kSpare)};
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(options)));
    std::vector<std::string> manifests = {
        R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"bench"}})", PolicyWithSpare()};
    absl::Status status;
    for (const int cluster : {kLost, kSpare}) {
      manifests.push_back(ClusterManifest(ClusterName(cluster), cluster));
      fleet_->OnLoop([&] { status.Update(AddAgent(cluster)); });
    }
    SEALANE_RETURN_IF_ERROR(status);
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    fleet_->OnLoop([this] { WatchPlacements(); });
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
        *bus, fleet_->loop().env(), options, [this, cluster](const v1::Work& work) {
          if (work.ref().kind() != "Deployment" || work.deleting()) return;
          if (cluster == kLost) {
            home_.insert(work.ref().name());
          } else if (spare_.insert(work.ref().name()).second) {
            work_sizes_.push_back(static_cast<uint32_t>(work.ByteSizeLong()));
            last_work_at_ = fleet_->loop().clock().Monotonic();
          }
        }));
    agents_.back()->Start();
    return absl::OkStatus();
  }

  // loop: rows that place an application in the spare cluster alone.
  void WatchPlacements() {
    WatchOptions options;
    options.stream = std::string(kPlacementsTable);
    placements_ = fleet_->hub().Watch(options, [this](const WatchEvent& event) {
      v1::Placed placed;
      if (event.type != WatchEvent::Type::kPut || !placed.ParseFromString(event.message.payload) ||
          placed.clusters_size() != 1 || placed.clusters(0).name() != ClusterName(kSpare) ||
          !moved_.insert(placed.ref().name()).second) {
        return;
      }
      row_sizes_.push_back(static_cast<uint32_t>(event.message.payload.size()));
      last_placed_at_ = fleet_->loop().clock().Monotonic();
    });
  }

  absl::Status DeployAll() {
    uint64_t failed = 0;
    fleet_->OnLoop([&] {
      for (int i = 0; i < static_cast<int>(count_); ++i) {
        v1::DeployEvent event;
        event.set_id(NewUuid(fleet_->loop().random()));
        event.set_publisher("bench");
        v1::Operation* operation = event.add_operations();
        operation->set_type(v1::Operation::APPLY);
        operation->set_manifest(AppManifest(i, 1));
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
    SEALANE_RETURN_IF_ERROR(
        fleet_->WaitUntil("all applications in the first cluster", absl::Minutes(5),
                          [&] { return home_.size() >= count_ || failed > 0; }));
    if (failed > 0) return Internal(StrCat(failed, " deploy events not stored"));
    return WaitForRest();
  }

  // No service used the processor for half a second.
  absl::Status WaitForRest() {
    double seen = -1;
    absl::Duration since = fleet_->loop().clock().Monotonic();
    return fleet_->WaitUntil("rest", absl::Minutes(2), [&, this] {
      const absl::Duration now = fleet_->loop().clock().Monotonic();
      if (now - since < absl::Milliseconds(500)) return false;
      double total = 0;
      for (const auto& [name, process] : fleet_->processes()) total += CpuSeconds(process.pid());
      const bool rest = seen >= 0 && total - seen < 0.05;
      seen = total;
      since = now;
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

  absl::Status LoseTheCluster() {
    const double cpu = SchedulerCpu();
    absl::Duration began;
    fleet_->OnLoop([&] { began = fleet_->loop().clock().Monotonic(); });
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy({LostClusterManifest()}, absl::Seconds(60)));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all placements", absl::Minutes(5),
                                              [this] { return moved_.size() >= count_; }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all works", absl::Minutes(5),
                                              [this] { return spare_.size() >= count_; }));
    result_.placed_seconds = absl::ToDoubleSeconds(last_placed_at_ - began);
    result_.works_seconds = absl::ToDoubleSeconds(last_work_at_ - began);
    result_.scheduler_cpu_seconds = SchedulerCpu() - cpu;
    return WaitForRest();
  }

  absl::StatusOr<double> Bare(const std::vector<uint32_t>& sizes) {
    BareOptions options;
    options.url = fleet_->hub_url();
    options.payload_sizes = sizes;
    SEALANE_ASSIGN_OR_RETURN(const BareResult bare, PublishBare(options, fleet_->loop().clock()));
    return bare.seconds;
  }

  const PipelineOptions& options_;
  const uint64_t count_;
  RelocationResult result_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<ConsumingAgent>> agents_;  // loop
  std::unique_ptr<Subscription> placements_;             // loop
  std::set<std::string> home_;                           // loop; applications there
  std::set<std::string> moved_;                          // loop; placed in the spare cluster
  std::set<std::string> spare_;                          // loop; received by its agent
  std::vector<uint32_t> row_sizes_;                      // loop
  std::vector<uint32_t> work_sizes_;                     // loop
  absl::Duration last_placed_at_;                        // loop
  absl::Duration last_work_at_;                          // loop
};

}  // namespace

absl::StatusOr<RelocationResult> RunRelocation(const PipelineOptions& options, int applications) {
  return Relocation(options, applications).Go();
}

void PrintRelocation(const RelocationResult& result, bool json) {
  const auto bindings = static_cast<double>(result.bindings);
  std::printf(
      "%llu bindings re-placed after their cluster was lost\n"
      "placements: %.2f s, %.0f/s; a bare client: %.2f s, ratio %.3f\n"
      "works at the new cluster: %.2f s, %.0f/s; a bare client with placements and works: %.2f s, "
      "ratio %.3f\n"
      "scheduler: %.2f s of processor time\n",
      static_cast<unsigned long long>(result.bindings), result.placed_seconds,
      bindings / result.placed_seconds, result.bare_placed_seconds, result.placed_ratio,
      result.works_seconds, bindings / result.works_seconds, result.bare_works_seconds,
      result.works_ratio, result.scheduler_cpu_seconds);
  if (!json) return;
  const Json out = {{"benchmark", "relocation"},
                    {"bindings", result.bindings},
                    {"placed_seconds", result.placed_seconds},
                    {"placed_per_second", bindings / result.placed_seconds},
                    {"works_seconds", result.works_seconds},
                    {"bare_placed_seconds", result.bare_placed_seconds},
                    {"bare_works_seconds", result.bare_works_seconds},
                    {"ratio", result.placed_ratio},
                    {"works_ratio", result.works_ratio},
                    {"scheduler_cpu_seconds", result.scheduler_cpu_seconds}};
  std::printf("%s\n", out.dump().c_str());
}

}  // namespace sealane::bench
