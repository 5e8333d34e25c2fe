#include "benchmarks/pipeline/pipeline.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "benchmarks/common/bare_publisher.h"
#include "benchmarks/common/consuming_agent.h"
#include "benchmarks/common/fleet.h"
#include "benchmarks/common/numbers.h"
#include "benchmarks/common/workload.h"
#include "lib/bus/subjects.h"
#include "lib/core/ids.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/deploy.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr const char* kRealCluster = "bench-real";

// One run. Members marked "loop" belong to the loop's thread.
class Run {
 public:
  explicit Run(const PipelineOptions& options) : options_(options) {}

  absl::StatusOr<PipelineResult> Go() {
    SEALANE_RETURN_IF_ERROR(Begin());
    SEALANE_RETURN_IF_ERROR(MeasureThroughput());
    SEALANE_RETURN_IF_ERROR(MeasureLatency());
    SEALANE_RETURN_IF_ERROR(MeasureReference());
    for (const auto& [name, process] : fleet_->processes()) {
      result_.processes.push_back({name, PeakMemoryMb(process.pid()), cpu_seconds_[name]});
    }
    if (!options_.skip_agent) SEALANE_RETURN_IF_ERROR(MeasureAgent());
    SEALANE_RETURN_IF_ERROR(fleet_->CheckAlive());
    fleet_->OnLoop([this] { agents_.clear(); });
    return std::move(result_);
  }

