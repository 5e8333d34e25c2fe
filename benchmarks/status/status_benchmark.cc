#include "benchmarks/status/status_benchmark.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "benchmarks/common/bare_publisher.h"
#include "benchmarks/common/fleet.h"
#include "benchmarks/common/numbers.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/query.pb.h"
#include "sealane/v1/tables.pb.h"
#include "tests/support/subprocess.h"

namespace sealane::bench {
namespace {

constexpr int kReplicas = 2;  // in each cluster
constexpr int kCliRuns = 7;

std::string ClusterName(int index) { return StrCat("cluster-", index); }

v1::ObjectRef AppRef(int index) {
  v1::ObjectRef ref;
  ref.set_api_version("apps/v1");
  ref.set_kind("Deployment");
  ref.set_namespace_(StrCat("team-", index % 100));
  ref.set_name(StrCat("service-", index));
  return ref;
}

// One run. Everything that touches a bus runs on the fleet's loop.
class Run {
 public:
  explicit Run(const StatusOptions& options) : options_(options) {
    options_.spread = std::min(options_.spread, options_.clusters);
    apps_ = std::max(1, options_.works / options_.spread);
    healthy_.resize(apps_);
    ready_.resize(apps_);
  }
  ~Run() {
    if (fleet_ == nullptr) return;
    fleet_->OnLoop([this] {
      live_.reset();
      client_.reset();
    });
  }

  absl::StatusOr<StatusResult> All() {
    result_.apps = apps_;
    FleetOptions fleet;
    fleet.bin_dir = options_.bin_dir;
    fleet.log_level = options_.log_level;
    fleet.keep = options_.keep;
    fleet.services = {};
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(fleet)));
    SEALANE_RETURN_IF_ERROR(StartService());
    SEALANE_RETURN_IF_ERROR(CreateStreams());
    SEALANE_RETURN_IF_ERROR(WaitForAnswer());
    const double empty_mb = ResidentMemoryMb(service_->pid());
    SEALANE_RETURN_IF_ERROR(Seed());
    SEALANE_RETURN_IF_ERROR(Update());
    SEALANE_RETURN_IF_ERROR(Edit());
    SEALANE_RETURN_IF_ERROR(Cli({"get", "apps", "-A"}, apps_ + 1, &result_.list_apps_ms));
    SEALANE_RETURN_IF_ERROR(
        Cli({"get", "apps", "-A", "-o", "json"}, apps_ + 1, &result_.list_json_ms));
    SEALANE_RETURN_IF_ERROR(
        Cli({"top", "clusters"}, options_.clusters + 1, &result_.top_clusters_ms));
    result_.peak_mb = PeakMemoryMb(service_->pid());
    SEALANE_RETURN_IF_ERROR(Restart());
    result_.resident_mb = ResidentMemoryMb(service_->pid());
    result_.bytes_per_work = (result_.resident_mb - empty_mb) * 1e6 / Works();
    SEALANE_RETURN_IF_ERROR(Replay());
    SEALANE_RETURN_IF_ERROR(Bare());
    return std::move(result_);
  }

 private:
  [[nodiscard]] int Works() const { return apps_ * options_.spread; }
  [[nodiscard]] double Now() { return absl::ToDoubleSeconds(fleet_->loop().clock().Monotonic()); }
  [[nodiscard]] int ClusterOf(int app, int part) const {
    return (app * options_.spread + part) % options_.clusters;
  }

  absl::Status StartService() {
    auto service =
        fleet_->StartProgram("sealane-status", {StrCat(options_.bin_dir, "/sealane-status"),
                                                StrCat("--bus-url=", fleet_->hub_url()),
                                                StrCat("--log-level=", options_.log_level)});
    if (!service.ok()) return service.status();
    service_.emplace(*std::move(service));
    return absl::OkStatus();
  }

