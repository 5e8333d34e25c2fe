#include "benchmarks/agent/agent_benchmark.h"

#include <poll.h>

#include <csignal>
#include <memory>
#include <optional>
#include <unordered_map>

#include "benchmarks/common/fleet.h"
#include "benchmarks/common/member.h"
#include "benchmarks/common/numbers.h"
#include "lib/bus/packed_table.h"
#include "lib/bus/snapshot_server.h"
#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/curl_transport.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr size_t kConcurrency = 32;  // as the agent's --api-concurrency
constexpr char kNamespaceManifest[] =
    R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"bench"}})";

std::string Name(int index) { return StrCat("config-", index); }

std::string Manifest(int index, int version) {
  return StrCat(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", Name(index),
      R"(","namespace":"bench","labels":{"app":"bench","tier":"config"}},)",
      R"("data":{"version":")", version,
      R"(","application.yaml":"server:\n  port: 8080\n  threads: 16\nlog:\n)",
      R"(  level: info\n  format: json\nfeatures:\n  checkout: true\n","region":"any"}})");
}

// The bare client: server-side apply of the same objects, so many at once.
class BareClient {
 public:
  BareClient(http::HttpTransport& transport, std::string token, int count)
      : transport_(transport), token_(std::move(token)), count_(count) {}
  void Start() {
    Apply("/api/v1/namespaces/bench", kNamespaceManifest, [this] {
      for (size_t i = 0; i < kConcurrency; ++i) Next();
    });
  }
  [[nodiscard]] int done() const { return done_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void Next() {
    if (next_ == count_) return;
    const int index = next_++;
    Apply(StrCat("/api/v1/namespaces/bench/configmaps/", Name(index)), Manifest(index, 1), [this] {
      ++done_;
      Next();
    });
  }
  void Apply(const std::string& path, std::string body, std::function<void()> then) {
    http::HttpRequest request;
    request.method = "PATCH";
    request.path = path + "?fieldManager=bare&force=true";
    request.headers = {{"Content-Type", "application/apply-patch+yaml"},
                       {"Authorization", "Bearer " + token_}};
    request.body = std::move(body);
    transport_.Send(std::move(request),
                    [this, then = std::move(then)](absl::StatusOr<http::HttpResponse> response) {
                      if (response.ok() && response->status / 100 == 2) return then();
                      error_ = response.ok() ? response->body : response.status().ToString();
                    });
  }
  http::HttpTransport& transport_;
  const std::string token_;
  const int count_;
  int next_ = 0;
  int done_ = 0;
  std::string error_;
};

std::string ClusterName(int round) { return StrCat("member-", round); }

// One private bus, on which the benchmark is the policy service: it has the table of works and
// answers the agents' snapshot requests. Each round has a cluster of its own.
class Run {
 public:
  explicit Run(const AgentBenchOptions& options) : options_(options) {}
  ~Run() {
    if (fleet_ == nullptr) return;
    fleet_->OnLoop([this] {
      statuses_.reset();
      requests_.reset();
      snapshots_.reset();
      works_.reset();
    });
  }