 private:
  absl::Status Begin() {
    FleetOptions options;
    options.bin_dir = options_.bin_dir;
    options.log_level = options_.log_level;
    options.keep = options_.keep;
    for (int i = 0; i < options_.clusters; ++i) options.clusters.push_back(ClusterName(i));
    options.clusters.emplace_back(kRealCluster);
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(options)));
    std::vector<std::string> manifests;
    for (int i = 0; i < options_.clusters; ++i)
      manifests.push_back(ClusterManifest(ClusterName(i), i));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    absl::Status status;
    for (int i = 0; i < options_.clusters && status.ok(); ++i) {
      fleet_->OnLoop([&] { status = AddAgent(ClusterName(i)); });
    }
    SEALANE_RETURN_IF_ERROR(status);
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the agents' first snapshot", absl::Seconds(60), [&] {
      return std::all_of(agents_.begin(), agents_.end(),
                         [](const auto& agent) { return agent->ready(); });
    }));
    SEALANE_RETURN_IF_ERROR(WaitForReadyClusters(options_.clusters));
    // One application goes all the way before anything is measured.
    std::vector<std::string> setup = SetupManifests(kRealCluster);
    setup.push_back(AppManifest(options_.apps, 1));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(setup, absl::Seconds(60)));
    return fleet_->WaitUntil("the first application", absl::Seconds(60),
                             [&] { return works_ >= Clusters(); });
  }

  absl::Status AddAgent(const std::string& cluster) {
    SEALANE_ASSIGN_OR_RETURN(Bus * bus, fleet_->ConnectCluster(cluster));
    ConsumingAgentOptions options;
    options.cluster = cluster;
    options.report = options_.report;
    agents_.push_back(std::make_unique<ConsumingAgent>(
        *bus, fleet_->loop().env(), options, [this](const v1::Work& work) { OnWork(work); }));
    agents_.back()->Start();
    return absl::OkStatus();
  }

  // loop
  void OnWork(const v1::Work& work) {
    if (work.ref().kind() != "Deployment" || work.deleting()) return;
    ++works_;
    last_work_at_ = fleet_->loop().clock().Monotonic();
    if (works_ == works_wanted_) AskStreams(&StreamCount::after);
    if (works_this_edit_++ == 0) first_work_at_ = last_work_at_;
  }

  absl::Status WaitForReadyClusters(int wanted) {
    auto ready = std::make_shared<std::map<std::string, bool>>();
    std::unique_ptr<Subscription> watch;
    fleet_->OnLoop([&] {
      WatchOptions options;
      options.stream = std::string(kClusterStatusTable);
      watch = fleet_->hub().Watch(options, [ready](const WatchEvent& event) {
        v1::ClusterStatus status;
        if (event.type != WatchEvent::Type::kPut ||
            !status.ParseFromString(event.message.payload)) {
          return;
        }
        for (const v1::Condition& condition : status.conditions()) {
          if (condition.type() == "Ready") (*ready)[status.name()] = condition.status() == "True";
        }
      });
    });
    const absl::Status status = fleet_->WaitUntil("clusters ready", absl::Seconds(60), [&, ready] {
      return std::count_if(ready->begin(), ready->end(),
                           [](const auto& entry) { return entry.second; }) >= wanted;
    });
    fleet_->OnLoop([&] { watch.reset(); });
    return status;
  }

  absl::Status MeasureThroughput() {
    const absl::Duration timeout = absl::Minutes(5);
    // Every event is made before the clock starts.
    std::vector<AppendRequest> requests;
    uint64_t accepted = 0;
    uint64_t refused = 0;
    uint64_t failed = 0;
    absl::Duration last_result_at;
    std::unique_ptr<Subscription> results;
    fleet_->OnLoop([&] {
      for (int i = 0; i < options_.apps; ++i) requests.push_back(DeployRequest(i, 1));
      works_ = 0;
      works_wanted_ = static_cast<uint64_t>(options_.apps) * Clusters();
      AskStreams(&StreamCount::before);
      results =
          fleet_->platform().Subscribe(platform::kDeployedAll, [&](const BusMessage& message) {
            v1::DeployResult result;
            const bool ok = result.ParseFromString(message.payload) && result.accepted();
            ++(ok ? accepted : refused);
            last_result_at = fleet_->loop().clock().Monotonic();
          });
    });
    SEALANE_RETURN_IF_ERROR(WaitForStreams());
    std::map<std::string, double> cpu_before;
    for (const auto& [name, process] : fleet_->processes()) {
      cpu_before[name] = CpuSeconds(process.pid());
    }
    absl::Duration began;
    uint64_t acknowledged = 0;
    fleet_->OnLoop([&] {
      began = fleet_->loop().clock().Monotonic();
      for (AppendRequest& request : requests) {
        fleet_->platform().Append(std::move(request),
                                  [&](const absl::StatusOr<Appended>& appended) {
                                    ++(appended.ok() ? acknowledged : failed);
                                  });
      }
    });
    const auto apps = static_cast<uint64_t>(options_.apps);
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all works", timeout, [&] {
      return works_ >= apps * Clusters() || failed > 0 || refused > 0;
    }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("all results", timeout, [&] {
      return (accepted + refused >= apps && acknowledged + failed >= apps) || failed > 0;
    }));
    if (failed + refused > 0) {
      return Internal(StrCat(failed, " deploy events not stored, ", refused, " refused"));
    }
    for (const auto& [name, process] : fleet_->processes()) {
      cpu_seconds_[name] = CpuSeconds(process.pid()) - cpu_before[name];
    }
    fleet_->OnLoop([&] { results.reset(); });
    result_.works = apps * Clusters();
    result_.pipeline_seconds = absl::ToDoubleSeconds(last_work_at_ - began);
    result_.accepted_seconds = absl::ToDoubleSeconds(last_result_at - began);
    return CountMessages();
  }

  // loop
  AppendRequest DeployRequest(int app, int version) {
    v1::DeployEvent event;
    event.set_id(NewUuid(fleet_->loop().random()));
    event.set_publisher("bench");
    v1::Operation* operation = event.add_operations();
    operation->set_type(v1::Operation::APPLY);
    operation->set_manifest(AppManifest(app, version));
    AppendRequest request;
    request.subject = std::string(platform::kDeploy);
    request.payload = event.SerializeAsString();
    request.message_id = event.id();
    return request;
  }

  // What a stream was given during the measured time.
  struct StreamCount {
    std::string name;
    bool on_the_way = false;  // one message for each step from event to work
    uint64_t before = 0;      // last sequences
    uint64_t after = 0;
    std::vector<uint32_t> sizes = {};  // of what is still there of it
  };

  // loop: asks where the streams are now.
  void AskStreams(uint64_t StreamCount::*where) {
    for (StreamCount& stream : streams_) {
      ++streams_asked_;
      fleet_->hub().GetStreamState(stream.name,
                                   [this, &stream, where](const absl::StatusOr<StreamState>& is) {
                                     --streams_asked_;
                                     if (is.ok()) stream.*where = is->last_sequence;
                                   });
    }
  }
  absl::Status WaitForStreams() {
    return fleet_->WaitUntil("the streams' states", absl::Seconds(20),
                             [this] { return streams_asked_ == 0; });
  }

  // Waits for rest, then reads the sizes of all messages that were persisted between the first
  // event and the last work. A row that was overwritten meanwhile has the mean size of its stream.
  absl::Status CountMessages() {
    int synced = 0;
    std::vector<std::unique_ptr<Subscription>> watches;
    SEALANE_RETURN_IF_ERROR(WaitForStreams());
    SEALANE_RETURN_IF_ERROR(WaitForRest());
    fleet_->OnLoop([&] {
      for (StreamCount& stream : streams_) {
        WatchOptions options;
        options.stream = stream.name;
        options.all = stream.name == kDeployLog || stream.name == kEventsLog;
        watches.push_back(fleet_->hub().Watch(options, [&](const WatchEvent& event) {
          if (event.type == WatchEvent::Type::kSynced) ++synced;
          if (event.type != WatchEvent::Type::kPut || event.message.payload.empty() ||
              event.message.sequence <= stream.before) {
            return;
          }
          stream.sizes.push_back(static_cast<uint32_t>(event.message.payload.size()));
        }));
      }
    });
    const absl::Status read = fleet_->WaitUntil("reading the streams", absl::Minutes(2), [&] {
      return synced >= static_cast<int>(streams_.size());
    });
    fleet_->OnLoop([&] { watches.clear(); });
    SEALANE_RETURN_IF_ERROR(read);
    for (StreamCount& stream : streams_) {
      const uint64_t count = stream.after - std::min(stream.before, stream.after);
      uint64_t bytes = 0;
      for (const uint32_t size : stream.sizes) bytes += size;
      const auto mean =
          static_cast<uint32_t>(stream.sizes.empty() ? 0 : bytes / stream.sizes.size());
      stream.sizes.resize(count, mean);
      sizes_.insert(sizes_.end(), stream.sizes.begin(), stream.sizes.end());
      result_.streams.emplace_back(stream.name, count);
      if (stream.on_the_way) result_.way_messages += count;
    }
    result_.messages = sizes_.size();
    for (const uint32_t size : sizes_) result_.message_bytes += size;
    return absl::OkStatus();
  }

  // No process, and none of `others`, used the processor for a while: nothing is left to do.
  absl::Status WaitForRest(const std::vector<pid_t>& others = {}) {
    double seen = -1;
    absl::Duration since = fleet_->loop().clock().Monotonic();
    return fleet_->WaitUntil("rest", absl::Minutes(2), [&, this] {
      const absl::Duration now = fleet_->loop().clock().Monotonic();
      if (now - since < absl::Milliseconds(500)) return false;
      double total = 0;
      for (const auto& [name, process] : fleet_->processes()) total += CpuSeconds(process.pid());
      for (const pid_t pid : others) total += CpuSeconds(pid);
      const bool rest = seen >= 0 && total - seen < 0.05;
      seen = total;
      since = now;
      return rest;
    });
  }

  absl::Status MeasureLatency() {
    SEALANE_RETURN_IF_ERROR(WaitForRest());
    for (int i = 0; i < options_.edits; ++i) {
      absl::Duration began;
      fleet_->OnLoop([&] {
        AppendRequest request = DeployRequest(i % options_.apps, 2 + i / options_.apps);
        works_this_edit_ = 0;
        began = fleet_->loop().clock().Monotonic();
        fleet_->platform().Append(std::move(request), [](const absl::StatusOr<Appended>&) {});
      });
      SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil(StrCat("edit ", i), absl::Seconds(30),
                                                [&] { return works_this_edit_ >= Clusters(); }));
      fleet_->OnLoop([&] {
        result_.first_work_ms.push_back(absl::ToDoubleMilliseconds(first_work_at_ - began));
        result_.all_works_ms.push_back(absl::ToDoubleMilliseconds(last_work_at_ - began));
      });
    }
    return absl::OkStatus();
  }

  absl::Status MeasureReference() {
    SEALANE_RETURN_IF_ERROR(WaitForRest());
    BareOptions options;
    options.url = fleet_->hub_url();
    options.payload_sizes = sizes_;
    options.stream = "bare";
    SEALANE_ASSIGN_OR_RETURN(const BareResult bare, PublishBare(options, fleet_->loop().clock()));
    result_.bare_seconds = bare.seconds;
    return absl::OkStatus();
  }

  // A real agent with a simulated cluster, after it has applied a few applications (and no others:
  // they have a policy of their own) and come to rest.
  absl::Status MeasureAgent() {
    constexpr int kApps = 10;
    const std::string home = StrCat(fleet_->directory(), "/", kRealCluster);
    std::filesystem::create_directories(home);
    const std::string kubeconfig = StrCat(home, "/kubeconfig");
    SEALANE_ASSIGN_OR_RETURN(
        const Subprocess kubesim,
        fleet_->StartProgram("kubesim",
                             {StrCat(options_.bin_dir, "/kubesim"), StrCat("--name=", kRealCluster),
                              "--startup-delay=100ms", StrCat("--kubeconfig-out=", kubeconfig)}));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("kubesim's kubeconfig", absl::Seconds(20),
                                              [&] { return std::filesystem::exists(kubeconfig); }));
    SEALANE_ASSIGN_OR_RETURN(
        const Subprocess agent,
        fleet_->StartAgent(kRealCluster, {StrCat("--kubeconfig=", kubeconfig),
                                          StrCat("--state-dir=", home, "/state")}));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy({ClusterManifest(kRealCluster, 0)}, absl::Seconds(30)));
    SEALANE_RETURN_IF_ERROR(WaitForReadyClusters(options_.clusters + 1));
    std::vector<std::string> manifests = {PolicyForOnly(kRealCluster, options_.apps + 1, kApps)};
    for (int i = 0; i < kApps; ++i) manifests.push_back(AppManifest(options_.apps + 1 + i, 1));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(30)));
    const auto applied = std::make_shared<std::set<std::string>>();
    std::unique_ptr<Subscription> watch;
    fleet_->OnLoop([&] {
      WatchOptions options;
      options.stream = std::string(kWorkStatusTable);
      options.filter = StrCat(kWorkStatusTable, ".", EncodeToken(kRealCluster), ".>");
      watch = fleet_->hub().Watch(options, [applied](const WatchEvent& event) {
        v1::WorkStatus status;
        if (event.type == WatchEvent::Type::kPut && status.ParseFromString(event.message.payload) &&
            status.ref().kind() == "Deployment" && status.state() == v1::WorkStatus::APPLIED &&
            status.health() == "Healthy") {
          applied->insert(status.ref().name());
        }
      });
    });
    const absl::Status status =
        fleet_->WaitUntil("healthy applications of the real agent", absl::Seconds(60),
                          [applied] { return applied->size() >= kApps; });
    fleet_->OnLoop([&] { watch.reset(); });
    SEALANE_RETURN_IF_ERROR(status);
    SEALANE_RETURN_IF_ERROR(WaitForRest({agent.pid(), kubesim.pid()}));
    result_.agent_idle_mb = ResidentMemoryMb(agent.pid());
    result_.agent_peak_mb = PeakMemoryMb(agent.pid());
    return absl::OkStatus();
  }

  [[nodiscard]] uint64_t Clusters() const { return static_cast<uint64_t>(options_.clusters); }

  const PipelineOptions& options_;
  PipelineResult result_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<ConsumingAgent>> agents_;  // loop
  std::map<std::string, double> cpu_seconds_;
  std::vector<uint32_t> sizes_;
  uint64_t works_ = 0;         // loop; of Deployments
  uint64_t works_wanted_ = 0;  // loop
  std::vector<StreamCount> streams_ = {
      {std::string(kDeployLog), true},       {std::string(kObjectsTable), true},
      {std::string(kBindingsTable), true},   {std::string(kPlacementsTable), true},
      {std::string(kWorksTable), true},      {std::string(kDeployedTable), false},
      {std::string(kAppStatusTable), false}, {std::string(kEventsLog), false}};
  int streams_asked_ = 0;         // loop
  uint64_t works_this_edit_ = 0;  // loop
  absl::Duration first_work_at_;  // loop
  absl::Duration last_work_at_;   // loop
};

}  // namespace

