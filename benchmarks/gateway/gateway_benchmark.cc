#include "benchmarks/gateway/gateway_benchmark.h"

#include <poll.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "benchmarks/common/fleet.h"
#include "benchmarks/common/member.h"
#include "benchmarks/common/numbers.h"
#include "benchmarks/common/workload.h"
#include "benchmarks/gateway/clients.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/curl_transport.h"

namespace sealane::bench {
namespace {

constexpr char kToken[] = "benchmark-token-0123456789";
constexpr char kPlain[] = "plain";  // namespaces
constexpr char kPlaced[] = "placed";

std::string MapsOf(std::string_view ns) { return StrCat("/api/v1/namespaces/", ns, "/configmaps"); }

// About 400 bytes, as an application's configuration.
std::string ConfigMap(std::string_view name, int version, int64_t sent_micros = 0) {
  const std::string sent =
      sent_micros == 0 ? "" : StrCat(R"(,"annotations":{"sent":")", sent_micros, R"("})");
  return StrCat(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", name,
      R"(","labels":{"app":"bench","tier":"config"})", sent, R"(},"data":{"version":")", version,
      R"(","application.yaml":"server:\n  port: 8080\n  threads: 16\nlog:\n)",
      R"(  level: info\n  format: json\nfeatures:\n  checkout: true\n","region":"any"}})");
}

std::string NamespaceManifest(std::string_view name) {
  return StrCat(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")", name, R"("}})");
}

http::HttpRequest Request(std::string method, std::string path, std::string token,
                          std::string body = "") {
  http::HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = {{"Accept", "application/json"},
                     {"Content-Type", "application/json"},
                     {"Authorization", "Bearer " + token}};
  request.body = std::move(body);
  return request;
}

class Run {
 public:
  explicit Run(const GatewayBenchOptions& options) : options_(options) {}
  ~Run() {
    if (fleet_ == nullptr) return;
    fleet_->OnLoop([this] {
      watchers_.reset();
      streams_.clear();
      direct_.clear();
      loads_.clear();
      gateway_.reset();
    });
  }