  // The tables of the services that do not run here.
  absl::Status CreateStreams() {
    int made = 0;
    absl::Status failed;
    fleet_->OnLoop([&] {
      for (const std::string_view table :
           {kObjectsTable, kBindingsTable, kPlacementsTable, kWorksTable}) {
        StreamConfig config;
        config.name = std::string(table);
        config.subjects = {StrCat(table, ".>")};
        fleet_->hub().EnsureStream(config, [&](const absl::Status& status) {
          ++made;
          if (!status.ok()) failed = status;
        });
      }
      live_ = fleet_->hub().Subscribe("live.app_status.>",
                                      [this](const BusMessage& message) { OnRow(message); });
      client_ = std::make_unique<QueryClient>(fleet_->hub(), fleet_->loop().env());
    });
    SEALANE_RETURN_IF_ERROR(
        fleet_->WaitUntil("the tables", absl::Seconds(20), [&] { return made == 4; }));
    return failed;
  }

  // The service answers queries once it has replayed its tables.
  absl::Status WaitForAnswer() {
    bool answered = false;
    bool asking = false;
    return fleet_->WaitUntil("an answer of sealane-status", absl::Minutes(5), [&] {
      if (answered || asking) return answered;
      asking = true;
      v1::QueryRequest request;
      request.set_what("clusters");
      request.set_limit(1);
      client_->Query(platform::Query("status"), request, absl::Seconds(1),
                     [&](const absl::StatusOr<v1::QueryReply>& reply) {
                       answered = reply.ok();
                       asking = false;
                     });
      return false;
    });
  }

  void OnRow(const BusMessage& message) {
    v1::AppStatus row;
    if (!row.ParseFromString(message.payload)) return;
    ++rows_;
    const std::string& name = row.ref().name();
    const auto app = static_cast<size_t>(std::stoi(name.substr(name.rfind('-') + 1)));
    const bool healthy = row.phase() == "Healthy";
    if (healthy != healthy_[app]) healthy_count_ += healthy ? 1 : -1;
    healthy_[app] = healthy;
    ready_[app] = row.replicas().ready();
    if (row.phase() == "Scheduled") ++scheduled_;
  }

  void Append(std::string subject, std::string payload) {
    AppendRequest request;
    request.subject = std::move(subject);
    request.payload = std::move(payload);
    ++in_flight_;
    fleet_->hub().Append(std::move(request), [this](const absl::StatusOr<Appended>& result) {
      --in_flight_;
      if (!result.ok()) failure_ = result.status();
    });
  }

  void SeedCluster(int index) {
    const std::string name = ClusterName(index);
    v1::StoredObject object;
    object.mutable_ref()->set_api_version("cluster.karmada.io/v1alpha1");
    object.mutable_ref()->set_kind("Cluster");
    object.mutable_ref()->set_name(name);
    object.set_uid(StrCat("cluster-uid-", index));
    object.set_generation(1);
    object.set_manifest(Json{{"metadata", {{"name", name}}},
                             {"spec", {{"provider", "aliyun"}, {"region", "cn-beijing"}}}}
                            .dump());
    Append(StrCat(kObjectsTable, ".", RowKey(object.ref())), object.SerializeAsString());
  }

  void Heartbeat(int index) {
    v1::Heartbeat heartbeat;
    heartbeat.set_cluster(ClusterName(index));
    heartbeat.set_incarnation(1);
    heartbeat.set_counter(++counter_);
    heartbeat.set_api_healthy(true);
    heartbeat.set_api_enablements_complete(true);
    heartbeat.set_lease_seconds(3600);
    const absl::Status sent =
        fleet_->hub().Publish(hub::Heartbeat(heartbeat.cluster()), heartbeat.SerializeAsString());
    if (!sent.ok()) failure_ = sent;
  }