  absl::StatusOr<AgentBenchResult> Go() {
    FleetOptions fleet;
    fleet.bin_dir = options_.bin_dir;
    fleet.services = {};
    for (int i = 0; i < options_.rounds; ++i) fleet.clusters.push_back(ClusterName(i));
    fleet.log_level = options_.log_level;
    fleet.keep = options_.keep;
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(fleet)));
    SEALANE_RETURN_IF_ERROR(StartPolicy());
    for (int i = 0; i < options_.rounds; ++i) SEALANE_RETURN_IF_ERROR(Round(i));
    return std::move(result_);
  }

 private:
  absl::Status Round(int round) {
    const bool first = round == 0;
    cluster_ = ClusterName(round);
    {
      SEALANE_ASSIGN_OR_RETURN(
          Member member, StartMember(*fleet_, options_.bin_dir, StrCat("kubesim-", cluster_)));
      if (first) {
        SEALANE_RETURN_IF_ERROR(StartAgent(member));
        SEALANE_RETURN_IF_ERROR(WaitFor("the agent", [this] { return asked_.has_value(); }));
        result_.idle_cpu = IdleCpu();
        result_.idle_mb = ResidentMemoryMb(agent_->pid());
        agent_.reset();
      }
      SEALANE_RETURN_IF_ERROR(MeasureApply(member));
      if (first) {
        SEALANE_RETURN_IF_ERROR(MeasureLatency());
        result_.full_cpu = IdleCpu();
        result_.full_mb = ResidentMemoryMb(agent_->pid());
        result_.peak_mb = PeakMemoryMb(agent_->pid());
      }
      agent_.reset();
    }
    return MeasureBare(cluster_);
  }

  // What the policy and status services would do about the tables.
  absl::Status StartPolicy() {
    int pending = 3;
    absl::Status failed;
    fleet_->OnLoop([&] {
      for (const std::string_view table : {kWorksTable, kWorkStatusTable}) {
        StreamConfig config;
        config.name = std::string(table);
        config.subjects = {StrCat(table, ".>")};
        if (table == kWorksTable) config.republish_prefix = std::string(kLivePrefix);
        fleet_->hub().EnsureStream(config, [&](const absl::Status& status) {
          --pending;
          if (!status.ok()) failed = status;
        });
      }
      works_ =
          std::make_unique<PackedTable<v1::Work>>(fleet_->hub(), fleet_->loop().env(), kWorksTable);
      works_->SetSoleWriter(true);
      works_->Start([](const std::string&) {}, [&] { --pending; });
      snapshots_ = std::make_unique<SnapshotServer>(fleet_->hub(), fleet_->loop().env(), *works_);
      snapshots_->Start();
      requests_ = fleet_->hub().Subscribe(hub::kSnapshotRequests, [this](const BusMessage&) {
        if (!asked_) asked_ = Now();
      });
      statuses_ = fleet_->hub().Watch({std::string(kWorkStatusTable), ""},
                                      [this](const WatchEvent& event) { OnStatus(event); });
    });
    SEALANE_RETURN_IF_ERROR(WaitFor("the tables", [&] { return pending == 0; }));
    return failed;
  }

  // Writes a work; all of a cluster have one fence, and so its version.
  void Put(std::string_view kind, std::string_view name, std::string manifest) {
    v1::Work work;
    work.set_cluster(cluster_);
    work.mutable_ref()->set_api_version("v1");
    work.mutable_ref()->set_kind(std::string(kind));
    if (kind != "Namespace") work.mutable_ref()->set_namespace_("bench");
    work.mutable_ref()->set_name(std::string(name));
    work.mutable_fence()->set_uid("life-1");
    work.mutable_fence()->set_version(++version_);
    work.set_object_generation(version_);
    work.set_manifest(std::move(manifest));
    const std::string key = ClusterRowKey(cluster_, KeyOf(work.ref()));
    works_->Put(key, std::move(work));
  }

  void OnStatus(const WatchEvent& event) {
    v1::WorkStatus status;
    if (event.type != WatchEvent::Type::kPut || !status.ParseFromString(event.message.payload) ||
        status.cluster() != cluster_ || status.state() != v1::WorkStatus::APPLIED) {
      return;
    }
    int64_t& version = applied_[status.ref().name()];
    if (status.fence().version() <= version) return;
    version = status.fence().version();
    if (applied_.size() == static_cast<size_t>(options_.works) + 1) last_ = Now();
    const auto edit = edits_.find(version);
    if (edit == edits_.end()) return;
    result_.latency_ms.push_back(absl::ToDoubleMilliseconds(Now() - edit->second));
    edits_.erase(edit);
  }

  absl::Status StartAgent(const Member& member) {
    fleet_->OnLoop([this] { asked_.reset(); });
    SEALANE_ASSIGN_OR_RETURN(
        agent_,
        fleet_->StartAgent(cluster_, {StrCat("--kubeconfig=", member.kubeconfig),
                                      StrCat("--state-dir=", fleet_->directory(), "/", cluster_),
                                      "--listen=127.0.0.1:0"}));
    return absl::OkStatus();
  }

  absl::Status WaitFor(const std::string& what, const std::function<bool()>& holds) {
    return fleet_->WaitUntil(what, absl::Seconds(180), holds);
  }

  [[nodiscard]] absl::Duration Now() const { return fleet_->loop().clock().Monotonic(); }

  // Seconds per hour.
  double IdleCpu() {
    Pass(absl::Seconds(3));  // what the last change still costs
    const double before = CpuSeconds(agent_->pid());
    Pass(absl::Seconds(options_.idle_seconds));
    return (CpuSeconds(agent_->pid()) - before) * 3600 / options_.idle_seconds;
  }

  static void Pass(absl::Duration span) {
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(span)));
  }

  // All works wait when the agent asks for them, so that nobody else's speed is measured.
  absl::Status MeasureApply(const Member& member) {
    fleet_->OnLoop([this] {
      applied_.clear();
      last_.reset();
      Put("Namespace", "bench", kNamespaceManifest);
      for (int i = 0; i < options_.works; ++i) Put("ConfigMap", Name(i), Manifest(i, 1));
    });
    SEALANE_RETURN_IF_ERROR(WaitFor("all works", [&] { return works_->in_flight() == 0; }));
    SEALANE_RETURN_IF_ERROR(StartAgent(member));
    SEALANE_RETURN_IF_ERROR(WaitFor("all statuses", [this] { return last_.has_value(); }));
    result_.apply_seconds.push_back(absl::ToDoubleSeconds(*last_ - *asked_));
    result_.apply_cpu.push_back(CpuSeconds(agent_->pid()));
    return absl::OkStatus();
  }

  absl::Status MeasureLatency() {
    Pass(absl::Seconds(1));
    for (int i = 0; i < options_.edits; ++i) {
      fleet_->OnLoop([&] {
        const int index = i % options_.works;
        Put("ConfigMap", Name(index), Manifest(index, 2 + i / options_.works));
        edits_[version_] = Now();
      });
      Pass(absl::Milliseconds(20));
    }
    return WaitFor("the statuses of the changes", [this] { return edits_.empty(); });
  }

  absl::Status MeasureBare(const std::string& cluster) {
    SEALANE_ASSIGN_OR_RETURN(const Member member,
                             StartMember(*fleet_, options_.bin_dir, StrCat("bare-", cluster)));
    std::unique_ptr<http::CurlTransport> transport;
    std::unique_ptr<BareClient> client;
    absl::Status made;
    absl::Duration start;
    absl::Duration end;
    fleet_->OnLoop([&] {
      http::CurlTransportOptions options;
      options.base_url = member.server;
      options.max_concurrent = kConcurrency;
      auto created = http::CurlTransport::Create(std::move(options), fleet_->loop());
      made = created.status();
      if (!made.ok()) return;
      transport = *std::move(created);
      client = std::make_unique<BareClient>(*transport, member.token, options_.works);
      start = Now();
      client->Start();
    });
    SEALANE_RETURN_IF_ERROR(made);
    absl::Status status = WaitFor("the bare client", [&] {
      end = Now();
      return client->done() == options_.works || !client->error().empty();
    });
    result_.bare_seconds.push_back(absl::ToDoubleSeconds(end - start));
    fleet_->OnLoop([&] {
      if (!client->error().empty()) status = Internal(client->error());
      transport.reset();
      client.reset();
    });
    return status;
  }

  const AgentBenchOptions& options_;
  AgentBenchResult result_;
  std::unique_ptr<Fleet> fleet_;
  std::optional<Subprocess> agent_;
  std::string cluster_;  // of this round; changes while no agent runs
  // Of the loop's thread.
  std::unique_ptr<PackedTable<v1::Work>> works_;
  std::unique_ptr<SnapshotServer> snapshots_;
  std::unique_ptr<Subscription> requests_;
  std::unique_ptr<Subscription> statuses_;
  int64_t version_ = 0;
  std::optional<absl::Duration> asked_;                // the agent's first snapshot request
  std::optional<absl::Duration> last_;                 // the status of the last work
  std::unordered_map<std::string, int64_t> applied_;   // by name: the newest applied version
  std::unordered_map<int64_t, absl::Duration> edits_;  // by version: when published
};

}  // namespace

absl::StatusOr<AgentBenchResult> RunAgentBench(const AgentBenchOptions& options) {
  return Run(options).Go();
}

}  // namespace sealane::bench
