#include "benchmarks/agent/agent_benchmark.h"

#include <poll.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>

#include "benchmarks/common/fleet.h"
#include "benchmarks/common/numbers.h"
#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/curl_transport.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::bench {
namespace {

constexpr char kCluster[] = "member";
constexpr size_t kConcurrency = 32;  // as the agent's --api-concurrency
constexpr int kBatch = 500;          // objects of one deploy event
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

// A kubesim process and where it listens.
struct Member {
  std::optional<Subprocess> process;
  std::string kubeconfig;
  std::string server;
  std::string token;
};

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

class Run {
 public:
  explicit Run(const AgentBenchOptions& options) : options_(options) {}

  absl::StatusOr<AgentBenchResult> Go() {
    FleetOptions fleet;
    fleet.bin_dir = options_.bin_dir;
    fleet.clusters = {kCluster};
    fleet.log_level = options_.log_level;
    fleet.keep = options_.keep;
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(fleet)));
    const absl::Status status = Measure();
    fleet_->OnLoop([this] { watches_.clear(); });
    SEALANE_RETURN_IF_ERROR(status);
    return result_;
  }

 private:
  absl::Status Measure() {
    SEALANE_ASSIGN_OR_RETURN(const Member member, StartMember("kubesim"));
    SEALANE_RETURN_IF_ERROR(StartAgent(member));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(
        {R"({"apiVersion":"cluster.karmada.io/v1alpha1","kind":"Cluster","metadata":{"name":"member"},"spec":{"syncMode":"Pull"}})",
         kNamespaceManifest,
         R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy","metadata":{"name":"all","namespace":"bench"},
             "spec":{"resourceSelectors":[{"apiVersion":"v1","kind":"ConfigMap","labelSelector":{"matchLabels":{"app":"bench"}}}],"placement":{}}})",
         Manifest(options_.works, 1)},
        absl::Seconds(30)));
    Watch();
    SEALANE_RETURN_IF_ERROR(
        WaitFor("the first object", [this] { return statuses_.contains(Name(options_.works)); }));
    result_.idle_cpu = IdleCpu();
    result_.idle_mb = ResidentMemoryMb(agent_->pid());
    SEALANE_RETURN_IF_ERROR(MeasureApply(member));
    SEALANE_RETURN_IF_ERROR(MeasureLatency());
    result_.full_cpu = IdleCpu();
    result_.full_mb = ResidentMemoryMb(agent_->pid());
    result_.peak_mb = PeakMemoryMb(agent_->pid());
    return MeasureBare();
  }

  absl::StatusOr<Member> StartMember(const std::string& name) {
    Member member;
    member.kubeconfig = StrCat(fleet_->directory(), "/", name, ".kubeconfig");
    SEALANE_ASSIGN_OR_RETURN(
        member.process,
        fleet_->StartProgram(
            name, {StrCat(options_.bin_dir, "/kubesim"), StrCat("--name=", name),
                   "--token=bench-only", StrCat("--kubeconfig-out=", member.kubeconfig)}));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("kubesim's kubeconfig", absl::Seconds(20), [&] {
      return std::filesystem::exists(member.kubeconfig);
    }));
    std::ifstream file(member.kubeconfig);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    std::smatch match;
    if (!std::regex_search(text, match, std::regex("http://[0-9.:]+"))) {
      return Internal("kubesim's kubeconfig names no server");
    }
    member.server = match.str();
    member.token = "bench-only";
    return member;
  }

  absl::Status StartAgent(const Member& member) {
    SEALANE_ASSIGN_OR_RETURN(
        agent_, fleet_->StartAgent(kCluster, {StrCat("--kubeconfig=", member.kubeconfig),
                                              StrCat("--state-dir=", fleet_->directory(), "/agent"),
                                              "--listen=127.0.0.1:0"}));
    return absl::OkStatus();
  }

  absl::Status WaitFor(const std::string& what, const std::function<bool()>& holds) {
    return fleet_->WaitUntil(what, absl::Seconds(180), holds);
  }

  [[nodiscard]] absl::Duration Now() const { return fleet_->loop().clock().Monotonic(); }

  void Watch() {
    fleet_->OnLoop([this] {
      watches_.push_back(fleet_->hub().Watch({"works", ""}, [this](const WatchEvent& event) {
        v1::Work work;
        if (event.type != WatchEvent::Type::kPut || !work.ParseFromString(event.message.payload) ||
            work.ref().kind() != "ConfigMap") {
          return;
        }
        works_[work.ref().name()] = {work.object_generation(), Now()};
      }));
      watches_.push_back(fleet_->hub().Watch({"work_status", ""}, [this](const WatchEvent& event) {
        v1::WorkStatus status;
        if (event.type != WatchEvent::Type::kPut ||
            !status.ParseFromString(event.message.payload) ||
            status.state() != v1::WorkStatus::APPLIED || status.ref().kind() != "ConfigMap") {
          return;
        }
        int64_t& generation = statuses_[status.ref().name()];
        if (status.object_generation() <= generation) return;
        generation = status.object_generation();
        const auto work = works_.find(status.ref().name());
        if (editing_ && work != works_.end() && work->second.first == generation) {
          result_.latency_ms.push_back(absl::ToDoubleMilliseconds(Now() - work->second.second));
        }
      }));
    });
  }

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

  // All works wait when the agent starts, so that nobody else's speed is measured.
  absl::Status MeasureApply(const Member& member) {
    agent_->Kill(SIGKILL);
    for (int first = 0; first < options_.works; first += kBatch) {
      std::vector<std::string> manifests;
      for (int i = first; i < std::min(options_.works, first + kBatch); ++i) {
        manifests.push_back(Manifest(i, 1));
      }
      SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(60)));
    }
    const auto all = static_cast<size_t>(options_.works) + 1;
    SEALANE_RETURN_IF_ERROR(WaitFor("all works", [&] { return works_.size() == all; }));
    const absl::Duration start = Now();
    SEALANE_RETURN_IF_ERROR(StartAgent(member));
    SEALANE_RETURN_IF_ERROR(WaitFor("all statuses", [&] { return statuses_.size() == all; }));
    result_.apply_seconds = absl::ToDoubleSeconds(Now() - start);
    return absl::OkStatus();
  }

  absl::Status MeasureLatency() {
    Pass(absl::Seconds(1));
    editing_ = true;
    for (int i = 0; i < options_.edits; ++i) {
      const std::string name = Name(i % options_.works);
      const int version = 2 + i / options_.works;
      SEALANE_RETURN_IF_ERROR(
          fleet_->Deploy({Manifest(i % options_.works, version)}, absl::Seconds(30)));
      const auto wanted = static_cast<size_t>(i) + 1;
      SEALANE_RETURN_IF_ERROR(
          WaitFor("a status", [&] { return result_.latency_ms.size() >= wanted; }));
    }
    editing_ = false;
    return absl::OkStatus();
  }

  absl::Status MeasureBare() {
    SEALANE_ASSIGN_OR_RETURN(const Member member, StartMember("kubesim-bare"));
    std::unique_ptr<http::CurlTransport> transport;
    std::unique_ptr<BareClient> client;
    absl::Status made;
    absl::Duration start;
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
      return client->done() == options_.works || !client->error().empty();
    });
    result_.bare_seconds = absl::ToDoubleSeconds(Now() - start);
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
  // Of the loop's thread.
  std::vector<std::unique_ptr<Subscription>> watches_;
  std::map<std::string, std::pair<int64_t, absl::Duration>> works_;  // generation, when seen
  std::map<std::string, int64_t> statuses_;
  bool editing_ = false;
};

}  // namespace

absl::StatusOr<AgentBenchResult> RunAgentBench(const AgentBenchOptions& options) {
  return Run(options).Go();
}

}  // namespace sealane::bench