  absl::StatusOr<GatewayBenchResult> Go() {
    FleetOptions fleet;
    fleet.bin_dir = options_.bin_dir;
    for (int i = 0; i < options_.members; ++i) fleet.clusters.push_back(ClusterName(i));
    fleet.log_level = options_.log_level;
    fleet.keep = options_.keep;
    SEALANE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(std::move(fleet)));
    SEALANE_RETURN_IF_ERROR(StartGateway());
    SEALANE_RETURN_IF_ERROR(MeasureObjects());
    SEALANE_RETURN_IF_ERROR(MeasureWatchers());
    for (int i = 0; i < options_.rounds; ++i) SEALANE_RETURN_IF_ERROR(MeasureMembers(i));
    return std::move(result_);
  }

 private:
  [[nodiscard]] Clock& clock() const { return fleet_->loop().clock(); }
  [[nodiscard]] double GatewayMb() const {
    return ResidentMemoryMb(fleet_->processes().back().second.pid());
  }
  static void Pass(absl::Duration span) {
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(span)));
  }

  absl::StatusOr<std::unique_ptr<http::CurlTransport>> Connect(const std::string& url,
                                                               const std::string& ca_file) {
    http::CurlTransportOptions options;
    options.base_url = url;
    options.ca_file = ca_file;
    options.max_concurrent = static_cast<size_t>(options_.concurrency);
    options.max_response_bytes = 512 << 20;
    absl::StatusOr<std::unique_ptr<http::CurlTransport>> out;
    fleet_->OnLoop([&] { out = http::CurlTransport::Create(std::move(options), fleet_->loop()); });
    return out;
  }

  absl::Status StartGateway() {
    const std::string home = StrCat(fleet_->directory(), "/gateway-");
    const auto made = RunProcess({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                  "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gateway",
                                  "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1", "-keyout",
                                  home + "key.pem", "-out", home + "cert.pem"});
    if (!made.ok() || made->exit_code != 0)
      return FailedPrecondition("openssl makes no certificate");
    std::ofstream(home + "tokens.csv") << kToken << ",bench,,\"system:masters\"\n";
    SEALANE_RETURN_IF_ERROR(fleet_->StartService(
        "sealane-gateway",
        {"--tls-cert=" + home + "cert.pem", "--tls-key=" + home + "key.pem",
         "--token-file=" + home + "tokens.csv", "--api-listen-file=" + home + "address"}));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the gateway's address", absl::Seconds(30), [&] {
      return std::filesystem::exists(home + "address");
    }));
    std::ifstream(home + "address") >> address_;
    ca_file_ = home + "cert.pem";
    SEALANE_ASSIGN_OR_RETURN(gateway_, Connect(StrCat("https://", address_), ca_file_));
    for (int attempt = 0; attempt < 300; ++attempt) {
      const auto load = Send(*gateway_, 1, [](int) { return Request("GET", "/readyz", kToken); });
      if (load.ok()) return CreateNamespaces();
      Pass(absl::Milliseconds(100));
    }
    return absl::DeadlineExceededError("the gateway is not ready");
  }

  absl::Status CreateNamespaces() {
    for (const char* ns : {kPlain, kPlaced}) {
      SEALANE_RETURN_IF_ERROR(Send(*gateway_, 1, [ns](int) {
                                return Request("POST", "/api/v1/namespaces", kToken,
                                               NamespaceManifest(ns));
                              }).status());
    }
    return absl::OkStatus();
  }

  // Sends them all and waits; the load lives as long as this run.
  absl::StatusOr<const Load*> Send(http::HttpTransport& transport, int count, Load::Make make) {
    Load* load = nullptr;
    fleet_->OnLoop([&] {
      loads_.push_back(
          std::make_unique<Load>(transport, clock(), count, options_.concurrency, std::move(make)));
      load = loads_.back().get();
      load->Start();
    });
    SEALANE_RETURN_IF_ERROR(
        fleet_->WaitUntil("the requests", absl::Minutes(5), [load] { return load->done(); }));
    if (!load->error().empty()) return Internal(load->error());
    return load;
  }

  // --- Writes, reads, the list, memory --------------------------------------------------------

  absl::Status MeasureObjects() {
    Pass(absl::Seconds(1));
    result_.idle_mb = GatewayMb();
    const std::string maps = MapsOf(kPlain);
    SEALANE_ASSIGN_OR_RETURN(const Load* creates, Send(*gateway_, options_.objects, [&](int i) {
                               return Request("POST", maps, kToken, ConfigMap(StrCat("m-", i), 1));
                             }));
    result_.creates_per_second = options_.objects / absl::ToDoubleSeconds(creates->took());
    result_.create_ms = creates->latency_ms();
    Pass(absl::Seconds(2));  // what is freed goes back to the system
    result_.bytes_per_object = (GatewayMb() - result_.idle_mb) * 1e6 / options_.objects;
    SEALANE_ASSIGN_OR_RETURN(const Load* reads, Send(*gateway_, 2 * options_.objects, [&](int i) {
                               return Request("GET", StrCat(maps, "/m-", i % options_.objects),
                                              kToken);
                             }));
    result_.reads_per_second = 2 * options_.objects / absl::ToDoubleSeconds(reads->took());
    result_.read_ms = reads->latency_ms();
    SEALANE_ASSIGN_OR_RETURN(const Load* list,
                             Send(*gateway_, 1, [&](int) { return Request("GET", maps, kToken); }));
    result_.list_ms = absl::ToDoubleMilliseconds(list->took());
    result_.list_mb = static_cast<double>(list->bytes()) / 1e6;
    return MeasurePages(maps);
  }

  absl::Status MeasurePages(const std::string& maps) {
    const absl::Duration start = clock().Monotonic();
    for (std::string more;;) {
      std::string next;
      absl::Status status;
      bool done = false;
      fleet_->OnLoop([&] {
        gateway_->Send(Request("GET", StrCat(maps, "?limit=500&continue=", more), kToken),
                       [&](const absl::StatusOr<http::HttpResponse>& response) {
                         done = true;
                         if (!response.ok()) {
                           status = response.status();
                           return;
                         }
                         const Json list = Json::parse(response->body, nullptr, false);
                         next = list["metadata"].value("continue", "");
                       });
      });
      SEALANE_RETURN_IF_ERROR(
          fleet_->WaitUntil("a page", absl::Minutes(1), [&done] { return done; }));
      SEALANE_RETURN_IF_ERROR(status);
      if (next.empty()) break;
      more = http::PercentEncode(next);
    }
    result_.pages_ms = absl::ToDoubleMilliseconds(clock().Monotonic() - start);
    return absl::OkStatus();
  }

  // --- Watches --------------------------------------------------------------------------------

  absl::Status Edit(const std::string& maps, int i, bool stamp) {
    return Send(*gateway_, 1,
                [&](int) {
                  const int64_t now = absl::ToInt64Microseconds(clock().Monotonic());
                  return Request(
                      "PUT", StrCat(maps, "/m-", i % options_.objects), kToken,
                      ConfigMap(StrCat("m-", i % options_.objects), 2 + i, stamp ? now : 0));
                })
        .status();
  }

  absl::Status MeasureWatchers() {
    const std::string maps = MapsOf(kPlain);
    const double before = GatewayMb();
    SEALANE_ASSIGN_OR_RETURN(auto transport, Connect(StrCat("https://", address_), ca_file_));
    // From now on: without what is there already.
    std::string version;
    SEALANE_ASSIGN_OR_RETURN(version, ListVersion(StrCat(maps, "?limit=1")));
    fleet_->OnLoop([&] {
      watchers_ = std::make_unique<Watchers>(
          clock(), StrCat(maps, "?watch=1&resourceVersion=", version), kToken);
      watchers_->Open(*transport, options_.watchers);
    });
    streams_.push_back(std::move(transport));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the watches", absl::Minutes(2), [this] {
      return watchers_->open() == options_.watchers || watchers_->ended() > 0;
    }));
    if (watchers_->ended() > 0) return Internal("watches are refused");
    Pass(absl::Seconds(1));
    result_.bytes_per_watcher = (GatewayMb() - before) * 1e6 / options_.watchers;
    for (int i = 0; i < options_.edits; ++i) {
      SEALANE_RETURN_IF_ERROR(Edit(maps, i, true));
      Pass(absl::Milliseconds(100));
    }
    const auto all = static_cast<size_t>(options_.edits) * static_cast<size_t>(options_.watchers);
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the events", absl::Minutes(2),
                                              [&] { return watchers_->events() >= all; }));
    fleet_->OnLoop([this] {
      result_.fan_out_ms = watchers_->latency_ms();
      watchers_->Forget();
    });
    SEALANE_ASSIGN_OR_RETURN(const Load* burst, Send(*gateway_, options_.edits, [&](int i) {
                               return Request("PUT", StrCat(maps, "/m-", i % options_.objects),
                                              kToken,
                                              ConfigMap(StrCat("m-", i % options_.objects), -i));
                             }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the events of the burst", absl::Minutes(2),
                                              [&] { return watchers_->events() >= all; }));
    result_.events_per_second =
        static_cast<double>(all) / absl::ToDoubleSeconds(watchers_->last() - burst->start());
    fleet_->OnLoop([this] {
      watchers_.reset();
      streams_.clear();
    });
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ListVersion(const std::string& path) {
    absl::StatusOr<std::string> out = absl::UnavailableError("no answer");
    bool done = false;
    fleet_->OnLoop([&] {
      gateway_->Send(Request("GET", path, kToken),
                     [&](const absl::StatusOr<http::HttpResponse>& response) {
                       done = true;
                       if (!response.ok()) {
                         out = response.status();
                         return;
                       }
                       const Json list = Json::parse(response->body, nullptr, false);
                       out = list["metadata"].value("resourceVersion", "");
                     });
    });
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("a list", absl::Minutes(1), [&] { return done; }));
    return out;
  }

  // --- Through to the members -----------------------------------------------------------------

  // Clusters, agents and policy, once.
  absl::Status StartMembers() {
    if (!agents_.empty()) return absl::OkStatus();
    std::vector<std::string> manifests;
    for (int i = 0; i < options_.members; ++i) {
      manifests.push_back(ClusterManifest(ClusterName(i), i));
    }
    manifests.push_back(StrCat(
        R"({"apiVersion":"policy.karmada.io/v1alpha1","kind":"PropagationPolicy","metadata":)",
        R"({"name":"all","namespace":")", kPlaced,
        R"("},"spec":{"resourceSelectors":[{"apiVersion":"v1","kind":"ConfigMap"}],)",
        R"("placement":{"clusterAffinity":{}}}})"));
    SEALANE_RETURN_IF_ERROR(fleet_->Deploy(manifests, absl::Seconds(30)));
    for (int i = 0; i < options_.members; ++i) {
      const std::string cluster = ClusterName(i);
      SEALANE_ASSIGN_OR_RETURN(Member member,
                               StartMember(*fleet_, options_.bin_dir, "kubesim-" + cluster));
      SEALANE_ASSIGN_OR_RETURN(
          Subprocess agent, fleet_->StartAgent(cluster, {StrCat("--kubeconfig=", member.kubeconfig),
                                                         "--listen=127.0.0.1:0"}));
      members_.push_back(std::move(member));
      agents_.push_back(std::move(agent));
    }
    // One object comes through: everything is connected.
    SEALANE_ASSIGN_OR_RETURN(const double seconds, Through("warm-up", 1));
    static_cast<void>(seconds);
    return absl::OkStatus();
  }

  // Seconds until objects of that prefix, created at the gateway, are in every member.
  absl::StatusOr<double> Through(const std::string& prefix, int count) {
    SEALANE_ASSIGN_OR_RETURN(const auto counters, Count(members_));
    const auto all = static_cast<size_t>(count) * members_.size();
    SEALANE_RETURN_IF_ERROR(Quiet(*counters));
    const size_t before = counters->events();
    const auto cpu_before = CpuOfAll();
    SEALANE_ASSIGN_OR_RETURN(const Load* load, Send(*gateway_, count, [&](int i) {
                               return Request("POST", MapsOf(kPlaced), kToken,
                                              ConfigMap(StrCat(prefix, "-", i), 1));
                             }));
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the members", absl::Minutes(3),
                                              [&] { return counters->events() >= before + all; }));
    const double seconds = absl::ToDoubleSeconds(counters->last() - load->start());
    result_.cpu_us = CpuOfAll();
    for (size_t i = 0; i < cpu_before.size(); ++i) {
      result_.cpu_us[i].second = (result_.cpu_us[i].second - cpu_before[i].second) * 1e6 / count;
    }
    fleet_->OnLoop([this] { counters_.clear(); });
    return seconds;
  }

  // Seconds of processor so far; all members and all agents together.
  [[nodiscard]] std::vector<std::pair<std::string, double>> CpuOfAll() const {
    std::vector<std::pair<std::string, double>> out;
    for (const auto& [name, process] : fleet_->processes()) {
      out.emplace_back(name, CpuSeconds(process.pid()));
    }
    out.emplace_back("agents", 0);
    for (const Subprocess& agent : agents_) out.back().second += CpuSeconds(agent.pid());
    out.emplace_back("members", 0);
    for (const Member& member : members_) out.back().second += CpuSeconds(member.process->pid());
    return out;
  }

  // Until what was there before has been told: nothing for 300 ms.
  absl::Status Quiet(const Watchers& counters) {
    size_t last = 0;
    int same = 0;
    return fleet_->WaitUntil("quiet members", absl::Minutes(1), [&] {
      same = counters.events() == last ? same + 1 : 0;
      last = counters.events();
      return same > 300;
    });
  }

  // One watch of each member that counts.
  absl::StatusOr<Watchers*> Count(const std::vector<Member>& members) {
    Watchers* counters = nullptr;
    fleet_->OnLoop([&] {
      counters_.push_back(
          std::make_unique<Watchers>(clock(), StrCat(MapsOf(kPlaced), "?watch=1"), "bench-only"));
      counters = counters_.back().get();
    });
    for (const Member& member : members) {
      SEALANE_ASSIGN_OR_RETURN(auto transport, Connect(member.server, ""));
      fleet_->OnLoop([&] {
        counters->Open(*transport, 1);
        streams_.push_back(std::move(transport));
      });
    }
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the members' watches", absl::Seconds(30), [&] {
      return counters->open() == static_cast<int>(members.size());
    }));
    return counters;
  }

  absl::Status MeasureMembers(int round) {
    SEALANE_RETURN_IF_ERROR(StartMembers());
    SEALANE_ASSIGN_OR_RETURN(const double through, Through(StrCat("r", round), options_.placed));
    result_.through_seconds.push_back(through);
    SEALANE_ASSIGN_OR_RETURN(const double direct, Direct(round));
    result_.direct_seconds.push_back(direct);
    return absl::OkStatus();
  }

  // The same objects, written into as many fresh members by a client alone.
  absl::StatusOr<double> Direct(int round) {
    std::vector<Member> members;
    for (int i = 0; i < options_.members; ++i) {
      SEALANE_ASSIGN_OR_RETURN(
          Member member, StartMember(*fleet_, options_.bin_dir, StrCat("direct-", round, "-", i)));
      SEALANE_ASSIGN_OR_RETURN(auto transport, Connect(member.server, ""));
      SEALANE_RETURN_IF_ERROR(Send(*transport, 1, [](int) {
                                return Request("POST", "/api/v1/namespaces", "bench-only",
                                               NamespaceManifest(kPlaced));
                              }).status());
      fleet_->OnLoop([&] { direct_.push_back(std::move(transport)); });
      members.push_back(std::move(member));
    }
    SEALANE_ASSIGN_OR_RETURN(const auto counters, Count(members));
    SEALANE_RETURN_IF_ERROR(Quiet(*counters));
    const size_t before = counters->events();
    std::vector<Load*> loads;
    const absl::Duration start = clock().Monotonic();
    fleet_->OnLoop([&] {
      for (const auto& transport : direct_) {
        loads_.push_back(std::make_unique<Load>(
            *transport, clock(), options_.placed,
            std::max(1, options_.concurrency / options_.members), [round](int i) {
              return Request("POST", MapsOf(kPlaced), "bench-only",
                             ConfigMap(StrCat("r", round, "-", i), 1));
            }));
        loads.push_back(loads_.back().get());
        loads.back()->Start();
      }
    });
    const auto all = static_cast<size_t>(options_.placed) * members.size();
    SEALANE_RETURN_IF_ERROR(fleet_->WaitUntil("the direct writes", absl::Minutes(3),
                                              [&] { return counters->events() >= before + all; }));
    const double seconds = absl::ToDoubleSeconds(counters->last() - start);
    fleet_->OnLoop([this] {
      counters_.clear();
      direct_.clear();
    });
    return seconds;
  }

  const GatewayBenchOptions& options_;
  GatewayBenchResult result_;
  std::unique_ptr<Fleet> fleet_;
  std::string address_;
  std::string ca_file_;
  std::vector<Member> members_;
  std::vector<Subprocess> agents_;
  // Of the loop's thread.
  std::unique_ptr<http::CurlTransport> gateway_;
  std::vector<std::unique_ptr<http::CurlTransport>> streams_;
  std::vector<std::unique_ptr<http::CurlTransport>> direct_;
  std::vector<std::unique_ptr<Load>> loads_;
  std::unique_ptr<Watchers> watchers_;
  std::vector<std::unique_ptr<Watchers>> counters_;
};

}  // namespace

absl::StatusOr<GatewayBenchResult> RunGatewayBench(const GatewayBenchOptions& options) {
  return Run(options).Go();
}

}  // namespace sealane::bench