  void SeedApp(int index) {
    v1::StoredObject object;
    *object.mutable_ref() = AppRef(index);
    object.set_uid(StrCat("app-uid-", index));
    object.set_generation(1);
    object.set_manifest(
        Json{{"metadata", {{"name", object.ref().name()}}}, {"spec", {{"replicas", 2}}}}.dump());
    v1::Binding binding;
    *binding.mutable_ref() = object.ref();
    binding.mutable_policy()->set_kind("PropagationPolicy");
    binding.mutable_policy()->set_name("bench");
    v1::Placed placed;
    *placed.mutable_ref() = object.ref();
    placed.set_state("Scheduled");
    for (int part = 0; part < options_.spread; ++part) {
      v1::TargetCluster* target = placed.add_clusters();
      target->set_name(ClusterName(ClusterOf(index, part)));
      target->set_replicas(kReplicas);
    }
    const std::string key = RowKey(object.ref());
    Append(StrCat(kBindingsTable, ".", key), binding.SerializeAsString());
    Append(StrCat(kPlacementsTable, ".", key), placed.SerializeAsString());
    Append(StrCat(kObjectsTable, ".", key), object.SerializeAsString());
  }

  v1::WorkStatus Word(int app, int part, int ready) {
    v1::WorkStatus word;
    word.set_cluster(ClusterName(ClusterOf(app, part)));
    *word.mutable_ref() = AppRef(app);
    word.mutable_fence()->set_uid(StrCat("app-uid-", app));
    word.mutable_fence()->set_version(1);
    word.set_incarnation(1);
    word.set_counter(++counter_);
    word.set_state(v1::WorkStatus::APPLIED);
    word.set_health(ready == kReplicas ? "Healthy" : "Unhealthy");
    word.set_object_generation(1);
    word.set_member_generation(1);
    word.set_observed_generation(1);
    word.set_member_uid(StrCat("5f0c6b1e-6f5c-4d5e-9d55-", 100'000'000'000 + app));
    word.set_status_json(Json{
        {"availableReplicas", ready},
        {"generation", 1},
        {"observedGeneration", 1},
        {"readyReplicas", ready},
        {"replicas", kReplicas},
        {"resourceTemplateGeneration", 1},
        {"updatedReplicas",
         kReplicas}}.dump());
    return word;
  }

  void Report(const v1::WorkStatus& word) {
    std::string payload = word.SerializeAsString();
    if (sizes_.size() < static_cast<size_t>(Works())) {
      sizes_.push_back(static_cast<uint32_t>(payload.size()));
    }
    Append(StrCat(kWorkStatusTable, ".", ClusterRowKey(word.cluster(), KeyOf(word.ref()))),
           std::move(payload));
  }

  absl::Status Settled(const std::string& what, const std::function<bool()>& holds) {
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil(
        what, absl::Minutes(5), [&] { return !failure_.ok() || (in_flight_ == 0 && holds()); }));
    return failure_;
  }

  absl::Status Seed() {
    fleet_->OnLoop([&] {
      for (int i = 0; i < options_.clusters; ++i) SeedCluster(i);
    });
    SEALANE_RETURN_IF_ERROR(Settled("the clusters", [] { return true; }));
    fleet_->OnLoop([&] {
      for (int i = 0; i < options_.clusters; ++i) Heartbeat(i);
      for (int i = 0; i < apps_; ++i) SeedApp(i);
    });
    return Settled("the applications", [&] { return scheduled_ >= apps_; });
  }

  absl::Status Update() {
    const uint64_t rows = rows_;
    const double start = Now();
    fleet_->OnLoop([&] {
      for (int part = 0; part < options_.spread; ++part) {
        for (int app = 0; app < apps_; ++app) Report(Word(app, part, kReplicas));
      }
    });
    SEALANE_RETURN_IF_ERROR(
        Settled("all applications being healthy", [&] { return healthy_count_ == apps_; }));
    result_.update_seconds = Now() - start;
    result_.rows_written = rows_ - rows;
    return absl::OkStatus();
  }

  absl::Status Edit() {
    for (int edit = 0; edit < options_.edits; ++edit) {
      const int app = edit % apps_;
      const int wanted = options_.spread * kReplicas - 1 - (edit / apps_) % 2;
      const double start = Now();
      double seen = 0;
      fleet_->OnLoop([&] { Report(Word(app, 0, kReplicas - 1 - (edit / apps_) % 2)); });
      SEALANE_RETURN_IF_ERROR(Settled("one report being shown", [&] {
        if (seen == 0 && ready_[app] == wanted) seen = Now();
        return seen != 0;
      }));
      result_.latency_ms.push_back((seen - start) * 1000);
    }
    return absl::OkStatus();
  }

  // Runs the CLI a few times; it must print at least so many lines.
  absl::Status Cli(const std::vector<std::string>& words, int lines, std::vector<double>* ms) {
    std::vector<std::string> argv = {StrCat(options_.bin_dir, "/sealane")};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"--bus-url", fleet_->hub_url()});
    for (int i = 0; i < kCliRuns; ++i) {
      const double start = Now();
      SEALANE_ASSIGN_OR_RETURN(const ProcessResult done, RunProcess(argv));
      ms->push_back((Now() - start) * 1000);
      const auto printed = std::count(done.output.begin(), done.output.end(), '\n');
      if (done.exit_code != 0 || printed < lines) {
        return Internal(StrCat("sealane ", StrJoin(words, " "), ": exit code ", done.exit_code,
                               ", ", printed, " lines: ", done.output.substr(0, 500)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Restart() {
    service_->Kill(9);
    const double start = Now();
    SEALANE_RETURN_IF_ERROR(StartService());
    SEALANE_RETURN_IF_ERROR(WaitForAnswer());
    result_.restart_seconds = Now() - start;
    return absl::OkStatus();
  }

  // The tables that the service reads at its start, read by somebody who only counts.
  absl::Status Replay() {
    std::vector<std::unique_ptr<Subscription>> watches;
    size_t synced = 0;
    const double start = Now();
    fleet_->OnLoop([&] {
      for (const std::string_view table :
           {kObjectsTable, kBindingsTable, kPlacementsTable, kWorkStatusTable, kClusterStatusTable,
            kAppStatusTable}) {
        watches.push_back(fleet_->hub().Watch({.stream = std::string(table), .filter = ""},
                                              [&](const WatchEvent& event) {
                                                if (event.type == WatchEvent::Type::kPut)
                                                  ++result_.replay_messages;
                                                if (event.type == WatchEvent::Type::kSynced)
                                                  ++synced;
                                              }));
      }
    });
    const absl::Status status = fleet_->WaitUntil("the raw replay", absl::Minutes(5),
                                                  [&] { return synced == watches.size(); });
    result_.replay_seconds = Now() - start;
    fleet_->OnLoop([&] { watches.clear(); });
    return status;
  }

  absl::Status Bare() {
    BareOptions bare;
    bare.url = fleet_->hub_url();
    bare.payload_sizes = sizes_;
    SEALANE_ASSIGN_OR_RETURN(const BareResult published, PublishBare(bare, fleet_->loop().clock()));
    result_.bare_seconds = published.seconds;
    return absl::OkStatus();
  }

  StatusOptions options_;
  StatusResult result_;
  int apps_;
  std::vector<bool> healthy_;
  std::vector<int> ready_;
  std::vector<uint32_t> sizes_;  // of the reports
  int healthy_count_ = 0;
  int scheduled_ = 0;
  uint64_t rows_ = 0;
  int64_t counter_ = 0;
  int64_t in_flight_ = 0;
  absl::Status failure_;
  std::unique_ptr<Subscription> live_;
  std::unique_ptr<QueryClient> client_;
  std::unique_ptr<Fleet> fleet_;
  std::optional<Subprocess> service_;
};

}  // namespace

absl::StatusOr<StatusResult> RunStatus(const StatusOptions& options) { return Run(options).All(); }

}  // namespace sealane::bench