absl::StatusOr<PipelineResult> RunPipeline(const PipelineOptions& options) {
  PipelineResult best;
  double bare_seconds = 0;
  for (int i = 0; i < options.runs; ++i) {
    const bool last = i + 1 == options.runs;
    PipelineOptions run = options;
    if (!last) {
      run.edits = 0;
      run.skip_agent = true;
    }
    SEALANE_ASSIGN_OR_RETURN(PipelineResult result, Run(run).Go());
    if (i == 0 || result.bare_seconds < bare_seconds) bare_seconds = result.bare_seconds;
    if (last) {
      best.first_work_ms = result.first_work_ms;
      best.all_works_ms = result.all_works_ms;
      best.agent_idle_mb = result.agent_idle_mb;
      best.agent_peak_mb = result.agent_peak_mb;
    }
    if (i > 0 && result.pipeline_seconds >= best.pipeline_seconds) continue;
    result.first_work_ms = std::move(best.first_work_ms);
    result.all_works_ms = std::move(best.all_works_ms);
    result.agent_idle_mb = best.agent_idle_mb;
    result.agent_peak_mb = best.agent_peak_mb;
    best = std::move(result);
  }
  best.bare_seconds = bare_seconds;
  best.ratio = bare_seconds / best.pipeline_seconds;
  return best;
}

}  // namespace sealane::bench
